//! What runs: groups, instances and targets, as `validate` and `get` need them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_autoscaling::types::{
    Activity, AutoScalingGroup, Filter as GroupFilter, Instance as SdkGroupInstance, ScalingActivityStatusCode,
};
use aws_sdk_ec2::types::{Instance as SdkInstance, InstanceLifecycleType, LaunchTemplate};
use jiff::{SignedDuration, Timestamp};

use super::error::translate;
use super::facts::filter;
use super::{Aws, elbv2};
use crate::cloud::status::GroupInstance;
use crate::cloud::{CloudError, CloudStatus, GroupStatus, InstanceStatus, TargetState};
use crate::model::{Kind, ResourceId, load_balancer_name, tags};
use crate::spec::Cluster;

#[async_trait]
impl CloudStatus for Aws {
    async fn groups(&self, cluster: &Cluster) -> Result<Vec<GroupStatus>, CloudError> {
        let owned =
            GroupFilter::builder().name(format!("tag:{}", tags::cluster(cluster.name.as_str()))).values(tags::OWNED).build();
        let pages = self.autoscaling.describe_auto_scaling_groups().filters(owned).max_records(100);
        let pages = pages.into_paginator().items().send();
        let found: Result<Vec<AutoScalingGroup>, _> = pages.collect().await;
        let found = found.map_err(|error| translate("autoscaling:DescribeAutoScalingGroups", error))?;
        let mut statuses: Vec<GroupStatus> = found.iter().filter_map(read_group).collect();
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(statuses)
    }

    async fn last_failure(&self, group_name: &str) -> Result<Option<String>, CloudError> {
        let call = self.autoscaling.describe_scaling_activities().auto_scaling_group_name(group_name).max_records(20);
        let answer = call.send().await.map_err(|error| translate("autoscaling:DescribeScalingActivities", error))?;
        Ok(newest_failure(answer.activities(), Timestamp::now()))
    }

    async fn instances(&self, cluster: &Cluster) -> Result<Vec<InstanceStatus>, CloudError> {
        let found = list_instances(self, cluster.name.as_str(), [&PRESENT[..], &["terminated"]].concat()).await?;
        Ok(found.iter().filter_map(read_instance).collect())
    }

    async fn template_versions(&self, cluster: &Cluster) -> Result<BTreeMap<String, u64>, CloudError> {
        const OPERATION: &str = "ec2:DescribeLaunchTemplates";
        let owned = filter(&format!("tag:{}", tags::cluster(cluster.name.as_str())), [tags::OWNED.to_owned()]);
        let pages = self.ec2.describe_launch_templates().filters(owned).max_results(200).into_paginator().items().send();
        let found: Result<Vec<LaunchTemplate>, _> = pages.collect().await;
        let found = found.map_err(|error| translate(OPERATION, error))?;
        Ok(found.iter().filter_map(read_template_version).collect())
    }

    async fn load_balancer_dns_name(&self, cluster: &Cluster) -> Result<Option<String>, CloudError> {
        let name = load_balancer_name(cluster.region.as_str(), cluster.name.as_str());
        Ok(elbv2::find_load_balancer(self, &name).await?.and_then(|found| found.dns_name))
    }

    async fn target_health(&self, target_group_arn: &str) -> Result<Vec<TargetState>, CloudError> {
        let found = elbv2::observe::target_health(self, target_group_arn).await?;
        let states = found.iter().filter_map(|description| {
            let health = description.target_health()?;
            let reason = health.description().map(str::to_owned).or_else(|| Some(health.reason()?.as_str().to_owned()));
            Some(TargetState {
                address: description.target()?.id()?.to_owned(),
                state: health.state()?.as_str().to_owned(),
                reason,
            })
        });
        Ok(states.collect())
    }

