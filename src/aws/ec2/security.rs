//! Security groups and their rules.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, SecurityGroupRule as SdkRule, SecurityGroupRuleUpdate};

use super::permission::Permission;
use super::tags;
use super::visible::made_or_foreign;
use crate::aws::error::{answer_without, own, translate};
use crate::aws::reference::resolve;
use crate::cloud::{CloudError, ErrorClass, Outputs, Physical};
use crate::model::{Direction, Peer, SecurityGroup, SecurityGroupRule, Tags};

pub(super) async fn create_group(client: &Client, group: &SecurityGroup, outputs: &Outputs) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateSecurityGroup";
    let call = client
        .create_security_group()
        .vpc_id(resolve(OPERATION, outputs, &group.vpc)?)
        .group_name(&group.name)
        .description(&group.description)
        .tag_specifications(tags::specification(ResourceType::SecurityGroup, &group.tags));
    let id = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer.group_id.ok_or_else(|| answer_without(OPERATION, "groupId"))?,
        // InvalidGroup.Duplicate: a name is unique in its VPC.
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let foreign = || group_in_the_way(client, group, outputs);
            made_or_foreign(error, || find_group(client, &group.tags), foreign).await?
        }
        Err(error) => return Err(error),
    };
    Ok(Physical::new(id))
}

/// Whether a group has the name, and is not the one that was looked for.
async fn group_in_the_way(client: &Client, group: &SecurityGroup, outputs: &Outputs) -> Result<bool, CloudError> {
    const OPERATION: &str = "ec2:DescribeSecurityGroups";
    let vpc = tags::filter("vpc-id", resolve(OPERATION, outputs, &group.vpc)?);
    let call = client.describe_security_groups().filters(vpc).filters(tags::filter("group-name", &group.name));
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(!answer.security_groups().is_empty())
}

async fn find_group(client: &Client, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let call = client.describe_security_groups().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeSecurityGroups", error))?;
    Ok(answer.security_groups.unwrap_or_default().into_iter().find_map(|group| group.group_id))
}

pub(super) async fn delete_group(client: &Client, id: &str) -> Result<(), CloudError> {
    let call = client.delete_security_group().group_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteSecurityGroup", error))?;
    Ok(())
}

fn authorize_operation(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ec2:AuthorizeSecurityGroupIngress",
        Direction::Egress => "ec2:AuthorizeSecurityGroupEgress",
    }
}

fn permission(rule: &SecurityGroupRule, outputs: &Outputs) -> Result<Permission, CloudError> {
    let operation = authorize_operation(rule.direction);
    Ok(Permission {
        group: resolve(operation, outputs, &rule.group)?,
        direction: rule.direction,
        protocol: rule.protocol.clone(),
        ports: rule.ports,
        peer: match &rule.peer {
            Peer::Cidr(cidr) => cidr.to_string(),
            Peer::Group(group) => resolve(operation, outputs, group)?,
        },
    })
}

pub(super) async fn create_rule(client: &Client, rule: &SecurityGroupRule, outputs: &Outputs) -> Result<Physical, CloudError> {
    let permission = permission(rule, outputs)?;
    match authorize(client, &permission, rule).await {
        // InvalidPermission.Duplicate: made by an earlier attempt, by somebody else, or by AWS, which gives a new group a rule
        // that lets everything out. As its content is the whole rule, it is the wanted one.
        Err(error) if error.class == ErrorClass::AlreadyExists => describe_rule(client, &permission, &rule.description).await?,
        result => result?,
    }
    Ok(Physical::new(permission.id()))
}

async fn authorize(client: &Client, permission: &Permission, rule: &SecurityGroupRule) -> Result<(), CloudError> {
    let operation = authorize_operation(permission.direction);
    let sdk = permission.to_sdk(&rule.description);
    let specification = tags::specification(ResourceType::SecurityGroupRule, &rule.tags);
    match permission.direction {
        Direction::Ingress => {
            let call = client.authorize_security_group_ingress().group_id(&permission.group);
            let call = call.ip_permissions(sdk).tag_specifications(specification);
            call.send().await.map_err(|error| translate(operation, error))?;
        }
        Direction::Egress => {
            let call = client.authorize_security_group_egress().group_id(&permission.group);
            let call = call.ip_permissions(sdk).tag_specifications(specification);
            call.send().await.map_err(|error| translate(operation, error))?;
        }
    }
    Ok(())
}

