//! Where AWS's console shows a resource, what its search box finds, and its ARN.

use crate::cloud::Facts;
use crate::model::{Kind, Resource};

/// What ARNs and addresses of the console are made of, beside the id of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    pub region: String,
    pub account: String,
    /// Bucket of the state store; `None` where the state lies in a directory.
    pub bucket: Option<String>,
    /// Prefix of the cluster's state in it.
    pub prefix: String,
}

impl Console {
    /// For a cluster in `region`.
    pub fn new(facts: &Facts, region: &str, bucket: bool) -> Self {
        Self {
            partition: facts.partition.clone(),
            region: region.to_owned(),
            account: facts.account.clone(),
            bucket: bucket.then(|| facts.state.bucket.clone()),
            prefix: facts.state.prefix.clone(),
        }
    }

    /// What the console's search box finds.
    pub fn search(&self, kind: Kind, id: &str) -> String {
        match kind {
            // `arn:…:loadbalancer/net/NAME/HASH`, `arn:…:listener/net/NAME/HASH/HASH`, `arn:…:targetgroup/NAME/HASH`: it goes by names.
            Kind::LoadBalancer | Kind::Listener => part(id, '/', 2).unwrap_or(id).to_owned(),
            Kind::TargetGroup => part(id, '/', 1).unwrap_or(id).to_owned(),
            Kind::Target => id.rsplit('#').next().unwrap_or(id).to_owned(),
            // Ids of kclust's own making: what they are part of, which has a page.
            Kind::SecurityGroupRule | Kind::Route => part(id, '/', 0).unwrap_or(id).to_owned(),
            Kind::RolePolicy => part(id, ':', 0).unwrap_or(id).to_owned(),
            Kind::DnsRecord => part(id, '/', 1).unwrap_or(id).to_owned(),
            Kind::BootstrapObject
            | Kind::ControlPlaneSettings
            | Kind::Vpc
            | Kind::InternetGateway
            | Kind::Subnet
            | Kind::ElasticIp
            | Kind::NatGateway
            | Kind::RouteTable
            | Kind::RouteTableAssociation
            | Kind::VpcEndpoint
            | Kind::SecurityGroup
            | Kind::Role
            | Kind::InstanceProfile
            | Kind::KeyPair
            | Kind::NetworkInterface
            | Kind::Volume
            | Kind::LaunchTemplate
            | Kind::AutoscalingGroup => id.to_owned(),
        }
    }

    /// The ARN, where there is one and it follows from what is known. (That of an autoscaling group holds a UUID.)
    pub fn arn(&self, resource: &Resource, id: &str) -> Option<String> {
        let Self { partition, region, account, .. } = self;
        let ec2 = |what: &str| Some(format!("arn:{partition}:ec2:{region}:{account}:{what}/{id}"));
        match resource {
            Resource::Vpc(_) => ec2("vpc"),
            Resource::InternetGateway(_) => ec2("internet-gateway"),
            Resource::Subnet(_) => ec2("subnet"),
            Resource::ElasticIp(_) => ec2("elastic-ip"),
            Resource::NatGateway(_) => ec2("natgateway"),
            Resource::RouteTable(_) => ec2("route-table"),
            Resource::VpcEndpoint(_) => ec2("vpc-endpoint"),
            Resource::SecurityGroup(_) => ec2("security-group"),
            Resource::KeyPair(_) => ec2("key-pair"),
            Resource::NetworkInterface(_) => ec2("network-interface"),
            Resource::Volume(_) => ec2("volume"),
            Resource::LaunchTemplate(_) => ec2("launch-template"),
            Resource::LoadBalancer(_) | Resource::TargetGroup(_) | Resource::Listener(_) => Some(id.to_owned()),
            Resource::Role(role) => Some(format!("arn:{partition}:iam::{account}:role{}{}", role.path, role.name)),
            Resource::InstanceProfile(profile) => {
                Some(format!("arn:{partition}:iam::{account}:instance-profile{}{}", profile.path, profile.name))
            }
            Resource::BootstrapObject(_) | Resource::ControlPlaneSettings(_) => {
                let bucket = self.bucket.as_ref()?;
                Some(format!("arn:{partition}:s3:::{bucket}/{}/{id}", self.prefix))
            }
            Resource::Route(_)
            | Resource::RouteTableAssociation(_)
            | Resource::SecurityGroupRule(_)
            | Resource::RolePolicy(_)
            | Resource::Target(_)
            | Resource::AutoscalingGroup(_)
            | Resource::DnsRecord(_) => None,
        }
    }