    async fn name_servers(&self, zone_id: &str) -> Result<Vec<String>, CloudError> {
        let answer = self.route53.get_hosted_zone().id(zone_id).send().await;
        let answer = answer.map_err(|error| translate("route53:GetHostedZone", error))?;
        Ok(answer.delegation_set().map(|set| set.name_servers().to_vec()).unwrap_or_default())
    }
}

/// States of an instance that exists. EC2 shows one that is `terminated` for about an hour.
const PRESENT: [&str; 5] = ["pending", "running", "stopping", "stopped", "shutting-down"];

/// Instances of a cluster that are not terminated.
pub(super) async fn find_instances(aws: &Aws, cluster: &str) -> Result<Vec<SdkInstance>, CloudError> {
    list_instances(aws, cluster, PRESENT.to_vec()).await
}

async fn list_instances(aws: &Aws, cluster: &str, states: Vec<&str>) -> Result<Vec<SdkInstance>, CloudError> {
    const OPERATION: &str = "ec2:DescribeInstances";
    let states = states.into_iter().map(str::to_owned);
    let mut pages = aws
        .ec2
        .describe_instances()
        .filters(filter(&format!("tag:{}", tags::cluster(cluster)), [tags::OWNED.to_owned()]))
        .filters(filter("instance-state-name", states))
        .max_results(1000)
        .into_paginator()
        .send();
    let mut instances = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| translate(OPERATION, error))?;
        let reservations = page.reservations.unwrap_or_default().into_iter();
        instances.extend(reservations.flat_map(|reservation| reservation.instances.unwrap_or_default()));
    }
    Ok(instances)
}

/// `None` for a group that carries the cluster's tag and is not one of kclust's.
fn read_group(group: &AutoScalingGroup) -> Option<GroupStatus> {
    let tag = group.tags().iter().find(|tag| tag.key() == Some(tags::ID))?;
    let id = ResourceId::parse(tag.value()?).filter(|id| id.kind == Kind::AutoscalingGroup)?;
    Some(GroupStatus {
        name: id.name,
        group_name: group.auto_scaling_group_name.clone()?,
        min_size: number(group.min_size),
        max_size: number(group.max_size),
        desired_capacity: number(group.desired_capacity),
        instances: group.instances().iter().filter_map(read_group_instance).collect(),
        suspended_processes: group
            .suspended_processes()
            .iter()
            .filter_map(|process| process.process_name().map(str::to_owned))
            .collect(),
        last_failure: Err(GroupStatus::NOT_ASKED.to_owned()),
    })
}

fn read_group_instance(instance: &SdkGroupInstance) -> Option<GroupInstance> {
    let version = instance.launch_template().and_then(|template| template.version());
    Some(GroupInstance {
        id: instance.instance_id.clone()?,
        zone: instance.availability_zone.clone().unwrap_or_default(),
        lifecycle_state: instance.lifecycle_state()?.as_str().to_owned(),
        health_status: instance.health_status.clone().unwrap_or_default(),
        launch_template_version: version.map(str::to_owned),
    })
}

