//! From two sets of resources to a plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloud::{Observed, World};
use crate::model::{Desired, Kind, ROLE_POLICY, Resource, ResourceId, Value};

use super::diff::{Difference, difference, is_managed_tag};
use super::graph::{Dependencies, check_references, dependencies};
use super::{Action, Change, Drift, FieldChange, Operation, Plan, PlanError, Step, Work};

/// What a plan is made for.
pub struct Context<'a> {
    pub cluster: &'a str,
    pub operation: Operation,
    /// Keys of the user's tags, in the spec as it is and as it was last applied.
    pub user_tags: BTreeSet<String>,
}

/// What it takes to turn `world` into `desired`.
///
/// # Errors
/// When it would take down what machines run on, and on mistakes of the model.
pub fn reconcile(context: &Context<'_>, desired: &Desired, world: &World) -> Result<Plan, PlanError> {
    let needed = dependencies(desired.iter());
    check_references(&needed)?;
    let mut drafts = BTreeMap::new();
    for (id, resource) in desired {
        let draft = match world.resources.get(id) {
            None => Some(Draft::create(resource)),
            Some(observed) => Draft::adjust(id, resource, observed, &context.user_tags)?,
        };
        if let Some(draft) = draft {
            drafts.insert(id.clone(), draft);
        }
    }
    cascade(desired, world, &mut drafts)?;
    let unchanged = desired.len() - drafts.len();
    let mut warnings: Vec<String> =
        world.foreign_rules.iter().map(|rule| format!("a security group holds a rule that is not kclust's: {rule}")).collect();
    for (id, observed) in &world.resources {
        if desired.contains_key(id) {
            continue;
        }
        if is_slots(id.kind) {
            return Err(PlanError::SlotRemoval { id: id.clone() });
        }
        if is_policy_of_others(observed, desired) {
            warnings.push(format!("a role has an inline policy that is not kclust's: {}", observed.physical.id));
            continue;
        }
        drafts.insert(id.clone(), Draft::delete(observed, "no longer part of the spec"));
    }
    warnings.extend(abandoned_addons(desired, world));
    let mut duplicates = Vec::new();
    for (id, observed) in &world.duplicates {
        if id.kind == Kind::Volume {
            // Either may hold the data of an etcd member.
            warnings.push(format!("two volumes are tagged {id}; {} is left alone", observed.physical.id));
        } else {
            duplicates.push((id.clone(), observed.clone()));
        }
    }
    let observed_needs = dependencies(world.resources.iter().map(|(id, observed)| (id, &observed.resource)));
    Assembly { drafts, duplicates, needed, observed_needs }.plan(context, unchanged, warnings)
}

/// Addons that leave the spec. What they put into the cluster stays: custom resource definitions would take data with them.
fn abandoned_addons(desired: &Desired, world: &World) -> Vec<String> {
    let wanted = addon_names(desired.values());
    addon_names(world.resources.values().map(|observed| &observed.resource))
        .into_iter()
        .filter(|name| !wanted.contains(name))
        .map(|name| format!("addon {name} leaves the spec, and what it put into the cluster stays there: remove it by hand"))
        .collect()
}

fn addon_names<'a>(resources: impl Iterator<Item = &'a Resource>) -> Vec<&'a str> {
    let settings = resources.filter_map(|resource| match resource {
        Resource::ControlPlaneSettings(settings) => Some(&settings.addons),
        _ => None,
    });
    settings.flatten().map(|addon| addon.name.as_str()).collect()
}

/// How `world` differs from `desired`, also where no plan could make it good.
pub fn drift(desired: &Desired, world: &World, user_tags: &BTreeSet<String>) -> Drift {
    let mut drift = Drift::default();
    let change = |id: &ResourceId, draft: Draft| Change {
        action: draft.action,
        id: id.clone(),
        physical: draft.observed.map(|observed| observed.physical.id),
        fields: draft.fields,
        reason: draft.reason,
        depends_on: Vec::new(),
    };
    for (id, resource) in desired {
        let Some(observed) = world.resources.get(id) else {
            drift.changes.push(change(id, Draft::create(resource)));
            continue;
        };
        let differences = difference(resource, &observed.resource, user_tags);
        if differences.is_empty() {
            drift.unchanged += 1;
            continue;
        }
        if differences.iter().any(|difference| is_impossible(id.kind, difference)) {
            drift.refused.insert(id.clone());
        }
        drift.changes.push(change(id, Draft::adjusted(resource, observed, differences)));
    }
    for (id, observed) in &world.resources {
        if !desired.contains_key(id) && !is_policy_of_others(observed, desired) {
            if is_slots(id.kind) {
                drift.refused.insert(id.clone());
            }
            drift.changes.push(change(id, Draft::delete(observed, "no longer part of the spec")));
        }
    }
    for (id, observed) in world.duplicates.iter().filter(|(id, _)| id.kind != Kind::Volume) {
        drift.changes.push(change(id, Draft::delete(observed, "a second object of this identity, left by an interrupted run")));
    }
    drift.changes.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.physical.cmp(&b.physical)));
    drift
}

