//! Whether the account has room for what the plan adds.

use super::needs::needs;
use super::{Finding, Severity};
use crate::cloud::{Facts, Quota, Room};
use crate::model::Desired;
use crate::ops::Environment;
use crate::plan::Plan;
use crate::spec::Cluster;

const PLACE: &str = "quotas";

pub(super) async fn check(
    environment: &Environment<'_>,
    cluster: &Cluster,
    facts: &Facts,
    desired: &Desired,
    plan: &Plan,
) -> Vec<Finding> {
    let needs = needs(plan, desired, facts);
    let wanted: Vec<Quota> = needs.keys().cloned().collect();
    let mut room = environment.aws.room(&wanted).await;
    let mut unanswered: Vec<Finding> = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for (quota, need) in needs {
        match room.remove(&quota) {
            Some(Ok(Some(Room { limit, used }))) if used + need > limit => {
                let left = limit.saturating_sub(used);
                findings.push(Finding::new(
                    Severity::Account,
                    PLACE,
                    format!("{quota}: {need} more are needed; {used} of {limit} are in use, and {left} left"),
                    format!("ask for more in Service Quotas for {}, or free what is not in use", cluster.region),
                ));
            }
            // One denied action stands for all quotas that it would tell.
            Some(Err(error)) if unanswered.iter().all(|known| !known.message.contains(&error.operation)) => {
                unanswered.push(Finding::unanswered(PLACE, &quota.to_string(), &error));
            }
            Some(Ok(_) | Err(_)) | None => {}
        }
    }
    findings.extend(unanswered);
    findings
}
