//! Launch templates between the model's form and EC2's. Pure.

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateBlockDeviceMapping, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataEndpointState, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, LaunchTemplateTagSpecificationRequest, LaunchTemplateVersion,
    RequestLaunchTemplateData, ResourceType, ResponseLaunchTemplateData, VolumeType,
};

use super::storage::{disk, to_i32, to_u32};
use super::tags;
use super::user_data::{self, ApiLoadBalancer};
use crate::aws::error::unresolved;
use crate::aws::reference::{Ids, resolve, resolve_all, resolve_own};
use crate::cloud::{CloudError, Outputs};
use crate::model::tags::cluster as tags_of_cluster;
use crate::model::{
    COMMON_LIMIT, InstanceProfile, InstanceProfileRef, Kind, LaunchNetwork, LaunchTemplate, Ref, ResourceId, Tags, UserData,
    named_thing,
};

/// Content of a template or of a version of it.
pub(super) fn request(
    operation: &'static str,
    template: &LaunchTemplate,
    outputs: &Outputs,
) -> Result<RequestLaunchTemplateData, CloudError> {
    let UserData { text, api_name_of } = &template.user_data;
    let api_name = match api_name_of {
        Some(api) => {
            let name = resolve_own(operation, outputs, api)?.dns_name.as_deref();
            Some(name.ok_or_else(|| unresolved(operation, &format!("the DNS name of {api}")))?)
        }
        None => None,
    };
    let key_pair = template.key_pair.as_ref().map(|key_pair| resolve(operation, outputs, key_pair)).transpose()?;
    let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder().arn(template.instance_profile.arn());
    let tokens = if template.metadata_tokens_required {
        LaunchTemplateHttpTokensState::Required
    } else {
        LaunchTemplateHttpTokensState::Optional
    };
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
        .http_tokens(tokens)
        .http_put_response_hop_limit(to_i32(template.metadata_hop_limit));
    let mut data = RequestLaunchTemplateData::builder()
        .image_id(&template.image)
        .instance_type(InstanceType::from(template.instance_type.as_str()))
        .set_key_name(key_pair)
        .iam_instance_profile(profile.build())
        .metadata_options(metadata.build())
        .block_device_mappings(root_device(template))
        .network_interfaces(interface(operation, template, outputs)?)
        .user_data(user_data::encode(text, api_name))
        .tag_specifications(tag_specification(ResourceType::Instance, &template.instance_tags))
        .tag_specifications(tag_specification(ResourceType::Volume, &template.instance_tags));
    // RunInstances refuses tags for interfaces where it makes none.
    if let LaunchNetwork::Groups { .. } = template.network {
        data = data.tag_specifications(tag_specification(ResourceType::NetworkInterface, &template.instance_tags));
    }
    Ok(data.build())
}

fn tag_specification(resource_type: ResourceType, wanted: &Tags) -> LaunchTemplateTagSpecificationRequest {
    LaunchTemplateTagSpecificationRequest::builder().resource_type(resource_type).set_tags(Some(tags::to_sdk(wanted))).build()
}

fn root_device(template: &LaunchTemplate) -> LaunchTemplateBlockDeviceMappingRequest {
    let disk = &template.root_disk;
    let volume = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(to_i32(disk.size_gib))
        .volume_type(VolumeType::from(disk.volume_type.as_str()))
        .set_iops(disk.iops.map(to_i32))
        .set_throughput(disk.throughput.map(to_i32))
        .encrypted(disk.encrypted)
        .delete_on_termination(true);
    LaunchTemplateBlockDeviceMappingRequest::builder().device_name(&template.root_device).ebs(volume.build()).build()
}