/// Holds a member of etcd, so that no plan removes it.
fn is_slots(kind: Kind) -> bool {
    matches!(kind, Kind::Volume | Kind::NetworkInterface)
}

/// An inline policy that somebody gave to a role of the cluster. It goes with the role.
fn is_policy_of_others(observed: &Observed, desired: &Desired) -> bool {
    let Resource::RolePolicy(policy) = &observed.resource else { return false };
    policy.name != ROLE_POLICY && policy.role.target().is_some_and(|role| desired.contains_key(&role))
}

/// What it takes to remove everything.
///
/// # Errors
/// On mistakes of the model only.
pub fn removal(context: &Context<'_>, world: &World) -> Result<Plan, PlanError> {
    let drafts =
        world.resources.iter().map(|(id, observed)| (id.clone(), Draft::delete(observed, "owned by the cluster"))).collect();
    let observed_needs = dependencies(world.resources.iter().map(|(id, observed)| (id, &observed.resource)));
    let assembly = Assembly { drafts, duplicates: world.duplicates.clone(), needed: Dependencies::new(), observed_needs };
    assembly.plan(context, 0, Vec::new())
}

/// A change before it is ordered.
struct Draft {
    action: Action,
    fields: Vec<FieldChange>,
    reason: String,
    desired: Option<Resource>,
    observed: Option<Observed>,
}

impl Draft {
    fn create(desired: &Resource) -> Self {
        let fields = desired
            .fields()
            .into_iter()
            .filter(|field| field.value != Value::Absent)
            .map(|field| FieldChange { path: field.path, from: Value::Absent, to: field.value })
            .collect();
        Self {
            action: Action::Create,
            fields,
            reason: "does not exist yet".into(),
            desired: Some(desired.clone()),
            observed: None,
        }
    }

    fn delete(observed: &Observed, reason: &str) -> Self {
        Self {
            action: Action::Delete,
            fields: Vec::new(),
            reason: reason.to_owned(),
            desired: None,
            observed: Some(observed.clone()),
        }
    }

    /// `None` when nothing differs.
    fn adjust(
        id: &ResourceId,
        desired: &Resource,
        observed: &Observed,
        user_tags: &BTreeSet<String>,
    ) -> Result<Option<Self>, PlanError> {
        let differences = difference(desired, &observed.resource, user_tags);
        if differences.is_empty() {
            return Ok(None);
        }
        if let Some(difference) = differences.iter().find(|difference| is_impossible(id.kind, difference)) {
            let FieldChange { path, from, to } = difference.change.clone();
            return Err(PlanError::Irreplaceable { id: id.clone(), path, from: from.to_string(), to: to.to_string() });
        }
        Ok(Some(Self::adjusted(desired, observed, differences)))
    }

    fn adjusted(desired: &Resource, observed: &Observed, differences: Vec<Difference>) -> Self {
        let fixed: Vec<String> = differences
            .iter()
            .filter(|difference| difference.replaces)
            .map(|difference| difference.change.path.clone())
            .collect();
        let (action, reason) = if fixed.is_empty() {
            let paths: Vec<&str> = differences.iter().map(|difference| difference.change.path.as_str()).collect();
            (Action::Update, format!("differs from the spec in {}", paths.join(", ")))
        } else {
            (Action::Replace, format!("AWS cannot change {}", fixed.join(", ")))
        };
        Self {
            action,
            reason,
            fields: differences.into_iter().map(|difference| difference.change).collect(),
            desired: Some(desired.clone()),
            observed: Some(observed.clone()),
        }
    }
}

/// A difference that cannot be made good while the cluster lives.
fn is_impossible(kind: Kind, difference: &Difference) -> bool {
    let FieldChange { path, from, to } = &difference.change;
    match (from, to) {
        _ if difference.replaces => !is_replaceable(kind),
        // EBS volumes grow only.
        (Value::Number(from), Value::Number(to)) => kind == Kind::Volume && path == "sizeGiB" && from > to,
        _ => false,
    }
}

