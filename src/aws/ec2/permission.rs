//! Rules of security groups, between the model's form, that of EC2's permissions, and ids. Pure.

use aws_sdk_ec2::types::{IpPermission, IpRange, SecurityGroup as SdkGroup, SecurityGroupRuleRequest, UserIdGroupPair};

use crate::aws::reference::Ids;
use crate::model::{Direction, Peer, Ref, ResourceId, ResourceKind, SecurityGroup, SecurityGroupRule, Tags};

/// What AWS knows a rule by: its whole content but the description. `DescribeSecurityGroups` returns no ids of rules, so this is
/// also their physical id, written `<group>/<direction>/<protocol>/<ports>/<peer>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permission {
    pub(super) group: String,
    pub(super) direction: Direction,
    pub(super) protocol: String,
    pub(super) ports: Option<(u16, u16)>,
    /// CIDR, group or prefix list.
    pub(super) peer: String,
}

const INGRESS: &str = "ingress";
const EGRESS: &str = "egress";
const ALL_PORTS: &str = "all";

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => INGRESS,
        Direction::Egress => EGRESS,
    }
}

impl Permission {
    pub(super) fn id(&self) -> String {
        let Self { group, direction, protocol, ports, peer } = self;
        let ports = ports.map_or_else(|| ALL_PORTS.to_owned(), |(from, to)| format!("{from}-{to}"));
        format!("{group}/{}/{protocol}/{ports}/{peer}", direction_name(*direction))
    }

    /// Reads what [`Self::id`] writes.
    pub(super) fn parse(id: &str) -> Option<Self> {
        // The peer comes last because a CIDR has a slash of its own.
        let mut parts = id.splitn(5, '/');
        let group = parts.next()?.to_owned();
        let direction = match parts.next()? {
            INGRESS => Direction::Ingress,
            EGRESS => Direction::Egress,
            _ => return None,
        };
        let protocol = parts.next()?.to_owned();
        let ports = match parts.next()? {
            ALL_PORTS => None,
            range => {
                let (from, to) = range.split_once('-')?;
                Some((from.parse().ok()?, to.parse().ok()?))
            }
        };
        Some(Self { group, direction, protocol, ports, peer: parts.next()?.to_owned() })
    }

    fn peer_is_group(&self) -> bool {
        self.peer.starts_with("sg-")
    }

    fn sdk_ports(&self) -> (Option<i32>, Option<i32>) {
        match (self.ports, self.protocol.as_str()) {
            (Some((from, to)), _) => (Some(from.into()), Some(to.into())),
            // Type and code.
            (None, "icmp") => (Some(-1), Some(-1)),
            (None, _) => (None, None),
        }
    }

    /// For authorizing, describing and revoking.
    pub(super) fn to_sdk(&self, description: &str) -> IpPermission {
        let (from, to) = self.sdk_ports();
        let permission = IpPermission::builder().ip_protocol(&self.protocol).set_from_port(from).set_to_port(to);
        if self.peer_is_group() {
            let pair = UserIdGroupPair::builder().group_id(&self.peer).description(description);
            permission.user_id_group_pairs(pair.build()).build()
        } else {
            permission.ip_ranges(IpRange::builder().cidr_ip(&self.peer).description(description).build()).build()
        }
    }

    /// For changing a rule in place.
    pub(super) fn to_sdk_rule(&self, description: &str) -> SecurityGroupRuleRequest {
        let (from, to) = self.sdk_ports();
        let rule = SecurityGroupRuleRequest::builder()
            .ip_protocol(&self.protocol)
            .set_from_port(from.or(Some(-1)))
            .set_to_port(to.or(Some(-1)))
            .description(description);
        if self.peer_is_group() { rule.referenced_group_id(&self.peer).build() } else { rule.cidr_ipv4(&self.peer).build() }
    }

    /// Whether `ModifySecurityGroupRules` can turn one into the other: it changes neither the direction nor the kind of peer.
    pub(super) fn can_become(&self, other: &Self) -> bool {
        self.group == other.group && self.direction == other.direction && self.peer_is_group() == other.peer_is_group()
    }

    /// The rule that AWS puts into every new group.
    pub(super) fn is_made_by_aws(&self) -> bool {
        self.direction == Direction::Egress && self.protocol == "-1" && self.peer == "0.0.0.0/0"
    }
}

/// A rule of a group as `DescribeSecurityGroups` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DescribedRule {
    pub(super) permission: Permission,
    pub(super) description: String,
}

/// Takes the permissions of a group apart: AWS returns one for all peers of a protocol and port range.
pub(super) fn rules_of(group: &SdkGroup) -> Vec<DescribedRule> {
    let ingress = group.ip_permissions().iter().map(|permission| (Direction::Ingress, permission));
    let egress = group.ip_permissions_egress().iter().map(|permission| (Direction::Egress, permission));
    let mut rules = Vec::new();
    for (direction, permission) in ingress.chain(egress) {
        let ports = match (permission.from_port().map(u16::try_from), permission.to_port().map(u16::try_from)) {
            (Some(Ok(from)), Some(Ok(to))) => Some((from, to)),
            _ => None,
        };
        let cidrs = permission.ip_ranges().iter().map(|range| (range.cidr_ip(), range.description()));
        let cidrs6 = permission.ipv6_ranges().iter().map(|range| (range.cidr_ipv6(), range.description()));
        let lists = permission.prefix_list_ids().iter().map(|list| (list.prefix_list_id(), list.description()));
        let groups = permission.user_id_group_pairs().iter().map(|pair| (pair.group_id(), pair.description()));
        for (peer, description) in cidrs.chain(cidrs6).chain(lists).chain(groups) {
            rules.push(DescribedRule {
                permission: Permission {
                    group: group.group_id().unwrap_or_default().to_owned(),
                    direction,
                    protocol: permission.ip_protocol().unwrap_or_default().to_owned(),
                    ports,
                    peer: peer.unwrap_or_default().to_owned(),
                },
                description: description.unwrap_or_default().to_owned(),
            });
        }
    }
    rules
}

