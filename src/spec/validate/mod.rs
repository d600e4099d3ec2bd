//! Document → [`Cluster`]: fills in defaults and checks every value. Each finding is reported once, at the value that has to
//! change; whatever cannot be judged because another value is wrong is passed over.

mod access;
mod addons;
mod backups;
mod groups;
mod kubernetes;
mod network;
mod volumes;
mod words;

use super::cluster::Cluster;
use super::raw::RawCluster;
use crate::diag::Diagnostic;
use words::parsed;

/// `None` where a value is missing or wrong; then `found` says so, or the check of the shape did before.
pub(super) fn validate(raw: &RawCluster, found: &mut Vec<Diagnostic>) -> Option<Cluster> {
    let name =
        raw.metadata.as_ref().and_then(|metadata| metadata.name.as_ref()).and_then(|name| parsed(name, "`metadata.name`", found));
    let spec = raw.spec.as_ref()?;

    let given_region = spec.region.as_ref().and_then(|region| parsed(region, "`spec.region`", found));
    let zones = network::zones(spec, given_region.as_ref(), found);
    let region = given_region.or_else(|| network::region_of(&zones));
    let kubernetes_version = kubernetes::version(spec.kubernetes_version.as_ref(), found);
    let tags = access::tags(spec.tags.as_ref(), found);

    let api = network::api(spec, found);
    let dns = network::dns(spec, name.as_ref(), found);
    let network = network::network(spec, &zones, api.as_ref(), found);

    let control_plane = groups::control_plane(spec, zones.len(), found);
    let node_groups = groups::node_groups(spec, &zones, found);
    if let (Some(network), Some(control_plane), Some(groups)) = (&network, &control_plane, &node_groups) {
        network::pods_fit(spec, network, control_plane, groups, found);
    }

    let ssh = access::ssh(spec.ssh.as_ref(), found);
    let iam = access::iam(spec.iam.as_ref(), found);
    let addons = addons::addons(spec.addons.as_deref().unwrap_or_default(), network.as_ref().map(|network| network.cni), found);
    let backups = backups::backups(spec.backups.as_ref(), found);
    let assets = addons::assets(spec.assets.as_ref(), found);

    Some(Cluster {
        name: name?,
        region: region?,
        kubernetes_version: kubernetes_version?,
        tags,
        network: network?,
        api: api?,
        dns,
        ssh,
        iam,
        control_plane: control_plane?,
        node_groups: node_groups?,
        addons,
        backups: backups?,
        assets,
    })
}