/// What may be removed and made again under a living cluster. Machines hold on to the rest.
fn is_replaceable(kind: Kind) -> bool {
    match kind {
        Kind::Route
        | Kind::RouteTableAssociation
        | Kind::VpcEndpoint
        | Kind::SecurityGroupRule
        | Kind::RolePolicy
        | Kind::KeyPair
        | Kind::LoadBalancer
        | Kind::Listener
        | Kind::Target
        | Kind::BootstrapObject
        | Kind::ControlPlaneSettings
        | Kind::DnsRecord => true,
        Kind::Vpc
        | Kind::InternetGateway
        | Kind::Subnet
        | Kind::ElasticIp
        | Kind::NatGateway
        | Kind::RouteTable
        | Kind::SecurityGroup
        | Kind::Role
        | Kind::InstanceProfile
        | Kind::TargetGroup
        | Kind::NetworkInterface
        | Kind::Volume
        | Kind::LaunchTemplate
        | Kind::AutoscalingGroup => false,
    }
}

/// What refers to a replaced resource is changed with it, and so on.
fn cascade(desired: &Desired, world: &World, drafts: &mut BTreeMap<ResourceId, Draft>) -> Result<(), PlanError> {
    loop {
        let replaced: BTreeSet<ResourceId> =
            drafts.iter().filter(|(_, draft)| draft.action == Action::Replace).map(|(id, _)| id.clone()).collect();
        if replaced.is_empty() {
            return Ok(());
        }
        let mut grew = false;
        for (id, resource) in desired {
            let Some(observed) = world.resources.get(id) else { continue };
            if replaced.contains(id) {
                continue;
            }
            for field in resource.fields() {
                let Some(target) = field.value.targets().into_iter().find(|target| replaced.contains(target)) else { continue };
                let replaces = match field.on_change {
                    crate::model::OnChange::Update => false,
                    crate::model::OnChange::Replace => true,
                    crate::model::OnChange::Unmanaged(_) => continue,
                };
                // Templates that refer to a load balancer know the API by its name, and so does every node and every kubeconfig.
                let is_name_of_api = id.kind == Kind::LaunchTemplate && target.kind == Kind::LoadBalancer;
                if is_name_of_api || (replaces && !is_replaceable(id.kind)) {
                    let from = field.value.to_string();
                    let to = format!("the new {target}");
                    return Err(PlanError::Irreplaceable { id: id.clone(), path: field.path, from, to });
                }
                let action = if replaces { Action::Replace } else { Action::Update };
                let draft = drafts.entry(id.clone()).or_insert_with(|| {
                    grew = true;
                    Draft {
                        action,
                        fields: Vec::new(),
                        reason: format!("refers to {target}, which is replaced"),
                        desired: Some(resource.clone()),
                        observed: Some(observed.clone()),
                    }
                });
                if draft.action != Action::Replace && replaces {
                    draft.action = Action::Replace;
                    draft.reason = format!("refers to {target}, which is replaced");
                    grew = true;
                }
                if !draft.fields.iter().any(|change| change.path == field.path) {
                    draft.fields.push(FieldChange { path: field.path, from: field.value.clone(), to: field.value });
                }
            }
        }
        if !grew {
            return Ok(());
        }
    }
}

/// Tags of others are not compared, and nothing that is done about the rest shall touch them.
fn without_foreign_tags(mut observed: Observed, desired: &Resource, user_tags: &BTreeSet<String>) -> Observed {
    if let (Some(tags), Some(wanted)) = (observed.resource.tags_mut(), desired.tags()) {
        tags.retain(|key, _| wanted.contains_key(key) || is_managed_tag(key, user_tags));
    }
    observed
}

/// Drafts and the two graphs that order them.
struct Assembly {
    drafts: BTreeMap<ResourceId, Draft>,
    duplicates: Vec<(ResourceId, Observed)>,
    needed: Dependencies,
    observed_needs: Dependencies,
}