impl DescribedRule {
    /// The rule as a resource of the group of this logical name, if kclust made it.
    pub(super) fn observed(&self, group: &str, ids: &Ids) -> Option<(ResourceId, SecurityGroupRule)> {
        let name = self.description.strip_prefix(SecurityGroupRule::PREFIX)?;
        let peer = match self.permission.peer.parse() {
            Ok(cidr) => Peer::Cidr(cidr),
            Err(_) => Peer::Group(ids.reference::<SecurityGroup>(Some(&self.permission.peer))),
        };
        let rule = SecurityGroupRule {
            group: Ref::own(group),
            direction: self.permission.direction,
            protocol: self.permission.protocol.clone(),
            ports: self.permission.ports,
            peer,
            description: self.description.clone(),
            tags: Tags::new(),
        };
        Some((ResourceId::new(SecurityGroupRule::KIND, format!("{group}:{name}")), rule))
    }

    /// A rule of somebody else's, in words.
    pub(super) fn describe(&self, group: &str) -> String {
        let Permission { group: id, direction, protocol, ports, peer } = &self.permission;
        let protocol = if protocol == "-1" { "all protocols" } else { protocol };
        let ports = match ports {
            None => String::new(),
            Some((from, to)) if from == to => format!(" {from}"),
            Some((from, to)) => format!(" {from}-{to}"),
        };
        let side = match direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        let description = if self.description.is_empty() { String::new() } else { format!(" ({:?})", self.description) };
        format!("{group} ({id}): {} {protocol}{ports} {side} {peer}{description}", direction_name(*direction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn permission(direction: Direction, protocol: &str, ports: Option<(u16, u16)>, peer: &str) -> Permission {
        Permission { group: "sg-1".to_owned(), direction, protocol: protocol.to_owned(), ports, peer: peer.to_owned() }
    }

    fn examples() -> Vec<Permission> {
        vec![
            permission(Direction::Ingress, "tcp", Some((6443, 6443)), "10.0.0.0/8"),
            permission(Direction::Ingress, "udp", Some((8472, 8472)), "sg-2"),
            permission(Direction::Ingress, "icmp", None, "sg-1"),
            permission(Direction::Egress, "-1", None, "0.0.0.0/0"),
        ]
    }

    #[test]
    fn an_id_holds_the_whole_permission() {
        assert_eq!(examples()[0].id(), "sg-1/ingress/tcp/6443-6443/10.0.0.0/8");
        for permission in examples() {
            assert_eq!(Permission::parse(&permission.id()), Some(permission));
        }
    }

    #[test]
    fn ids_of_another_form_are_refused() {
        for id in ["", "sg-1", "sg-1/sideways/tcp/1-2/sg-2", "sg-1/ingress/tcp/1/sg-2", "sg-1/ingress/tcp/1-2"] {
            assert_eq!(Permission::parse(id), None, "{id}");
        }
    }

    #[test]
    fn permissions_come_back_from_a_described_group() {
        for expected in examples() {
            let sdk = expected.to_sdk("kclust: test");
            let group = SdkGroup::builder().group_id("sg-1");
            let group = match expected.direction {
                Direction::Ingress => group.ip_permissions(sdk),
                Direction::Egress => group.ip_permissions_egress(sdk),
            };
            let rules = rules_of(&group.build());
            assert_eq!(rules, [DescribedRule { permission: expected, description: "kclust: test".to_owned() }]);
        }
    }

    #[test]
    fn rules_are_told_from_those_of_others_by_their_prefix() {
        let ids = Ids([("sg-2".to_owned(), ResourceId::new(Kind::SecurityGroup, "nodes"))].into());
        let mut rule = DescribedRule { permission: examples()[1].clone(), description: "kclust: overlay from nodes".to_owned() };
        let (id, resource) = rule.observed("control-plane", &ids).expect("a rule of ours");
        assert_eq!(id.to_string(), "SecurityGroupRule/control-plane:overlay from nodes");
        assert_eq!(resource.peer, Peer::Group(Ref::own("nodes")));

        rule.description = "kubernetes.io/rule/nlb/health".to_owned();
        assert_eq!(rule.observed("control-plane", &ids), None);
        assert_eq!(
            rule.describe("control-plane"),
            "control-plane (sg-1): ingress udp 8472 from sg-2 (\"kubernetes.io/rule/nlb/health\")"
        );
    }

    #[test]
    fn a_rule_changes_in_place_unless_the_kind_of_peer_does() {
        let examples = examples();
        let narrower = permission(Direction::Ingress, "tcp", Some((6443, 6443)), "10.1.0.0/16");
        assert!(examples[0].can_become(&narrower));
        assert!(!examples[0].can_become(&examples[1]));
        assert!(!examples[0].can_become(&examples[3]));
    }
}
