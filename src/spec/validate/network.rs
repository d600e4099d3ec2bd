//! Region, zones, address ranges, existing subnets, the API endpoint and its DNS zone.

use std::net::Ipv4Addr;
use std::ops::Range;

use ipnet::Ipv4Net;

use super::words::{cidr, cidrs, parsed, twice};
use crate::diag::Diagnostic;
use crate::spec::cluster::{
    Api, ApiEndpoint, Cni, ControlPlane, Dns, DnsVisibility, ExistingSubnet, Nat, Network, NodeGroup, Scheme, SubnetRole,
    Topology, Vpc,
};
use crate::spec::decode::Spanned;
use crate::spec::names::{ClusterName, Region, Zone, check_dns_name};
use crate::spec::network::{MAX_ZONES, longest_prefix};
use crate::spec::raw::{RawNetwork, RawSpec, RawSubnet};
use crate::spec::{SubnetRole as Role, defaults};

/// The zones of the network that are well-formed, each once, in order.
pub(super) fn zones(spec: &RawSpec, region: Option<&Region>, found: &mut Vec<Diagnostic>) -> Vec<Spanned<Zone>> {
    let mut zones: Vec<Spanned<Zone>> = Vec::new();
    let Some(texts) = spec.network.as_ref().and_then(|network| network.zones.as_ref()) else { return zones };
    if texts.value.is_empty() {
        let message = "`spec.network.zones` must name at least one availability zone";
        found.push(Diagnostic::error(texts.span.clone(), message));
    }
    for text in &texts.value {
        let Some(zone) = zone(text, region, found) else { continue };
        if let Some(first) = zones.iter().find(|other| other.value == zone) {
            found.push(twice(text, &first.span));
            continue;
        }
        let (expected, source) = match (region, &spec.region, zones.first()) {
            (Some(region), Some(given), _) => (region.as_str(), given.span.clone()),
            (None, None, Some(first)) => (first.value.region(), first.span.clone()),
            _ => (zone.region(), text.span.clone()),
        };
        if zone.region() != expected {
            let message = format!("zone `{zone}` lies in {}, and the cluster in {expected}", zone.region());
            found.push(Diagnostic::error(text.span.clone(), message).related(source, "the region follows from this"));
            continue;
        }
        zones.push(Spanned { value: zone, span: text.span.clone() });
    }
    zones
}

fn zone(text: &Spanned<String>, region: Option<&Region>, found: &mut Vec<Diagnostic>) -> Option<Zone> {
    let letter = |text: &str| matches!(text.as_bytes(), [b'a'..=b'z']);
    let meant = match (Region::parse(text.value.as_str()), region) {
        (Ok(region), _) => Some(format!("{region}a")),
        (Err(_), Some(region)) if letter(&text.value) => Some(format!("{region}{}", text.value)),
        _ => None,
    };
    match meant {
        Some(meant) => {
            let message = "an entry of `spec.network.zones` must be an availability zone, such as us-east-1a";
            found.push(Diagnostic::error(text.span.clone(), message).label(format!("did you mean `{meant}`?")));
            None
        }
        None => parsed(text, "an entry of `spec.network.zones`", found),
    }
}

/// The region that zones lie in.
pub(super) fn region_of(zones: &[Spanned<Zone>]) -> Option<Region> {
    Region::parse(zones.first()?.value.region()).ok()
}

