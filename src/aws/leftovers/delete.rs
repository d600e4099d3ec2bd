//! Removing what controllers made.

use aws_sdk_ec2::types::{IpPermission, SecurityGroup};

use crate::aws::error::{own, translate};
use crate::aws::facts::filter;
use crate::aws::{Aws, elbv2};
use crate::cloud::{CloudError, ErrorClass, Leftover};

pub(in crate::aws) async fn delete(aws: &Aws, leftover: &Leftover) -> Result<(), CloudError> {
    match leftover {
        Leftover::LoadBalancer { arn, .. } => elbv2::delete_load_balancer(aws, arn).await,
        Leftover::TargetGroup { arn, .. } => elbv2::delete_target_group(aws, arn).await,
        Leftover::SecurityGroup { id, .. } => delete_security_group(aws, id).await,
        Leftover::NetworkInterface { id, description } => delete_interface(aws, id, description).await,
        Leftover::Instance { id } => {
            let call = aws.ec2.terminate_instances().instance_ids(id);
            call.send().await.map_err(|error| translate("ec2:TerminateInstances", error))?;
            Ok(())
        }
        Leftover::DataVolume { id, .. } => {
            let call = aws.ec2.delete_volume().volume_id(id);
            call.send().await.map_err(|error| translate("ec2:DeleteVolume", error))?;
            Ok(())
        }
        Leftover::Own { id, .. } => Err(own("aws", ErrorClass::Invalid, format!("{id} is one of the cluster's own kinds"))),
    }
}

/// Removes a group and first the rules of others that refer to it: AWS refuses to delete a group that is named in a rule, and a
/// controller that opened the nodes to its load balancer is no longer there to close them.
async fn delete_security_group(aws: &Aws, id: &str) -> Result<(), CloudError> {
    for group in naming(aws, "ip-permission.group-id", id).await? {
        let permissions = permissions_to(group.ip_permissions(), id);
        let call = aws.ec2.revoke_security_group_ingress().set_group_id(group.group_id).set_ip_permissions(Some(permissions));
        call.send().await.map_err(|error| translate("ec2:RevokeSecurityGroupIngress", error))?;
    }
    for group in naming(aws, "egress.ip-permission.group-id", id).await? {
        let permissions = permissions_to(group.ip_permissions_egress(), id);
        let call = aws.ec2.revoke_security_group_egress().set_group_id(group.group_id).set_ip_permissions(Some(permissions));
        call.send().await.map_err(|error| translate("ec2:RevokeSecurityGroupEgress", error))?;
    }
    let call = aws.ec2.delete_security_group().group_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteSecurityGroup", error))?;
    Ok(())
}

/// Other groups with rules that name a group.
async fn naming(aws: &Aws, by: &str, id: &str) -> Result<Vec<SecurityGroup>, CloudError> {
    let pages = aws.ec2.describe_security_groups().filters(filter(by, [id.to_owned()])).into_paginator().items().send();
    let groups: Result<Vec<SecurityGroup>, _> = pages.collect().await;
    let groups = groups.map_err(|error| translate("ec2:DescribeSecurityGroups", error))?;
    Ok(groups.into_iter().filter(|group| group.group_id() != Some(id)).collect())
}

/// The part of some permissions that is granted to a group.
fn permissions_to(permissions: &[IpPermission], id: &str) -> Vec<IpPermission> {
    let part = |permission: &IpPermission| {
        let pairs = permission.user_id_group_pairs().iter().filter(|pair| pair.group_id() == Some(id));
        let pairs: Vec<_> = pairs.cloned().collect();
        let same = IpPermission::builder()
            .set_ip_protocol(permission.ip_protocol.clone())
            .set_from_port(permission.from_port)
            .set_to_port(permission.to_port);
        (!pairs.is_empty()).then(|| same.set_user_id_group_pairs(Some(pairs)).build())
    };
    permissions.iter().filter_map(part).collect()
}

async fn delete_interface(aws: &Aws, id: &str, description: &str) -> Result<(), CloudError> {
    const OPERATION: &str = "ec2:DeleteNetworkInterface";
    if let Some(name) = classic_load_balancer(description) {
        let message = format!(
            "the classic load balancer {name} of a Service holds it, and kclust does not remove classic load balancers: \
             remove it, and run the command again"
        );
        return Err(own(OPERATION, ErrorClass::Invalid, message));
    }
    let call = aws.ec2.delete_network_interface().network_interface_id(id);
    call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(())
}

/// Name of the classic load balancer that an interface belongs to. Those of the other types have a path: `ELB net/<name>/<id>`.
pub(super) fn classic_load_balancer(description: &str) -> Option<&str> {
    description.strip_prefix("ELB ").filter(|name| !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{IpRange, UserIdGroupPair};

    use super::*;

    #[test]
    fn only_the_part_of_a_permission_that_names_the_group_is_revoked() {
        let pair = |id: &str| UserIdGroupPair::builder().group_id(id).build();
        let mixed = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(80)
            .to_port(90)
            .user_id_group_pairs(pair("sg-1"))
            .user_id_group_pairs(pair("sg-2"))
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/8").build())
            .build();
        let other = IpPermission::builder().ip_protocol("-1").user_id_group_pairs(pair("sg-2")).build();
        let expected =
            IpPermission::builder().ip_protocol("tcp").from_port(80).to_port(90).user_id_group_pairs(pair("sg-1")).build();
        assert_eq!(permissions_to(&[mixed, other], "sg-1"), [expected]);
    }
}