/// A failure that is older explains nothing any more: while a group wants instances, Auto Scaling tries again every few minutes.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// Why no instance could be launched. Activities come newest first; a failure before a launch that has its instance is history, and
/// what could not be terminated is no launch.
fn newest_failure(activities: &[Activity], now: Timestamp) -> Option<String> {
    let is_recent = |activity: &&Activity| {
        let began = activity.start_time().and_then(|time| Timestamp::from_second(time.secs()).ok());
        began.is_none_or(|began| now.duration_since(began) < RECENT)
    };
    let launches = activities.iter().filter(|activity| activity.description().is_some_and(|it| it.starts_with("Launching")));
    for launch in launches.take_while(is_recent) {
        match launch.status_code() {
            Some(ScalingActivityStatusCode::Failed) => {
                let message = launch.status_message().filter(|message| !message.is_empty()).or_else(|| launch.description());
                return message.map(one_line);
            }
            // Also what a change of the group's size made superfluous; that has no message.
            Some(ScalingActivityStatusCode::Cancelled) => {
                if let Some(message) = launch.status_message().filter(|message| !message.is_empty()) {
                    return Some(one_line(message));
                }
            }
            // `Launching a new EC2 instance: i-0123456789abcdef0`, from the moment on when AWS has given one.
            _ if launch.description().is_some_and(|description| description.contains(": i-")) => return None,
            _ => {}
        }
    }
    None
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read_instance(instance: &SdkInstance) -> Option<InstanceStatus> {
    let group = instance.tags().iter().find(|tag| tag.key() == Some(tags::GROUP)).and_then(|tag| tag.value());
    Some(InstanceStatus {
        id: instance.instance_id.clone()?,
        state: instance.state()?.name()?.as_str().to_owned(),
        zone: instance.placement().and_then(|placement| placement.availability_zone()).unwrap_or_default().to_owned(),
        instance_type: instance.instance_type().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        spot: instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot),
        private_address: instance.private_ip_address().and_then(|address| address.parse().ok()),
        group: group.map(str::to_owned),
        launched_at: instance.launch_time().and_then(|time| Timestamp::from_second(time.secs()).ok()),
    })
}

fn read_template_version(template: &LaunchTemplate) -> Option<(String, u64)> {
    let tag = template.tags().iter().find(|tag| tag.key() == Some(tags::ID))?;
    let id = ResourceId::parse(tag.value()?).filter(|id| id.kind == Kind::LaunchTemplate)?;
    Some((id.name, template.default_version_number?.try_into().ok()?))
}

fn number(value: Option<i32>) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const LAUNCH: &str = "Launching a new EC2 instance";

    fn activity(status: ScalingActivityStatusCode, description: &str, message: &str, minutes_ago: i64) -> Activity {
        Activity::builder()
            .activity_id("1")
            .auto_scaling_group_name("g")
            .cause("c")
            .start_time(aws_sdk_autoscaling::primitives::DateTime::from_secs(NOW - 60 * minutes_ago))
            .status_code(status)
            .description(description)
            .status_message(message)
            .build()
    }

    fn newest(activities: &[Activity]) -> Option<String> {
        newest_failure(activities, Timestamp::from_second(NOW).unwrap())
    }

    use ScalingActivityStatusCode::{Cancelled, Failed, InProgress, PreInService, Successful};

    #[test]
    fn only_failures_since_the_last_launch_count() {
        let activities = [
            activity(InProgress, LAUNCH, "", 0),
            activity(Successful, "Terminating EC2 instance: i-0", "", 1),
            activity(Failed, LAUNCH, "We currently do not have\n sufficient capacity", 2),
            activity(Successful, "Launching a new EC2 instance: i-1", "", 3),
            activity(Failed, LAUNCH, "old", 4),
        ];
        assert_eq!(newest(&activities).as_deref(), Some("We currently do not have sufficient capacity"));
        assert_eq!(newest(&activities[3..]), None);
        let given = activity(PreInService, "Launching a new EC2 instance: i-2", "", 0);
        assert_eq!(newest(&[given, activities[2].clone()]), None, "AWS has given an instance since");
    }

    #[test]
    fn what_is_old_or_no_launch_explains_nothing() {
        assert_eq!(newest(&[activity(Failed, LAUNCH, "no capacity", 59)]).as_deref(), Some("no capacity"));
        assert_eq!(newest(&[activity(Failed, LAUNCH, "no capacity", 61)]), None);
        assert_eq!(newest(&[activity(Failed, "Terminating EC2 instance: i-0", "could not be ended", 1)]), None);
        assert_eq!(newest(&[activity(Cancelled, LAUNCH, "", 1)]), None, "somebody made the group smaller");
        assert_eq!(newest(&[activity(Cancelled, LAUNCH, "bid too low", 1)]).as_deref(), Some("bid too low"));
    }
}
