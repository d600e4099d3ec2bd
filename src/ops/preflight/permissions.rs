//! Whether the identity may do exactly what the plan does.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloud::{ErrorClass, Facts, Verdict};
use crate::model::policy::operator::{self, Condition, Grant, Verb};
use crate::model::tags;
use crate::plan::{Plan, Work};
use crate::spec::Cluster;

use super::{Finding, Severity};
use crate::ops::Environment;
use crate::ops::iam_policy::ground;

const PLACE: &str = "permissions";
const SERVICE_ROLE: &str = "iam:CreateServiceLinkedRole";

pub(super) async fn check(environment: &Environment<'_>, cluster: &Cluster, facts: &Facts, plan: &Plan) -> Vec<Finding> {
    let ground = ground(cluster, facts, &environment.state_root);
    let steps = plan.steps.iter().map(|step| match &step.work {
        Work::Create(resource) => (resource, Verb::Create),
        Work::Update { desired, .. } => (desired, Verb::Update),
        Work::Delete(observed) => (&observed.resource, Verb::Delete),
    });
    let mut grants = operator::of_steps(&ground, steps);
    grants.iter_mut().for_each(|grant| add_tags(grant, cluster));
    let verdicts = match environment.aws.permitted(&environment.identity, &grants).await {
        Ok(Some(verdicts)) => verdicts,
        Ok(None) => return Vec::new(),
        Err(error) => {
            let hint = match error.class {
                ErrorClass::Denied => {
                    format!("allow {} to find out beforehand; nothing else speaks against going on", error.operation)
                }
                _ => "nothing else speaks against going on".to_owned(),
            };
            return vec![Finding::new(Severity::Uncertain, PLACE, format!("they could not be checked: {error}"), hint)];
        }
    };
    let mut refused: BTreeMap<Class, BTreeSet<String>> = BTreeMap::new();
    for (grant, verdict) in grants.iter().zip(verdicts) {
        if let Some(class) = class(environment, grant, verdict).await {
            refused.entry(class).or_default().insert(in_words(grant));
        }
    }
    refused.into_iter().map(|(class, actions)| finding(environment, cluster, class, &actions)).collect()
}

const TAGS: [&str; 2] = ["aws:RequestTag/", "aws:ResourceTag/"];
/// Tags of the cluster's things whose values differ from thing to thing.
const VARYING: [&str; 3] = ["Name", tags::ID, tags::GROUP];

/// What is tagged as the cluster's has the user's tags as well, and somebody's policy may ask for these.
fn add_tags(grant: &mut Grant, cluster: &Cluster) {
    let tagged = TAGS.into_iter().find(|prefix| grant.conditions.iter().any(|condition| condition.key.starts_with(prefix)));
    if let Some(prefix) = tagged {
        grant.conditions.extend(cluster.tags.iter().map(|(key, value)| Condition {
            operator: "StringEquals",
            key: format!("{prefix}{key}"),
            values: vec![value.clone()],
        }));
    }
}

/// Whether a key that a policy asks for is a tag that the thing will not have: everything that it has was told.
fn is_absent_tag(grant: &Grant, key: &str) -> bool {
    let told = |prefix: &&str| grant.conditions.iter().any(|condition| condition.key.starts_with(*prefix));
    let tag = TAGS.iter().filter(|prefix| told(prefix)).find_map(|prefix| key.strip_prefix(prefix));
    tag.is_some_and(|tag| !VARYING.contains(&tag))
}

/// Why an action is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    NotAllowed,
    Denied,
    Bounded,
    /// The policy of the bucket may allow it.
    Bucket,
    Depends(Vec<String>),
}

async fn class(environment: &Environment<'_>, grant: &Grant, verdict: Verdict) -> Option<Class> {
    let class = match verdict {
        Verdict::Allowed => return None,
        Verdict::NotAllowed if grant.action.starts_with("s3:") => Class::Bucket,
        Verdict::NotAllowed => Class::NotAllowed,
        Verdict::Denied => Class::Denied,
        Verdict::Bounded => Class::Bounded,
        Verdict::Depends(keys) if keys.iter().all(|key| is_absent_tag(grant, key)) => Class::NotAllowed,
        Verdict::Depends(keys) => Class::Depends(keys),
    };
    // Needed once in the life of an account.
    if grant.action == SERVICE_ROLE {
        let name = grant.example.rsplit('/').next().unwrap_or_default();
        if let Ok(true) = environment.aws.role_exists(name).await {
            return None;
        }
    }
    Some(class)
}

/// The action, and where one action is asked about for several calls, for which.
fn in_words(grant: &Grant) -> String {
    let call = grant.conditions.iter().find(|condition| condition.key.ends_with(":CreateAction"));
    let service = grant.conditions.iter().find(|condition| condition.key == "iam:AWSServiceName");
    match call.or(service) {
        Some(condition) => format!("{} (for {})", grant.action, condition.values.join(", ")),
        None => grant.action.to_owned(),
    }
}

fn finding(environment: &Environment<'_>, cluster: &Cluster, class: Class, actions: &BTreeSet<String>) -> Finding {
    let who = &environment.identity.arn;
    let list = actions.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let print = format!("`kclust iam-policy -f FILE` prints all that {} takes", cluster.name);
    let (severity, message, hint) = match class {
        Class::NotAllowed => {
            (Severity::Account, format!("no policy of {who} allows {list}"), format!("have them allowed; {print}"))
        }
        Class::Denied => {
            (Severity::Account, format!("a policy of {who} denies {list}"), format!("have the denial lifted; {print}"))
        }
        Class::Bounded => (
            Severity::Account,
            format!("a policy of the organization, or the permissions boundary of {who}, rules out {list}"),
            format!("ask who administers them; {print}"),
        ),
        Class::Bucket => (
            Severity::Uncertain,
            format!("no policy of {who} allows {list} on the state"),
            "that is as it should be where the policy of the bucket allows it".to_owned(),
        ),
        Class::Depends(keys) => (
            Severity::Uncertain,
            format!("whether {who} may do {list} depends on {}", keys.join(", ")),
            "the policy simulator cannot know these; nothing else speaks against going on".to_owned(),
        ),
    };
    Finding::new(severity, PLACE, message, hint)
}
