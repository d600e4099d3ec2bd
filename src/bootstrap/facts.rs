//! What a node is told of itself and of its cluster: the variables of `/etc/kclust/node.env`.

use serde::Serialize;

use crate::cloud::Facts;
use crate::model::{API_PORT, BootstrapObject, Kind, ResourceId, UserData, slot_group_name, tags};
use crate::spec::{Cluster, NodeGroup, Slot};

/// Variables of `templates/node.env.tera`.
#[derive(Debug, Serialize)]
pub(super) struct NodeFacts<'a> {
    cluster: &'a str,
    cluster_uid: &'a str,
    /// `control-plane` or `worker`.
    role: &'static str,
    /// The slot or node group.
    group: &'a str,
    api_name: String,
    api_port: u16,
    /// `NAME=ADDRESS …`, all slots in order.
    slots: String,
    /// Tag filters of `DescribeVolumes` that find the slot's etcd volume: `KEY=VALUE …`. Empty for workers.
    volume_tags: String,
    /// Name in AWS of the slot's autoscaling group, whose lifecycle hook the slot completes. Empty for workers.
    autoscaling_group: String,
    region: &'a str,
    ec2_url: String,
    /// URL of the state bucket.
    s3_url: String,
    s3_region: &'a str,
    s3_prefix: &'a str,
    boot_key: &'a str,
    boot_sha256: &'a str,
}

impl<'a> NodeFacts<'a> {
    pub(super) fn slot(cluster: &'a Cluster, facts: &'a Facts, slot: &'a Slot, boot: &'a BootstrapObject) -> Self {
        let volume = ResourceId::new(Kind::Volume, &slot.name);
        let volume_tags = format!("{}={} {}={volume}", tags::cluster(cluster.name.as_str()), tags::OWNED, tags::ID);
        let autoscaling_group = slot_group_name(cluster, &slot.name);
        Self { volume_tags, autoscaling_group, ..Self::new(cluster, facts, "control-plane", &slot.name, boot) }
    }

    pub(super) fn worker(cluster: &'a Cluster, facts: &'a Facts, group: &'a NodeGroup, boot: &'a BootstrapObject) -> Self {
        Self::new(cluster, facts, "worker", group.name.as_str(), boot)
    }

    fn new(cluster: &'a Cluster, facts: &'a Facts, role: &'static str, group: &'a str, boot: &'a BootstrapObject) -> Self {
        Self {
            cluster: cluster.name.as_str(),
            cluster_uid: &facts.cluster_uid,
            role,
            group,
            api_name: api_name(cluster),
            api_port: API_PORT,
            slots: slots(cluster, facts),
            volume_tags: String::new(),
            autoscaling_group: String::new(),
            region: cluster.region.as_str(),
            ec2_url: format!("https://ec2.{}.{}/", cluster.region, dns_suffix(facts)),
            s3_url: s3_url(cluster, facts),
            s3_region: &facts.state.region,
            s3_prefix: &facts.state.prefix,
            boot_key: &boot.key,
            boot_sha256: &boot.sha256,
        }
    }
}

/// The API's name, or the marker that stands for it.
pub(super) fn api_name(cluster: &Cluster) -> String {
    cluster.api_name().unwrap_or_else(|| UserData::API_NAME.to_owned())
}

fn slots(cluster: &Cluster, facts: &Facts) -> String {
    let pairs: Vec<_> =
        cluster.slots().iter().map(|slot| format!("{}={}", slot.name, facts.slot_addresses[&slot.name])).collect();
    pairs.join(" ")
}

/// Domain of AWS's service endpoints in a partition.
fn dns_suffix(facts: &Facts) -> &'static str {
    match facts.partition.as_str() {
        "aws-cn" => "amazonaws.com.cn",
        _ => "amazonaws.com",
    }
}

/// The bucket's URL: virtual-hosted where it can be, path-style for a name with dots, which AWS's wildcard certificate does not
/// cover, and for an endpoint of the user's own.
fn s3_url(cluster: &Cluster, facts: &Facts) -> String {
    let (bucket, region, suffix) = (&facts.state.bucket, &facts.state.region, dns_suffix(facts));
    match &cluster.assets.s3_endpoint {
        Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
        None if bucket.contains('.') => format!("https://s3.{region}.{suffix}/{bucket}"),
        None => format!("https://{bucket}.s3.{region}.{suffix}"),
    }
}
