//! Instances: those in the cluster's network, and those elsewhere that somebody gave a part of the cluster.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, Instance, NetworkInterface, Volume};

use super::FILTER_VALUES;
use crate::aws::Aws;
use crate::aws::error::translate;
use crate::aws::facts::filter;
use crate::aws::leftovers::{has, owned};
use crate::cloud::CloudError;
use crate::model::tags;

/// Instances in these VPCs that are not terminated, whoever's.
pub(super) async fn in_vpcs(aws: &Aws, vpcs: &[String]) -> Result<Vec<Instance>, CloudError> {
    if vpcs.is_empty() {
        return Ok(Vec::new());
    }
    described(aws, filter("vpc-id", vpcs.to_vec())).await
}

/// The slots' volumes.
pub(super) async fn volumes(aws: &Aws, cluster: &str) -> Result<Vec<Volume>, CloudError> {
    let call = aws.ec2.describe_volumes().filters(owned(cluster)).filters(filter("tag-key", [tags::ID.to_owned()]));
    let pages = call.into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeVolumes", error))
}

/// What of the cluster is attached to an instance: the instance, and the part.
pub(super) fn attached(volumes: &[Volume], interfaces: &[NetworkInterface]) -> BTreeMap<String, String> {
    let of_volume = |volume: &Volume| {
        let attachment = volume.attachments().iter().find_map(|attachment| attachment.instance_id.clone());
        Some((attachment?, format!("Volume/{}", volume.volume_id()?)))
    };
    let of_interface = |interface: &NetworkInterface| {
        let attachment = interface.attachment().and_then(|attachment| attachment.instance_id.clone());
        Some((attachment?, format!("NetworkInterface/{}", interface.network_interface_id()?)))
    };
    let slots = interfaces.iter().filter(|interface| has(interface.tag_set(), tags::ID));
    volumes.iter().filter_map(of_volume).chain(slots.filter_map(of_interface)).collect()
}

/// Those of them that are not `known`, with what they hold.
pub(super) async fn outside(
    aws: &Aws,
    known: &[Instance],
    mut attached: BTreeMap<String, String>,
) -> Result<Vec<(Instance, String)>, CloudError> {
    attached.retain(|id, _| known.iter().all(|instance| instance.instance_id() != Some(id)));
    let ids: Vec<String> = attached.keys().cloned().collect();
    let mut found = Vec::new();
    for ids in ids.chunks(FILTER_VALUES) {
        let instances = described(aws, filter("instance-id", ids.to_vec())).await?;
        found.extend(instances.into_iter().filter_map(|instance| {
            let held = attached.remove(instance.instance_id()?)?;
            Some((instance, held))
        }));
    }
    Ok(found)
}

async fn described(aws: &Aws, by: Filter) -> Result<Vec<Instance>, CloudError> {
    let states = ["pending", "running", "stopping", "stopped", "shutting-down"].map(str::to_owned);
    let call = aws.ec2.describe_instances().filters(by).filters(filter("instance-state-name", states));
    let mut pages = call.max_results(1000).into_paginator().send();
    let mut instances = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| translate("ec2:DescribeInstances", error))?;
        instances.extend(page.reservations.unwrap_or_default().into_iter().flat_map(|it| it.instances.unwrap_or_default()));
    }
    Ok(instances)
}
