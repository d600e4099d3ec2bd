//! Names in AWS: one rule for all, so that a long cluster name works and two clusters never collide.

use sha2::{Digest, Sha256};

/// Length of the part that keeps clusters apart: 8 hexadecimal digits, 32 bits of the SHA-256 of the cluster's region and name.
/// The region counts because roles belong to an account, not to a region.
const HASH: usize = 8;

/// `CreateLoadBalancer` and `CreateTargetGroup`: `Name`.
pub const ELB_LIMIT: usize = 32;
/// `CreateRole`: `RoleName`.
pub const ROLE_LIMIT: usize = 64;
/// Limit for everything else: the lowest of the others is that of `LaunchTemplateName` and `InstanceProfileName`, 128.
pub const COMMON_LIMIT: usize = 128;

/// SHA-256 in hexadecimal digits.
pub fn sha256(content: impl AsRef<[u8]>) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `<what>-<cluster, as far as it fits>-<hash of region and cluster>`.
///
/// `what` comes first because AWS refuses names that begin with `internal-` (load balancers) or `sg-` (security groups), which
/// a cluster's name may well do.
pub fn aws_name(region: &str, cluster: &str, what: &str, limit: usize) -> String {
    let hash: String =
        Sha256::digest(format!("{region}/{cluster}")).iter().take(HASH / 2).map(|byte| format!("{byte:02x}")).collect();
    let room = limit.saturating_sub(what.len() + HASH + 2);
    let readable: String = cluster.replace('.', "-").chars().take(room).collect();
    match readable.trim_end_matches('-') {
        "" => format!("{what}-{hash}"),
        readable => format!("{what}-{readable}-{hash}"),
    }
}

/// What [`aws_name`] made a name of this cluster from: `workers` of `workers-prod-example-com-d9dc9fe4`.
pub fn named_thing<'a>(region: &str, cluster: &str, name: &'a str, limit: usize) -> Option<&'a str> {
    name.match_indices('-').map(|(end, _)| &name[..end]).find(|what| aws_name(region, cluster, what, limit) == name)
}

/// Path of the cluster's roles and instance profiles: IAM lists by path, and by nothing else.
pub fn iam_path(region: &str, cluster: &str) -> String {
    format!("/kclust/{region}/{cluster}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_limit_and_keep_clusters_apart() {
        let long = "a".repeat(40) + ".internal.example.com";
        let other = "a".repeat(40) + ".internal.example.org";
        for limit in [ELB_LIMIT, ROLE_LIMIT, COMMON_LIMIT] {
            let name = aws_name("us-east-1", &long, "control-plane", limit);
            assert!(name.len() <= limit, "{name}");
            assert!(!name.contains("--") && !name.ends_with('-'), "{name}");
            assert_ne!(name, aws_name("us-east-1", &other, "control-plane", limit));
        }
    }

    #[test]
    fn a_dot_and_a_dash_at_the_same_place_make_different_names() {
        assert_ne!(aws_name("us-east-1", "a.b", "api", ELB_LIMIT), aws_name("us-east-1", "a-b", "api", ELB_LIMIT));
    }

    #[test]
    fn a_name_tells_what_it_was_made_from() {
        let long = "a".repeat(150);
        for cluster in ["prod.example.com", "a-b", long.as_str()] {
            for what in ["workers", "cp-1", "gpu-large-prod"] {
                let name = aws_name("us-east-1", cluster, what, COMMON_LIMIT);
                assert_eq!(named_thing("us-east-1", cluster, &name, COMMON_LIMIT), Some(what));
                assert_eq!(named_thing("us-east-2", cluster, &name, COMMON_LIMIT), None);
                assert_eq!(named_thing("us-east-1", "other", &name, COMMON_LIMIT), None);
            }
        }
        assert_eq!(named_thing("us-east-1", "a.b", "workers", COMMON_LIMIT), None);
    }

    #[test]
    fn reserved_prefixes_of_aws_are_never_at_the_start() {
        assert!(aws_name("us-east-1", "internal-example", "api", ELB_LIMIT).starts_with("api-internal-example-"));
    }
}
