//! `kclust render`: everything that a cluster would be made of, as files. No cloud is asked: what only AWS knows is made up, and
//! looks it.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use crate::addons::{self, Content, Definition};
use crate::bootstrap;
use crate::cloud::facts::{ExistingSubnetFacts, ExistingVpc};
use crate::cloud::{ExistingNetwork, Facts, HostedZone, InstanceTypeFacts, ResolvedImage, ResolvedManifest, World};
use crate::model::{Resource, build, fixed_addresses};
use crate::plan::{self, Context, Operation};
use crate::spec::{Addon, Architecture, Cluster, DnsVisibility, Image, InstanceType, Vpc};

use super::error::OpsError;
use super::manifests::{self, ManifestReader, Reading, is_address};
use super::{StateRoot, facts};

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Relative, with `/` between parts.
    pub path: String,
    pub content: String,
}

/// All artefacts of a cluster: user-data and kubeadm documents of each kind of node, boot program, addons, settings of the control
/// planes, IAM policies, plan. Manifests are read where they are files; of an address it is said that it was not asked.
///
/// # Errors
/// When a manifest cannot be used, and on mistakes of the model.
pub async fn render(cluster: &Cluster, root: &StateRoot, reader: &dyn ManifestReader) -> Result<Vec<Artefact>, OpsError> {
    let mut facts = made_up_facts(cluster, root);
    let mut problems = Vec::new();
    facts.manifests = manifests::resolve(reader, cluster, Some(&facts), Reading::Given, &mut problems).await;
    if !problems.is_empty() {
        return Err(OpsError::Manifests(problems));
    }
    let desired = build(cluster, &facts);
    let mut artefacts: Vec<Artefact> =
        bootstrap::all_artefacts(cluster, &facts).into_iter().map(|(path, content)| Artefact { path, content }).collect();
    for (id, resource) in &desired {
        let (path, json) = match resource {
            Resource::RolePolicy(policy) => {
                let role = policy.role.target().map(|id| id.name).unwrap_or_default();
                (format!("iam/{role}-policy.json"), &policy.document)
            }
            Resource::Role(role) => (format!("iam/{}-trust.json", id.name), &role.trust_policy),
            Resource::ControlPlaneSettings(settings) => {
                artefacts.push(Artefact { path: "control-plane/settings".to_owned(), content: settings.to_text() });
                continue;
            }
            _ => continue,
        };
        artefacts.push(Artefact { path, content: pretty(json) });
    }
    artefacts.extend(addons::definitions(cluster, &facts).into_iter().map(|addon| addon_file(addon, &facts)));
    let user_tags = cluster.tags.keys().cloned().collect();
    let context = Context { cluster: cluster.name.as_str(), operation: Operation::Create, user_tags };
    let plan = plan::reconcile(&context, &desired, &World::default())?;
    artefacts.push(Artefact { path: "plan.json".to_owned(), content: format!("{:#}\n", plan.to_json()) });
    artefacts.push(Artefact { path: "cluster.yaml".to_owned(), content: crate::spec::to_yaml(cluster) });
    artefacts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(artefacts)
}

/// What control planes apply for an addon: its manifest, or the values of its chart.
fn addon_file(addon: Definition, facts: &Facts) -> Artefact {
    let Definition { name, content, chart } = addon;
    let what = if chart.is_some() { "values" } else { "manifest" };
    let content = match content {
        Content::Text(text) => text,
        Content::Recorded { .. } => {
            let source = facts.manifests.get(&name).map(|manifest| manifest.source.as_str()).unwrap_or_default();
            format!("# Not fetched: {source}\n")
        }
    };
    Artefact { path: format!("addons/{name}-{what}.yaml"), content }
}

/// The canonical form is for machines; people get indented lines.
fn pretty(json: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(json) {
        Ok(value) => format!("{value:#}\n"),
        Err(_) => json.to_owned(),
    }
}

