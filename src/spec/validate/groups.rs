//! Control plane and node groups.

use std::collections::BTreeMap;
use std::ops::Range;

use super::kubernetes::{label_key, label_value, qualified_name};
use super::volumes::{Purpose, volume};
use super::words::{instance_type, parsed, twice};
use crate::diag::Diagnostic;
use crate::spec::cluster::{Architecture, ControlPlane, Gpu, Image, NodeGroup, Purchase, SpotAllocation, Taint};
use crate::spec::decode::{Entries, Spanned};
use crate::spec::defaults;
use crate::spec::names::{GroupName, InstanceType, Zone};
use crate::spec::raw::{RawControlPlane, RawNodeGroup, RawPurchase, RawSpec, RawTaint};

/// Kubernetes is tested up to so many nodes ("Considerations for large clusters").
const MOST_NODES: u32 = 5_000;
/// `Overrides` of a mixed-instances policy.
const MOST_INSTANCE_TYPES: usize = 40;
const ROOT_WHY: &str = "the image, Kubernetes and its logs need that much";

pub(super) fn control_plane(spec: &RawSpec, zones: usize, found: &mut Vec<Diagnostic>) -> Option<ControlPlane> {
    let nothing = RawControlPlane::default();
    let raw = spec.control_plane.as_ref().unwrap_or(&nothing);
    let replicas = match &raw.replicas {
        Some(given) => replicas(given, found),
        None => Some(defaults::replicas(zones)),
    };
    let instance_type = match &raw.instance_type {
        Some(text) => instance_type(text, "`spec.controlPlane.instanceType`", found),
        // The default is well-formed: a test reads it.
        None => InstanceType::parse(defaults::INSTANCE_TYPE).ok(),
    };
    let image = image(raw.image.as_ref(), found);
    let root = Purpose {
        path: "spec.controlPlane.rootVolume",
        default_gib: defaults::CONTROL_PLANE_ROOT_GIB,
        least_gib: 16,
        why: ROOT_WHY,
    };
    let etcd = Purpose {
        path: "spec.controlPlane.etcdVolume",
        default_gib: defaults::ETCD_GIB,
        least_gib: 10,
        why: "etcd's database may grow to 8 GiB, and its log comes on top",
    };
    let root_volume = volume(raw.root_volume.as_ref(), root, found);
    let etcd_volume = volume(raw.etcd_volume.as_ref(), etcd, found);
    Some(ControlPlane {
        replicas: replicas?,
        instance_type: instance_type?,
        image: image?,
        root_volume: root_volume?,
        etcd_volume: etcd_volume?,
    })
}

fn replicas(given: &Spanned<u32>, found: &mut Vec<Diagnostic>) -> Option<u8> {
    let finding = Diagnostic::error(given.span.clone(), "`spec.controlPlane.replicas` must be 1, 3, 5 or 7");
    match (u8::try_from(given.value), given.value) {
        (Ok(replicas), 1 | 3 | 5 | 7) => return Some(replicas),
        (_, count @ (2 | 4 | 6)) => {
            found.push(finding.help(format!("etcd decides by majority: {count} outlive no more losses than {} do", count - 1)));
        }
        _ => found.push(finding),
    }
    None
}

pub(super) fn node_groups(spec: &RawSpec, zones: &[Spanned<Zone>], found: &mut Vec<Diagnostic>) -> Option<Vec<NodeGroup>> {
    let default = [RawNodeGroup { name: Some(defaults::GROUP_NAME.to_owned().into()), ..RawNodeGroup::default() }];
    let raw_groups = spec.node_groups.as_deref().unwrap_or(&default);
    let mut names: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    let mut groups = Some(Vec::new());
    for (index, raw) in raw_groups.iter().enumerate() {
        if let Some(name) = &raw.name {
            match names.get(name.value.as_str()) {
                Some(first) => found.push(
                    Diagnostic::error(name.span.clone(), format!("two node groups are named `{}`", name.value))
                        .related((*first).clone(), "the first one"),
                ),
                None => {
                    names.insert(&name.value, &name.span);
                }
            }
        }
        let group = node_group(raw, index, zones, found);
        groups = groups.zip(group).map(|(mut groups, group)| {
            groups.push(group);
            groups
        });
    }
    groups
}

