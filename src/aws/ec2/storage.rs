//! The etcd volumes of the slots.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, Volume as SdkVolume, VolumeState, VolumeType};

use super::tags;
use crate::aws::error::{answer_without, own, translate};
use crate::cloud::{CloudError, Creation, ErrorClass, Physical, Readiness};
use crate::model::tags::{GROUP, ID, cluster as tags_of_cluster};
use crate::model::{Disk, Tags, Volume};

/// Numbers go to AWS as `i32` and are far below its limit.
pub(super) fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn to_u32(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

/// Size and performance as AWS reports them. For gp2 and the magnetic types it reports an IOPS figure that follows from the size.
pub(super) fn disk(
    size: Option<i32>,
    volume_type: Option<&VolumeType>,
    iops: Option<i32>,
    throughput: Option<i32>,
    encrypted: Option<bool>,
) -> Disk {
    let volume_type = volume_type.map(VolumeType::as_str).unwrap_or_default();
    let has_iops = matches!(volume_type, "gp3" | "io1" | "io2");
    Disk {
        size_gib: to_u32(size).unwrap_or_default(),
        volume_type: volume_type.to_owned(),
        iops: to_u32(iops).filter(|_| has_iops),
        throughput: to_u32(throughput).filter(|_| volume_type == "gp3"),
        encrypted: encrypted.unwrap_or_default(),
    }
}

pub(super) fn disk_of(volume: &SdkVolume) -> Disk {
    disk(volume.size(), volume.volume_type(), volume.iops(), volume.throughput(), volume.encrypted())
}

pub(super) async fn create_volume(client: &Client, creation: &Creation<'_>, volume: &Volume) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateVolume";
    let Volume { zone, disk, tags } = volume;
    if let Some(lost) = find_lost_volume(client, zone, tags).await? {
        tags::update(client, &lost, &Tags::new(), tags).await?;
        return Ok(Physical::new(lost));
    }
    let call = client
        .create_volume()
        .client_token(creation.token)
        .availability_zone(zone)
        .size(to_i32(disk.size_gib))
        .volume_type(VolumeType::from(disk.volume_type.as_str()))
        .set_iops(disk.iops.map(to_i32))
        .set_throughput(disk.throughput.map(to_i32))
        .encrypted(disk.encrypted)
        .tag_specifications(tags::specification(ResourceType::Volume, tags));
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    answer.volume_id.map(Physical::new).ok_or_else(|| answer_without(OPERATION, "volumeId"))
}

/// A volume of the slot that lost the tag by which it is known. It holds the data of an etcd member: an empty one in its place
/// would lose them.
async fn find_lost_volume(client: &Client, zone: &str, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let ownership = tags_of_cluster("");
    let identity = wanted.iter().filter(|(key, _)| key.starts_with(&ownership) || *key == GROUP);
    let mut filters: Vec<_> = identity.map(|(key, value)| tags::filter(format!("tag:{key}"), value)).collect();
    filters.push(tags::filter("availability-zone", zone));
    let volumes =
        client.describe_volumes().set_filters(Some(filters)).into_paginator().items().send().collect::<Result<Vec<_>, _>>();
    let volumes = volumes.await.map_err(|error| translate("ec2:DescribeVolumes", error))?;
    // The root volumes of the slot's machines carry the same tags, and go with their machines.
    let is_root = |volume: &SdkVolume| volume.attachments().iter().any(|it| it.delete_on_termination() == Some(true));
    let is_lost = |volume: &SdkVolume| {
        let is_known = volume.tags().iter().any(|tag| tag.key() == Some(ID));
        let is_there = matches!(volume.state(), Some(VolumeState::Available | VolumeState::InUse));
        is_there && !is_known && !is_root(volume)
    };
    let mut lost: Vec<String> = volumes.into_iter().filter(is_lost).filter_map(|volume| volume.volume_id).collect();
    match lost.len() {
        0 | 1 => Ok(lost.pop()),
        _ => {
            let message = format!("{} may each be the slot's, and only one is: delete or untag the others", lost.join(", "));
            Err(own("ec2:DescribeVolumes", ErrorClass::Invalid, message))
        }
    }
}

pub(super) async fn update_volume(client: &Client, id: &str, observed: &Volume, desired: &Volume) -> Result<(), CloudError> {
    const OPERATION: &str = "ec2:ModifyVolume";
    let (from, to) = (&observed.disk, &desired.disk);
    if to.size_gib < from.size_gib {
        let message = format!("a volume cannot shrink: {id} has {} GiB, {} GiB are wanted", from.size_gib, to.size_gib);
        return Err(own(OPERATION, ErrorClass::Invalid, message));
    }
    if from != to {
        let call = client
            .modify_volume()
            .volume_id(id)
            .size(to_i32(to.size_gib))
            .volume_type(VolumeType::from(to.volume_type.as_str()))
            .set_iops(to.iops.map(to_i32))
            .set_throughput(to.throughput.map(to_i32));
        match call.send().await.map_err(|error| translate(OPERATION, error)) {
            Err(error) if error.code.as_deref() == Some("IncorrectModificationState") => {
                has_become(client, id, to, error).await?
            }
            result => drop(result?),
        }
    }
    tags::update(client, id, &observed.tags, &desired.tags).await
}

/// After `refused`, because the volume is being modified: whether that is to what is wanted. An answer that was lost has the SDK send
/// the same once more.
async fn has_become(client: &Client, id: &str, wanted: &Disk, refused: CloudError) -> Result<(), CloudError> {
    let answer = client.describe_volumes().volume_ids(id).send().await;
    let answer = answer.map_err(|error| translate("ec2:DescribeVolumes", error))?;
    match answer.volumes().first() {
        Some(volume) if disk_of(volume) == *wanted => Ok(()),
        // It shows its new size in a moment, or something else has first to end.
        _ => Err(CloudError { class: ErrorClass::NotYet, ..refused }),
    }
}

/// Fails with class `InUse` while the volume is attached.
pub(super) async fn delete_volume(client: &Client, id: &str) -> Result<(), CloudError> {
    client.delete_volume().volume_id(id).send().await.map_err(|error| translate("ec2:DeleteVolume", error))?;
    Ok(())
}

pub(super) async fn volume_readiness(client: &Client, id: &str) -> Result<Readiness, CloudError> {
    let call = client.describe_volumes().volume_ids(id);
    let state = match call.send().await.map_err(|error| translate("ec2:DescribeVolumes", error)) {
        Ok(answer) => answer.volumes().first().and_then(SdkVolume::state).cloned(),
        // Made a moment ago, not visible everywhere.
        Err(error) if error.class == ErrorClass::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(match state {
        Some(VolumeState::Available | VolumeState::InUse) => Readiness::Ready,
        // For example where the default KMS key of the account cannot be used.
        Some(VolumeState::Error) => Readiness::Failed(format!("EBS could not make volume {id}")),
        Some(state) => Readiness::Pending(format!("volume {id} is {}", state.as_str())),
        None => Readiness::Pending(format!("volume {id} is not visible yet")),
    })
}