/// Gives an existing rule our description, by which it is known as the cluster's. Its tags are left as they are: nothing reads
/// them, and setting them would need its id.
async fn describe_rule(client: &Client, permission: &Permission, description: &str) -> Result<(), CloudError> {
    let sdk = permission.to_sdk(description);
    match permission.direction {
        Direction::Ingress => {
            let call = client.update_security_group_rule_descriptions_ingress().group_id(&permission.group).ip_permissions(sdk);
            let answer = call.send().await;
            answer.map_err(|error| translate("ec2:UpdateSecurityGroupRuleDescriptionsIngress", error))?;
        }
        Direction::Egress => {
            let call = client.update_security_group_rule_descriptions_egress().group_id(&permission.group).ip_permissions(sdk);
            let answer = call.send().await;
            answer.map_err(|error| translate("ec2:UpdateSecurityGroupRuleDescriptionsEgress", error))?;
        }
    }
    Ok(())
}

/// Changes a rule in place where AWS can, so that there is no moment without it.
pub(super) async fn update_rule(
    client: &Client,
    id: &str,
    desired: &SecurityGroupRule,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:ModifySecurityGroupRules";
    let observed = parse(OPERATION, id)?;
    let wanted = permission(desired, outputs)?;
    let rule = if observed.can_become(&wanted) { find_rule(client, &observed).await? } else { None };
    if let Some(rule) = rule {
        let update = SecurityGroupRuleUpdate::builder()
            .security_group_rule_id(rule)
            .security_group_rule(wanted.to_sdk_rule(&desired.description));
        let call = client.modify_security_group_rules().group_id(&wanted.group).security_group_rules(update.build());
        match call.send().await.map_err(|error| translate(OPERATION, error)) {
            // InvalidPermission.Duplicate: the group has the wanted rule as well.
            Err(error) if error.class == ErrorClass::AlreadyExists => {}
            result => return result.map(|_| Physical::new(wanted.id())),
        }
    }
    let physical = create_rule(client, desired, outputs).await?;
    if observed != wanted {
        match revoke(client, &observed, &desired.description).await {
            // By an earlier attempt.
            Err(error) if error.class == ErrorClass::NotFound => {}
            result => result?,
        }
    }
    Ok(physical)
}

/// The id of the rule with this content.
async fn find_rule(client: &Client, wanted: &Permission) -> Result<Option<String>, CloudError> {
    let call = client.describe_security_group_rules().filters(tags::filter("group-id", &wanted.group));
    let rules = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rules = rules.map_err(|error| translate("ec2:DescribeSecurityGroupRules", error))?;
    Ok(rules.into_iter().find(|rule| of_rule(rule).as_ref() == Some(wanted)).and_then(|rule| rule.security_group_rule_id))
}

fn of_rule(rule: &SdkRule) -> Option<Permission> {
    let ports = match (rule.from_port().map(u16::try_from), rule.to_port().map(u16::try_from)) {
        (Some(Ok(from)), Some(Ok(to))) => Some((from, to)),
        _ => None,
    };
    let group = rule.referenced_group_info().and_then(|group| group.group_id());
    Some(Permission {
        group: rule.group_id()?.to_owned(),
        direction: if rule.is_egress()? { Direction::Egress } else { Direction::Ingress },
        protocol: rule.ip_protocol()?.to_owned(),
        ports,
        peer: rule.cidr_ipv4().or(group)?.to_owned(),
    })
}

pub(super) async fn delete_rule(client: &Client, id: &str, rule: &SecurityGroupRule) -> Result<(), CloudError> {
    revoke(client, &parse("ec2:RevokeSecurityGroupIngress", id)?, &rule.description).await
}

fn parse(operation: &'static str, id: &str) -> Result<Permission, CloudError> {
    Permission::parse(id).ok_or_else(|| own(operation, ErrorClass::Invalid, format!("{id} is not the id of a rule")))
}

async fn revoke(client: &Client, permission: &Permission, description: &str) -> Result<(), CloudError> {
    let sdk = permission.to_sdk(description);
    match permission.direction {
        Direction::Ingress => {
            let call = client.revoke_security_group_ingress().group_id(&permission.group).ip_permissions(sdk);
            call.send().await.map_err(|error| translate("ec2:RevokeSecurityGroupIngress", error))?;
        }
        Direction::Egress => {
            let call = client.revoke_security_group_egress().group_id(&permission.group).ip_permissions(sdk);
            call.send().await.map_err(|error| translate("ec2:RevokeSecurityGroupEgress", error))?;
        }
    }
    Ok(())
}
