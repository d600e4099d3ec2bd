//! Every action of IAM that `src/aws` needs, once, with what it can be limited to.
//!
//! Resource types and condition keys are those of AWS's Service Authorization Reference. An action on several things (`CreateSubnet`
//! on the subnet and on its VPC) needs to be allowed on each of them, and so has a scope for each.

use Part::{Listener, LoadBalancer, TargetGroup};
use Scope::{
    Balancer, BucketItself, ClusterListing, Controllers, Everything, Launched, MadeByControllers, Network, New, NewBalancer,
    NewGroup, Objects, Owned, OwnedGroup, Parameters, PassedRoles, Principal, Profiles, Quotas, Records, Roles, RootListing,
    ServiceRole, TagsOfNew, Zone,
};

/// What an action is limited to. `limit.rs` says it in IAM's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// AWS can limit the action to nothing.
    Everything,
    /// Of EC2, by type: what the call makes, if it tags it as the cluster's from its first moment.
    New(&'static str),
    /// Of EC2, by type: what is tagged as the cluster's.
    Owned(&'static str),
    /// The VPC or a subnet that things are placed in: tagged as the cluster's, or, in a network of somebody else, by id.
    Network(&'static str),
    /// What an instance is launched with and nobody tags as the cluster's: only from a launch template, which is the cluster's.
    Launched(&'static str),
    /// Of EC2, by type: what the load-balancer controller or the network plugin in the cluster tags with a name of their own.
    Controllers(&'static str),
    NewGroup,
    OwnedGroup,
    /// Below the cluster's path.
    Roles,
    /// Below the cluster's path.
    Profiles,
    /// Roles that machines get.
    PassedRoles,
    /// The role that a service of AWS works with, made in an account when the service is first used.
    ServiceRole(ServiceRoleOf),
    /// A part of the API's load balancer, by its name.
    Balancer(Part),
    /// The same, where the call tags what it makes as the cluster's.
    NewBalancer(Part),
    /// Tags of a part that the named call makes: a permission of its own.
    TagsOfNew(Part, &'static str),
    /// Load balancers and target groups of controllers in the cluster, by their tags.
    MadeByControllers,
    Zone,
    /// The records that the cluster may own.
    Records,
    Parameters,
    /// Whose credentials are in use.
    Principal,
    Quotas,
    BucketItself,
    /// Which clusters there are.
    RootListing,
    ClusterListing,
    Objects,
}

/// What a load balancer consists of. Each has an ARN that holds the load balancer's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    LoadBalancer,
    TargetGroup,
    Listener,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceRoleOf {
    AutoScaling,
    ElasticLoadBalancing,
}

/// Declares [`Action`]: its name in IAM, its scopes, and the actions that AWS asks for in the same call.
macro_rules! actions {
    ($($(#[$meta:meta])* $action:ident: $name:literal on [$($scope:expr),* $(,)?] $(with [$($implied:ident),* $(,)?])?;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$meta])* $action),* }

        impl Action {
            /// Service and operation, such as `ec2:CreateVpc`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name),* }
            }

            pub(super) fn scopes(self) -> &'static [Scope] {
                match self { $(Self::$action => &[$($scope),*]),* }
            }

            /// What AWS checks beside the action itself when it is called.
            pub(super) fn implied(self) -> &'static [Action] {
                match self { $(Self::$action => &[$($(Self::$implied),*)?]),* }
            }
        }
    };
}

actions! {
    // Network.
    CreateVpc: "ec2:CreateVpc" on [New("vpc")];
    DeleteVpc: "ec2:DeleteVpc" on [Owned("vpc")];
    DescribeVpcs: "ec2:DescribeVpcs" on [Everything];
    DescribeVpcAttribute: "ec2:DescribeVpcAttribute" on [Owned("vpc")];
    ModifyVpcAttribute: "ec2:ModifyVpcAttribute" on [Owned("vpc")];
    CreateInternetGateway: "ec2:CreateInternetGateway" on [New("internet-gateway")];
    AttachInternetGateway: "ec2:AttachInternetGateway" on [Owned("internet-gateway"), Owned("vpc")];
    DetachInternetGateway: "ec2:DetachInternetGateway" on [Owned("internet-gateway"), Owned("vpc")];
    DeleteInternetGateway: "ec2:DeleteInternetGateway" on [Owned("internet-gateway")];
    DescribeInternetGateways: "ec2:DescribeInternetGateways" on [Everything];
    CreateSubnet: "ec2:CreateSubnet" on [New("subnet"), Owned("vpc")];
    ModifySubnetAttribute: "ec2:ModifySubnetAttribute" on [Owned("subnet")];
    DeleteSubnet: "ec2:DeleteSubnet" on [Owned("subnet")];
    DescribeSubnets: "ec2:DescribeSubnets" on [Everything];
    AllocateAddress: "ec2:AllocateAddress" on [New("elastic-ip")];
    AssociateAddress: "ec2:AssociateAddress" on [Owned("elastic-ip"), Owned("network-interface")];
    DisassociateAddress: "ec2:DisassociateAddress" on [Owned("elastic-ip"), Owned("network-interface")];
    ReleaseAddress: "ec2:ReleaseAddress" on [Owned("elastic-ip")];
    DescribeAddresses: "ec2:DescribeAddresses" on [Everything];
    CreateNatGateway: "ec2:CreateNatGateway" on [New("natgateway"), Owned("elastic-ip"), Owned("subnet")];
    DeleteNatGateway: "ec2:DeleteNatGateway" on [Owned("natgateway")];
    DescribeNatGateways: "ec2:DescribeNatGateways" on [Everything];
    CreateRouteTable: "ec2:CreateRouteTable" on [New("route-table"), Owned("vpc")];
    DeleteRouteTable: "ec2:DeleteRouteTable" on [Owned("route-table")];
    CreateRoute: "ec2:CreateRoute" on [Owned("route-table")];
    ReplaceRoute: "ec2:ReplaceRoute" on [Owned("route-table")];
    DeleteRoute: "ec2:DeleteRoute" on [Owned("route-table")];
    AssociateRouteTable: "ec2:AssociateRouteTable" on [Owned("route-table"), Owned("subnet")];
    ReplaceRouteTableAssociation: "ec2:ReplaceRouteTableAssociation" on [Owned("route-table"), Owned("subnet")];
    DisassociateRouteTable: "ec2:DisassociateRouteTable" on [Owned("route-table"), Owned("subnet")];
    DescribeRouteTables: "ec2:DescribeRouteTables" on [Everything];
    CreateVpcEndpoint: "ec2:CreateVpcEndpoint" on [New("vpc-endpoint"), Owned("vpc"), Owned("route-table")];
    ModifyVpcEndpoint: "ec2:ModifyVpcEndpoint" on [Owned("vpc-endpoint"), Owned("route-table")];
    DeleteVpcEndpoints: "ec2:DeleteVpcEndpoints" on [Owned("vpc-endpoint")];
    DescribeVpcEndpoints: "ec2:DescribeVpcEndpoints" on [Everything];
    CreateSecurityGroup: "ec2:CreateSecurityGroup" on [New("security-group"), Network("vpc")];
    DeleteSecurityGroup: "ec2:DeleteSecurityGroup" on [Owned("security-group"), Controllers("security-group")];
    DescribeSecurityGroups: "ec2:DescribeSecurityGroups" on [Everything];
    DescribeSecurityGroupRules: "ec2:DescribeSecurityGroupRules" on [Everything];
    AuthorizeSecurityGroupIngress: "ec2:AuthorizeSecurityGroupIngress" on [New("security-group-rule"), Owned("security-group")];
    AuthorizeSecurityGroupEgress: "ec2:AuthorizeSecurityGroupEgress" on [New("security-group-rule"), Owned("security-group")];
    RevokeSecurityGroupIngress: "ec2:RevokeSecurityGroupIngress" on [Owned("security-group"), Controllers("security-group")];
    RevokeSecurityGroupEgress: "ec2:RevokeSecurityGroupEgress" on [Owned("security-group"), Controllers("security-group")];
    ModifySecurityGroupRules: "ec2:ModifySecurityGroupRules" on [Owned("security-group"), Owned("security-group-rule")];
    /// The rule that AWS gives a new group is given the cluster's description.
    UpdateSecurityGroupRuleDescriptionsIngress: "ec2:UpdateSecurityGroupRuleDescriptionsIngress" on [Owned("security-group")];
    UpdateSecurityGroupRuleDescriptionsEgress: "ec2:UpdateSecurityGroupRuleDescriptionsEgress" on [Owned("security-group")];

    // Machines.
    ImportKeyPair: "ec2:ImportKeyPair" on [New("key-pair")];
    DeleteKeyPair: "ec2:DeleteKeyPair" on [Owned("key-pair")];
    DescribeKeyPairs: "ec2:DescribeKeyPairs" on [Everything];
    CreateNetworkInterface: "ec2:CreateNetworkInterface"
        on [New("network-interface"), Network("subnet"), Owned("security-group")];
    ModifyNetworkInterfaceAttribute: "ec2:ModifyNetworkInterfaceAttribute"
        on [Owned("network-interface"), Owned("security-group")];
    DeleteNetworkInterface: "ec2:DeleteNetworkInterface" on [Owned("network-interface"), Controllers("network-interface")];
    DescribeNetworkInterfaces: "ec2:DescribeNetworkInterfaces" on [Everything];
    CreateVolume: "ec2:CreateVolume" on [New("volume")];
    ModifyVolume: "ec2:ModifyVolume" on [Owned("volume")];
    DeleteVolume: "ec2:DeleteVolume" on [Owned("volume")];
    DescribeVolumes: "ec2:DescribeVolumes" on [Everything];
    CreateLaunchTemplate: "ec2:CreateLaunchTemplate" on [New("launch-template")];
    CreateLaunchTemplateVersion: "ec2:CreateLaunchTemplateVersion" on [Owned("launch-template")];
    ModifyLaunchTemplate: "ec2:ModifyLaunchTemplate" on [Owned("launch-template")];
    DeleteLaunchTemplate: "ec2:DeleteLaunchTemplate" on [Owned("launch-template")];
    DescribeLaunchTemplates: "ec2:DescribeLaunchTemplates" on [Everything];
    DescribeLaunchTemplateVersions: "ec2:DescribeLaunchTemplateVersions" on [Everything];
    /// Auto Scaling launches with its own role, but asks whether the caller might have.
    RunInstances: "ec2:RunInstances" on [
        New("instance"), New("volume"), Owned("launch-template"), Owned("security-group"), Owned("key-pair"),
        Owned("network-interface"), Network("subnet"), Launched("network-interface"), Launched("image"),
    ];
    TerminateInstances: "ec2:TerminateInstances" on [Owned("instance")];
    DescribeInstances: "ec2:DescribeInstances" on [Everything];
    DescribeNetworkAcls: "ec2:DescribeNetworkAcls" on [Everything];
    DescribeSnapshots: "ec2:DescribeSnapshots" on [Everything];
    DescribeVpcPeeringConnections: "ec2:DescribeVpcPeeringConnections" on [Everything];
    DescribeVpnGateways: "ec2:DescribeVpnGateways" on [Everything];
    DescribeAvailabilityZones: "ec2:DescribeAvailabilityZones" on [Everything];
    DescribeImages: "ec2:DescribeImages" on [Everything];
    DescribeInstanceTypes: "ec2:DescribeInstanceTypes" on [Everything];
    DescribeInstanceTypeOfferings: "ec2:DescribeInstanceTypeOfferings" on [Everything];
    /// ELB asks on behalf of who makes a load balancer.
    DescribeAccountAttributes: "ec2:DescribeAccountAttributes" on [Everything];
    CreateTags: "ec2:CreateTags" on [Owned("*")];
    DeleteTags: "ec2:DeleteTags" on [Owned("*")];
    GetParameter: "ssm:GetParameter" on [Parameters];

    CreateAutoScalingGroup: "autoscaling:CreateAutoScalingGroup" on [NewGroup]
        with [RunInstances, PassRole, CreateAutoScalingServiceRole];
    UpdateAutoScalingGroup: "autoscaling:UpdateAutoScalingGroup" on [OwnedGroup] with [RunInstances, PassRole];
    DeleteAutoScalingGroup: "autoscaling:DeleteAutoScalingGroup" on [OwnedGroup];
    CreateOrUpdateGroupTags: "autoscaling:CreateOrUpdateTags" on [OwnedGroup];
    DeleteGroupTags: "autoscaling:DeleteTags" on [OwnedGroup];
    DescribeAutoScalingGroups: "autoscaling:DescribeAutoScalingGroups" on [Everything];
    DescribeScalingActivities: "autoscaling:DescribeScalingActivities" on [Everything];
    DescribeGroupLimits: "autoscaling:DescribeAccountLimits" on [Everything];

    // Roles.
    CreateRole: "iam:CreateRole" on [Roles] with [TagRole];
    GetRole: "iam:GetRole" on [Principal];
    TagRole: "iam:TagRole" on [Roles];
    UntagRole: "iam:UntagRole" on [Roles];
    UpdateAssumeRolePolicy: "iam:UpdateAssumeRolePolicy" on [Roles];
    DeleteRole: "iam:DeleteRole" on [Roles];
    PutRolePolicy: "iam:PutRolePolicy" on [Roles];
    DeleteRolePolicy: "iam:DeleteRolePolicy" on [Roles];
    PassRole: "iam:PassRole" on [PassedRoles];
    CreateInstanceProfile: "iam:CreateInstanceProfile" on [Profiles] with [TagInstanceProfile];
    TagInstanceProfile: "iam:TagInstanceProfile" on [Profiles];
    GetInstanceProfile: "iam:GetInstanceProfile" on [Profiles];
    AddRoleToInstanceProfile: "iam:AddRoleToInstanceProfile" on [Profiles] with [PassRole];
    RemoveRoleFromInstanceProfile: "iam:RemoveRoleFromInstanceProfile" on [Profiles];
    DeleteInstanceProfile: "iam:DeleteInstanceProfile" on [Profiles];
    ListInstanceProfiles: "iam:ListInstanceProfiles" on [Profiles];
    GetAccountAuthorizationDetails: "iam:GetAccountAuthorizationDetails" on [Everything];
    GetAccountSummary: "iam:GetAccountSummary" on [Everything];
    SimulatePrincipalPolicy: "iam:SimulatePrincipalPolicy" on [Principal];
    CreateAutoScalingServiceRole: "iam:CreateServiceLinkedRole" on [ServiceRole(ServiceRoleOf::AutoScaling)];
    CreateLoadBalancingServiceRole: "iam:CreateServiceLinkedRole" on [ServiceRole(ServiceRoleOf::ElasticLoadBalancing)];

    // The API's load balancer and its name, and load balancers of services.
    CreateLoadBalancer: "elasticloadbalancing:CreateLoadBalancer" on [NewBalancer(LoadBalancer)]
        with [TagNewLoadBalancer, CreateLoadBalancingServiceRole, DescribeAccountAttributes];
    TagNewLoadBalancer: "elasticloadbalancing:AddTags" on [TagsOfNew(LoadBalancer, "CreateLoadBalancer")];
    SetSubnets: "elasticloadbalancing:SetSubnets" on [Balancer(LoadBalancer)];
    SetSecurityGroups: "elasticloadbalancing:SetSecurityGroups" on [Balancer(LoadBalancer)];
    DeleteLoadBalancer: "elasticloadbalancing:DeleteLoadBalancer" on [Balancer(LoadBalancer), MadeByControllers];
    DescribeLoadBalancers: "elasticloadbalancing:DescribeLoadBalancers" on [Everything];
    CreateTargetGroup: "elasticloadbalancing:CreateTargetGroup" on [NewBalancer(TargetGroup)]
        with [TagNewTargetGroup, CreateLoadBalancingServiceRole];
    TagNewTargetGroup: "elasticloadbalancing:AddTags" on [TagsOfNew(TargetGroup, "CreateTargetGroup")];
    ModifyTargetGroup: "elasticloadbalancing:ModifyTargetGroup" on [Balancer(TargetGroup)];
    ModifyTargetGroupAttributes: "elasticloadbalancing:ModifyTargetGroupAttributes" on [Balancer(TargetGroup)];
    DeleteTargetGroup: "elasticloadbalancing:DeleteTargetGroup" on [Balancer(TargetGroup), MadeByControllers];
    RegisterTargets: "elasticloadbalancing:RegisterTargets" on [Balancer(TargetGroup)];
    DeregisterTargets: "elasticloadbalancing:DeregisterTargets" on [Balancer(TargetGroup)];
    DescribeTargetGroups: "elasticloadbalancing:DescribeTargetGroups" on [Everything];
    DescribeTargetGroupAttributes: "elasticloadbalancing:DescribeTargetGroupAttributes" on [Everything];
    DescribeTargetHealth: "elasticloadbalancing:DescribeTargetHealth" on [Everything];
    CreateListener: "elasticloadbalancing:CreateListener" on [NewBalancer(LoadBalancer)] with [TagNewListener];
    TagNewListener: "elasticloadbalancing:AddTags" on [TagsOfNew(Listener, "CreateListener")];
    ModifyListener: "elasticloadbalancing:ModifyListener" on [Balancer(Listener)];
    DeleteListener: "elasticloadbalancing:DeleteListener" on [Balancer(Listener)];
    DescribeListeners: "elasticloadbalancing:DescribeListeners" on [Everything];
    DescribeBalancerTags: "elasticloadbalancing:DescribeTags" on [Everything];
    /// Service Quotas asks ELB on behalf of the caller.
    DescribeBalancerLimits: "elasticloadbalancing:DescribeAccountLimits" on [Everything];
    ChangeResourceRecordSets: "route53:ChangeResourceRecordSets" on [Records];
    ListResourceRecordSets: "route53:ListResourceRecordSets" on [Zone];
    ListHostedZonesByName: "route53:ListHostedZonesByName" on [Everything];
    GetHostedZone: "route53:GetHostedZone" on [Zone];

    // What the preflight asks.
    GetServiceQuota: "servicequotas:GetServiceQuota" on [Quotas] with [DescribeBalancerLimits];
    GetDefaultQuota: "servicequotas:GetAWSDefaultServiceQuota" on [Everything];

    // The state.
    ListBucket: "s3:ListBucket" on [RootListing, ClusterListing];
    ListBucketVersions: "s3:ListBucketVersions" on [ClusterListing];
    GetObject: "s3:GetObject" on [Objects];
    GetObjectVersion: "s3:GetObjectVersion" on [Objects];
    PutObject: "s3:PutObject" on [Objects];
    DeleteObject: "s3:DeleteObject" on [Objects];
    DeleteObjectVersion: "s3:DeleteObjectVersion" on [Objects];
    CreateBucket: "s3:CreateBucket" on [BucketItself] with [TagBucket, PutBucketOwnershipControls];
    TagBucket: "s3:TagResource" on [BucketItself];
    PutBucketOwnershipControls: "s3:PutBucketOwnershipControls" on [BucketItself];
    GetBucketTagging: "s3:GetBucketTagging" on [BucketItself];
    PutBucketTagging: "s3:PutBucketTagging" on [BucketItself];
    PutBucketPublicAccessBlock: "s3:PutBucketPublicAccessBlock" on [BucketItself];
    PutBucketVersioning: "s3:PutBucketVersioning" on [BucketItself];
    PutEncryptionConfiguration: "s3:PutEncryptionConfiguration" on [BucketItself];
    PutBucketPolicy: "s3:PutBucketPolicy" on [BucketItself];
    PutLifecycleConfiguration: "s3:PutLifecycleConfiguration" on [BucketItself];
}
