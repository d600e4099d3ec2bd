//! What would go wrong is told before the first write, all of it at once.
//!
//! Two kinds of questions: whether AWS has what the spec names (`facts.rs` asks most of them, because no model can be built without
//! answers; here they are asked again of what was recorded earlier), and whether the account lets the plan happen. What cannot be found
//! out is a warning: preflight never stops what might succeed.

mod machines;
mod needs;
mod permissions;
mod quotas;

use crate::cloud::{CloudError, Facts};
use crate::model::{Desired, Resource};
use crate::plan::{Operation, Plan, Work};
use crate::spec::{Cluster, Image, Vpc};

use super::Environment;
use super::error::OpsError;
use super::facts::FactProblem;
use super::reconcile::Prepared;

/// What a finding means for the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The spec asks for something that is not there.
    Spec,
    /// The account does not let it happen.
    Account,
    /// It may go wrong, or could not be found out.
    Uncertain,
}

/// Something that stands in the way of a plan, or may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub severity: Severity,
    /// A path in the spec, or what of the account: `permissions`, `quotas`.
    pub place: String,
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Finding {
    fn new(severity: Severity, place: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity, place: place.into(), message: message.into(), hint: hint.into() }
    }

    /// What could not be asked.
    fn unanswered(place: &str, what: &str, error: &CloudError) -> Self {
        Self::new(Severity::Uncertain, place, format!("{what} could not be checked: {error}"), "nothing speaks against going on")
    }
}

impl From<FactProblem> for Finding {
    fn from(problem: FactProblem) -> Self {
        Self::new(Severity::Spec, problem.path, problem.message, problem.hint)
    }
}

/// Looks at what the plan needs before it is shown, and adds warnings to it. A plan that changes nothing needs nothing.
///
/// # Errors
/// [`OpsError::Preflight`] with everything that was found, when the plan cannot succeed. Where it shall only be looked at
/// (`dry_run`), what the account refuses is a warning.
pub(super) async fn check(
    environment: &Environment<'_>,
    cluster: &Cluster,
    prepared: &mut Prepared,
    dry_run: bool,
) -> Result<(), OpsError> {
    let mut findings: Vec<Finding> = prepared.problems.drain(..).map(Finding::from).collect();
    if !prepared.plan.is_empty() {
        environment.operator.phase("checking permissions and quotas");
        // In a zone that is not there nothing can be had, which need not be told of each group.
        let zones_exist = findings.iter().all(|finding| !finding.place.starts_with("spec.network.zones"));
        findings.extend(questions(environment, cluster, prepared, zones_exist).await);
    }
    findings.sort();
    findings.dedup();
    let stops = |finding: &Finding| match finding.severity {
        Severity::Spec => true,
        Severity::Account => !dry_run,
        Severity::Uncertain => false,
    };
    let operation = prepared.plan.operation;
    if findings.iter().any(stops) {
        return Err(OpsError::Preflight { cluster: cluster.name.to_string(), operation, findings });
    }
    prepared.plan.warnings.extend(findings.iter().map(|finding| warning(operation, finding)));
    Ok(())
}

/// The same of a removal, which needs permissions and nothing else of the account. Machines go first: a permission that is missing
/// at the end would be found out when they are gone.
pub(super) async fn check_removal(
    environment: &Environment<'_>,
    cluster: &Cluster,
    facts: &Facts,
    plan: &mut Plan,
    dry_run: bool,
) -> Result<(), OpsError> {
    environment.operator.phase("checking permissions");
    let findings = permissions::check(environment, cluster, facts, plan).await;
    let is_refused = findings.iter().any(|finding| finding.severity == Severity::Account);
    if is_refused && !dry_run {
        return Err(OpsError::Preflight { cluster: cluster.name.to_string(), operation: plan.operation, findings });
    }
    plan.warnings.extend(findings.iter().map(|finding| warning(plan.operation, finding)));
    Ok(())
}

fn warning(operation: Operation, finding: &Finding) -> String {
    let Finding { severity, place, message, hint } = finding;
    match severity {
        Severity::Spec | Severity::Account => format!("{operation} would not succeed: {place}: {message}; {hint}"),
        Severity::Uncertain => format!("{place}: {message}; {hint}"),
    }
}

