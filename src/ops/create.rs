//! `kclust create`: make the cluster of a spec, or finish making it.

use crate::plan::Operation;
use crate::spec::{Cluster, to_yaml};

use super::begin::recorded;
use super::carry_out::carry_out;
use super::error::OpsError;
use super::manifests::Reading;
use super::reconcile::prepare;
use super::{Approval, Ending, Environment, StateRoot, preflight};

/// Makes the cluster, or shows what that would take.
pub async fn create(environment: &Environment<'_>, cluster: &Cluster, dry_run: bool) -> Result<Ending, OpsError> {
    if environment.state_root == StateRoot::Directory && !dry_run {
        return Err(OpsError::StateNotReachable);
    }
    let store = environment.state_of(&cluster.name);
    environment.operator.phase("reading the state");
    let recorded = recorded(&store, environment.objects.root()).await?;
    if let Some(recorded) = &recorded
        && recorded.cluster != *cluster
    {
        let differences = differing_lines(&to_yaml(&recorded.cluster), &to_yaml(cluster));
        return Err(OpsError::DifferentSpec { cluster: cluster.name.to_string(), differences });
    }
    let mut prepared = prepare(environment, &store, Operation::Create, cluster, recorded.as_ref(), Reading::Given).await?;
    // Without state nothing can have been made: the spec is written before the first resource.
    if recorded.is_none() && !prepared.world.resources.is_empty() {
        return Err(OpsError::StateLost {
            cluster: cluster.name.to_string(),
            root: environment.objects.root().to_owned(),
            count: prepared.world.resources.len(),
        });
    }
    preflight::check(environment, cluster, &mut prepared, dry_run).await?;
    if dry_run {
        return Ok(Ending::Planned(prepared.plan));
    }
    if prepared.plan.is_empty() {
        return Ok(Ending::Unchanged(prepared.plan));
    }
    match environment.operator.approve(&prepared.plan) {
        Approval::Yes => carry_out(environment, &store, cluster, recorded, prepared).await.map(Ending::Applied),
        Approval::No => Ok(Ending::Declined),
        Approval::NobodyToAsk => Err(OpsError::NotConfirmed),
    }
}

/// Lines of two canonical documents that are in one and not in the other, `-` for the first and `+` for the second.
fn differing_lines(applied: &str, given: &str) -> Vec<String> {
    let (applied, given): (Vec<&str>, Vec<&str>) = (applied.lines().collect(), given.lines().collect());
    // Longest common subsequence; canonical specs have a few hundred lines at most.
    let mut common = vec![vec![0_usize; given.len() + 1]; applied.len() + 1];
    for (i, left) in applied.iter().enumerate().rev() {
        for (j, right) in given.iter().enumerate().rev() {
            common[i][j] = if left == right { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < applied.len() || j < given.len() {
        if i < applied.len() && j < given.len() && applied[i] == given[j] {
            (i, j) = (i + 1, j + 1);
        } else if j >= given.len() || (i < applied.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", applied[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", given[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::differing_lines;

    #[test]
    fn only_what_differs_is_listed_in_place() {
        let lines = differing_lines("a\nmin: 1\nb\nc\n", "a\nmin: 2\nb\nc\nd\n");
        assert_eq!(lines, ["- min: 1", "+ min: 2", "+ d"]);
    }
}