pub(super) fn network(
    spec: &RawSpec,
    zones: &[Spanned<Zone>],
    api: Option<&Api>,
    found: &mut Vec<Diagnostic>,
) -> Option<Network> {
    let raw = spec.network.as_ref()?;
    let topology = topology(spec);
    let vpc = match &raw.vpc_id {
        Some(id) => existing(raw, id, zones, topology, api, found),
        None => managed(raw, zones, topology, found),
    };
    let vpc_cidr = match (&vpc, &raw.vpc_id) {
        (Some(Vpc::Managed { cidr, .. }), None) => Some(*cidr),
        _ => None,
    };
    let pod = range(raw.pod_cidr.as_ref(), "spec.network.podCIDR", defaults::POD_CIDR, found);
    let service = range(raw.service_cidr.as_ref(), "spec.network.serviceCIDR", defaults::SERVICE_CIDR, found);
    if let (Some(net), Some(text)) = (service, &raw.service_cidr)
        && !(12..=24).contains(&net.prefix_len())
    {
        // kube-apiserver: --service-cluster-ip-range has at most 20 host bits.
        found.push(Diagnostic::error(text.span.clone(), "`spec.network.serviceCIDR` must be from /12 to /24"));
    }
    if let (Some(net), Some(text)) = (pod, &raw.pod_cidr)
        && !(8..=24).contains(&net.prefix_len())
    {
        // kube-controller-manager: the cluster's mask and a node's /24 differ by at most 16 bits.
        found.push(Diagnostic::error(
            text.span.clone(),
            "`spec.network.podCIDR` must be from /8 to /24: every node takes a /24 of it",
        ));
    }
    disjoint(
        &[
            ("cidr", vpc_cidr, raw.cidr.as_ref()),
            ("podCIDR", pod, raw.pod_cidr.as_ref()),
            ("serviceCIDR", service, raw.service_cidr.as_ref()),
        ],
        found,
    );
    if zones.is_empty() {
        return None;
    }
    Some(Network {
        vpc: vpc?,
        topology,
        zones: zones.iter().map(|zone| zone.value.clone()).collect(),
        pod_cidr: pod?,
        service_cidr: service?,
        cni: raw.cni.as_ref().map_or(Cni::Cilium, |cni| cni.value),
    })
}

fn topology(spec: &RawSpec) -> Topology {
    spec.network.as_ref().and_then(|network| network.topology.as_ref()).map_or(Topology::Public, |topology| topology.value)
}

/// A range that can be routed, or its default.
fn range(text: Option<&Spanned<String>>, path: &str, default: &str, found: &mut Vec<Diagnostic>) -> Option<Ipv4Net> {
    let Some(text) = text else {
        // The defaults are well-formed: a test reads them.
        return default.parse().ok();
    };
    let net = cidr(text, &format!("`{path}`"), found)?;
    let first = net.network();
    if first.octets()[0] == 0 || first.is_loopback() || first.is_link_local() || first.is_multicast() || first.octets()[0] >= 240
    {
        found.push(Diagnostic::error(text.span.clone(), format!("`{path}` must be a range of ordinary addresses")));
        return None;
    }
    if !is_private(net) {
        let message = format!("`{path}` is not a private range, so its public namesakes cannot be reached from the cluster");
        found.push(Diagnostic::warning(text.span.clone(), message).help(PRIVATE));
    }
    Some(net)
}

const PRIVATE: &str = "private are 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918) and 100.64.0.0/10 (RFC 6598)";