async fn questions(environment: &Environment<'_>, cluster: &Cluster, prepared: &Prepared, zones_exist: bool) -> Vec<Finding> {
    let Prepared { facts, desired, plan, .. } = prepared;
    let (permissions, quotas, machines, recorded) = tokio::join!(
        permissions::check(environment, cluster, facts, plan),
        quotas::check(environment, cluster, facts, desired, plan),
        async {
            match zones_exist {
                true => machines::check(environment, cluster, facts, desired, plan).await,
                false => Vec::new(),
            }
        },
        recorded_facts(environment, cluster, prepared),
    );
    [permissions, quotas, machines, recorded].concat()
}

/// What was found at an earlier command and is needed now: it may be gone.
async fn recorded_facts(environment: &Environment<'_>, cluster: &Cluster, prepared: &Prepared) -> Vec<Finding> {
    if !prepared.recorded_facts {
        return Vec::new();
    }
    let (images, zone) =
        tokio::join!(images(environment, cluster, &prepared.facts, &prepared.plan), zone(environment, cluster, prepared));
    images.into_iter().chain(zone).collect()
}

async fn images(environment: &Environment<'_>, cluster: &Cluster, facts: &Facts, plan: &Plan) -> Vec<Finding> {
    let used: std::collections::BTreeSet<&str> = made(plan)
        .filter_map(|resource| match resource {
            Resource::LaunchTemplate(template) => Some(template.image.as_str()),
            _ => None,
        })
        .collect();
    let wanted = facts.images.iter().filter(|(_, image)| used.contains(image.id.as_str()));
    let looked = wanted.map(async |(key, image)| {
        let place = "spec.controlPlane.image and spec.nodeGroups";
        match environment.aws.image(&Image::Id(image.id.clone()), image.architecture).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(Finding::new(
                Severity::Spec,
                place,
                format!(
                    "image {} ({}), which was recorded for {}, is not there any more",
                    image.id,
                    image.name,
                    key.split(' ').next().unwrap_or(key)
                ),
                format!("name another image in the spec and run `kclust update {} -f FILE`", cluster.name),
            )),
            Err(error) => Some(Finding::unanswered(place, &format!("image {}", image.id), &error)),
        }
    });
    futures_util::future::join_all(looked).await.into_iter().flatten().collect()
}

async fn zone(environment: &Environment<'_>, cluster: &Cluster, prepared: &Prepared) -> Option<Finding> {
    let zone = prepared.facts.hosted_zone.as_ref()?;
    made(&prepared.plan).find(|resource| matches!(resource, Resource::DnsRecord(_)))?;
    let vpc = match &cluster.network.vpc {
        Vpc::Existing { id, .. } if zone.private => Some(id.as_str()),
        Vpc::Existing { .. } | Vpc::Managed { .. } => None,
    };
    match environment.aws.hosted_zones(&zone.name, zone.private, vpc).await {
        Ok(zones) if zones.iter().any(|found| found.id == zone.id) => None,
        Ok(_) => Some(Finding::new(
            Severity::Spec,
            "spec.dns.zone",
            format!("the hosted zone {} ({}) is not there any more", zone.name, zone.id),
            "restore it: machines and kubeconfigs know the API by a name in it",
        )),
        Err(error) => Some(Finding::unanswered("spec.dns.zone", &format!("the hosted zone {}", zone.name), &error)),
    }
}

/// What a plan makes or changes, as it shall be.
fn made(plan: &Plan) -> impl Iterator<Item = &Resource> {
    plan.steps.iter().filter_map(|step| match &step.work {
        Work::Create(resource) | Work::Update { desired: resource, .. } => Some(resource),
        Work::Delete(_) => None,
    })
}

/// Path in the spec of what an autoscaling group is made of.
fn path_of_group(cluster: &Cluster, group: &str) -> String {
    match cluster.node_groups.iter().position(|spec| spec.name.as_str() == group) {
        Some(index) => format!("spec.nodeGroups[{index}].instanceTypes"),
        None => "spec.controlPlane.instanceType".to_owned(),
    }
}

/// The instance types that a group launches, the first by preference.
fn types_of<'a>(group: &'a crate::model::AutoscalingGroup, desired: &'a Desired) -> Vec<&'a str> {
    if let Some(mixed) = &group.mixed_instances {
        return mixed.instance_types.iter().map(String::as_str).collect();
    }
    let template = group.launch_template.target().and_then(|id| desired.get(&id));
    match template {
        Some(Resource::LaunchTemplate(template)) => vec![template.instance_type.as_str()],
        _ => Vec::new(),
    }
}
