//! Where to look for a cluster whose state is gone. Its resources tell by their tags and names; what has neither, a record in
//! somebody's hosted zone and the network that it was put into, is worked out from those.

use std::collections::BTreeMap;

use crate::cloud::{CloudError, ErrorClass, HostedZone, Observed, Scope, World};
use crate::model::{Desired, Ref, Resource, load_balancer_name};
use crate::spec::ClusterName;

use super::error::OpsError;
use super::{Environment, api_record};

/// What was found out without state.
pub(super) struct Traces {
    pub(super) scope: Scope,
    /// What may be the cluster's and stays, because nothing proves that it is.
    pub(super) unproven: Vec<String>,
}

/// Works out where a cluster's resources are from its name alone.
pub(super) async fn trace(environment: &Environment<'_>, name: &ClusterName) -> Result<Traces, OpsError> {
    environment.operator.phase("looking for the cluster by its tags");
    let load_balancer = load_balancer_name(environment.aws.region(), name.as_str());
    let mut scope = Scope {
        cluster: name.to_string(),
        vpc: None,
        zone_id: None,
        record_names: Vec::new(),
        known: BTreeMap::new(),
        instance_profiles: Vec::new(),
        // Known by name, they are the cluster's only in a network that is: that is found out first.
        load_balancer_name: None,
        target_group_name: None,
    };
    let observed = OpsError::cloud("observe the cluster's resources");
    let world = environment.aws.observe(&scope).await.map_err(observed)?;
    scope.vpc = foreign_vpc(&world);
    (scope.load_balancer_name, scope.target_group_name) = (Some(load_balancer.clone()), Some(load_balancer.clone()));
    let api = format!("api.{name}");
    let mut unproven = Vec::new();
    let zones = match zones(environment, name).await {
        Ok(zones) => zones,
        Err(error) if error.class == ErrorClass::Denied => {
            unproven.push(format!("hosted zones cannot be listed ({error}): a record {api} in one of them would stay"));
            Vec::new()
        }
        Err(error) => return Err(OpsError::cloud("look for the cluster's DNS record")(error)),
    };
    for zone in zones {
        let candidate = Scope { zone_id: Some(zone.id.clone()), record_names: vec![api.clone()], ..scope.clone() };
        let world = environment.aws.observe(&candidate).await.map_err(OpsError::cloud("look for the cluster's DNS record"))?;
        let is_record = |observed: &Observed| matches!(observed.resource, Resource::DnsRecord(_));
        if !world.resources.values().any(is_record) {
            continue;
        }
        match api_record::of_others(&world, &Desired::new(), &candidate).first() {
            None => return Ok(Traces { scope: candidate, unproven: Vec::new() }),
            Some(_) => {
                unproven
                    .push(format!("the record {api} in the hosted zone {} ({}) leads elsewhere and stays", zone.name, zone.id));
            }
        }
    }
    Ok(Traces { scope, unproven })
}

/// A spec can only name zones that its cluster's name lies in.
async fn zones(environment: &Environment<'_>, name: &ClusterName) -> Result<Vec<HostedZone>, CloudError> {
    let mut found = Vec::new();
    let mut rest = Some(name.as_str());
    while let Some(zone) = rest.filter(|zone| zone.contains('.')) {
        for private in [false, true] {
            found.extend(environment.aws.hosted_zones(zone, private, None).await?);
        }
        rest = zone.split_once('.').map(|(_, parent)| parent);
    }
    Ok(found)
}

/// The network that the cluster's security groups are in, where it is somebody else's.
fn foreign_vpc(world: &World) -> Option<String> {
    world.resources.values().find_map(|observed| match &observed.resource {
        Resource::SecurityGroup(group) => match &group.vpc {
            Ref::Foreign(id) => Some(id.clone()),
            Ref::Own(..) | Ref::Nothing => None,
        },
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{desired, example, world};

    #[test]
    fn the_network_of_others_is_found() {
        let made = world(&desired(&example("ha-private")));
        assert_eq!(foreign_vpc(&made), None);
        let shared = world(&desired(&example("existing-vpc")));
        assert!(foreign_vpc(&shared).is_some());
    }
}