    /// The page of the console.
    pub fn url(&self, kind: Kind, id: &str) -> Option<String> {
        let id = self.page_id(kind, id);
        let Self { region, .. } = self;
        let domain = match self.partition.as_str() {
            "aws" => "console.aws.amazon.com",
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => return None,
        };
        let regional = |service: &str, page: &str| {
            Some(format!("https://{region}.{domain}/{service}/home?region={region}#{page}{}", escaped(&id)))
        };
        let vpc = |page: &str| regional("vpcconsole", page);
        let ec2 = |page: &str| regional("ec2", page);
        match kind {
            Kind::Vpc => vpc("VpcDetails:VpcId="),
            Kind::InternetGateway => vpc("InternetGateway:internetGatewayId="),
            Kind::Subnet => vpc("SubnetDetails:subnetId="),
            Kind::NatGateway => vpc("NatGatewayDetails:natGatewayId="),
            Kind::RouteTable | Kind::Route => vpc("RouteTableDetails:RouteTableId="),
            Kind::VpcEndpoint => vpc("EndpointDetails:vpcEndpointId="),
            Kind::ElasticIp => ec2("ElasticIpDetails:AllocationId="),
            Kind::SecurityGroup | Kind::SecurityGroupRule => ec2("SecurityGroup:groupId="),
            Kind::KeyPair => ec2("KeyPairs:keyName="),
            Kind::LoadBalancer => ec2("LoadBalancer:loadBalancerArn="),
            Kind::TargetGroup | Kind::Target => ec2("TargetGroup:targetGroupArn="),
            Kind::Listener => ec2("ELBListenerV2:listenerArn="),
            Kind::NetworkInterface => ec2("NetworkInterface:networkInterfaceId="),
            Kind::Volume => ec2("VolumeDetails:volumeId="),
            Kind::LaunchTemplate => ec2("LaunchTemplateDetails:launchTemplateId="),
            Kind::AutoscalingGroup => ec2("AutoScalingGroupDetails:id="),
            // IAM and Route 53 belong to no region.
            Kind::Role | Kind::RolePolicy => Some(format!("https://{domain}/iam/home#/roles/details/{}", escaped(&id))),
            Kind::DnsRecord => Some(format!("https://{domain}/route53/v2/hostedzones#ListRecordSets/{id}")),
            Kind::BootstrapObject | Kind::ControlPlaneSettings => {
                let bucket = self.bucket.as_ref()?;
                Some(format!("https://{domain}/s3/object/{bucket}?prefix={}/{}", self.prefix, escaped(&id)))
            }
            // Neither has a page of its own.
            Kind::InstanceProfile | Kind::RouteTableAssociation => None,
        }
    }

    /// The id by which a page is found: that of the resource, or of what it is part of.
    fn page_id(&self, kind: Kind, id: &str) -> String {
        match kind {
            Kind::Target => part(id, '#', 0).unwrap_or(id).to_owned(),
            Kind::DnsRecord => part(id, '/', 0).unwrap_or(id).to_owned(),
            Kind::LoadBalancer | Kind::Listener | Kind::TargetGroup => id.to_owned(),
            other => self.search(other, id),
        }
    }
}

fn part(text: &str, separator: char, index: usize) -> Option<&str> {
    text.split(separator).nth(index).filter(|part| !part.is_empty())
}

/// Percent-encoded, but for what AWS's own links leave as it is.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