fn node_group(raw: &RawNodeGroup, index: usize, zones: &[Spanned<Zone>], found: &mut Vec<Diagnostic>) -> Option<NodeGroup> {
    let name = raw.name.as_ref().and_then(|name| group_name(name, found));
    let (min_size, max_size) = sizes(raw, found);
    let instance_types = instance_types(raw, found);
    let purchase = purchase(raw.purchase.as_ref(), max_size, found);
    let image = image(raw.image.as_ref(), found);
    let gpu = raw.gpu.as_ref();
    if let Some(gpu) = gpu {
        gpu_types(raw, gpu, found);
    }
    let path = format!("spec.nodeGroups[{index}].rootVolume");
    let root = Purpose { path: &path, default_gib: defaults::NODE_ROOT_GIB, least_gib: 16, why: ROOT_WHY };
    let root_volume = volume(raw.root_volume.as_ref(), root, found);
    let labels = labels(raw.labels.as_ref(), found);
    let taints = taints(raw.taints.as_deref().unwrap_or_default(), found);
    let group_zones = group_zones(raw.zones.as_ref(), zones, found);
    Some(NodeGroup {
        name: name?,
        min_size,
        max_size,
        instance_types: instance_types?,
        purchase,
        image: image?,
        gpu: gpu.map(|gpu| gpu.value),
        root_volume: root_volume?,
        labels,
        taints,
        zones: group_zones?,
    })
}

fn group_name(text: &Spanned<String>, found: &mut Vec<Diagnostic>) -> Option<GroupName> {
    let name: GroupName = parsed(text, "the name of a node group", found)?;
    // The control plane's own launch templates and groups are called after its slots.
    let slot = text.value.strip_prefix("cp-").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    if slot || text.value == "control-plane" {
        let message = format!("a node group cannot be named `{name}`: names of the control plane look like that");
        found.push(Diagnostic::error(text.span.clone(), message));
        return None;
    }
    Some(name)
}