fn interface(
    operation: &'static str,
    template: &LaunchTemplate,
    outputs: &Outputs,
) -> Result<LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, CloudError> {
    let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder().device_index(0);
    Ok(match &template.network {
        // It has its groups already, and stays when its instance goes: AWS refuses DeleteOnTermination here.
        LaunchNetwork::Interface(existing) => interface.network_interface_id(resolve(operation, outputs, existing)?),
        LaunchNetwork::Groups { security_groups, public_ip } => interface
            .set_groups(Some(resolve_all(operation, outputs, security_groups)?))
            .associate_public_ip_address(*public_ip)
            .delete_on_termination(true),
    }
    .build())
}

/// Tags that a template gives its instances.
fn instance_tags(data: &ResponseLaunchTemplateData) -> Tags {
    let of_instances = data.tag_specifications().iter().find(|tags| tags.resource_type() == Some(&ResourceType::Instance));
    of_instances.map(|specification| tags::from_sdk(specification.tags())).unwrap_or_default()
}

/// The logical id of a template, if it is the cluster's. Its own tags are not in the answer, and those of its instances are content
/// that somebody may have changed; its name stays, and holds a hash of the cluster's.
pub(super) fn logical_id(version: &LaunchTemplateVersion, region: &str, ownership: &str) -> Option<ResourceId> {
    let cluster = ownership.strip_prefix(&tags_of_cluster(""))?;
    let group = named_thing(region, cluster, version.launch_template_name()?, COMMON_LIMIT)?;
    Some(ResourceId::new(Kind::LaunchTemplate, group))
}

/// The default version of a template as a resource. What it lacks is empty or zero, and so differs from everything desired.
pub(super) fn observed(version: &LaunchTemplateVersion, ids: &Ids, api: Option<ApiLoadBalancer<'_>>) -> LaunchTemplate {
    let nothing = ResponseLaunchTemplateData::builder().build();
    let data = version.launch_template_data().unwrap_or(&nothing);
    let metadata = data.metadata_options();
    let root = data.block_device_mappings().first();
    LaunchTemplate {
        name: version.launch_template_name().unwrap_or_default().to_owned(),
        image: data.image_id().unwrap_or_default().to_owned(),
        instance_type: data.instance_type().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        key_pair: data.key_name().map(|name| ids.reference(Some(name))),
        instance_profile: instance_profile(data, ids),
        network: network(data, ids),
        root_device: root.and_then(LaunchTemplateBlockDeviceMapping::device_name).unwrap_or_default().to_owned(),
        root_disk: {
            let ebs = root.and_then(LaunchTemplateBlockDeviceMapping::ebs);
            disk(
                ebs.and_then(|ebs| ebs.volume_size()),
                ebs.and_then(|ebs| ebs.volume_type()),
                ebs.and_then(|ebs| ebs.iops()),
                ebs.and_then(|ebs| ebs.throughput()),
                ebs.and_then(|ebs| ebs.encrypted()),
            )
        },
        metadata_hop_limit: to_u32(metadata.and_then(|options| options.http_put_response_hop_limit())).unwrap_or_default(),
        metadata_tokens_required: metadata.and_then(|options| options.http_tokens())
            == Some(&LaunchTemplateHttpTokensState::Required),
        user_data: user_data::decode(data.user_data().unwrap_or_default(), api),
        instance_tags: instance_tags(data),
        tags: Tags::new(),
    }
}

fn instance_profile(data: &ResponseLaunchTemplateData, ids: &Ids) -> InstanceProfileRef {
    let arn = data.iam_instance_profile().and_then(|profile| profile.arn()).unwrap_or_default();
    match ids.name::<InstanceProfile>(arn) {
        Some(name) => InstanceProfileRef::Own { profile: Ref::own(name), arn: arn.to_owned() },
        None => InstanceProfileRef::Foreign { arn: arn.to_owned() },
    }
}

