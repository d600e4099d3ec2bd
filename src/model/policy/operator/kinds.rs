//! What a command does to the things of a kind → the actions that this takes. Each list names the calls of `src/aws`; what else AWS
//! asks for in the same call stands with the action.

use super::action::Action::{self, *};
use crate::model::Kind;

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
pub(super) fn create(kind: Kind) -> &'static [Action] {
    match kind {
        Kind::Vpc => &[CreateVpc, ModifyVpcAttribute],
        Kind::InternetGateway => &[CreateInternetGateway, AttachInternetGateway, DeleteInternetGateway],
        Kind::Subnet => &[CreateSubnet, ModifySubnetAttribute],
        Kind::ElasticIp => &[AllocateAddress, AssociateAddress],
        Kind::NatGateway => &[CreateNatGateway],
        Kind::RouteTable => &[CreateRouteTable],
        Kind::Route => &[CreateRoute, ReplaceRoute],
        Kind::RouteTableAssociation => &[AssociateRouteTable],
        Kind::VpcEndpoint => &[CreateVpcEndpoint],
        Kind::SecurityGroup => &[CreateSecurityGroup],
        Kind::SecurityGroupRule => &[
            AuthorizeSecurityGroupIngress,
            AuthorizeSecurityGroupEgress,
            UpdateSecurityGroupRuleDescriptionsIngress,
            UpdateSecurityGroupRuleDescriptionsEgress,
        ],
        Kind::Role => &[CreateRole, UpdateAssumeRolePolicy],
        Kind::RolePolicy => &[PutRolePolicy],
        Kind::InstanceProfile => {
            &[CreateInstanceProfile, AddRoleToInstanceProfile, GetInstanceProfile, RemoveRoleFromInstanceProfile]
        }
        Kind::KeyPair => &[ImportKeyPair],
        Kind::LoadBalancer => &[CreateLoadBalancer],
        Kind::TargetGroup => &[CreateTargetGroup, ModifyTargetGroupAttributes],
        Kind::Listener => &[CreateListener],
        Kind::Target => &[RegisterTargets],
        Kind::NetworkInterface => &[CreateNetworkInterface, ModifyNetworkInterfaceAttribute],
        Kind::Volume => &[CreateVolume],
        Kind::BootstrapObject | Kind::ControlPlaneSettings => &[PutObject],
        Kind::LaunchTemplate => &[CreateLaunchTemplate],
        Kind::AutoscalingGroup => &[CreateAutoScalingGroup],
        Kind::DnsRecord => &[ChangeResourceRecordSets],
    }
}

/// Changing one in place.
pub(super) fn update(kind: Kind) -> &'static [Action] {
    match kind {
        Kind::Vpc => &[ModifyVpcAttribute, CreateTags, DeleteTags],
        Kind::InternetGateway => &[DetachInternetGateway, AttachInternetGateway, CreateTags, DeleteTags],
        Kind::Subnet => &[ModifySubnetAttribute, CreateTags, DeleteTags],
        Kind::ElasticIp => &[AssociateAddress, DisassociateAddress, CreateTags, DeleteTags],
        Kind::NatGateway | Kind::RouteTable | Kind::SecurityGroup | Kind::KeyPair => &[CreateTags, DeleteTags],
        Kind::Route => &[ReplaceRoute],
        Kind::RouteTableAssociation => &[ReplaceRouteTableAssociation, AssociateRouteTable],
        Kind::VpcEndpoint => &[ModifyVpcEndpoint],
        // What cannot become the wanted rule in place is made beside it, and then removed.
        Kind::SecurityGroupRule => &[
            ModifySecurityGroupRules,
            AuthorizeSecurityGroupIngress,
            AuthorizeSecurityGroupEgress,
            UpdateSecurityGroupRuleDescriptionsIngress,
            UpdateSecurityGroupRuleDescriptionsEgress,
            RevokeSecurityGroupIngress,
            RevokeSecurityGroupEgress,
        ],
        Kind::Role => &[UpdateAssumeRolePolicy, TagRole, UntagRole],
        Kind::RolePolicy => &[PutRolePolicy],
        Kind::InstanceProfile => &[AddRoleToInstanceProfile, GetInstanceProfile, RemoveRoleFromInstanceProfile],
        Kind::LoadBalancer => &[SetSubnets, SetSecurityGroups],
        Kind::TargetGroup => &[ModifyTargetGroup, ModifyTargetGroupAttributes],
        Kind::Listener => &[ModifyListener],
        // Another address is another target.
        Kind::Target => &[],
        Kind::NetworkInterface => &[ModifyNetworkInterfaceAttribute, CreateTags, DeleteTags],
        Kind::Volume => &[ModifyVolume, CreateTags, DeleteTags],
        Kind::BootstrapObject | Kind::ControlPlaneSettings => &[PutObject],
        Kind::LaunchTemplate => &[CreateLaunchTemplateVersion, ModifyLaunchTemplate],
        Kind::AutoscalingGroup => &[UpdateAutoScalingGroup, CreateOrUpdateGroupTags, DeleteGroupTags],
        Kind::DnsRecord => &[ChangeResourceRecordSets],
    }
}

/// Removing one.
pub(super) fn delete(kind: Kind) -> &'static [Action] {
    match kind {
        Kind::Vpc => &[DeleteVpc],
        Kind::InternetGateway => &[DetachInternetGateway, DeleteInternetGateway],
        Kind::Subnet => &[DeleteSubnet],
        Kind::ElasticIp => &[DisassociateAddress, ReleaseAddress],
        Kind::NatGateway => &[DeleteNatGateway],
        Kind::RouteTable => &[DeleteRouteTable],
        Kind::Route => &[DeleteRoute],
        Kind::RouteTableAssociation => &[DisassociateRouteTable],
        Kind::VpcEndpoint => &[DeleteVpcEndpoints],
        Kind::SecurityGroup => &[DeleteSecurityGroup],
        Kind::SecurityGroupRule => &[RevokeSecurityGroupIngress, RevokeSecurityGroupEgress],
        Kind::Role => &[DeleteRole],
        Kind::RolePolicy => &[DeleteRolePolicy],
        Kind::InstanceProfile => &[GetInstanceProfile, RemoveRoleFromInstanceProfile, DeleteInstanceProfile],
        Kind::KeyPair => &[DeleteKeyPair],
        Kind::LoadBalancer => &[DeleteLoadBalancer],
        Kind::TargetGroup => &[DeleteTargetGroup],
        Kind::Listener => &[DeleteListener],
        Kind::Target => &[DeregisterTargets],
        Kind::NetworkInterface => &[DeleteNetworkInterface],
        Kind::Volume => &[DeleteVolume],
        Kind::BootstrapObject | Kind::ControlPlaneSettings => &[DeleteObject],
        Kind::LaunchTemplate => &[DeleteLaunchTemplate],
        Kind::AutoscalingGroup => &[DeleteAutoScalingGroup],
        Kind::DnsRecord => &[ChangeResourceRecordSets],
    }
}
