//! What the account may have, and what it has.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Instance, InstanceLifecycleType, NatGateway};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, LoadBalancerTypeEnum};
use aws_sdk_iam::types::SummaryKeyType;
use aws_sdk_servicequotas::types::ServiceQuota;
use futures_util::future::join_all;

use crate::aws::Aws;
use crate::aws::error::translate;
use crate::aws::facts::filter;
use crate::cloud::{CloudError, ErrorClass, Family, Quota, Room};

type Usage = BTreeMap<Quota, u64>;

/// The quotas that share a listing are asked for together: a listing of all instances may have many pages.
pub(super) async fn room(aws: &Aws, wanted: &[Quota]) -> BTreeMap<Quota, Result<Option<Room>, CloudError>> {
    let any = |is: fn(&Quota) -> bool| wanted.iter().any(is);
    let used = async {
        let (vpcs, addresses, gateways, balancers, vcpus) = tokio::join!(
            when(any(|quota| matches!(quota, Quota::Vpcs)), vpcs(aws)),
            when(any(|quota| matches!(quota, Quota::Addresses)), addresses(aws)),
            when(any(|quota| matches!(quota, Quota::NatGateways { .. })), nat_gateways(aws)),
            when(any(|quota| matches!(quota, Quota::NetworkLoadBalancers)), network_load_balancers(aws)),
            when(any(|quota| matches!(quota, Quota::Vcpus { .. })), vcpus(aws)),
        );
        move |quota: &Quota| {
            let usage = match quota {
                Quota::Vpcs => &vpcs,
                Quota::Addresses => &addresses,
                Quota::NatGateways { .. } => &gateways,
                Quota::NetworkLoadBalancers => &balancers,
                Quota::Vcpus { .. } => &vcpus,
                // These two are told together with their limits.
                Quota::AutoscalingGroups | Quota::Roles => return Ok(0),
            };
            usage.as_ref().map(|usage| usage.get(quota).copied().unwrap_or_default()).map_err(Clone::clone)
        }
    };
    let (used, limits) = tokio::join!(used, join_all(wanted.iter().map(|quota| limit(aws, quota))));
    let room = wanted.iter().zip(limits).map(|(quota, limit)| {
        let room = limit.and_then(|limit| match limit {
            Some(Room { limit, used: elsewhere }) => Ok(Some(Room { limit, used: elsewhere + used(quota)? })),
            None => Ok(None),
        });
        (quota.clone(), room)
    });
    room.collect()
}

async fn when(wanted: bool, question: impl Future<Output = Result<Usage, CloudError>>) -> Result<Usage, CloudError> {
    if wanted { question.await } else { Ok(Usage::new()) }
}

async fn vpcs(aws: &Aws) -> Result<Usage, CloudError> {
    let pages = aws.ec2.describe_vpcs().into_paginator().items().send();
    let found: Result<Vec<_>, _> = pages.collect().await;
    Ok(Usage::from([(Quota::Vpcs, count(found.map_err(|error| translate("ec2:DescribeVpcs", error))?.len()))]))
}

async fn addresses(aws: &Aws) -> Result<Usage, CloudError> {
    let answer = aws.ec2.describe_addresses().send().await.map_err(|error| translate("ec2:DescribeAddresses", error))?;
    Ok(Usage::from([(Quota::Addresses, count(answer.addresses().len()))]))
}

/// A gateway names its subnet, and the subnet its zone.
async fn nat_gateways(aws: &Aws) -> Result<Usage, CloudError> {
    let living = filter("state", ["pending", "available", "deleting"].map(str::to_owned));
    let pages = aws.ec2.describe_nat_gateways().filter(living).into_paginator().items().send();
    let found: Result<Vec<NatGateway>, _> = pages.collect().await;
    let found = found.map_err(|error| translate("ec2:DescribeNatGateways", error))?;
    if found.is_empty() {
        return Ok(Usage::new());
    }
    let pages = aws.ec2.describe_subnets().into_paginator().items().send();
    let subnets: Result<Vec<_>, _> = pages.collect().await;
    let subnets = subnets.map_err(|error| translate("ec2:DescribeSubnets", error))?;
    let zones: BTreeMap<&str, &str> =
        subnets.iter().filter_map(|subnet| Some((subnet.subnet_id()?, subnet.availability_zone()?))).collect();
    let mut usage = Usage::new();
    for gateway in &found {
        if let Some(zone) = gateway.subnet_id().and_then(|subnet| zones.get(subnet)) {
            *usage.entry(Quota::NatGateways { zone: (*zone).to_owned() }).or_default() += 1;
        }
    }
    Ok(usage)
}

async fn network_load_balancers(aws: &Aws) -> Result<Usage, CloudError> {
    let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
    let found: Result<Vec<LoadBalancer>, _> = pages.collect().await;
    let found = found.map_err(|error| translate("elasticloadbalancing:DescribeLoadBalancers", error))?;
    let network = found.iter().filter(|balancer| balancer.r#type() == Some(&LoadBalancerTypeEnum::Network));
    Ok(Usage::from([(Quota::NetworkLoadBalancers, count(network.count()))]))
}

async fn vcpus(aws: &Aws) -> Result<Usage, CloudError> {
    let running = filter("instance-state-name", ["pending", "running"].map(str::to_owned));
    let mut pages = aws.ec2.describe_instances().filters(running).max_results(1000).into_paginator().send();
    let mut usage = Usage::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| translate("ec2:DescribeInstances", error))?;
        for instance in page.reservations().iter().flat_map(|reservation| reservation.instances()) {
            if let Some((quota, vcpus)) = vcpus_of(instance) {
                *usage.entry(quota).or_default() += vcpus;
            }
        }
    }
    Ok(usage)
}

