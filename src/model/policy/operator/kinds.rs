//! What a command does to the things of a kind → the actions that this takes. Each list names the calls of `src/aws`; what else AWS
//! asks for in the same call stands with the action.

use super::action::Action::{self, *};
use crate::model::{Direction, ElasticIp, Kind, NetworkInterface, Resource, SecurityGroupRule, Subnet};

/// Looking whether the cluster has things of a kind, and, where it shall have them, at what is not in that answer.
pub(super) struct Observation {
    pub(super) always: &'static [Action],
    pub(super) details: &'static [Action],
}

pub(super) fn observe(kind: Kind) -> Observation {
    let (always, details): (&[Action], &[Action]) = match kind {
        Kind::Vpc => (&[DescribeVpcs], &[DescribeVpcAttribute]),
        Kind::InternetGateway => (&[DescribeInternetGateways], &[]),
        Kind::Subnet => (&[DescribeSubnets], &[]),
        Kind::ElasticIp => (&[DescribeAddresses], &[]),
        Kind::NatGateway => (&[DescribeNatGateways], &[]),
        Kind::RouteTable | Kind::Route | Kind::RouteTableAssociation => (&[DescribeRouteTables], &[]),
        Kind::VpcEndpoint => (&[DescribeVpcEndpoints], &[]),
        Kind::SecurityGroup => (&[DescribeSecurityGroups], &[]),
        Kind::SecurityGroupRule => (&[DescribeSecurityGroups], &[DescribeSecurityGroupRules]),
        Kind::Role | Kind::RolePolicy | Kind::InstanceProfile => (&[GetAccountAuthorizationDetails], &[]),
        Kind::KeyPair => (&[DescribeKeyPairs], &[]),
        Kind::LoadBalancer => (&[DescribeLoadBalancers], &[]),
        Kind::TargetGroup => (&[DescribeTargetGroups], &[DescribeTargetGroupAttributes]),
        Kind::Listener => (&[], &[DescribeListeners]),
        Kind::Target => (&[], &[DescribeTargetHealth]),
        Kind::NetworkInterface => (&[DescribeNetworkInterfaces], &[]),
        Kind::Volume => (&[DescribeVolumes], &[]),
        Kind::BootstrapObject => (&[ListBucket], &[]),
        Kind::ControlPlaneSettings => (&[GetObject], &[]),
        // A template without a group is found by its own tags only.
        Kind::LaunchTemplate => (&[DescribeLaunchTemplateVersions], &[DescribeLaunchTemplates]),
        Kind::AutoscalingGroup => (&[DescribeAutoScalingGroups], &[]),
        Kind::DnsRecord => (&[], &[ListResourceRecordSets]),
    };
    Observation { always, details }
}

/// Making one, including what is done when one turns out to be there already.
pub(super) fn create(resource: &Resource) -> &'static [Action] {
    match resource {
        Resource::Vpc(_) => &[CreateVpc, ModifyVpcAttribute],
        Resource::InternetGateway(_) => &[CreateInternetGateway, AttachInternetGateway, DeleteInternetGateway],
        Resource::Subnet(Subnet { map_public_ip: true, .. }) => &[CreateSubnet, ModifySubnetAttribute],
        Resource::Subnet(_) => &[CreateSubnet],
        // The address of a NAT gateway is associated by the gateway.
        Resource::ElasticIp(ElasticIp { network_interface: None, .. }) => &[AllocateAddress],
        Resource::ElasticIp(_) => &[AllocateAddress, AssociateAddress],
        Resource::NatGateway(_) => &[CreateNatGateway],
        Resource::RouteTable(_) => &[CreateRouteTable],
        Resource::Route(_) => &[CreateRoute, ReplaceRoute],
        Resource::RouteTableAssociation(_) => &[AssociateRouteTable],
        Resource::VpcEndpoint(_) => &[CreateVpcEndpoint],
        Resource::SecurityGroup(_) => &[CreateSecurityGroup],
        Resource::SecurityGroupRule(SecurityGroupRule { direction: Direction::Ingress, .. }) => {
            &[AuthorizeSecurityGroupIngress, UpdateSecurityGroupRuleDescriptionsIngress]
        }
        Resource::SecurityGroupRule(SecurityGroupRule { direction: Direction::Egress, .. }) => {
            &[AuthorizeSecurityGroupEgress, UpdateSecurityGroupRuleDescriptionsEgress]
        }
        Resource::Role(_) => &[CreateRole, UpdateAssumeRolePolicy],
        Resource::RolePolicy(_) => &[PutRolePolicy],
        Resource::InstanceProfile(_) => {
            &[CreateInstanceProfile, AddRoleToInstanceProfile, GetInstanceProfile, RemoveRoleFromInstanceProfile]
        }
        Resource::KeyPair(_) => &[ImportKeyPair],
        Resource::LoadBalancer(_) => &[CreateLoadBalancer],
        Resource::TargetGroup(_) => &[CreateTargetGroup, ModifyTargetGroupAttributes],
        Resource::Listener(_) => &[CreateListener],
        Resource::Target(_) => &[RegisterTargets],
        // AWS makes every interface with the check.
        Resource::NetworkInterface(NetworkInterface { source_dest_check: false, .. }) => {
            &[CreateNetworkInterface, ModifyNetworkInterfaceAttribute]
        }
        Resource::NetworkInterface(_) => &[CreateNetworkInterface],
        Resource::Volume(_) => &[CreateVolume],
        Resource::BootstrapObject(_) | Resource::ControlPlaneSettings(_) => &[PutObject],
        Resource::LaunchTemplate(_) => &[CreateLaunchTemplate],
        Resource::AutoscalingGroup(_) => &[CreateAutoScalingGroup],
        Resource::DnsRecord(_) => &[ChangeResourceRecordSets],
    }
}