fn sizes(raw: &RawNodeGroup, found: &mut Vec<Diagnostic>) -> (u32, u32) {
    let (min, max) = (raw.min_size.as_ref(), raw.max_size.as_ref());
    let min_size = match (min, max) {
        (Some(min), _) => min.value,
        (None, Some(max)) => max.value.min(defaults::GROUP_MIN_SIZE),
        (None, None) => defaults::GROUP_MIN_SIZE,
    };
    let max_size = max.map_or(min_size, |max| max.value);
    for (key, size) in [("minSize", min), ("maxSize", max)] {
        if let Some(size) = size.filter(|size| size.value > MOST_NODES) {
            found.push(Diagnostic::error(size.span.clone(), format!("`{key}` must be at most {MOST_NODES}")));
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && min.value > max.value
    {
        found.push(
            Diagnostic::error(min.span.clone(), format!("`minSize` {} is above `maxSize` {}", min.value, max.value))
                .related(max.span.clone(), "`maxSize` is given here"),
        );
    }
    (min_size, max_size)
}

fn instance_types(raw: &RawNodeGroup, found: &mut Vec<Diagnostic>) -> Option<Vec<InstanceType>> {
    let Some(texts) = &raw.instance_types else {
        // The default is well-formed: a test reads it.
        return InstanceType::parse(defaults::INSTANCE_TYPE).ok().map(|default| vec![default]);
    };
    if texts.value.is_empty() {
        found.push(Diagnostic::error(texts.span.clone(), "`instanceTypes` must name at least one instance type"));
    } else if let Some(extra) = texts.value.get(MOST_INSTANCE_TYPES) {
        let message = format!("`instanceTypes` must name at most {MOST_INSTANCE_TYPES} instance types");
        found.push(Diagnostic::error(extra.span.clone(), message));
    }
    let before = found.len();
    let mut types: Vec<(InstanceType, &Spanned<String>)> = Vec::new();
    for text in &texts.value {
        let Some(instance_type) = instance_type(text, "an entry of `instanceTypes`", found) else { continue };
        if let Some((_, first)) = types.iter().find(|(other, _)| *other == instance_type) {
            found.push(twice(text, &first.span));
            continue;
        }
        if let Some((first, first_text)) = types.first() {
            let (architecture, expected) = (Architecture::of(&instance_type), Architecture::of(first));
            if architecture != expected {
                let message = format!(
                    "`{instance_type}` is {} and `{first}` is {}; one group runs one image, so its types must agree",
                    architecture.ec2(),
                    expected.ec2()
                );
                found.push(Diagnostic::error(text.span.clone(), message).related(first_text.span.clone(), expected.ec2()));
                continue;
            }
        }
        types.push((instance_type, text));
    }
    (found.len() == before && !types.is_empty()).then(|| types.into_iter().map(|(instance_type, _)| instance_type).collect())
}

fn gpu_types(raw: &RawNodeGroup, gpu: &Spanned<Gpu>, found: &mut Vec<Diagnostic>) {
    let Gpu::Nvidia = gpu.value;
    let help = "NVIDIA GPUs are in the families g and p, such as g6.xlarge or p5.48xlarge";
    let Some(texts) = &raw.instance_types else {
        let message = format!("`gpu: nvidia` needs `instanceTypes` with a GPU; the default {} has none", defaults::INSTANCE_TYPE);
        found.push(Diagnostic::error(gpu.span.clone(), message).help(help));
        return;
    };
    for text in &texts.value {
        let Ok(instance_type) = InstanceType::parse(text.value.as_str()) else { continue };
        if !has_nvidia(instance_type.family()) {
            found.push(
                Diagnostic::error(text.span.clone(), format!("`{instance_type}` has no NVIDIA GPU"))
                    .related(gpu.span.clone(), "asked for here")
                    .help(help),
            );
        }
    }
}

/// By AWS's naming rule: the series g, gr and p; g4ad carries AMD's GPUs.
fn has_nvidia(family: &str) -> bool {
    let series = family.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
    matches!(series, "g" | "gr" | "p") && family != "g4ad"
}

fn purchase(raw: Option<&RawPurchase>, max_size: u32, found: &mut Vec<Diagnostic>) -> Purchase {
    let Some(raw) = raw else { return Purchase::OnDemand };
    if let Some(base) = raw.on_demand_base.as_ref().filter(|base| base.value > max_size) {
        let message = format!("`onDemandBase` must be at most `maxSize`, {max_size}");
        found.push(Diagnostic::error(base.span.clone(), message));
    }
    let percent = raw.on_demand_percent_above_base.as_ref();
    let percent = match percent.map(|percent| (percent, u8::try_from(percent.value))) {
        None => 0,
        Some((_, Ok(value @ 0..=100))) => value,
        Some((text, _)) => {
            found.push(Diagnostic::error(text.span.clone(), "`onDemandPercentAboveBase` must be from 0 to 100"));
            0
        }
    };
    Purchase::Mixed {
        on_demand_base: raw.on_demand_base.as_ref().map_or(0, |base| base.value),
        on_demand_percent_above_base: percent,
        spot_allocation: raw.spot_allocation.unwrap_or(SpotAllocation::PriceCapacityOptimized),
    }
}

fn labels(raw: Option<&Entries<Spanned<String>>>, found: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, value) in raw.iter().flat_map(|entries| &entries.0) {
        // Both are checked, whatever the first says.
        if label_key(key, found) & label_value(value, "a label", found) {
            labels.insert(key.value.clone(), value.value.clone());
        }
    }
    labels
}

fn taints(raw: &[RawTaint], found: &mut Vec<Diagnostic>) -> Vec<Taint> {
    let mut taints: Vec<(Taint, &Range<usize>)> = Vec::new();
    for raw in raw {
        let (Some(key), Some(effect)) = (&raw.key, raw.effect) else { continue };
        qualified_name(key, "a taint", found);
        if let Some(value) = &raw.value {
            label_value(value, "a taint", found);
        }
        if let Some((_, first)) = taints.iter().find(|(other, _)| other.key == key.value && other.effect == effect) {
            let message = format!("two taints have the key `{}` and the effect {}", key.value, effect.as_str());
            found.push(Diagnostic::error(key.span.clone(), message).related((*first).clone(), "the first one"));
        }
        // An empty value and none are the same to Kubernetes.
        let value = raw.value.as_ref().map(|value| value.value.clone()).filter(|value| !value.is_empty());
        taints.push((Taint { key: key.value.clone(), value, effect }, &key.span));
    }
    taints.into_iter().map(|(taint, _)| taint).collect()
}

fn group_zones(
    raw: Option<&Spanned<Vec<Spanned<String>>>>,
    network: &[Spanned<Zone>],
    found: &mut Vec<Diagnostic>,
) -> Option<Vec<Zone>> {
    let Some(texts) = raw else { return Some(network.iter().map(|zone| zone.value.clone()).collect()) };
    if texts.value.is_empty() {
        found.push(Diagnostic::error(texts.span.clone(), "`zones` of a node group must name at least one zone"));
        return None;
    }
    let before = found.len();
    let mut zones: Vec<(Zone, &Range<usize>)> = Vec::new();
    for text in &texts.value {
        let Some(zone) = network.iter().find(|zone| zone.value.as_str() == text.value) else {
            // Where the network's own zones are wrong, this may be right.
            if !network.is_empty() {
                found.push(
                    Diagnostic::error(text.span.clone(), format!("zone `{}` is not among `spec.network.zones`", text.value))
                        .related(network[0].span.clone(), "the cluster's zones"),
                );
            }
            continue;
        };
        match zones.iter().find(|(other, _)| *other == zone.value) {
            Some((_, first)) => found.push(twice(text, first)),
            None => zones.push((zone.value.clone(), &text.span)),
        }
    }
    (found.len() == before && !zones.is_empty()).then(|| zones.into_iter().map(|(zone, _)| zone).collect())
}

fn image(text: Option<&Spanned<String>>, found: &mut Vec<Diagnostic>) -> Option<Image> {
    let Some(text) = text else { return Some(Image::Default) };
    let parsed = parse_image(&text.value);
    if parsed.is_none() {
        found.push(
            Diagnostic::error(text.span.clone(), "an image must be `ami-...`, `ssm:/parameter` or `owner/name-pattern`").help(
                "for example 099720109477/ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-*; without `image`, the newest Ubuntu LTS is used",
            ),
        );
    }
    parsed
}

fn parse_image(text: &str) -> Option<Image> {
    if let Some(digits) = text.strip_prefix("ami-") {
        let shaped = matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        return shaped.then(|| Image::Id(text.to_owned()));
    }
    if let Some(path) = text.strip_prefix("ssm:") {
        // Names of Parameter Store parameters.
        let shaped = path.len() > 1
            && path.starts_with('/')
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_'));
        return shaped.then(|| Image::Parameter(path.to_owned()));
    }
    let (owner, pattern) = text.split_once('/')?;
    // `Owners` of DescribeImages: an account or an alias.
    let account = owner.len() == 12 && owner.bytes().all(|b| b.is_ascii_digit());
    let alias = matches!(owner, "self" | "amazon" | "aws-marketplace" | "aws-backup-vault");
    let named = !pattern.is_empty() && pattern.chars().all(|c| c.is_ascii_graphic() || c == ' ') && pattern.trim() == pattern;
    ((account || alias) && named).then(|| Image::Name { owner: owner.to_owned(), pattern: pattern.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nvidia_families() {
        for family in ["g3", "g4dn", "g5", "g5g", "g6e", "gr6", "p3dn", "p4d", "p5", "p6-b200", "p6e-gb200"] {
            assert!(has_nvidia(family), "{family}");
        }
        for family in ["g4ad", "m6g", "t4g", "c6gn", "inf2", "trn1", "is4gen"] {
            assert!(!has_nvidia(family), "{family}");
        }
    }

    #[test]
    fn images() {
        assert_eq!(parse_image("ami-0123456789abcdef0"), Some(Image::Id("ami-0123456789abcdef0".into())));
        assert_eq!(parse_image("ssm:/a/b.c"), Some(Image::Parameter("/a/b.c".into())));
        let named = Image::Name { owner: "099720109477".into(), pattern: "ubuntu/images/*".into() };
        assert_eq!(parse_image("099720109477/ubuntu/images/*"), Some(named));
        for wrong in ["", "ami-xyz", "ssm:path", "ssm:/", "ubuntu", "canonical/ubuntu", "099720109477/", "ami-0123/x"] {
            assert_eq!(parse_image(wrong), None, "{wrong}");
        }
    }
}
