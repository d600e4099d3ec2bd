//! Auto Scaling groups.

mod group;

use std::collections::BTreeMap;

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{AutoScalingGroup as SdkGroup, Filter, Tag};

use super::error::{foreign, own, translate};
use super::reference::Ids;
use crate::cloud::{CloudError, Creation, ErrorClass, Observed, Outputs, Physical, Scope, World};
use crate::model::{AutoscalingGroup, Resource, ResourceId, Tags, tags};

/// Largest page that `DescribeAutoScalingGroups` gives.
const PAGE: i32 = 100;

/// Auto Scaling answers `ValidationError` to almost everything; what it says tells what can be done.
fn classify(mut error: CloudError) -> CloudError {
    let message = &error.message;
    let is_pending_delete = message.contains("pending delete");
    // It looks a template's parts up when a group names it; they may have been made a moment ago. An image was not.
    let is_invisible = message.contains("does not exist") && !message.contains("image id");
    let is_busy = error.code.as_deref() == Some("ResourceContention");
    if is_pending_delete || is_invisible || is_busy {
        error.class = ErrorClass::NotYet;
    }
    error
}

fn failed<E>(
    operation: &'static str,
) -> impl FnOnce(
    aws_smithy_runtime_api::client::result::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> CloudError
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| classify(translate(operation, error))
}

fn misdirected(resource: &Resource) -> CloudError {
    own("autoscaling", ErrorClass::Invalid, format!("this is not for Auto Scaling to do with a {}", resource.kind()))
}

pub(crate) async fn create(client: &Client, creation: &Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError> {
    const OPERATION: &str = "autoscaling:CreateAutoScalingGroup";
    let Resource::AutoscalingGroup(group) = creation.resource else { return Err(misdirected(creation.resource)) };
    let launch = group::launch(OPERATION, group, outputs)?;
    let (zones, subnets) = group::placement(OPERATION, &group.placement, outputs)?;
    let call = client
        .create_auto_scaling_group()
        .auto_scaling_group_name(&group.name)
        .min_size(group::to_i32(group.min_size))
        .max_size(group::to_i32(group.max_size))
        .desired_capacity(group::to_i32(group.min_size))
        .set_launch_template(launch.template)
        .set_mixed_instances_policy(launch.policy)
        .set_availability_zones(zones)
        .set_vpc_zone_identifier(subnets)
        .capacity_rebalance(group.capacity_rebalance)
        .health_check_type(&group.health_check_type)
        .health_check_grace_period(group::to_i32(group.health_check_grace_seconds))
        .set_lifecycle_hook_specification_list(group::to_sdk_hooks(group.termination_hook.as_ref()))
        .set_tags(Some(group::to_sdk_tags(&group.name, &group.tags)));
    match call.send().await.map_err(failed(OPERATION)) {
        // The name is unique: made by an attempt whose answer was lost, or somebody else's.
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            if !is_own(client, group).await? {
                return Err(foreign(OPERATION, creation.id, &format!("Auto Scaling group {}", group.name)));
            }
        }
        result => drop(result?),
    }
    Ok(Physical::new(&group.name))
}

/// The group of a name, without its instances.
async fn find(client: &Client, name: &str) -> Result<Option<SdkGroup>, CloudError> {
    let call = client.describe_auto_scaling_groups().auto_scaling_group_names(name).include_instances(false);
    let answer = call.send().await.map_err(failed("autoscaling:DescribeAutoScalingGroups"))?;
    Ok(answer.auto_scaling_groups.unwrap_or_default().into_iter().next())
}

/// Whether the group of this name has the tags that tell whose it is.
async fn is_own(client: &Client, group: &AutoscalingGroup) -> Result<bool, CloudError> {
    let Some(found) = find(client, &group.name).await? else { return Ok(false) };
    let found = group::from_sdk_tags(found.tags());
    let ownership = tags::cluster("");
    let mut identity = group.tags.iter().filter(|(key, _)| *key == tags::ID || key.starts_with(&ownership));
    Ok(identity.all(|(key, value)| found.get(key) == Some(value)))
}

/// Sends the whole configuration where any of it differs: what is left out of a mixed-instances policy is reset. The desired
/// capacity is left to AWS, which moves it into the new limits, and to the autoscaler.
pub(crate) async fn update(
    client: &Client,
    observed: &Observed,
    desired: &Resource,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "autoscaling:UpdateAutoScalingGroup";
    let (Resource::AutoscalingGroup(from), Resource::AutoscalingGroup(to)) = (&observed.resource, desired) else {
        return Err(misdirected(desired));
    };
    let same_but_managed =
        AutoscalingGroup { tags: from.tags.clone(), termination_hook: from.termination_hook.clone(), ..to.clone() };
    if *from != same_but_managed {
        let launch = group::launch(OPERATION, to, outputs)?;
        let (zones, subnets) = group::placement(OPERATION, &to.placement, outputs)?;
        let call = client
            .update_auto_scaling_group()
            .auto_scaling_group_name(&to.name)
            .min_size(group::to_i32(to.min_size))
            .max_size(group::to_i32(to.max_size))
            .set_launch_template(launch.template)
            .set_mixed_instances_policy(launch.policy)
            .set_availability_zones(zones)
            .set_vpc_zone_identifier(subnets)
            .capacity_rebalance(to.capacity_rebalance)
            .health_check_type(&to.health_check_type)
            .health_check_grace_period(group::to_i32(to.health_check_grace_seconds));
        call.send().await.map_err(failed(OPERATION))?;
    }
    update_tags(client, &to.name, &from.tags, &to.tags).await?;
    Ok(observed.physical.clone())
}