/// Changing one in place.
pub(super) fn update(resource: &Resource) -> &'static [Action] {
    match resource {
        Resource::Vpc(_) => &[ModifyVpcAttribute, CreateTags, DeleteTags],
        Resource::InternetGateway(_) => &[DetachInternetGateway, AttachInternetGateway, CreateTags, DeleteTags],
        Resource::Subnet(_) => &[ModifySubnetAttribute, CreateTags, DeleteTags],
        Resource::ElasticIp(ElasticIp { network_interface: None, .. }) => &[DisassociateAddress, CreateTags, DeleteTags],
        Resource::ElasticIp(_) => &[AssociateAddress, CreateTags, DeleteTags],
        Resource::NatGateway(_) | Resource::RouteTable(_) | Resource::SecurityGroup(_) | Resource::KeyPair(_) => {
            &[CreateTags, DeleteTags]
        }
        Resource::Route(_) => &[ReplaceRoute],
        Resource::RouteTableAssociation(_) => &[ReplaceRouteTableAssociation, AssociateRouteTable],
        Resource::VpcEndpoint(_) => &[ModifyVpcEndpoint],
        // What cannot become the wanted rule in place is made beside it, and then removed.
        Resource::SecurityGroupRule(SecurityGroupRule { direction: Direction::Ingress, .. }) => &[
            ModifySecurityGroupRules,
            AuthorizeSecurityGroupIngress,
            UpdateSecurityGroupRuleDescriptionsIngress,
            RevokeSecurityGroupIngress,
        ],
        Resource::SecurityGroupRule(SecurityGroupRule { direction: Direction::Egress, .. }) => &[
            ModifySecurityGroupRules,
            AuthorizeSecurityGroupEgress,
            UpdateSecurityGroupRuleDescriptionsEgress,
            RevokeSecurityGroupEgress,
        ],
        Resource::Role(_) => &[UpdateAssumeRolePolicy, TagRole, UntagRole],
        Resource::RolePolicy(_) => &[PutRolePolicy],
        Resource::InstanceProfile(_) => &[AddRoleToInstanceProfile, GetInstanceProfile, RemoveRoleFromInstanceProfile],
        Resource::LoadBalancer(_) => &[SetSubnets, SetSecurityGroups],
        Resource::TargetGroup(_) => &[ModifyTargetGroup, ModifyTargetGroupAttributes],
        Resource::Listener(_) => &[ModifyListener],
        // Another address is another target.
        Resource::Target(_) => &[],
        Resource::NetworkInterface(_) => &[ModifyNetworkInterfaceAttribute, CreateTags, DeleteTags],
        Resource::Volume(_) => &[ModifyVolume, CreateTags, DeleteTags],
        Resource::BootstrapObject(_) | Resource::ControlPlaneSettings(_) => &[PutObject],
        Resource::LaunchTemplate(_) => &[CreateLaunchTemplateVersion, ModifyLaunchTemplate],
        Resource::AutoscalingGroup(_) => &[UpdateAutoScalingGroup, CreateOrUpdateGroupTags, DeleteGroupTags],
        Resource::DnsRecord(_) => &[ChangeResourceRecordSets],
    }
}

/// Removing one.
pub(super) fn delete(resource: &Resource) -> &'static [Action] {
    match resource {
        Resource::Vpc(_) => &[DeleteVpc],
        Resource::InternetGateway(_) => &[DetachInternetGateway, DeleteInternetGateway],
        Resource::Subnet(_) => &[DeleteSubnet],
        Resource::ElasticIp(ElasticIp { network_interface: None, .. }) => &[ReleaseAddress],
        Resource::ElasticIp(_) => &[DisassociateAddress, ReleaseAddress],
        Resource::NatGateway(_) => &[DeleteNatGateway],
        Resource::RouteTable(_) => &[DeleteRouteTable],
        Resource::Route(_) => &[DeleteRoute],
        Resource::RouteTableAssociation(_) => &[DisassociateRouteTable],
        Resource::VpcEndpoint(_) => &[DeleteVpcEndpoints],
        Resource::SecurityGroup(_) => &[DeleteSecurityGroup],
        Resource::SecurityGroupRule(SecurityGroupRule { direction: Direction::Ingress, .. }) => &[RevokeSecurityGroupIngress],
        Resource::SecurityGroupRule(SecurityGroupRule { direction: Direction::Egress, .. }) => &[RevokeSecurityGroupEgress],
        Resource::Role(_) => &[DeleteRole],
        Resource::RolePolicy(_) => &[DeleteRolePolicy],
        Resource::InstanceProfile(_) => &[GetInstanceProfile, RemoveRoleFromInstanceProfile, DeleteInstanceProfile],
        Resource::KeyPair(_) => &[DeleteKeyPair],
        Resource::LoadBalancer(_) => &[DeleteLoadBalancer],
        Resource::TargetGroup(_) => &[DeleteTargetGroup],
        Resource::Listener(_) => &[DeleteListener],
        Resource::Target(_) => &[DeregisterTargets],
        Resource::NetworkInterface(_) => &[DeleteNetworkInterface],
        Resource::Volume(_) => &[DeleteVolume],
        Resource::BootstrapObject(_) | Resource::ControlPlaneSettings(_) => &[DeleteObject],
        Resource::LaunchTemplate(_) => &[DeleteLaunchTemplate],
        Resource::AutoscalingGroup(_) => &[DeleteAutoScalingGroup],
        Resource::DnsRecord(_) => &[ChangeResourceRecordSets],
    }
}
