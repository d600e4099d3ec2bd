//! What a model needs to know of AWS: images, instance types, zones, and the network that exists already.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    ArchitectureType, ArchitectureValues, AvailabilityZoneState, Filter, Image as SdkImage, InstanceTypeInfo, NetworkInterface,
    Subnet as SdkSubnet, Vpc as SdkVpc, VpcCidrBlockStateCode,
};
use ipnet::Ipv4Net;

use super::error::translate;
use super::{Aws, route53, ssm};
use crate::cloud::facts::{ExistingSubnetFacts, ExistingVpc};
use crate::cloud::{CloudError, CloudFacts, ErrorClass, ExistingNetwork, HostedZone, InstanceTypeFacts, ResolvedImage};
use crate::spec::{Architecture, Image, InstanceType};

/// Where Canonical publishes the newest image of an Ubuntu LTS.
fn default_image_parameter(architecture: Architecture) -> String {
    format!("/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id", architecture.go())
}

#[async_trait]
impl CloudFacts for Aws {
    async fn image(&self, image: &Image, architecture: Architecture) -> Result<Option<ResolvedImage>, CloudError> {
        let found = match image {
            Image::Default => image_of_parameter(self, &default_image_parameter(architecture)).await?,
            Image::Parameter(path) => image_of_parameter(self, path).await?,
            Image::Id(id) => image_of_id(self, id).await?,
            Image::Name { owner, pattern } => newest_image(self, owner, pattern, architecture).await?,
        };
        Ok(found.and_then(|found| read_image(&found)))
    }

    async fn instance_types(&self, types: &[InstanceType]) -> Result<Vec<InstanceTypeFacts>, CloudError> {
        if types.is_empty() {
            return Ok(Vec::new());
        }
        // As a filter: named directly, one type that the region does not have fails the whole call.
        let names = types.iter().map(|name| name.as_str().to_owned());
        let pages = self.ec2.describe_instance_types().filters(filter("instance-type", names)).into_paginator().items().send();
        let found: Result<Vec<InstanceTypeInfo>, _> = pages.collect().await;
        let found = found.map_err(|error| translate("ec2:DescribeInstanceTypes", error))?;
        Ok(found.iter().filter_map(read_instance_type).collect())
    }

    async fn zones(&self) -> Result<Vec<String>, CloudError> {
        let answer = self.ec2.describe_availability_zones().send().await;
        let answer = answer.map_err(|error| translate("ec2:DescribeAvailabilityZones", error))?;
        let zones = answer.availability_zones.unwrap_or_default().into_iter();
        // Local and wavelength zones have neither the services nor the instance types.
        let usable = zones.filter(|zone| {
            zone.state == Some(AvailabilityZoneState::Available) && zone.zone_type.as_deref() == Some("availability-zone")
        });
        let mut names: Vec<String> = usable.filter_map(|zone| zone.zone_name).collect();
        names.sort();
        Ok(names)
    }

    async fn hosted_zones(&self, name: &str, private: bool, vpc: Option<&str>) -> Result<Vec<HostedZone>, CloudError> {
        route53::zones(self, name, private, vpc).await
    }

    async fn existing_network(&self, vpc: &str, subnets: &[String]) -> Result<ExistingNetwork, CloudError> {
        if subnets.is_empty() {
            // A filter without values is refused.
            let vpc = find_vpc(self, vpc).await?;
            return Ok(ExistingNetwork { vpc: vpc.as_ref().and_then(read_vpc), subnets: BTreeMap::new() });
        }
        let (vpc, found, interfaces) =
            tokio::try_join!(find_vpc(self, vpc), find_subnets(self, subnets), find_interfaces(self, subnets))?;
        let mut used: BTreeMap<&str, Vec<Ipv4Addr>> = BTreeMap::new();
        for interface in &interfaces {
            used.entry(interface.subnet_id().unwrap_or_default()).or_default().extend(addresses(interface));
        }
        let subnets = found.iter().filter_map(|subnet| {
            let (id, facts) = read_subnet(subnet)?;
            let used_addresses = used.get(id).cloned().unwrap_or_default();
            Some((id.to_owned(), ExistingSubnetFacts { used_addresses, ..facts }))
        });
        Ok(ExistingNetwork { vpc: vpc.as_ref().and_then(read_vpc), subnets: subnets.collect() })
    }
}

/// A filter of EC2: any of the values.
pub(super) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

async fn image_of_parameter(aws: &Aws, path: &str) -> Result<Option<SdkImage>, CloudError> {
    match ssm::parameter(aws, path).await? {
        Some(id) => image_of_id(aws, &id).await,
        None => Ok(None),
    }
}