fn network(data: &ResponseLaunchTemplateData, ids: &Ids) -> LaunchNetwork {
    let interface = data.network_interfaces().iter().find(|interface| interface.device_index().unwrap_or_default() == 0);
    match interface.and_then(|interface| interface.network_interface_id()) {
        Some(id) => LaunchNetwork::Interface(ids.reference(Some(id))),
        None => LaunchNetwork::Groups {
            security_groups: ids.references(interface.into_iter().flat_map(|interface| interface.groups()).map(String::as_str)),
            public_ip: interface.and_then(|interface| interface.associate_public_ip_address()).unwrap_or_default(),
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        LaunchTemplateEbsBlockDevice, LaunchTemplateIamInstanceProfileSpecification, LaunchTemplateInstanceMetadataOptions,
        LaunchTemplateInstanceNetworkInterfaceSpecification, LaunchTemplateTagSpecification,
    };

    use super::*;
    use crate::cloud::Physical;
    use crate::model::tags::{GROUP, OWNED, cluster};
    use crate::model::{Disk, aws_name};

    const OPERATION: &str = "ec2:CreateLaunchTemplate";
    const REGION: &str = "us-east-1";
    const DNS: &str = "api-1234.elb.us-east-1.amazonaws.com";
    const PROFILE: &str = "arn:aws:iam::123456789012:instance-profile/kclust/demo/nodes";

    fn known() -> Vec<(&'static str, ResourceId)> {
        vec![
            (PROFILE, ResourceId::new(Kind::InstanceProfile, "nodes")),
            ("eni-1", ResourceId::new(Kind::NetworkInterface, "a")),
            ("key.demo", ResourceId::new(Kind::KeyPair, "operator")),
            ("sg-1", ResourceId::new(Kind::SecurityGroup, "nodes")),
        ]
    }

    fn outputs() -> Outputs {
        let mut outputs: Outputs = Outputs(known().into_iter().map(|(physical, id)| (id, Physical::new(physical))).collect());
        let load_balancer = Physical { dns_name: Some(DNS.to_owned()), ..Physical::new("arn:of-the-load-balancer") };
        outputs.0.insert(ResourceId::new(Kind::LoadBalancer, "api"), load_balancer);
        outputs
    }

    fn ids() -> Ids {
        Ids(known().into_iter().map(|(physical, id)| (physical.to_owned(), id)).collect())
    }

    fn worker() -> LaunchTemplate {
        let ownership = cluster("demo");
        let instance_tags = [(ownership.as_str(), OWNED), (GROUP, "workers"), ("Name", "workers.demo")];
        LaunchTemplate {
            name: aws_name(REGION, "demo", "workers", COMMON_LIMIT),
            image: "ami-1".to_owned(),
            instance_type: "m6i.large".to_owned(),
            key_pair: Some(Ref::own("operator")),
            instance_profile: InstanceProfileRef::Own { profile: Ref::own("nodes"), arn: PROFILE.to_owned() },
            network: LaunchNetwork::Groups { security_groups: vec![Ref::own("nodes"), Ref::foreign("sg-9")], public_ip: true },
            root_device: "/dev/sda1".to_owned(),
            root_disk: Disk {
                size_gib: 64,
                volume_type: "gp3".to_owned(),
                iops: Some(3000),
                throughput: Some(125),
                encrypted: true,
            },
            metadata_hop_limit: 1,
            metadata_tokens_required: true,
            user_data: UserData { text: format!("api={}\n", UserData::API_NAME), api_name_of: Some(Ref::own("api")) },
            instance_tags: instance_tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            tags: Tags::new(),
        }
    }

    /// What `DescribeLaunchTemplateVersions` would return for this content.
    fn described(name: &str, data: RequestLaunchTemplateData) -> LaunchTemplateVersion {
        let metadata = data.metadata_options.expect("metadata options");
        let devices = data.block_device_mappings.into_iter().flatten().map(|device| {
            let ebs = device.ebs.expect("an EBS volume");
            let volume = LaunchTemplateEbsBlockDevice::builder()
                .set_volume_size(ebs.volume_size)
                .set_volume_type(ebs.volume_type)
                .set_iops(ebs.iops)
                .set_throughput(ebs.throughput)
                .set_encrypted(ebs.encrypted);
            LaunchTemplateBlockDeviceMapping::builder().set_device_name(device.device_name).ebs(volume.build()).build()
        });
        let interfaces = data.network_interfaces.into_iter().flatten().map(|interface| {
            LaunchTemplateInstanceNetworkInterfaceSpecification::builder()
                .set_device_index(interface.device_index)
                .set_network_interface_id(interface.network_interface_id)
                .set_groups(interface.groups)
                .set_associate_public_ip_address(interface.associate_public_ip_address)
                .build()
        });
        let specifications = data.tag_specifications.into_iter().flatten().map(|specification| {
            LaunchTemplateTagSpecification::builder()
                .set_resource_type(specification.resource_type)
                .set_tags(specification.tags)
                .build()
        });
        let response = ResponseLaunchTemplateData::builder()
            .set_image_id(data.image_id)
            .set_instance_type(data.instance_type)
            .set_key_name(data.key_name)
            .set_user_data(data.user_data)
            .iam_instance_profile(
                LaunchTemplateIamInstanceProfileSpecification::builder()
                    .set_arn(data.iam_instance_profile.and_then(|profile| profile.arn))
                    .build(),
            )
            .metadata_options(
                LaunchTemplateInstanceMetadataOptions::builder()
                    .set_http_tokens(metadata.http_tokens)
                    .set_http_put_response_hop_limit(metadata.http_put_response_hop_limit)
                    .build(),
            )
            .set_block_device_mappings(Some(devices.collect()))
            .set_network_interfaces(Some(interfaces.collect()))
            .set_tag_specifications(Some(specifications.collect()));
        LaunchTemplateVersion::builder().launch_template_name(name).launch_template_data(response.build()).build()
    }

    #[track_caller]
    fn assert_round_trip(template: &LaunchTemplate) {
        let version = described(&template.name, request(OPERATION, template, &outputs()).expect("references resolve"));
        let api = ApiLoadBalancer { dns_name: DNS, name: "api" };
        assert_eq!(observed(&version, &ids(), Some(api)), *template);
        let group = template.instance_tags[GROUP].as_str();
        assert_eq!(logical_id(&version, REGION, &cluster("demo")), Some(ResourceId::new(Kind::LaunchTemplate, group)));
        assert_eq!(logical_id(&version, REGION, &cluster("demo2")), None);
    }

    #[test]
    fn the_template_of_a_worker_is_observed_as_it_was_made() {
        assert_round_trip(&worker());
    }

    #[test]
    fn the_template_of_a_slot_is_observed_as_it_was_made() {
        assert_round_trip(&LaunchTemplate {
            key_pair: None,
            instance_profile: InstanceProfileRef::Foreign { arn: "arn:aws:iam::123456789012:instance-profile/theirs".to_owned() },
            network: LaunchNetwork::Interface(Ref::own("a")),
            user_data: UserData { text: "api=api.demo.example.com\n".to_owned(), api_name_of: None },
            ..worker()
        });
    }

    #[test]
    fn interfaces_are_tagged_only_where_they_are_made() {
        let is_tagged = |template: &LaunchTemplate| {
            let data = request(OPERATION, template, &outputs()).expect("references resolve");
            data.tag_specifications().iter().any(|tags| tags.resource_type() == Some(&ResourceType::NetworkInterface))
        };
        assert!(is_tagged(&worker()));
        assert!(!is_tagged(&LaunchTemplate { network: LaunchNetwork::Interface(Ref::own("a")), ..worker() }));
    }

    #[test]
    fn a_load_balancer_without_a_name_is_an_error_and_not_a_node_that_cannot_join() {
        let mut outputs = outputs();
        outputs.0.insert(ResourceId::new(Kind::LoadBalancer, "api"), Physical::new("arn:of-the-load-balancer"));
        let error = request(OPERATION, &worker(), &outputs).expect_err("there is no name to put in");
        assert!(error.message.contains("LoadBalancer/api"), "{error}");
    }
}