impl Assembly {
    fn plan(self, context: &Context<'_>, unchanged: usize, warnings: Vec<String>) -> Result<Plan, PlanError> {
        let mut steps = Vec::new();
        let mut makes: BTreeMap<&ResourceId, usize> = BTreeMap::new();
        let mut removes: BTreeMap<&ResourceId, usize> = BTreeMap::new();
        for (id, draft) in &self.drafts {
            if matches!(draft.action, Action::Delete | Action::Replace)
                && let Some(observed) = &draft.observed
            {
                removes.insert(id, steps.len());
                steps.push(Step { id: id.clone(), work: Work::Delete(observed.clone()), after: Vec::new() });
            }
            let Some(desired) = &draft.desired else { continue };
            let work = match (&draft.observed, draft.action) {
                (Some(observed), Action::Update) => {
                    let observed = without_foreign_tags(observed.clone(), desired, &context.user_tags);
                    Work::Update { observed, desired: desired.clone() }
                }
                _ => Work::Create(desired.clone()),
            };
            makes.insert(id, steps.len());
            steps.push(Step { id: id.clone(), work, after: Vec::new() });
        }
        // What is needed is made first; what is replaced is gone first.
        for (id, &step) in &makes {
            let needs = self.needed.get(*id).into_iter().flatten();
            steps[step].after.extend(needs.filter_map(|need| makes.get(need)));
            steps[step].after.extend(removes.get(*id));
        }
        // What needs a thing goes before it. What merely stops needing it lets go before it is removed for good; before a
        // replacement it cannot, since it waits for the new one.
        for (id, needs) in &self.observed_needs {
            for need in needs {
                let Some(&removal) = removes.get(need) else { continue };
                if let Some(&dependent) = removes.get(id) {
                    steps[removal].after.push(dependent);
                } else if let Some(&dependent) = makes.get(id)
                    && !makes.contains_key(need)
                {
                    steps[removal].after.push(dependent);
                }
            }
        }
        for (id, observed) in &self.duplicates {
            // What it refers to must outlive it.
            let own = steps.len();
            for target in observed.resource.references() {
                if let Some(&removal) = removes.get(&target) {
                    steps[removal].after.push(own);
                }
            }
            // A group that is on its way out keeps its name until it is gone.
            if let Some(&made) = makes.get(id).filter(|&&made| matches!(steps[made].work, Work::Create(_))) {
                steps[made].after.push(own);
            }
            steps.push(Step { id: id.clone(), work: Work::Delete(observed.clone()), after: Vec::new() });
        }
        for step in &mut steps {
            step.after.sort_unstable();
            step.after.dedup();
        }
        check_cycles(&steps)?;
        let mut changes = self.changes(&steps, &makes, &removes);
        changes.extend(self.duplicates.iter().map(|(id, observed)| Change {
            action: Action::Delete,
            id: id.clone(),
            physical: Some(observed.physical.id.clone()),
            fields: Vec::new(),
            reason: "a second object of this identity, left by an interrupted run".to_owned(),
            depends_on: Vec::new(),
        }));
        changes.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.physical.cmp(&b.physical)));
        Ok(Plan {
            cluster: context.cluster.to_owned(),
            operation: context.operation,
            changes,
            unchanged,
            warnings,
            leftovers: Vec::new(),
            blockers: Vec::new(),
            steps,
        })
    }

    fn changes(
        &self,
        steps: &[Step],
        makes: &BTreeMap<&ResourceId, usize>,
        removes: &BTreeMap<&ResourceId, usize>,
    ) -> Vec<Change> {
        self.drafts
            .iter()
            .map(|(id, draft)| {
                let depends_on: BTreeSet<ResourceId> = [makes.get(id), removes.get(id)]
                    .into_iter()
                    .flatten()
                    .flat_map(|&step| steps[step].after.iter().map(|&before| steps[before].id.clone()))
                    .filter(|other| other != id)
                    .collect();
                Change {
                    action: draft.action,
                    id: id.clone(),
                    physical: draft.observed.as_ref().map(|observed| observed.physical.id.clone()),
                    fields: draft.fields.clone(),
                    reason: draft.reason.clone(),
                    depends_on: depends_on.into_iter().collect(),
                }
            })
            .collect()
    }
}

/// Kahn's algorithm; what is left over lies on or behind a circle.
pub(super) fn check_cycles(steps: &[Step]) -> Result<(), PlanError> {
    let mut children = vec![Vec::new(); steps.len()];
    for (index, step) in steps.iter().enumerate() {
        step.after.iter().for_each(|&before| children[before].push(index));
    }
    let mut waiting: Vec<usize> = steps.iter().map(|step| step.after.len()).collect();
    let mut ready: Vec<usize> = (0..steps.len()).filter(|&step| waiting[step] == 0).collect();
    while let Some(finished) = ready.pop() {
        for &child in &children[finished] {
            waiting[child] -= 1;
            if waiting[child] == 0 {
                ready.push(child);
            }
        }
    }
    let Some(left) = (0..steps.len()).find(|&step| waiting[step] > 0) else { return Ok(()) };
    // Whoever is left waits for somebody who is left: that way leads into the circle.
    let mut way = vec![left];
    let start = loop {
        let last = way[way.len() - 1];
        let Some(&before) = steps[last].after.iter().find(|&&before| waiting[before] > 0) else { return Ok(()) };
        if let Some(start) = way.iter().position(|&step| step == before) {
            break start;
        }
        way.push(before);
    };
    Err(PlanError::Cycle(way[start..].iter().rev().map(|&step| steps[step].id.clone()).collect()))
}