/// Facts that are evidently nobody's: account 000000000000, image ami-0000…, manifests of SHA-256 0000… where they would be fetched.
pub(super) fn made_up_facts(cluster: &Cluster, root: &StateRoot) -> Facts {
    let mut types: Vec<&InstanceType> = cluster.node_groups.iter().flat_map(|group| &group.instance_types).collect();
    types.push(&cluster.control_plane.instance_type);
    let instance_types: BTreeMap<String, InstanceTypeFacts> = types
        .into_iter()
        .map(|name| {
            let gpus =
                u32::from(cluster.node_groups.iter().any(|group| group.gpu.is_some() && group.instance_types.contains(name)));
            let architecture = Architecture::of(name);
            (name.to_string(), InstanceTypeFacts { name: name.to_string(), architecture, vcpus: 0, memory_mib: 0, gpus })
        })
        .collect();
    let mut sources: Vec<&Image> = cluster.node_groups.iter().map(|group| &group.image).collect();
    sources.push(&cluster.control_plane.image);
    let images = sources
        .into_iter()
        .flat_map(|image| [Architecture::X86_64, Architecture::Arm64].map(|architecture| (image, architecture)))
        .map(|(image, architecture)| {
            let resolved = ResolvedImage {
                id: match image {
                    Image::Id(id) => id.clone(),
                    Image::Default | Image::Parameter(_) | Image::Name { .. } => "ami-00000000000000000".to_owned(),
                },
                name: "made-up".to_owned(),
                architecture,
                root_device: "/dev/sda1".to_owned(),
            };
            (Facts::image_key(image, architecture), resolved)
        })
        .collect();
    let mut slot_addresses: BTreeMap<_, _> = fixed_addresses(cluster).into_iter().collect();
    let network = match &cluster.network.vpc {
        Vpc::Managed { .. } => None,
        Vpc::Existing { id, subnets } => {
            // TEST-NET-1 (RFC 5737): an address range that no network has.
            let cidr = Ipv4Net::new_assert([192, 0, 2, 0].into(), 24);
            slot_addresses = cluster.slots().into_iter().map(|slot| slot.name).zip(cidr.hosts().skip(9)).collect();
            let vpc = Some(ExistingVpc { id: id.clone(), cidrs: vec![cidr] });
            let facts = |zone: String| ExistingSubnetFacts { vpc: id.clone(), zone, cidr, used_addresses: Vec::new() };
            let subnets = subnets.iter().map(|subnet| (subnet.id.clone(), facts(subnet.zone.to_string()))).collect();
            Some(ExistingNetwork { vpc, subnets })
        }
    };
    Facts {
        account: "000000000000".to_owned(),
        partition: cluster.region.partition().to_owned(),
        cluster_uid: "0".repeat(32),
        images,
        instance_types,
        hosted_zone: cluster.dns.as_ref().map(|dns| HostedZone {
            id: "Z0000000000000".to_owned(),
            name: dns.zone.clone(),
            private: dns.visibility == DnsVisibility::Private,
        }),
        network,
        slot_addresses,
        manifests: cluster.addons.iter().filter_map(unfetched).collect(),
        user_tags: cluster.tags.keys().cloned().collect(),
        state: facts::state_location(root, cluster),
    }
}

/// A manifest as if it had been read before.
pub(super) fn unread(source: &str, pinned: Option<&String>) -> ResolvedManifest {
    let sha256 = pinned.cloned().unwrap_or_else(|| "0".repeat(64));
    ResolvedManifest { source: source.to_owned(), pinned: pinned.cloned(), sha256, content: None }
}

/// Those of addresses.
fn unfetched(addon: &Addon) -> Option<(String, ResolvedManifest)> {
    match addon {
        Addon::Manifest { name, source, sha256 } if is_address(source) => Some((name.clone(), unread(source, sha256.as_ref()))),
        Addon::Preset(_) | Addon::Manifest { .. } | Addon::Chart { .. } => None,
    }
}
