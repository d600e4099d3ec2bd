//! Where the things of a cluster and its controllers lie.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, SecurityGroup};

use super::{LOAD_BALANCER_CONTROLLER, owned};
use crate::aws::Aws;
use crate::aws::error::translate;
use crate::aws::facts::filter;
use crate::cloud::{CloudError, Scope};
use crate::model::{Kind, tags};

/// The networks of a cluster, and the security groups by which its things in a shared one are told.
#[derive(Debug)]
pub(in crate::aws) struct Place {
    pub(in crate::aws) cluster: String,
    /// VPCs that were made for the cluster: what is in them is the cluster's, or in its way.
    pub(in crate::aws) own_vpcs: Vec<String>,
    /// VPCs of others, where the cluster is one of many.
    pub(in crate::aws) shared_vpcs: Vec<String>,
    /// Security groups of the cluster and of its controllers.
    pub(in crate::aws) groups: Vec<SecurityGroup>,
}

impl Place {
    pub(in crate::aws) async fn find(aws: &Aws, scope: &Scope) -> Result<Self, CloudError> {
        let cluster = scope.cluster.as_str();
        let of_load_balancers = filter(&format!("tag:{LOAD_BALANCER_CONTROLLER}"), [cluster.to_owned()]);
        let (own_vpcs, mut groups, more) = tokio::try_join!(
            own_vpcs(aws, scope),
            security_groups(aws, vec![owned(cluster)]),
            security_groups(aws, vec![of_load_balancers]),
        )?;
        for group in more {
            if groups.iter().all(|known| known.group_id != group.group_id) {
                groups.push(group);
            }
        }
        // Without the state, the groups tell which VPC the cluster was put into.
        let seen = groups.iter().filter_map(|group| group.vpc_id.clone()).chain(scope.vpc.clone());
        let shared: BTreeSet<String> = seen.filter(|vpc| !own_vpcs.contains(vpc)).collect();
        Ok(Self { cluster: cluster.to_owned(), own_vpcs, shared_vpcs: shared.into_iter().collect(), groups })
    }

    pub(in crate::aws) fn vpcs(&self) -> Vec<String> {
        self.own_vpcs.iter().chain(&self.shared_vpcs).cloned().collect()
    }

    pub(in crate::aws) fn is_own(&self, vpc: Option<&str>) -> bool {
        vpc.is_some_and(|vpc| self.own_vpcs.iter().any(|own| own == vpc))
    }

    pub(in crate::aws) fn is_in(&self, vpc: Option<&str>) -> bool {
        self.is_own(vpc) || vpc.is_some_and(|vpc| self.shared_vpcs.iter().any(|shared| shared == vpc))
    }

    pub(in crate::aws) fn has_group(&self, id: &str) -> bool {
        self.groups.iter().any(|group| group.group_id() == Some(id))
    }
}

/// The VPCs that were made for the cluster: by their tags, or by the state where they lost them.
async fn own_vpcs(aws: &Aws, scope: &Scope) -> Result<Vec<String>, CloudError> {
    let call = aws.ec2.describe_vpcs().filters(owned(&scope.cluster)).filters(filter("tag-key", [tags::ID.to_owned()]));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeVpcs", error))?;
    let tagged = answer.vpcs.unwrap_or_default().into_iter().filter_map(|vpc| vpc.vpc_id);
    let known = scope.known.iter().filter(|(_, id)| id.kind == Kind::Vpc).map(|(physical, _)| physical.clone());
    let all: BTreeSet<String> = tagged.chain(known).collect();
    Ok(all.into_iter().collect())
}

pub(in crate::aws) async fn security_groups(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<SecurityGroup>, CloudError> {
    let pages = aws.ec2.describe_security_groups().set_filters(Some(filters)).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeSecurityGroups", error))
}
