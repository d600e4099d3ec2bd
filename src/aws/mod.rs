//! The only room that knows the AWS SDK.
//!
//! [`Aws`] holds a client of each service and implements the boundary of [`crate::cloud`]: `dispatch` leads each kind of resource
//! to its service, `observe` puts the services' answers together, and `error` turns every failure into our own words.

mod autoscaling;
mod caller;
mod client;
mod dispatch;
mod ec2;
mod elbv2;
mod error;
mod facts;
mod fence;
mod iam;
mod leftovers;
mod observe;
mod obstacles;
mod preflight;
mod reference;
mod route53;
pub mod s3;
mod ssm;
mod status;

/// Clients of the services, all with one configuration.
#[derive(Debug, Clone)]
pub struct Aws {
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    /// Classic load balancers.
    pub(crate) elb: aws_sdk_elasticloadbalancing::Client,
    pub(crate) elbv2: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) servicequotas: aws_sdk_servicequotas::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    region: String,
    fence: crate::cloud::Fence,
}

impl Aws {
    /// The region that regional calls go to.
    pub fn region(&self) -> &str {
        &self.region
    }
}
