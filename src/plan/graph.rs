//! The one dependency analysis: for creation as it is, for removal reversed.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    InstanceProfileRef, Kind, LaunchNetwork, LaunchTemplate, Placement, Ref, Resource, ResourceId, RouteTarget, Subnet,
};

use super::PlanError;

/// What each resource needs to exist before it.
pub type Dependencies = BTreeMap<ResourceId, BTreeSet<ResourceId>>;

/// Edges from references, and those that AWS imposes without a reference.
pub fn dependencies<'a>(resources: impl Iterator<Item = (&'a ResourceId, &'a Resource)>) -> Dependencies {
    let resources: BTreeMap<&ResourceId, &Resource> = resources.collect();
    resources
        .iter()
        .map(|(id, resource)| {
            let mut needs: BTreeSet<ResourceId> = resource.references().into_iter().collect();
            implied(id, resource, &resources, &mut needs);
            needs.remove(*id);
            ((*id).clone(), needs)
        })
        .collect()
}

/// References that lead out of the set.
pub fn check_references(dependencies: &Dependencies) -> Result<(), PlanError> {
    for (from, needs) in dependencies {
        for to in needs {
            if !dependencies.contains_key(to) {
                return Err(PlanError::Dangling { from: from.clone(), to: to.clone() });
            }
        }
    }
    Ok(())
}

type Resources<'a> = BTreeMap<&'a ResourceId, &'a Resource>;

fn implied(id: &ResourceId, resource: &Resource, all: &Resources<'_>, needs: &mut BTreeSet<ResourceId>) {
    match resource {
        // CreateNatGateway fails (state `failed`, Gateway.NotAttached) in a VPC without an internet gateway, and an internet
        // gateway cannot be detached (DependencyViolation) while the VPC has mapped public addresses.
        Resource::NatGateway(nat) => {
            add_kind(all, Kind::InternetGateway, needs);
            add_routes_of(all, &nat.subnet, needs);
        }
        Resource::ElasticIp(address) if address.network_interface.is_some() => add_kind(all, Kind::InternetGateway, needs),
        Resource::LoadBalancer(balancer) => {
            if balancer.internet_facing {
                add_kind(all, Kind::InternetGateway, needs);
            }
            // Its own interfaces take addresses at will: those of the slots must be taken first.
            add_interfaces_in(all, &balancer.subnets, needs);
        }
        Resource::LaunchTemplate(template) => {
            if let InstanceProfileRef::Own { profile, .. } = &template.instance_profile {
                needs.extend(profile.target());
            }
            for (other, candidate) in all {
                if let Resource::BootstrapObject(object) = candidate
                    && template.user_data.text.contains(&object.sha256)
                {
                    needs.insert((*other).clone());
                }
            }
        }
        // Control planes fetch what the settings name as soon as they see them.
        Resource::ControlPlaneSettings(settings) => {
            for addon in &settings.addons {
                let object = ResourceId::new(Kind::BootstrapObject, addon.object_name());
                if all.contains_key(&object) {
                    needs.insert(object);
                }
            }
        }
        Resource::AutoscalingGroup(group) => {
            add_kind(all, Kind::InternetGateway, needs);
            // A slot's volume and public address are found by the machine itself.
            for kind in [Kind::Volume, Kind::ElasticIp] {
                let own = ResourceId::new(kind, id.name.clone());
                if all.contains_key(&own) {
                    needs.insert(own);
                }
            }
            // A slot that finds no settings keeps asking, and a cluster without a pod network is not ready meanwhile.
            if let Placement::Zones(_) = &group.placement {
                add_kind(all, Kind::ControlPlaneSettings, needs);
            }
            if let Placement::Subnets(subnets) = &group.placement {
                add_interfaces_in(all, subnets, needs);
                for subnet in subnets {
                    add_association_of(all, subnet, needs);
                }
            }
            add_kind(all, Kind::VpcEndpoint, needs);
            if let Some(template) = group.launch_template.target()
                && let Some(Resource::LaunchTemplate(template)) = all.get(&template)
            {
                add_powers_of(all, template, needs);
            }
        }
        Resource::Vpc(_)
        | Resource::InternetGateway(_)
        | Resource::Subnet(_)
        | Resource::ElasticIp(_)
        | Resource::RouteTable(_)
        | Resource::Route(_)
        | Resource::RouteTableAssociation(_)
        | Resource::VpcEndpoint(_)
        | Resource::SecurityGroup(_)
        | Resource::SecurityGroupRule(_)
        | Resource::Role(_)
        | Resource::RolePolicy(_)
        | Resource::InstanceProfile(_)
        | Resource::KeyPair(_)
        | Resource::TargetGroup(_)
        | Resource::Listener(_)
        | Resource::Target(_)
        | Resource::NetworkInterface(_)
        | Resource::Volume(_)
        | Resource::BootstrapObject(_)
        | Resource::DnsRecord(_) => {}
    }
}

