//! Removing what controllers made.

use aws_sdk_ec2::types::{IpPermission, SecurityGroup};

use super::is_of_cluster;
use super::place::security_groups;
use crate::aws::error::{own, translate};
use crate::aws::facts::filter;
use crate::aws::{Aws, elbv2};
use crate::cloud::{CloudError, ErrorClass, Leftover};
use crate::model::ResourceId;

pub(in crate::aws) async fn delete(aws: &Aws, cluster: &str, leftover: &Leftover) -> Result<(), CloudError> {
    match leftover {
        Leftover::Instance { id } => {
            let call = aws.ec2.terminate_instances().instance_ids(id);
            call.send().await.map_err(|error| translate("ec2:TerminateInstances", error))?;
        }
        Leftover::LaunchTemplate { id, .. } => {
            let call = aws.ec2.delete_launch_template().launch_template_id(id);
            call.send().await.map_err(|error| translate("ec2:DeleteLaunchTemplate", error))?;
        }
        Leftover::LoadBalancer { arn, .. } => elbv2::delete_load_balancer(aws, arn).await?,
        Leftover::ClassicLoadBalancer { name } => {
            let call = aws.elb.delete_load_balancer().load_balancer_name(name);
            call.send().await.map_err(|error| translate("elasticloadbalancing:DeleteLoadBalancer", error))?;
        }
        Leftover::TargetGroup { arn, .. } => elbv2::delete_target_group(aws, arn).await?,
        Leftover::SecurityGroup { id, .. } => delete_security_group(aws, cluster, id).await?,
        Leftover::NetworkInterface { id, .. } => {
            let call = aws.ec2.delete_network_interface().network_interface_id(id);
            call.send().await.map_err(|error| translate("ec2:DeleteNetworkInterface", error))?;
        }
        Leftover::DataVolume { id, .. } => {
            let call = aws.ec2.delete_volume().volume_id(id);
            call.send().await.map_err(|error| translate("ec2:DeleteVolume", error))?;
        }
        Leftover::Snapshot { id, .. } | Leftover::Own { id: ResourceId { name: id, .. }, .. } => {
            return Err(own("aws", ErrorClass::Invalid, format!("{id} is not for this to remove")));
        }
    }
    Ok(())
}

/// Removes a group and first the rules that refer to it, as far as they are in groups of the cluster's or its controllers': AWS
/// refuses to delete a group that is named in a rule, and a controller that opened the nodes to its load balancer is no longer
/// there to close them. A rule in a group of somebody else stays, and so does the group.
async fn delete_security_group(aws: &Aws, cluster: &str, id: &str) -> Result<(), CloudError> {
    for group in naming(aws, cluster, "ip-permission.group-id", id).await? {
        let permissions = permissions_to(group.ip_permissions(), id);
        let call = aws.ec2.revoke_security_group_ingress().set_group_id(group.group_id).set_ip_permissions(Some(permissions));
        gone_is_fine(call.send().await.map_err(|error| translate("ec2:RevokeSecurityGroupIngress", error)))?;
    }
    for group in naming(aws, cluster, "egress.ip-permission.group-id", id).await? {
        let permissions = permissions_to(group.ip_permissions_egress(), id);
        let call = aws.ec2.revoke_security_group_egress().set_group_id(group.group_id).set_ip_permissions(Some(permissions));
        gone_is_fine(call.send().await.map_err(|error| translate("ec2:RevokeSecurityGroupEgress", error)))?;
    }
    let call = aws.ec2.delete_security_group().group_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteSecurityGroup", error))?;
    Ok(())
}

/// A controller that still lives may have been faster.
fn gone_is_fine<T>(revoked: Result<T, CloudError>) -> Result<(), CloudError> {
    match revoked {
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        revoked => revoked.map(|_| ()),
    }
}

/// Other groups of the cluster's and its controllers' with rules that name a group.
async fn naming(aws: &Aws, cluster: &str, by: &str, id: &str) -> Result<Vec<SecurityGroup>, CloudError> {
    let groups = security_groups(aws, vec![filter(by, [id.to_owned()])]).await?;
    Ok(groups.into_iter().filter(|group| group.group_id() != Some(id) && is_of_cluster(group.tags(), cluster)).collect())
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