fn is_private(net: Ipv4Net) -> bool {
    [([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16), ([100, 64, 0, 0], 10)]
        .into_iter()
        .any(|(first, prefix)| Ipv4Net::new(Ipv4Addr::from(first), prefix).is_ok_and(|private| private.contains(&net)))
}

/// Key, range and, where it was given, its text.
type NamedRange<'a> = (&'static str, Option<Ipv4Net>, Option<&'a Spanned<String>>);

/// No two of the ranges overlap. The finding stands at a range that was given, later ones first.
fn disjoint(ranges: &[NamedRange<'_>], found: &mut Vec<Diagnostic>) {
    for (index, (key, net, text)) in ranges.iter().enumerate() {
        for (other_key, other_net, other_text) in &ranges[..index] {
            let (Some(net), Some(other)) = (net, other_net) else { continue };
            if !net.contains(other) && !other.contains(net) {
                continue;
            }
            let said = |key: &str, net: &Ipv4Net, given: bool| {
                if given { format!("`{key}` {net}") } else { format!("the default `{key}` {net}") }
            };
            let message = format!("{} overlaps {}", said(key, net, text.is_some()), said(other_key, other, other_text.is_some()));
            let finding = match (text, other_text) {
                (Some(text), Some(other)) => {
                    Diagnostic::error(text.span.clone(), message).related(other.span.clone(), "the other range")
                }
                (Some(text), None) | (None, Some(text)) => Diagnostic::error(text.span.clone(), message),
                // Two defaults: they are disjoint, and a test sees it.
                (None, None) => continue,
            };
            found.push(finding);
        }
    }
}

fn managed(raw: &RawNetwork, zones: &[Spanned<Zone>], topology: Topology, found: &mut Vec<Diagnostic>) -> Option<Vpc> {
    if let Some(subnets) = &raw.subnets {
        let message = "`spec.network.subnets` are those of an existing VPC, and `vpcID` is not given";
        found.push(Diagnostic::error(subnets.span.clone(), message));
    }
    if let Some(zone) = zones.get(MAX_ZONES) {
        let message = format!("`spec.network.zones` must name at most {MAX_ZONES} zones");
        found.push(Diagnostic::error(zone.span.clone(), message));
        return None;
    }
    let cidr = range(raw.cidr.as_ref(), "spec.network.cidr", defaults::VPC_CIDR, found)?;
    if let Some(text) = &raw.cidr {
        let (prefix, longest) = (cidr.prefix_len(), longest_prefix(topology));
        if !(16..=28).contains(&prefix) {
            // CreateVpc.
            found.push(Diagnostic::error(text.span.clone(), "`spec.network.cidr` must be from /16 to /28"));
            return None;
        }
        if prefix > longest {
            let word = if topology == Topology::Private { "private" } else { "public" };
            let message =
                format!("`spec.network.cidr` must be a /{longest} or larger to be divided among zones in a {word} topology");
            found.push(Diagnostic::error(text.span.clone(), message));
            return None;
        }
    }
    Some(Vpc::Managed { cidr, nat: raw.nat.as_ref().map_or(Nat::PerZone, |nat| nat.value) })
}

fn existing(
    raw: &RawNetwork,
    id: &Spanned<String>,
    zones: &[Spanned<Zone>],
    topology: Topology,
    api: Option<&Api>,
    found: &mut Vec<Diagnostic>,
) -> Option<Vpc> {
    let before = found.len();
    is_id(id, "vpc", "`spec.network.vpcID`", found);
    let managed_only = [("cidr", raw.cidr.as_ref().map(|cidr| &cidr.span)), ("nat", raw.nat.as_ref().map(|nat| &nat.span))];
    for (key, span) in managed_only {
        if let Some(span) = span {
            let message = format!("`spec.network.{key}` is for a VPC that kclust makes, and `vpcID` names an existing one");
            found.push(Diagnostic::error(span.clone(), message).related(id.span.clone(), "the existing VPC"));
        }
    }
    let Some(raw_subnets) = &raw.subnets else {
        let message = "an existing VPC needs `spec.network.subnets`";
        found.push(
            Diagnostic::error(id.span.clone(), message)
                .help("list them as `- {id: subnet-..., zone: us-east-1a, role: private}`"),
        );
        return None;
    };
    let mut subnets: Vec<(ExistingSubnet, Range<usize>)> = Vec::new();
    let mut complete = true;
    for raw in &raw_subnets.value {
        match subnet(raw, zones, topology, &subnets, found) {
            Some(subnet) => subnets.push(subnet),
            None => complete = false,
        }
    }
    if complete {
        for zone in zones {
            for role in needed(topology, api) {
                if !subnets.iter().any(|(subnet, _)| subnet.zone == zone.value && subnet.role == *role) {
                    let word = role_word(*role);
                    let message = format!("zone `{}` has no {word} subnet in `spec.network.subnets`", zone.value);
                    let finding = Diagnostic::error(zone.span.clone(), message);
                    found.push(match role {
                        Role::Utility => finding.help(
                            "a public load balancer stands in utility subnets; with `api.scheme: internal` none are needed",
                        ),
                        Role::Public | Role::Private => finding,
                    });
                }
            }
        }
    }
    (found.len() == before)
        .then(|| Vpc::Existing { id: id.value.clone(), subnets: subnets.into_iter().map(|(subnet, _)| subnet).collect() })
}

/// The roles that each zone needs a subnet for.
fn needed(topology: Topology, api: Option<&Api>) -> &'static [SubnetRole] {
    let public_balancer = api.is_some_and(|api| api.endpoint == ApiEndpoint::LoadBalancer && api.scheme == Scheme::Public);
    match topology {
        Topology::Public => &[Role::Public],
        // A load balancer sends nothing to targets in a zone in which it has no subnet.
        Topology::Private if public_balancer => &[Role::Private, Role::Utility],
        Topology::Private => &[Role::Private],
    }
}

fn role_word(role: SubnetRole) -> &'static str {
    match role {
        Role::Public => "public",
        Role::Private => "private",
        Role::Utility => "utility",
    }
}

