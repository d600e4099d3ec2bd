//! What can be asked before the first write: may we, is there room, is it offered.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::{CloudError, Identity};
use crate::model::policy::operator::Grant;

/// What the policies of an identity say of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// No policy allows it.
    NotAllowed,
    /// A policy denies it.
    Denied,
    /// A policy of the organisation, or the boundary of the identity, does not let it through.
    Bounded,
    /// It depends on things that the simulator was not told: condition keys.
    Depends(Vec<String>),
}

/// What AWS limits for an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    Vpcs,
    Addresses,
    NatGateways { zone: String },
    NetworkLoadBalancers,
    AutoscalingGroups,
    Roles,
    Vcpus { family: Family, spot: bool },
}

impl std::fmt::Display for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Vpcs => f.write_str("VPCs"),
            Self::Addresses => f.write_str("Elastic IP addresses"),
            Self::NatGateways { zone } => write!(f, "NAT gateways in {zone}"),
            Self::NetworkLoadBalancers => f.write_str("network load balancers"),
            Self::AutoscalingGroups => f.write_str("Auto Scaling groups"),
            Self::Roles => f.write_str("IAM roles"),
            Self::Vcpus { family, spot } => {
                write!(f, "vCPUs of {} {} instances", if *spot { "spot" } else { "on-demand" }, family.as_str())
            }
        }
    }
}

/// Instance types that share one quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Standard,
    Dl,
    F,
    G,
    HighMemory,
    Hpc,
    Inf,
    P,
    Trn,
    X,
}

impl Family {
    /// The family of an instance type, by the letters before its generation; `None` for one that is not known.
    pub fn of(instance_type: &str) -> Option<Self> {
        let series = instance_type.split(|letter: char| !letter.is_ascii_lowercase()).next().unwrap_or_default();
        Some(match series {
            "dl" => Self::Dl,
            "f" => Self::F,
            "g" | "gr" | "vt" => Self::G,
            "u" => Self::HighMemory,
            "hpc" => Self::Hpc,
            "inf" => Self::Inf,
            "p" => Self::P,
            "trn" => Self::Trn,
            "x" => Self::X,
            "mac" => return None,
            series if "acdhimrtz".contains(series.chars().next()?) => Self::Standard,
            _ => return None,
        })
    }

    /// As Service Quotas names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard (A, C, D, H, I, M, R, T, Z)",
            Self::Dl => "DL",
            Self::F => "F",
            Self::G => "G and VT",
            Self::HighMemory => "high-memory",
            Self::Hpc => "HPC",
            Self::Inf => "Inf",
            Self::P => "P",
            Self::Trn => "Trn",
            Self::X => "X",
        }
    }
}

/// A quota of the account and what is taken of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub limit: u64,
    pub used: u64,
}

/// Questions about the account, none of which changes anything.
#[async_trait]
pub trait CloudPreflight: Send + Sync {
    /// A verdict for each grant; `None` where policies do not apply, as to the root user.
    async fn permitted(&self, identity: &Identity, grants: &[Grant]) -> Result<Option<Vec<Verdict>>, CloudError>;

    async fn role_exists(&self, name: &str) -> Result<bool, CloudError>;

    /// What is left of each quota; `None` for one that AWS does not tell.
    async fn room(&self, quotas: &[Quota]) -> BTreeMap<Quota, Result<Option<Room>, CloudError>>;

    /// Zones in which each instance type can be had.
    async fn offered(&self, types: &[String]) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError>;
}

#[cfg(test)]
mod tests {
    use super::Family;

    #[test]
    fn families_are_told_by_their_letters() {
        let of = |name| Family::of(name);
        for name in
            ["m6i.large", "t3.large", "c6gn.xlarge", "is4gen.medium", "r7iz.large", "i4i.large", "a1.large", "im4gn.large"]
        {
            assert_eq!(of(name), Some(Family::Standard), "{name}");
        }
        for (name, family) in [
            ("g5.xlarge", Family::G),
            ("gr6.4xlarge", Family::G),
            ("vt1.3xlarge", Family::G),
            ("p5.48xlarge", Family::P),
            ("inf2.xlarge", Family::Inf),
            ("trn1.2xlarge", Family::Trn),
            ("x2idn.16xlarge", Family::X),
            ("u-6tb1.metal", Family::HighMemory),
            ("u7i-12tb.224xlarge", Family::HighMemory),
            ("hpc7g.4xlarge", Family::Hpc),
            ("dl1.24xlarge", Family::Dl),
        ] {
            assert_eq!(of(name), Some(family), "{name}");
        }
        assert_eq!(of("mac2.metal"), None);
        assert_eq!(of("quantum1.large"), None);
    }
}