fn add_kind(all: &Resources<'_>, kind: Kind, needs: &mut BTreeSet<ResourceId>) {
    needs.extend(all.keys().filter(|id| id.kind == kind).map(|id| (*id).clone()));
}

fn add_interfaces_in(all: &Resources<'_>, subnets: &[Ref<Subnet>], needs: &mut BTreeSet<ResourceId>) {
    for (id, resource) in all {
        if let Resource::NetworkInterface(interface) = resource
            && subnets.contains(&interface.subnet)
        {
            needs.insert((*id).clone());
        }
    }
}

/// What machines need to reach anything: the route table of their subnet. Its default route may follow: a NAT gateway takes two
/// minutes, and a machine that boots meanwhile keeps asking.
fn add_association_of(all: &Resources<'_>, subnet: &Ref<Subnet>, needs: &mut BTreeSet<ResourceId>) {
    if let Some(subnet) = subnet.target() {
        let association = ResourceId::new(Kind::RouteTableAssociation, subnet.name);
        if all.contains_key(&association) {
            needs.insert(association);
        }
    }
}

/// The internet route of a public subnet.
fn add_routes_of(all: &Resources<'_>, subnet: &Ref<Subnet>, needs: &mut BTreeSet<ResourceId>) {
    add_association_of(all, subnet, needs);
    let Some(subnet) = subnet.target() else { return };
    let association = ResourceId::new(Kind::RouteTableAssociation, subnet.name);
    let Some(Resource::RouteTableAssociation(association)) = all.get(&association) else { return };
    for (id, resource) in all {
        if let Resource::Route(route) = resource
            && route.table == association.table
            && matches!(route.target, RouteTarget::InternetGateway(_))
        {
            needs.insert((*id).clone());
        }
    }
}

/// Rules of the security groups, policies of the role and, for a slot, the route table of its subnet: a machine without them boots
/// into a wall.
fn add_powers_of(all: &Resources<'_>, template: &LaunchTemplate, needs: &mut BTreeSet<ResourceId>) {
    let groups = match &template.network {
        LaunchNetwork::Groups { security_groups, .. } => security_groups.clone(),
        LaunchNetwork::Interface(interface) => match interface.target().and_then(|id| all.get(&id).copied()) {
            Some(Resource::NetworkInterface(interface)) => {
                add_association_of(all, &interface.subnet, needs);
                interface.security_groups.clone()
            }
            _ => Vec::new(),
        },
    };
    let role = match &template.instance_profile {
        InstanceProfileRef::Own { profile, .. } => match profile.target().and_then(|id| all.get(&id).copied()) {
            Some(Resource::InstanceProfile(profile)) => Some(profile.role.clone()),
            _ => None,
        },
        InstanceProfileRef::Foreign { .. } => None,
    };
    for (id, resource) in all {
        let needed = match resource {
            Resource::SecurityGroupRule(rule) => groups.contains(&rule.group),
            Resource::RolePolicy(policy) => role.as_ref() == Some(&policy.role),
            _ => false,
        };
        if needed {
            needs.insert((*id).clone());
        }
    }
}
