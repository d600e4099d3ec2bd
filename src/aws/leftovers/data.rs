//! Data of the cluster's users: volumes of persistent volume claims, and snapshots of them.
//!
//! The EBS CSI driver tags both with the cluster when it knows its name (`k8sTagClusterId`, as the preset sets it). What it makes
//! without that names no cluster, and is nobody's to find.

use aws_sdk_ec2::types::{Snapshot, Volume, VolumeState};

use super::{has, owned, value};
use crate::aws::Aws;
use crate::aws::error::translate;
use crate::cloud::{CloudError, Leftover};
use crate::model::tags;

/// Tags of volumes of persistent volume claims.
const CLAIM_NAMESPACE: &str = "kubernetes.io/created-for/pvc/namespace";
const CLAIM_NAME: &str = "kubernetes.io/created-for/pvc/name";

pub(super) async fn find(aws: &Aws, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let volumes = async {
        let pages = aws.ec2.describe_volumes().filters(owned(cluster)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| translate("ec2:DescribeVolumes", error))
    };
    let snapshots = async {
        let call = aws.ec2.describe_snapshots().owner_ids("self").filters(owned(cluster));
        let pages = call.into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| translate("ec2:DescribeSnapshots", error))
    };
    let (volumes, snapshots) = tokio::try_join!(volumes, snapshots)?;
    Ok(volumes.iter().filter_map(read_volume).chain(snapshots.iter().filter_map(read_snapshot)).collect())
}

/// A volume with data of the cluster's users: neither one of kclust's nor one that goes with an instance.
fn read_volume(volume: &Volume) -> Option<Leftover> {
    let goes_with_instance = volume.attachments().iter().any(|attachment| attachment.delete_on_termination == Some(true));
    let gone = matches!(volume.state(), Some(VolumeState::Deleting | VolumeState::Deleted));
    let found = volume.tags();
    if goes_with_instance || gone || has(found, tags::ID) || has(found, tags::GROUP) {
        return None;
    }
    let claim = value(found, CLAIM_NAME).map(|name| match value(found, CLAIM_NAMESPACE) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    });
    Some(Leftover::DataVolume {
        id: volume.volume_id.clone()?,
        size_gib: gib(volume.size),
        zone: volume.availability_zone.clone().unwrap_or_default(),
        claim,
    })
}

fn read_snapshot(snapshot: &Snapshot) -> Option<Leftover> {
    Some(Leftover::Snapshot {
        id: snapshot.snapshot_id.clone()?,
        size_gib: gib(snapshot.volume_size),
        volume: snapshot.volume_id.clone().unwrap_or_default(),
    })
}

fn gib(size: Option<i32>) -> u32 {
    size.and_then(|size| size.try_into().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::VolumeAttachment;

    use super::super::tests::ec2_tags;
    use super::*;

    #[test]
    fn data_volumes_are_those_of_nobody_else() {
        const OWNED: (&str, &str) = ("kubernetes.io/cluster/demo", "owned");
        let volume = |pairs: &[(&str, &str)]| {
            Volume::builder().volume_id("vol-1").size(8).availability_zone("us-east-1a").set_tags(ec2_tags(pairs))
        };
        let claimed = volume(&[OWNED, (CLAIM_NAMESPACE, "db"), (CLAIM_NAME, "data-0")]).build();
        let expected =
            Leftover::DataVolume { id: "vol-1".into(), size_gib: 8, zone: "us-east-1a".into(), claim: Some("db/data-0".into()) };
        assert_eq!(read_volume(&claimed), Some(expected));
        assert_eq!(read_volume(&volume(&[OWNED, (tags::ID, "Volume/cp-1")]).build()), None);
        assert_eq!(read_volume(&volume(&[OWNED, (tags::GROUP, "workers")]).build()), None);
        let root = VolumeAttachment::builder().delete_on_termination(true).build();
        assert_eq!(read_volume(&volume(&[OWNED]).attachments(root).build()), None);
    }
}
