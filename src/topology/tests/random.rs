//! Clusters of any shape, and what is wrong with them.

use proptest::prelude::*;

use super::{Observed, healthy};
use crate::spec::Cluster;
use crate::test_support::{cluster, nodes};

/// Everything that a random cluster is made of.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    zones: usize,
    replicas: u8,
    private: bool,
    single_nat: bool,
    public_api: bool,
    dns: bool,
    load_balancer: bool,
    existing: bool,
    name: String,
    /// Name, size, and the zones as bits.
    groups: Vec<(String, u32, u8)>,
    /// What is spoiled.
    troubles: Vec<u16>,
}

prop_compose! {
    pub(super) fn shape()(
        (zones, replicas) in (1_usize..=6, prop::sample::select(vec![1_u8, 3, 5, 7])),
        (private, single_nat, public_api, dns, load_balancer, existing) in any::<(bool, bool, bool, bool, bool, bool)>(),
        name in "[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
        groups in prop::collection::vec(("[a-z]([a-zW0-9]{0,50})", 0_u32..40, any::<u8>()), 0..40),
        troubles in prop::collection::vec(any::<u16>(), 0..30),
    ) -> Shape {
        let groups = groups
            .into_iter()
            .enumerate()
            .map(|(index, (name, size, zones))| (format!("{}{index}", name.to_lowercase()), size, zones))
            .collect();
        Shape { zones, replicas, private, single_nat, public_api, dns, load_balancer: load_balancer || !dns, existing, name, groups, troubles }
    }
}

impl Shape {
    fn zone_names(&self) -> Vec<String> {
        ('a'..='f').take(self.zones).map(|letter| format!("ap-southeast-1{letter}")).collect()
    }

    pub(super) fn cluster(&self) -> Cluster {
        let zones = self.zone_names();
        let topology = if self.private { "private" } else { "public" };
        let network = if self.existing {
            let role = topology;
            let mut subnets: Vec<String> = zones
                .iter()
                .enumerate()
                .map(|(index, zone)| format!("{{id: subnet-0aaaaaaaaaaaaaa{index:02}, zone: {zone}, role: {role}}}"))
                .collect();
            if self.private {
                subnets.extend(
                    zones
                        .iter()
                        .enumerate()
                        .map(|(index, zone)| format!("{{id: subnet-0bbbbbbbbbbbbbb{index:02}, zone: {zone}, role: utility}}")),
                );
            }
            format!("    vpcID: vpc-0123456789abcdef0\n    subnets: [{}]\n", subnets.join(", "))
        } else {
            let nat = if self.single_nat { "single" } else { "perZone" };
            format!("    cidr: 10.0.0.0/16\n    nat: {nat}\n")
        };
        let dns = if self.dns { "  dns: {zone: example.com}\n" } else { "" };
        let endpoint = if self.load_balancer { "loadBalancer" } else { "dns" };
        let scheme = if self.public_api && (self.load_balancer || !self.private) { "public" } else { "internal" };
        let groups: String = self
            .groups
            .iter()
            .map(|(name, size, bits)| {
                let chosen: Vec<&str> = zones
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| bits & (1 << index) != 0)
                    .map(|(_, zone)| zone.as_str())
                    .collect();
                let chosen = if chosen.is_empty() { zones[0].clone() } else { chosen.join(", ") };
                format!(
                    "    - {{name: {name}, minSize: {size}, maxSize: {}, instanceTypes: [m6i.large], zones: [{chosen}]}}\n",
                    size + 9
                )
            })
            .collect();
        let groups = if groups.is_empty() { String::new() } else { format!("  nodeGroups:\n{groups}") };
        cluster(&format!(
            "apiVersion: kclust.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: {}.example.com}}\nspec:\n  region: ap-southeast-1\n  \
             network:\n{network}    topology: {topology}\n    zones: [{}]\n    podCIDR: 100.64.0.0/10\n  \
             api: {{endpoint: {endpoint}, scheme: {scheme}}}\n{dns}  controlPlane: {{replicas: {}}}\n{groups}",
            self.name,
            zones.join(", "),
            self.replicas
        ))
    }

    /// The cluster with its troubles.
    pub(super) fn observed(&self) -> Observed {
        let mut observed = healthy(&self.cluster());
        for trouble in &self.troubles {
            let number = usize::from(trouble / 8);
            let Observed { world, fleet, targets, .. } = &mut observed;
            match trouble % 8 {
                0 => drop(
                    world
                        .resources
                        .keys()
                        .nth(number % world.resources.len().max(1))
                        .cloned()
                        .map(|id| world.resources.remove(&id)),
                ),
                1 if !fleet.instances.is_empty() => drop(fleet.instances.remove(number % fleet.instances.len())),
                2 if !fleet.instances.is_empty() => {
                    let index = number % fleet.instances.len();
                    fleet.instances[index].state = "shutting-down".into();
                }
                3 if !nodes(fleet).is_empty() => {
                    let index = number % nodes(fleet).len();
                    nodes(fleet)[index].not_ready = Some("a reason <with> \"signs\" & more, ".repeat(9));
                }
                4 if !nodes(fleet).is_empty() => {
                    let nodes = nodes(fleet);
                    nodes.swap_remove(number % nodes.len());
                }
                5 if !fleet.groups.is_empty() => drop(fleet.groups.remove(number % fleet.groups.len())),
                6 => *targets = Err("no".into()),
                _ => fleet.instances.iter_mut().step_by(7).for_each(|instance| instance.group = None),
            }
        }
        observed
    }
}