fn subnet(
    raw: &RawSubnet,
    zones: &[Spanned<Zone>],
    topology: Topology,
    others: &[(ExistingSubnet, Range<usize>)],
    found: &mut Vec<Diagnostic>,
) -> Option<(ExistingSubnet, Range<usize>)> {
    let (id, zone_text, role) = (raw.id.as_ref()?, raw.zone.as_ref()?, raw.role.as_ref()?);
    let before = found.len();
    is_id(id, "subnet", "the id of a subnet", found);
    if let Some((_, first)) = others.iter().find(|(other, _)| other.id == id.value) {
        found.push(twice(id, first));
    }
    let zone: Option<Zone> = parsed(zone_text, "the zone of a subnet", found);
    if let Some(zone) = &zone
        && !zones.is_empty()
        && !zones.iter().any(|known| known.value == *zone)
    {
        let message = format!("zone `{zone}` is not among `spec.network.zones`");
        found.push(Diagnostic::error(zone_text.span.clone(), message).related(zones[0].span.clone(), "the cluster's zones"));
    }
    let wrong_role = match (topology, role.value) {
        (Topology::Public, Role::Private | Role::Utility) => Some(("in a public topology all subnets are `public`", "public")),
        (Topology::Private, Role::Public) => {
            Some(("in a private topology the public subnets have the role `utility`", "utility"))
        }
        (Topology::Public, Role::Public) | (Topology::Private, Role::Private | Role::Utility) => None,
    };
    if let Some((message, meant)) = wrong_role {
        found.push(Diagnostic::error(role.span.clone(), message).label(format!("did you mean `{meant}`?")));
    }
    let zone = zone?;
    if let Some((_, first)) = others.iter().find(|(other, _)| other.zone == zone && other.role == role.value) {
        // A load balancer takes one subnet of a zone, and a slot stands in one.
        let message = format!("zone `{zone}` has two {} subnets, and one is used", role_word(role.value));
        found.push(Diagnostic::error(id.span.clone(), message).related(first.clone(), "the other one"));
    }
    (found.len() == before).then(|| (ExistingSubnet { id: id.value.clone(), zone, role: role.value }, id.span.clone()))
}

/// `vpc-` or `subnet-` and 8 or 17 hexadecimal digits.
fn is_id(text: &Spanned<String>, prefix: &str, what: &str, found: &mut Vec<Diagnostic>) {
    let digits = text.value.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    if !matches!(digits.len(), 8 | 17) || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        let message = format!("{what} must be `{prefix}-` and 8 or 17 hexadecimal digits");
        found.push(Diagnostic::error(text.span.clone(), message));
    }
}

