//! Records in a hosted zone, and hosted zones.

use std::net::Ipv4Addr;

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, HostedZone as SdkZone, ResourceRecord, ResourceRecordSet, RrType,
};

use super::Aws;
use super::error::{answer_without, not_built, translate, unresolved};
use super::reference::resolve_own;
use crate::cloud::{CloudError, ErrorClass, HostedZone, Observed, Outputs, Physical, Scope, World};
use crate::model::{DnsRecord, Kind, RecordAddress, RecordValue, Ref, ResourceId};

const CHANGE: &str = "route53:ChangeResourceRecordSets";
const LIST: &str = "route53:ListResourceRecordSets";

/// Writes a record, whatever there was before. That the change is not yet on all name servers (`INSYNC`) matters to nobody:
/// control planes ask again until they have an answer.
pub(super) async fn put_record(aws: &Aws, record: &DnsRecord, outputs: &Outputs) -> Result<Physical, CloudError> {
    change(aws, &record.zone_id, ChangeAction::Upsert, record_set(record, outputs)?).await?;
    Ok(Physical::new(record_id(record)))
}

/// Removes a record. Route 53 wants to be told the whole of it, and somebody may have changed it since it was observed. One of several
/// sets of a name, by weight for example, is never the cluster's.
pub(super) async fn delete_record(aws: &Aws, record: &DnsRecord) -> Result<(), CloudError> {
    match find_record(aws, &record.zone_id, &record.name).await? {
        Some(found) if found.set_identifier.is_none() => change(aws, &record.zone_id, ChangeAction::Delete, found).await,
        Some(_) | None => Ok(()),
    }
}

async fn change(aws: &Aws, zone: &str, action: ChangeAction, record_set: ResourceRecordSet) -> Result<(), CloudError> {
    let change = Change::builder().action(action).resource_record_set(record_set).build();
    let batch = change.and_then(|change| ChangeBatch::builder().changes(change).build());
    let call = aws.route53.change_resource_record_sets().hosted_zone_id(zone);
    let call = call.change_batch(batch.map_err(|error| not_built(CHANGE, error))?);
    call.send().await.map_err(|error| translate(CHANGE, error))?;
    Ok(())
}

fn record_set(record: &DnsRecord, outputs: &Outputs) -> Result<ResourceRecordSet, CloudError> {
    let built = |error| not_built(CHANGE, error);
    let set = ResourceRecordSet::builder().name(&record.name).r#type(RrType::A);
    let set = match &record.value {
        RecordValue::Alias(load_balancer) => {
            let made = resolve_own(CHANGE, outputs, load_balancer)?;
            let (Some(name), Some(zone)) = (&made.dns_name, &made.hosted_zone_id) else {
                return Err(unresolved(CHANGE, &format!("the DNS name of {load_balancer}")));
            };
            let alias = AliasTarget::builder().dns_name(name).hosted_zone_id(zone).evaluate_target_health(false);
            set.alias_target(alias.build().map_err(built)?)
        }
        RecordValue::Addresses { addresses, ttl_seconds } => {
            let mut records = Vec::new();
            for address in addresses {
                let address = match address {
                    RecordAddress::Fixed(address) => *address,
                    RecordAddress::Elastic(elastic) => resolve_own(CHANGE, outputs, elastic)?
                        .public_address
                        .ok_or_else(|| unresolved(CHANGE, &format!("the address of {elastic}")))?,
                };
                records.push(ResourceRecord::builder().value(address.to_string()).build().map_err(built)?);
            }
            set.ttl(i64::from(*ttl_seconds)).set_resource_records(Some(records))
        }
        RecordValue::Other(text) => return Err(unresolved(CHANGE, text)),
    };
    set.build().map_err(built)
}

/// The record sets of the scope's names, one small call each.
pub(super) async fn fetch(aws: &Aws, scope: &Scope) -> Result<Vec<ResourceRecordSet>, CloudError> {
    let Some(zone) = scope.zone_id.as_deref() else { return Ok(Vec::new()) };
    let calls = scope.record_names.iter().map(|name| find_record(aws, zone, name));
    let found = futures_util::future::try_join_all(calls).await;
    match found {
        Ok(found) => Ok(found.into_iter().flatten().collect()),
        // Somebody removed the zone, and the records with it.
        Err(error) if error.class == ErrorClass::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The A record set of a name.
async fn find_record(aws: &Aws, zone: &str, name: &str) -> Result<Option<ResourceRecordSet>, CloudError> {
    // The listing begins at the first record that is not before the given one, which may be a later one.
    let call = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
    let call = call.start_record_name(name).start_record_type(RrType::A).max_items(1);
    let answer = call.send().await.map_err(|error| translate(LIST, error))?;
    let is_wanted = |set: &ResourceRecordSet| set.r#type == RrType::A && without_dot(&set.name).eq_ignore_ascii_case(name);
    Ok(answer.resource_record_sets.into_iter().find(is_wanted))
}

/// Adds records to the world, which must have its load balancer and addresses already.
pub(super) fn add_to(world: &mut World, found: Vec<ResourceRecordSet>, scope: &Scope) {
    let Some(zone) = scope.zone_id.as_deref() else { return };
    for set in found {
        let record = DnsRecord {
            zone_id: zone.to_owned(),
            name: without_dot(&set.name).to_ascii_lowercase(),
            value: read_value(&set, world),
        };
        let physical = Physical::new(record_id(&record));
        let id = ResourceId::new(Kind::DnsRecord, logical_name(&record.name, scope));
        world.resources.insert(id, Observed { resource: record.into(), physical });
    }
}

/// `api.<cluster>` is `api`: what is left of the cluster's name.
fn logical_name<'a>(name: &'a str, scope: &Scope) -> &'a str {
    name.strip_suffix(scope.cluster.as_str()).and_then(|name| name.strip_suffix('.')).unwrap_or(name)
}