/// Changes the tags of a group from those observed to those desired. Keys in neither are left alone.
async fn update_tags(client: &Client, name: &str, observed: &Tags, desired: &Tags) -> Result<(), CloudError> {
    let changed: Tags = desired
        .iter()
        .filter(|(key, value)| observed.get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !changed.is_empty() {
        let call = client.create_or_update_tags().set_tags(Some(group::to_sdk_tags(name, &changed)));
        call.send().await.map_err(failed("autoscaling:CreateOrUpdateTags"))?;
    }
    let gone = observed.keys().filter(|key| !desired.contains_key(*key));
    let gone: Vec<Tag> = gone.map(|key| group::tag(name, key).build()).collect();
    if !gone.is_empty() {
        let call = client.delete_tags().set_tags(Some(gone));
        call.send().await.map_err(failed("autoscaling:DeleteTags"))?;
    }
    Ok(())
}

/// Deletes a group and its instances, whatever they do.
pub(crate) async fn delete(client: &Client, observed: &Observed) -> Result<(), CloudError> {
    let call = client.delete_auto_scaling_group().auto_scaling_group_name(&observed.physical.id).force_delete(true);
    match call.send().await.map_err(failed("autoscaling:DeleteAutoScalingGroup")) {
        Err(error) if error.class == ErrorClass::NotFound || error.message.contains("pending delete") => Ok(()),
        result => result.map(drop),
    }
}

/// A deleted group stays listed until its instances are terminated.
pub(crate) async fn is_gone(client: &Client, observed: &Observed) -> Result<bool, CloudError> {
    Ok(find(client, &observed.physical.id).await?.is_none())
}

/// The cluster's groups, before they are put into the model's words.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    ownership: String,
    groups: Vec<SdkGroup>,
    /// What the state knows as the cluster's, by name.
    known: BTreeMap<String, ResourceId>,
}

/// Reads the groups without their instances, of which there may be thousands.
pub(crate) async fn observe(client: &Client, scope: &Scope) -> Result<Answers, CloudError> {
    let ownership = tags::cluster(&scope.cluster);
    let call = client
        .describe_auto_scaling_groups()
        .filters(Filter::builder().name(format!("tag:{ownership}")).values(tags::OWNED).build())
        .include_instances(false)
        .max_records(PAGE);
    let groups = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let groups = groups.map_err(failed("autoscaling:DescribeAutoScalingGroups"))?;
    Ok(Answers { ownership, groups, known: scope.known.clone() })
}

impl Answers {
    /// Adds what was observed to the world. A group that is being deleted is a duplicate: it is nothing that can be used, and
    /// what it holds (interfaces, its name) is free only when it is gone, which is what waiting for its removal waits for.
    pub(crate) fn add_to(&self, world: &mut World, ids: &Ids) {
        for found in &self.groups {
            let Some((id, observed)) = group::observed(found, &self.ownership, &self.known, ids) else { continue };
            if found.status().is_some() {
                world.duplicates.push((id, observed));
            } else {
                insert(world, id, observed);
            }
        }
    }
}

fn insert(world: &mut World, id: ResourceId, observed: Observed) {
    if world.resources.contains_key(&id) {
        world.duplicates.push((id, observed));
    } else {
        world.resources.insert(id, observed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, class: ErrorClass, message: &str) -> CloudError {
        CloudError { code: Some(code.to_owned()), ..own("autoscaling:CreateAutoScalingGroup", class, message) }
    }

    #[test]
    fn what_will_pass_is_told_from_what_will_not() {
        let template = "You must use a valid fully-formed launch template. ";
        for (code, class, message, expected) in [
            ("AlreadyExists", ErrorClass::AlreadyExists, "A group with the name x already exists", ErrorClass::AlreadyExists),
            (
                "AlreadyExists",
                ErrorClass::AlreadyExists,
                "A group with the name x already exists and is pending delete",
                ErrorClass::NotYet,
            ),
            (
                "ValidationError",
                ErrorClass::Invalid,
                &format!("{template}The security group 'sg-1' does not exist in VPC 'vpc-1'"),
                ErrorClass::NotYet,
            ),
            (
                "ValidationError",
                ErrorClass::Invalid,
                &format!("{template}The image id '[ami-1]' does not exist"),
                ErrorClass::Invalid,
            ),
            ("ResourceContention", ErrorClass::Other, "a pending update", ErrorClass::NotYet),
        ] {
            assert_eq!(classify(error(code, class, message)).class, expected, "{message}");
        }
    }
}
