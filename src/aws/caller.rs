//! Whose credentials these are, and whether the region is one that they are good for.
//!
//! A region that the account has not enabled does not know its credentials, and one that does not exist has no address: neither
//! says what is wrong. The partition's first region tells whether it is the region.

use aws_config::Region;

use super::Aws;
use super::error::{answer_without, own, translate};
use crate::cloud::{CloudError, ErrorClass, Identity};

const OPERATION: &str = "sts:GetCallerIdentity";

pub(super) async fn identity(aws: &Aws, region: &str) -> Result<Identity, CloudError> {
    let there = aws_sdk_sts::config::Config::builder().region(Region::new(region.to_owned()));
    let call = aws.sts.get_caller_identity().customize().config_override(there);
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    match (answer.account, answer.arn) {
        (Some(account), Some(arn)) => Ok(Identity { account, arn }),
        _ => Err(answer_without(OPERATION, "Account and Arn")),
    }
}

/// The region of a partition that cannot be switched off.
fn home(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "cn-north-1",
        region if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

/// Whether the credentials are good for another region than the one in use.
pub(super) async fn is_known_at_home(aws: &Aws) -> bool {
    let home = home(aws.region());
    aws.region() != home && identity(aws, home).await.is_ok()
}

pub(super) fn no_such_region(aws: &Aws, refused: &CloudError) -> CloudError {
    let (region, home) = (aws.region(), home(aws.region()));
    let why = match refused.class {
        ErrorClass::Unreachable => "does not exist, or cannot be reached from here",
        _ => "is not enabled for this account, or does not exist",
    };
    own(OPERATION, ErrorClass::Invalid, format!("the region {region} {why}; the same credentials are good for {home}"))
}

#[cfg(test)]
mod tests {
    use super::home;

    #[test]
    fn regions_have_a_home_in_their_partition() {
        assert_eq!(home("me-south-1"), "us-east-1");
        assert_eq!(home("cn-northwest-1"), "cn-north-1");
        assert_eq!(home("us-gov-east-1"), "us-gov-west-1");
    }
}