fn read_value(set: &ResourceRecordSet, world: &World) -> RecordValue {
    if let Some(identifier) = &set.set_identifier {
        return RecordValue::Other(format!("one of several record sets ({identifier})"));
    }
    if let Some(alias) = &set.alias_target {
        return match load_balancer_named(&alias.dns_name, world) {
            Some(name) => RecordValue::Alias(Ref::own(name)),
            None => RecordValue::Other(format!("alias of {}", without_dot(&alias.dns_name))),
        };
    }
    let values: Vec<&str> = set.resource_records().iter().map(|record| record.value.as_str()).collect();
    let addresses: Option<Vec<RecordAddress>> = values.iter().map(|value| Some(address(value.parse().ok()?, world))).collect();
    match (addresses, set.ttl.and_then(|ttl| u32::try_from(ttl).ok())) {
        (Some(mut addresses), Some(ttl_seconds)) => {
            addresses.sort();
            RecordValue::Addresses { addresses, ttl_seconds }
        }
        _ => RecordValue::Other(values.join(", ")),
    }
}

fn load_balancer_named<'a>(dns_name: &str, world: &'a World) -> Option<&'a str> {
    // The console writes aliases with this prefix; both names lead to the same addresses.
    let wanted = without_dot(dns_name);
    let wanted = wanted.strip_prefix("dualstack.").unwrap_or(wanted);
    let named = |(id, observed): (&'a ResourceId, &'a Observed)| {
        let name = observed.physical.dns_name.as_deref()?;
        (id.kind == Kind::LoadBalancer && name.eq_ignore_ascii_case(wanted)).then_some(id.name.as_str())
    };
    world.resources.iter().find_map(named)
}

fn address(address: Ipv4Addr, world: &World) -> RecordAddress {
    let held = |(id, observed): (&ResourceId, &Observed)| {
        (id.kind == Kind::ElasticIp && observed.physical.public_address == Some(address)).then(|| Ref::own(id.name.as_str()))
    };
    world.resources.iter().find_map(held).map_or(RecordAddress::Fixed(address), RecordAddress::Elastic)
}

/// Physical id of a record: zone, name and type are its identity.
fn record_id(record: &DnsRecord) -> String {
    format!("{}/{}/A", record.zone_id, record.name)
}

/// Hosted zones of a name. Several zones may have one name: a public and a private one, or private ones of several VPCs.
pub(super) async fn zones(aws: &Aws, name: &str, private: bool, vpc: Option<&str>) -> Result<Vec<HostedZone>, CloudError> {
    let wanted = without_dot(name);
    let mut zones = Vec::new();
    for zone in zones_of_name(aws, wanted).await? {
        if zone.config.as_ref().is_some_and(|config| config.private_zone) != private {
            continue;
        }
        let id = zone.id.strip_prefix("/hostedzone/").unwrap_or(&zone.id).to_owned();
        if let (true, Some(vpc)) = (private, vpc)
            && !is_associated(aws, &id, vpc).await?
        {
            continue;
        }
        zones.push(HostedZone { id, name: without_dot(&zone.name).to_owned(), private });
    }
    Ok(zones)
}

async fn zones_of_name(aws: &Aws, wanted: &str) -> Result<Vec<SdkZone>, CloudError> {
    let mut found = Vec::new();
    let mut next = (Some(wanted.to_owned()), None);
    // The listing is in the order of names: it begins at the wanted one and goes on to the end of all zones.
    while let (Some(name), id) = next {
        let call = aws.route53.list_hosted_zones_by_name().dns_name(&name).set_hosted_zone_id(id);
        let page = call.send().await.map_err(|error| translate("route53:ListHostedZonesByName", error))?;
        found.extend(page.hosted_zones.into_iter().filter(|zone| without_dot(&zone.name).eq_ignore_ascii_case(wanted)));
        let following = page.next_dns_name.filter(|name| page.is_truncated && without_dot(name).eq_ignore_ascii_case(wanted));
        next = (following, page.next_hosted_zone_id);
    }
    Ok(found)
}

