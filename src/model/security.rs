//! Security groups: a rule for each port that something needs, not "everything between groups".

use ipnet::Ipv4Net;

use crate::spec::{ApiEndpoint, Cni, Preset};

use super::build::Builder;
use super::id::Ref;
use super::network;
use super::resource::{Direction, Kind, Peer, SecurityGroup, SecurityGroupRule};

/// Port of the API server, on the slots and on the load balancer: workers know the API by one name and port, whichever way it leads.
pub const API_PORT: u16 = 6443;

pub const CONTROL_PLANE: &str = "control-plane";
pub(super) const NODES: &str = "nodes";
/// Logical name of the API's load balancer and of all that belongs to it: target group, listener, record, security group.
pub const API: &str = "api";

const MACHINES: [&str; 2] = [CONTROL_PLANE, NODES];

pub(super) fn add(builder: &mut Builder<'_>) {
    add_group(builder, CONTROL_PLANE, "control planes");
    add_group(builder, NODES, "worker nodes");
    let allowed = builder.cluster.api.allowed_cidrs.clone();
    match builder.cluster.api.endpoint {
        ApiEndpoint::LoadBalancer => {
            add_group(builder, API, "load balancer of the API");
            allow_cidrs(builder, API, "API", API_PORT, &allowed);
            for from in MACHINES {
                allow(builder, API, "API", "tcp", Some((API_PORT, API_PORT)), from);
            }
            allow(builder, CONTROL_PLANE, "API", "tcp", Some((API_PORT, API_PORT)), API);
        }
        ApiEndpoint::Dns => allow_cidrs(builder, CONTROL_PLANE, "API", API_PORT, &allowed),
    }
    for from in MACHINES {
        allow(builder, CONTROL_PLANE, "API", "tcp", Some((API_PORT, API_PORT)), from);
        // metrics-server runs on any node and asks every kubelet.
        for to in MACHINES {
            allow(builder, to, "kubelet", "tcp", Some((10250, 10250)), from);
        }
    }
    allow(builder, CONTROL_PLANE, "etcd", "tcp", Some((2379, 2380)), CONTROL_PLANE);
    if builder.cluster.has_preset(Preset::AwsLoadBalancerController) {
        // Its webhook stands on the network of the control planes, and every API server asks it.
        allow(builder, CONTROL_PLANE, "load balancer webhook", "tcp", Some((9443, 9443)), CONTROL_PLANE);
    }
    for (what, protocol, ports) in cni_ports(builder.cluster.network.cni) {
        for to in MACHINES {
            for from in MACHINES {
                allow(builder, to, what, protocol, ports, from);
            }
        }
    }
    if let Some(ssh) = builder.cluster.ssh.clone() {
        for to in MACHINES {
            allow_cidrs(builder, to, "SSH", 22, &ssh.allowed_cidrs);
        }
    }
}

/// What the network plugins say to each other, between all machines.
fn cni_ports(cni: Cni) -> Vec<(&'static str, &'static str, Option<(u16, u16)>)> {
    match cni {
        // docs.cilium.io, "Firewall Rules": VXLAN, and health by HTTP and ICMP.
        Cni::Cilium => vec![
            ("Cilium VXLAN", "udp", Some((8472, 8472))),
            ("Cilium health", "tcp", Some((4240, 4240))),
            ("Cilium ping", "icmp", None),
        ],
        // docs.tigera.io, "Network requirements": VXLAN and Typha.
        Cni::Calico => vec![("Calico VXLAN", "udp", Some((4789, 4789))), ("Calico Typha", "tcp", Some((5473, 5473)))],
        Cni::Flannel => vec![("Flannel VXLAN", "udp", Some((8472, 8472)))],
        // A plugin that the user brings may route pod addresses without encapsulation: kclust cannot know its ports.
        Cni::None => vec![("pod network", "-1", None)],
    }
}

fn add_group(builder: &mut Builder<'_>, name: &str, whose: &str) {
    let tags = builder.tags(Kind::SecurityGroup, name);
    let group = SecurityGroup {
        vpc: network::vpc(builder),
        name: network::security_group_name(builder, name),
        description: format!("kclust {}: {whose}", builder.cluster.name),
        tags,
    };
    builder.add(name, group);
    // AWS gives each new group this rule; it is a resource like the others, so that its loss is noticed.
    add_rule(builder, name, Direction::Egress, "everything out".to_owned(), "-1", None, Peer::Cidr(Ipv4Net::default()));
}

/// Lets the machines of one group in.
fn allow(builder: &mut Builder<'_>, to: &str, what: &str, protocol: &str, ports: Option<(u16, u16)>, from: &str) {
    let text = format!("{what} from {from}");
    add_rule(builder, to, Direction::Ingress, text, protocol, ports, Peer::Group(Ref::own(from)));
}

fn allow_cidrs(builder: &mut Builder<'_>, to: &str, what: &str, port: u16, from: &[Ipv4Net]) {
    for cidr in from {
        add_rule(builder, to, Direction::Ingress, format!("{what} from {cidr}"), "tcp", Some((port, port)), Peer::Cidr(*cidr));
    }
}

fn add_rule(
    builder: &mut Builder<'_>,
    group: &str,
    direction: Direction,
    text: String,
    protocol: &str,
    ports: Option<(u16, u16)>,
    peer: Peer,
) {
    let name = format!("{group}:{text}");
    let rule = SecurityGroupRule {
        group: Ref::own(group),
        direction,
        protocol: protocol.to_owned(),
        ports,
        peer,
        description: format!("{}{text}", SecurityGroupRule::PREFIX),
        tags: builder.tags(Kind::SecurityGroupRule, &name),
    };
    builder.add(name, rule);
}