async fn image_of_id(aws: &Aws, id: &str) -> Result<Option<SdkImage>, CloudError> {
    // By id, not by a filter: only so are images found that their owner has deprecated.
    let answer = aws.ec2.describe_images().image_ids(id).send().await;
    match answer.map_err(|error| translate("ec2:DescribeImages", error)) {
        Ok(answer) => Ok(answer.images.unwrap_or_default().into_iter().next()),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn newest_image(aws: &Aws, owner: &str, pattern: &str, architecture: Architecture) -> Result<Option<SdkImage>, CloudError> {
    let pages = aws
        .ec2
        .describe_images()
        .owners(owner)
        .filters(filter("name", [pattern.to_owned()]))
        .filters(filter("architecture", [architecture.ec2().to_owned()]))
        .filters(filter("state", ["available".to_owned()]))
        .into_paginator()
        .items()
        .send();
    let images: Result<Vec<SdkImage>, _> = pages.collect().await;
    let images = images.map_err(|error| translate("ec2:DescribeImages", error))?;
    // ISO 8601 in UTC: the order of the texts is that of the times.
    Ok(images.into_iter().max_by(|a, b| (&a.creation_date, &a.image_id).cmp(&(&b.creation_date, &b.image_id))))
}

/// `None` for architectures that Kubernetes is not built for here (`i386`, macOS).
fn read_image(image: &SdkImage) -> Option<ResolvedImage> {
    let architecture = match image.architecture()? {
        ArchitectureValues::X8664 => Architecture::X86_64,
        ArchitectureValues::Arm64 => Architecture::Arm64,
        _ => return None,
    };
    Some(ResolvedImage {
        id: image.image_id.clone()?,
        name: image.name.clone().unwrap_or_default(),
        architecture,
        root_device: image.root_device_name.clone()?,
    })
}

fn read_instance_type(info: &InstanceTypeInfo) -> Option<InstanceTypeFacts> {
    if info.supported_in_region == Some(false) {
        return None;
    }
    let architectures = info.processor_info()?.supported_architectures();
    let architecture = if architectures.contains(&ArchitectureType::X8664) {
        Architecture::X86_64
    } else if architectures.contains(&ArchitectureType::Arm64) {
        Architecture::Arm64
    } else {
        return None;
    };
    let gpus = info.gpu_info().map(|gpus| gpus.gpus()).unwrap_or_default().iter();
    let gpus = gpus.filter(|gpu| gpu.manufacturer().is_some_and(|name| name.eq_ignore_ascii_case("nvidia")));
    Some(InstanceTypeFacts {
        name: info.instance_type()?.as_str().to_owned(),
        architecture,
        vcpus: u32::try_from(info.v_cpu_info()?.default_v_cpus?).ok()?,
        memory_mib: u64::try_from(info.memory_info()?.size_in_mib?).ok()?,
        gpus: gpus.filter_map(|gpu| u32::try_from(gpu.count?).ok()).sum(),
    })
}

async fn find_vpc(aws: &Aws, id: &str) -> Result<Option<SdkVpc>, CloudError> {
    let answer = aws.ec2.describe_vpcs().filters(filter("vpc-id", [id.to_owned()])).send().await;
    let answer = answer.map_err(|error| translate("ec2:DescribeVpcs", error))?;
    Ok(answer.vpcs.unwrap_or_default().into_iter().next())
}

fn read_vpc(vpc: &SdkVpc) -> Option<ExistingVpc> {
    let associated = vpc.cidr_block_association_set().iter().filter(|association| {
        association.cidr_block_state().and_then(|state| state.state()) == Some(&VpcCidrBlockStateCode::Associated)
    });
    let cidrs = associated.filter_map(|association| association.cidr_block()?.parse::<Ipv4Net>().ok());
    Some(ExistingVpc { id: vpc.vpc_id.clone()?, cidrs: cidrs.collect() })
}

async fn find_subnets(aws: &Aws, ids: &[String]) -> Result<Vec<SdkSubnet>, CloudError> {
    let pages = aws.ec2.describe_subnets().filters(filter("subnet-id", ids.iter().cloned())).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeSubnets", error))
}

fn read_subnet(subnet: &SdkSubnet) -> Option<(&str, ExistingSubnetFacts)> {
    let facts = ExistingSubnetFacts {
        vpc: subnet.vpc_id.clone()?,
        zone: subnet.availability_zone.clone()?,
        cidr: subnet.cidr_block()?.parse().ok()?,
        used_addresses: Vec::new(),
    };
    Some((subnet.subnet_id()?, facts))
}

async fn find_interfaces(aws: &Aws, subnets: &[String]) -> Result<Vec<NetworkInterface>, CloudError> {
    let wanted = filter("subnet-id", subnets.iter().cloned());
    let pages = aws.ec2.describe_network_interfaces().filters(wanted).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeNetworkInterfaces", error))
}

/// All addresses that an interface holds: its own, secondary ones, and those of its delegated prefixes.
fn addresses(interface: &NetworkInterface) -> Vec<Ipv4Addr> {
    let single = interface.private_ip_addresses().iter().filter_map(|address| address.private_ip_address()?.parse().ok());
    let prefixes = interface.ipv4_prefixes().iter().filter_map(|prefix| prefix.ipv4_prefix()?.parse::<Ipv4Net>().ok());
    let delegated = prefixes.flat_map(|prefix| (u32::from(prefix.network())..=u32::from(prefix.broadcast())).map(Ipv4Addr::from));
    single.chain(delegated).collect()
}