async fn is_associated(aws: &Aws, zone: &str, vpc: &str) -> Result<bool, CloudError> {
    const OPERATION: &str = "route53:GetHostedZone";
    let answer = aws.route53.get_hosted_zone().id(zone).send().await.map_err(|error| translate(OPERATION, error))?;
    if answer.hosted_zone.is_none() {
        return Err(answer_without(OPERATION, "HostedZone"));
    }
    Ok(answer.vpcs().iter().any(|associated| associated.vpc_id() == Some(vpc)))
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{ElasticIp, LoadBalancer, Resource};

    fn scope() -> Scope {
        Scope {
            cluster: "demo.example.com".into(),
            zone_id: Some("Z1".into()),
            record_names: vec!["api.demo.example.com".into()],
            load_balancer_name: None,
            target_group_name: None,
            vpc: None,
            known: Default::default(),
            instance_profiles: Vec::new(),
        }
    }

    fn world() -> World {
        let mut world = World::default();
        let load_balancer = LoadBalancer {
            name: "api-demo".into(),
            internet_facing: true,
            subnets: Vec::new(),
            security_groups: Vec::new(),
            tags: BTreeMap::new(),
        };
        let physical = Physical {
            id: "arn:1".into(),
            dns_name: Some("API-demo-1.elb.us-east-1.amazonaws.com".into()),
            hosted_zone_id: Some("Z2".into()),
            public_address: None,
        };
        world.resources.insert(ResourceId::new(Kind::LoadBalancer, "api"), Observed { resource: load_balancer.into(), physical });
        let elastic = ElasticIp { network_interface: None, tags: BTreeMap::new() };
        let physical = Physical { public_address: Some(Ipv4Addr::new(198, 51, 100, 7)), ..Physical::new("eipalloc-1") };
        world.resources.insert(ResourceId::new(Kind::ElasticIp, "cp-2"), Observed { resource: elastic.into(), physical });
        world
    }

    fn value(set: ResourceRecordSet) -> RecordValue {
        let mut world = world();
        add_to(&mut world, vec![set], &scope());
        let observed = &world.resources[&ResourceId::new(Kind::DnsRecord, "api")];
        assert_eq!(observed.physical.id, "Z1/api.demo.example.com/A");
        match &observed.resource {
            Resource::DnsRecord(record) => record.value.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn set() -> aws_sdk_route53::types::builders::ResourceRecordSetBuilder {
        ResourceRecordSet::builder().name("api.demo.example.com.").r#type(RrType::A)
    }

    fn alias(name: &str) -> ResourceRecordSet {
        let alias = AliasTarget::builder().dns_name(name).hosted_zone_id("Z2").evaluate_target_health(false).build();
        set().alias_target(alias.expect("complete")).build().expect("complete")
    }

    fn addresses(values: &[&str]) -> ResourceRecordSet {
        let record = |value: &&str| ResourceRecord::builder().value(*value).build().expect("complete");
        set().ttl(60).set_resource_records(Some(values.iter().map(record).collect())).build().expect("complete")
    }

    #[test]
    fn an_alias_is_told_by_the_load_balancers_name() {
        for name in ["api-demo-1.elb.us-east-1.amazonaws.com.", "dualstack.api-demo-1.elb.us-east-1.amazonaws.com."] {
            assert_eq!(value(alias(name)), RecordValue::Alias(Ref::own("api")));
        }
        assert_eq!(value(alias("other.example.com.")), RecordValue::Other("alias of other.example.com".into()));
    }

    #[test]
    fn addresses_are_those_of_elastic_ips_or_fixed() {
        let expected = RecordValue::Addresses {
            addresses: vec![RecordAddress::Fixed(Ipv4Addr::new(10, 0, 0, 9)), RecordAddress::Elastic(Ref::own("cp-2"))],
            ttl_seconds: 60,
        };
        assert_eq!(value(addresses(&["198.51.100.7", "10.0.0.9"])), expected);
        assert_eq!(value(addresses(&["nonsense"])), RecordValue::Other("nonsense".into()));
    }

    #[test]
    fn what_is_observed_is_what_was_written() {
        let world = world();
        let outputs = world.outputs();
        let values = [
            RecordValue::Alias(Ref::own("api")),
            RecordValue::Addresses { addresses: vec![RecordAddress::Elastic(Ref::own("cp-2"))], ttl_seconds: 60 },
        ];
        for expected in values {
            let record = DnsRecord { zone_id: "Z1".into(), name: "api.demo.example.com".into(), value: expected.clone() };
            assert_eq!(value(record_set(&record, &outputs).expect("resolved")), expected);
        }
    }
}
