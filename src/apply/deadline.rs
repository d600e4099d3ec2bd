//! How long AWS may take, by kind, and how to pause between attempts.

use std::time::Duration;

use crate::model::Kind;

/// Time for eventual consistency: something made a moment ago is not visible to every other API yet. IAM is the slowest; an
/// instance profile takes up to a minute to reach Auto Scaling and EC2.
pub(super) const CONSISTENCY: Duration = Duration::from_secs(180);

/// Time for a resource to become usable.
pub(super) fn ready(kind: Kind) -> Duration {
    match kind {
        // One to three minutes as a rule.
        Kind::NatGateway => Duration::from_secs(15 * 60),
        Kind::Vpc
        | Kind::InternetGateway
        | Kind::Subnet
        | Kind::ElasticIp
        | Kind::RouteTable
        | Kind::Route
        | Kind::RouteTableAssociation
        | Kind::VpcEndpoint
        | Kind::SecurityGroup
        | Kind::SecurityGroupRule
        | Kind::Role
        | Kind::RolePolicy
        | Kind::InstanceProfile
        | Kind::KeyPair
        | Kind::LoadBalancer
        | Kind::TargetGroup
        | Kind::Listener
        | Kind::Target
        | Kind::NetworkInterface
        | Kind::Volume
        | Kind::BootstrapObject
        | Kind::ControlPlaneSettings
        | Kind::LaunchTemplate
        | Kind::AutoscalingGroup
        | Kind::DnsRecord => Duration::from_secs(5 * 60),
    }
}

/// Time for a resource to go, and for whatever holds on to it: the interfaces of a load balancer linger for minutes after it, and
/// instances take as long as their shutdown.
pub(super) const GONE: Duration = Duration::from_secs(20 * 60);

/// The same in a removal of everything, which looks at what holds on before it tries again.
pub(super) const HELD: Duration = Duration::from_secs(10);

/// Pause before the next attempt: doubling from 250 ms to `longest`. Without jitter: one process polls few things.
pub(super) fn pause(attempt: u32, longest: Duration) -> Duration {
    Duration::from_millis(250).saturating_mul(2_u32.saturating_pow(attempt)).min(longest)
}
