//! Whose the record of the API's name is. It may have been there before the cluster, and it may lead to another one by now.

use crate::cloud::{Observed, Scope, World};
use crate::model::{Desired, DnsRecord, RecordAddress, RecordValue, Resource, ResourceId};

/// The records at the cluster's names that lead elsewhere.
pub(super) fn of_others<'a>(world: &'a World, desired: &Desired, scope: &Scope) -> Vec<(&'a ResourceId, &'a DnsRecord)> {
    let load_balancer = scope.load_balancer_name.as_deref();
    let records = world.resources.iter().filter_map(|(id, observed)| match &observed.resource {
        Resource::DnsRecord(record) => Some((id, record)),
        _ => None,
    });
    records.filter(|(_, record)| !is_own(record, world, desired, load_balancer)).collect()
}

/// In words, with where it leads.
pub(super) fn describe(record: &DnsRecord) -> String {
    let value = match &record.value {
        RecordValue::Alias(load_balancer) => format!("alias of {load_balancer}"),
        RecordValue::Addresses { addresses, .. } => {
            let words = addresses.iter().map(|address| match address {
                RecordAddress::Fixed(address) => address.to_string(),
                RecordAddress::Elastic(elastic) => elastic.to_string(),
            });
            words.collect::<Vec<_>>().join(", ")
        }
        RecordValue::Other(text) => text.clone(),
    };
    format!("the record {} in the hosted zone {} ({value})", record.name, record.zone_id)
}

/// Whether a record leads to the cluster. Its slots may have gone already: those that it shall have say where it led.
fn is_own(record: &DnsRecord, world: &World, desired: &Desired, load_balancer: Option<&str>) -> bool {
    let observed = world.resources.values().map(|Observed { resource, .. }| resource);
    let resources: Vec<&Resource> = observed.chain(desired.values()).collect();
    let is_slot = |address: &RecordAddress| match address {
        RecordAddress::Elastic(_) => true,
        RecordAddress::Fixed(address) => resources
            .iter()
            .any(|resource| matches!(resource, Resource::NetworkInterface(interface) if interface.address == *address)),
    };
    match &record.value {
        RecordValue::Alias(_) => true,
        RecordValue::Addresses { addresses, .. } => !addresses.is_empty() && addresses.iter().all(is_slot),
        // A load balancer's DNS name begins with its own name, which nobody else in the account has: this one is gone already.
        RecordValue::Other(text) => text.strip_prefix("alias of ").zip(load_balancer).is_some_and(|(alias, load_balancer)| {
            let alias = alias.strip_prefix("dualstack.").unwrap_or(alias);
            alias.to_ascii_lowercase().starts_with(&format!("{load_balancer}-"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ref;
    use crate::test_support::{desired, example, world};

    #[test]
    fn a_record_is_the_clusters_when_it_leads_to_it() {
        let cluster = example("ha-private");
        let wanted = desired(&cluster);
        let world = world(&wanted);
        let interface = world.resources.values().find_map(|observed| match &observed.resource {
            Resource::NetworkInterface(interface) => Some(interface.address),
            _ => None,
        });
        let fixed = RecordAddress::Fixed(interface.unwrap());
        let other = RecordAddress::Fixed([192, 0, 2, 1].into());
        let addresses = |addresses: &[RecordAddress]| RecordValue::Addresses { addresses: addresses.to_vec(), ttl_seconds: 60 };
        let alias = |text: &str| RecordValue::Other(format!("alias of {text}"));
        let (nothing, none) = (Desired::new(), World::default());
        for (value, own) in [
            (RecordValue::Alias(Ref::own("api")), true),
            (addresses(std::slice::from_ref(&fixed)), true),
            (addresses(&[fixed.clone(), other.clone()]), false),
            (addresses(&[other]), false),
            (addresses(&[]), false),
            (alias("api-1-0123abcd.elb.us-east-1.amazonaws.com"), true),
            (alias("dualstack.API-1-0123abcd.elb.us-east-1.amazonaws.com"), true),
            (alias("api-10-0123abcd.elb.us-east-1.amazonaws.com"), false),
            (alias("www.example.com"), false),
            (RecordValue::Other("one of several record sets (blue)".into()), false),
        ] {
            let record = DnsRecord { zone_id: "Z1".into(), name: "api.prod.example.com".into(), value };
            assert_eq!(is_own(&record, &world, &nothing, Some("api-1")), own, "{record:?}");
        }
        // The slots have gone, and the state says where they were.
        let record = DnsRecord { zone_id: "Z1".into(), name: "api.prod.example.com".into(), value: addresses(&[fixed]) };
        assert!(is_own(&record, &none, &wanted, None));
        assert!(!is_own(&record, &none, &nothing, None));
    }
}