fn vcpus_of(instance: &Instance) -> Option<(Quota, u64)> {
    let family = Family::of(instance.instance_type()?.as_str())?;
    let spot = instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot);
    let options = instance.cpu_options()?;
    let number = |value: Option<i32>| value.and_then(|value| u64::try_from(value).ok());
    Some((Quota::Vcpus { family, spot }, number(options.core_count())? * number(options.threads_per_core())?))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

async fn limit(aws: &Aws, quota: &Quota) -> Result<Option<Room>, CloudError> {
    let (service, code) = match quota {
        Quota::AutoscalingGroups => return groups(aws).await,
        Quota::Roles => return roles(aws).await,
        Quota::Vpcs => ("vpc", "L-F678F1CE"),
        Quota::Addresses => ("ec2", "L-0263D0A3"),
        Quota::NatGateways { .. } => ("vpc", "L-FE5A380F"),
        Quota::NetworkLoadBalancers => ("elasticloadbalancing", "L-69A177A2"),
        Quota::Vcpus { family, spot } => match vcpu_code(*family, *spot) {
            Some(code) => ("ec2", code),
            None => return Ok(None),
        },
    };
    let of = |quota: Option<ServiceQuota>| Some(Room { limit: whole(quota?.value?), used: 0 });
    let answer = aws.servicequotas.get_service_quota().service_code(service).quota_code(code).send().await;
    match answer.map_err(|error| translate("servicequotas:GetServiceQuota", error)) {
        Ok(answer) => return Ok(of(answer.quota)),
        // The account has no value of its own: AWS's holds.
        Err(error) if error.class == ErrorClass::NotFound => {}
        Err(error) => return Err(error),
    }
    let answer = aws.servicequotas.get_aws_default_service_quota().service_code(service).quota_code(code).send().await;
    match answer.map_err(|error| translate("servicequotas:GetAWSDefaultServiceQuota", error)) {
        Ok(answer) => Ok(of(answer.quota)),
        // Regions do not have all families.
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Quotas are whole numbers, which the service writes as floats.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

fn vcpu_code(family: Family, spot: bool) -> Option<&'static str> {
    Some(match (family, spot) {
        (Family::Standard, false) => "L-1216C47A",
        (Family::Standard, true) => "L-34B43A08",
        (Family::Dl, false) => "L-6E869C2A",
        (Family::Dl, true) => "L-85EED4F7",
        (Family::F, false) => "L-74FC7D96",
        (Family::F, true) => "L-88CF9481",
        (Family::G, false) => "L-DB2E81BA",
        (Family::G, true) => "L-3819A6DF",
        (Family::HighMemory, false) => "L-43DA4232",
        (Family::Hpc, false) => "L-F7808C92",
        (Family::Inf, false) => "L-1945791B",
        (Family::Inf, true) => "L-B5D1601B",
        (Family::P, false) => "L-417A185B",
        // P5 has a quota of its own, and later ones may too.
        (Family::P, true) => return None,
        (Family::Trn, false) => "L-2C3B7624",
        (Family::Trn, true) => "L-6B0D517C",
        (Family::X, false) => "L-7295265B",
        (Family::X, true) => "L-E3A00192",
        (Family::HighMemory | Family::Hpc, true) => return None,
    })
}

async fn groups(aws: &Aws) -> Result<Option<Room>, CloudError> {
    let answer = aws.autoscaling.describe_account_limits().send().await;
    let answer = answer.map_err(|error| translate("autoscaling:DescribeAccountLimits", error))?;
    Ok(room_of(answer.max_number_of_auto_scaling_groups, answer.number_of_auto_scaling_groups))
}

async fn roles(aws: &Aws) -> Result<Option<Room>, CloudError> {
    let answer = aws.iam.get_account_summary().send().await;
    let summary = answer.map_err(|error| translate("iam:GetAccountSummary", error))?.summary_map.unwrap_or_default();
    let value = |key: SummaryKeyType| summary.get(&key).copied();
    Ok(room_of(value(SummaryKeyType::from("RolesQuota")), value(SummaryKeyType::from("Roles"))))
}

fn room_of(limit: Option<i32>, used: Option<i32>) -> Option<Room> {
    Some(Room { limit: u64::try_from(limit?).ok()?, used: u64::try_from(used?).ok()? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_ec2::types::CpuOptions;

    use super::*;

    #[test]
    fn every_on_demand_family_has_a_code_of_its_own() {
        use Family::*;
        let families = [Standard, Dl, F, G, HighMemory, Hpc, Inf, P, Trn, X];
        let codes: BTreeSet<&str> = families.iter().filter_map(|family| vcpu_code(*family, false)).collect();
        assert_eq!(codes.len(), families.len());
        let spot: BTreeSet<&str> = families.iter().filter_map(|family| vcpu_code(*family, true)).collect();
        assert!(spot.is_disjoint(&codes));
    }

    #[test]
    fn an_instance_takes_its_threads_of_its_familys_quota() {
        let options = CpuOptions::builder().core_count(8).threads_per_core(2).build();
        let instance = Instance::builder().instance_type("g5.4xlarge".into()).cpu_options(options);
        let quota = |spot| Quota::Vcpus { family: Family::G, spot };
        assert_eq!(vcpus_of(&instance.clone().build()), Some((quota(false), 16)));
        let spot = instance.instance_lifecycle(InstanceLifecycleType::Spot).build();
        assert_eq!(vcpus_of(&spot), Some((quota(true), 16)));
    }
}
