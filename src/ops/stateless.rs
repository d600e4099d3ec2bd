//! Where to look for a cluster whose state is gone. Its resources tell by their tags and names; what has neither, a record in
//! somebody's hosted zone and the network that it was put into, is worked out from those.

use std::collections::BTreeMap;

use crate::cloud::{CloudError, ErrorClass, HostedZone, Scope, World};
use crate::model::{DnsRecord, RecordAddress, RecordValue, Ref, Resource, load_balancer_name};
use crate::spec::ClusterName;

use super::Environment;
use super::error::OpsError;

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
        let Some(record) = record(&world) else { continue };
        if is_own(record, &world, &load_balancer) {
            return Ok(Traces { scope: candidate, unproven: Vec::new() });
        }
        unproven.push(format!("the record {api} in the hosted zone {} ({}) leads elsewhere and stays", zone.name, zone.id));
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

fn record(world: &World) -> Option<&DnsRecord> {
    world.resources.values().find_map(|observed| match &observed.resource {
        Resource::DnsRecord(record) => Some(record),
        _ => None,
    })
}

/// Whether a record leads to the cluster: another cluster of the name may have it by now.
fn is_own(record: &DnsRecord, world: &World, load_balancer: &str) -> bool {
    let is_slot = |address: &RecordAddress| match address {
        RecordAddress::Elastic(_) => true,
        RecordAddress::Fixed(address) => world
            .resources
            .values()
            .any(|observed| matches!(&observed.resource, Resource::NetworkInterface(interface) if interface.address == *address)),
    };
    match &record.value {
        RecordValue::Alias(_) => true,
        RecordValue::Addresses { addresses, .. } => !addresses.is_empty() && addresses.iter().all(is_slot),
        // A load balancer's DNS name begins with its own name, which nobody else in the account has: this one is gone already.
        RecordValue::Other(text) => text.strip_prefix("alias of ").is_some_and(|alias| {
            let alias = alias.strip_prefix("dualstack.").unwrap_or(alias);
            alias.to_ascii_lowercase().starts_with(&format!("{load_balancer}-"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::test_support::{desired, example, world};

    #[test]
    fn a_record_is_the_clusters_when_it_leads_to_it() {
        let cluster = example("ha-private");
        let world = world(&desired(&cluster));
        let interface = world.resources.values().find_map(|observed| match &observed.resource {
            Resource::NetworkInterface(interface) => Some(interface.address),
            _ => None,
        });
        let fixed = RecordAddress::Fixed(interface.unwrap());
        let other = RecordAddress::Fixed([192, 0, 2, 1].into());
        let addresses = |addresses: &[RecordAddress]| RecordValue::Addresses { addresses: addresses.to_vec(), ttl_seconds: 60 };
        let alias = |text: &str| RecordValue::Other(format!("alias of {text}"));
        for (value, own) in [
            (RecordValue::Alias(Ref::own("api")), true),
            (addresses(&[fixed.clone()]), true),
            (addresses(&[fixed, other.clone()]), false),
            (addresses(&[other]), false),
            (addresses(&[]), false),
            (alias("api-1-0123abcd.elb.us-east-1.amazonaws.com"), true),
            (alias("dualstack.API-1-0123abcd.elb.us-east-1.amazonaws.com"), true),
            (alias("api-10-0123abcd.elb.us-east-1.amazonaws.com"), false),
            (alias("www.example.com"), false),
        ] {
            let record = DnsRecord { zone_id: "Z1".into(), name: "api.prod.example.com".into(), value };
            assert_eq!(is_own(&record, &world, "api-1"), own, "{record:?}");
        }
        assert!(record(&world).is_some_and(|record| is_own(record, &world, "api-1")));
        assert_eq!(foreign_vpc(&world), None);
        assert!(world.resources.keys().any(|id| id.kind == Kind::SecurityGroup));
    }
}