pub(super) fn api(spec: &RawSpec, found: &mut Vec<Diagnostic>) -> Option<Api> {
    let raw = spec.api.as_ref();
    let endpoint_text = raw.and_then(|api| api.endpoint.as_ref());
    let endpoint = endpoint_text.map_or(ApiEndpoint::LoadBalancer, |endpoint| endpoint.value);
    let topology = topology(spec);
    let direct_private = endpoint == ApiEndpoint::Dns && topology == Topology::Private;
    let default = if direct_private { Scheme::Internal } else { Scheme::Public };
    let scheme_text = raw.and_then(|api| api.scheme.as_ref());
    let scheme = scheme_text.map_or(default, |scheme| scheme.value);
    if let (true, Scheme::Public, Some(text)) = (direct_private, scheme, scheme_text) {
        let message = "`scheme: public` needs a load balancer here: in a private topology control planes have no public address";
        found.push(Diagnostic::error(text.span.clone(), message).help("use `scheme: internal`, or `endpoint: loadBalancer`"));
    }
    if let (ApiEndpoint::Dns, None, Some(text)) = (endpoint, &spec.dns, endpoint_text) {
        let message = "`endpoint: dns` needs `spec.dns.zone`: the API's name is a record in that zone";
        found.push(Diagnostic::error(text.span.clone(), message));
    }
    let allowed_cidrs = match raw.and_then(|api| api.allowed_cidrs.as_ref()) {
        Some(texts) => cidrs(texts, "`spec.api.allowedCIDRs`", found),
        // The defaults are well-formed: a test reads them.
        None => defaults::API_ALLOWED_CIDRS.iter().filter_map(|net| net.parse().ok()).collect(),
    };
    Some(Api { endpoint, scheme, allowed_cidrs })
}

pub(super) fn dns(spec: &RawSpec, name: Option<&ClusterName>, found: &mut Vec<Diagnostic>) -> Option<Dns> {
    let raw = spec.dns.as_ref()?;
    let text = raw.value.zone.as_ref()?;
    if let Err(rule) = check_dns_name(&text.value) {
        let plain = text.value.to_lowercase();
        let plain = plain.trim_end_matches('.');
        let finding = Diagnostic::error(text.span.clone(), format!("`spec.dns.zone` must be the name of a zone, {rule}"));
        found.push(if check_dns_name(plain).is_ok() { finding.label(format!("did you mean `{plain}`?")) } else { finding });
        return None;
    }
    let zone = text.value.clone();
    if let Some(name) = name
        && name.as_str() != zone
        && !name.as_str().ends_with(&format!(".{zone}"))
    {
        let message = format!("the cluster's name `{name}` does not lie in the zone `{zone}`");
        found.push(
            Diagnostic::error(text.span.clone(), message)
                .help(format!("name the cluster `<something>.{zone}`, or give its zone")),
        );
    }
    Some(Dns { zone, visibility: raw.value.visibility.unwrap_or(DnsVisibility::Public) })
}

/// Every node takes a /24 of the pod range (`--node-cidr-mask-size` of kube-controller-manager).
pub(super) fn pods_fit(
    spec: &RawSpec,
    network: &Network,
    control_plane: &ControlPlane,
    groups: &[NodeGroup],
    found: &mut Vec<Diagnostic>,
) {
    let most: u64 = u64::from(control_plane.replicas) + groups.iter().map(|group| u64::from(group.max_size)).sum::<u64>();
    let prefix = network.pod_cidr.prefix_len();
    let room = 1u64 << 24u8.saturating_sub(prefix);
    if prefix > 24 || most <= room {
        return;
    }
    let largest = spec.node_groups.iter().flatten().filter_map(|group| group.max_size.as_ref()).max_by_key(|size| size.value);
    let raw = spec.network.as_ref();
    let span = raw.and_then(|network| network.pod_cidr.as_ref()).map(|text| &text.span).or(largest.map(|size| &size.span));
    let message = format!("`podCIDR` {} has room for {room} nodes, and the cluster may grow to {most}", network.pod_cidr);
    let needed = 24 - most.next_power_of_two().trailing_zeros().min(24);
    found.push(
        Diagnostic::error(span.cloned().unwrap_or(0..0), message)
            .help(format!("every node takes a /24: use a /{needed} or larger, or lower `maxSize`")),
    );
}
