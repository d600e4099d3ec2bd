//! Why Auto Scaling could not launch an instance: what AWS says, in words that tell what to do.

/// A kind of failure.
pub(super) struct Reason {
    /// In a few words.
    pub cause: &'static str,
    pub todo: &'static str,
}

/// Codes and phrases of EC2 and Auto Scaling (their error-code references), the first that is in a message decides. Auto Scaling does
/// not always name the code.
const REASONS: [(&[&str], Reason); 10] = [
    (
        // First: what is denied is named by its ARN, which can be that of a subnet or of an image.
        &["UnauthorizedOperation", "not authorized", "AccessDenied", "AuthFailure"],
        Reason {
            cause: "Auto Scaling may not launch the instance",
            todo: "look at service control policies and at the role AWSServiceRoleForAutoScaling",
        },
    ),
    (
        &[
            "InsufficientInstanceCapacity",
            "do not have sufficient",
            "sufficient capacity",
            "InsufficientHostCapacity",
            "capacity-not-available",
            "UnfulfillableCapacity",
            "no Spot capacity",
        ],
        Reason {
            cause: "AWS has no capacity for the instance types in the zone",
            todo: "add instance types or zones to the group (`kclust update`), or wait: the group goes on trying",
        },
    ),
    (
        &["Unsupported", "not supported in your requested Availability Zone", "configuration is currently not supported"],
        Reason {
            cause: "the instance type is not offered in the zone",
            todo: "name other instance types or zones (`kclust update`): `aws ec2 describe-instance-type-offerings --location-type \
                   availability-zone` lists what there is",
        },
    ),
    (
        &[
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "vCPU limit",
            "vCPU capacity than your current",
            "instance limit",
            "VolumeLimitExceeded",
            "MaxIOPSLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "Max spot instance count exceeded",
        ],
        Reason {
            cause: "a quota of the account is used up",
            todo: "ask for a higher limit in Service Quotas, or end what is not in use: the group goes on trying",
        },
    ),
    (
        &["InvalidAMIID", "AMI ID", "image id", "The image", "ami-"],
        Reason {
            cause: "the image of the launch template cannot be used",
            todo: "name an image that exists in the region and is shared with the account (`image` of the group in the spec), then \
                   `kclust update`",
        },
    ),
    (
        &["iamInstanceProfile", "Invalid IAM Instance Profile", "IAM Instance Profile", "instance profile"],
        Reason {
            cause: "the instance profile of the launch template cannot be used",
            todo: "`kclust update` makes it again; one that the spec names must exist and have a role",
        },
    ),
    (
        &["InvalidSubnetID", "InsufficientFreeAddresses", "subnet", "Subnet"],
        Reason {
            cause: "the subnet cannot take the instance",
            todo: "free addresses in the subnet, or see `resources`: a subnet that is missing is made again by `kclust update`",
        },
    ),
    (
        &["InvalidGroup.NotFound", "security group"],
        Reason { cause: "a security group of the launch template is missing", todo: "`kclust update` makes it again" },
    ),
    (
        &["KMS", "Client.InvalidKMSKey", "Client.InternalError", "encrypted"],
        Reason {
            cause: "the key of an encrypted volume cannot be used",
            todo: "allow the role AWSServiceRoleForAutoScaling to use the KMS key",
        },
    ),
    (
        &["InvalidKeyPair", "key pair", "InvalidNetworkInterface", "network interface"],
        Reason {
            cause: "something that the launch template names is missing or in use",
            todo: "see `resources`; `kclust update` makes again what is missing",
        },
    ),
];

/// `None` for what this version does not know: the words of AWS then stand alone.
pub(super) fn reason(message: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|(phrases, _)| phrases.iter().any(|phrase| message.contains(phrase))).map(|(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn what_aws_says_is_known() {
        for (message, words) in [
            (
                "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient m6i.xlarge \
                 capacity in the Availability Zone you requested (us-east-1c). Launching EC2 instance failed.",
                "no capacity",
            ),
            (
                "We currently do not have sufficient g4dn.xlarge capacity in the Availability Zone you requested (us-west-2a). Our \
                 system will be working on provisioning additional capacity. You can currently get g4dn.xlarge capacity by not \
                 specifying an Availability Zone in your request or choosing us-west-2b, us-west-2c. Launching EC2 instance failed.",
                "no capacity",
            ),
            (
                "We currently do not have sufficient c5.large capacity in the Availability Zone you requested (us-east-1e).",
                "no capacity",
            ),
            (
                "Could not launch On-Demand Instances. Unsupported - Your requested instance type (p3.2xlarge) is not supported in \
                 your requested Availability Zone (eu-central-1c). Please retry your request by not specifying an Availability Zone \
                 or choosing eu-central-1a, eu-central-1b. Launching EC2 instance failed.",
                "not offered",
            ),
            (
                "InvalidFleetConfiguration - Your requested instance type (c5.large) is not supported in your requested Availability \
                 Zone (us-east-1e).",
                "not offered",
            ),
            (
                "The requested configuration is currently not supported. Please check the documentation for supported configurations. \
                 Launching EC2 instance failed.",
                "not offered",
            ),
            ("Max spot instance count exceeded. Placing Spot instance request failed.", "quota"),
            ("MaxSpotInstanceCountExceeded - Max spot instance count exceeded", "quota"),
            (
                "You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/AWSServiceRoleForAutoScaling/\
                 AutoScaling is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:1:subnet/subnet-1 with \
                 an explicit deny in a service control policy.",
                "may not",
            ),
            (
                "is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1::image/ami-0123456789abcdef0",
                "may not",
            ),
            (
                "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration.",
                "no capacity",
            ),
            (
                "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the \
                 specified instance type belongs to.",
                "quota",
            ),
            ("The image id '[ami-0123456789abcdef0]' does not exist. Launching EC2 instance failed.", "image"),
            ("Invalid IAM Instance Profile name. Launching EC2 instance failed.", "instance profile"),
            ("Value (arn:aws:iam::1:instance-profile/x) for parameter iamInstanceProfile.arn is invalid.", "instance profile"),
            ("There are not enough free addresses in subnet 'subnet-1'.", "subnet"),
            ("The subnet ID 'subnet-1' does not exist", "subnet"),
            ("Client.InternalError: Client error on launch", "key"),
            ("You are not authorized to perform this operation.", "may not"),
        ] {
            let found = reason(message).unwrap_or_else(|| panic!("{message}"));
            assert!(found.cause.contains(words), "{message}: {}", found.cause);
        }
        assert!(reason("something new").is_none());
    }
}
