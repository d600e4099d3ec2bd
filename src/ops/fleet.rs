//! What runs of a cluster, gathered: groups and instances from AWS, boot statuses from the state, nodes from the Kubernetes API.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::cloud::{CloudError, GroupStatus, InstanceStatus};
use crate::health::KubernetesView;
use crate::inventory::{Condition, Fleet, instances};
use crate::pki::ClusterPki;
use crate::spec::{Cluster, ClusterName};
use crate::store::{ClusterStore, NodeStatus, StoreError};

use super::error::OpsError;
use super::{ApiProbe, Aws, Environment};

/// Boot statuses that one look reads: those of the youngest. Each is an object of its own in the state store.
const BOOTS: usize = 200;
/// Groups whose activities are asked for at a time.
const CONCURRENCY: usize = 8;
/// Looks between two that ask for the versions of the launch templates, which change when somebody updates the cluster.
const TEMPLATES_EVERY: u32 = 6;
/// Looks between two that ask a Kubernetes API that did not answer, or has more to say than fits on a page.
const API_EVERY: u32 = 6;
/// Nodes that are listed at every look: some 10 KiB each.
const NODES_EVERY_LOOK: usize = 500;
/// The last word of the boot program.
const BOOTED: &str = "done";

/// Looks at what runs, again and again. The first look asks for everything; a later one makes two calls to AWS, and their pages.
pub struct FleetWatch<'a> {
    environment: &'a Environment<'a>,
    store: ClusterStore<'a>,
    api: &'a dyn ApiProbe,
    cluster: Cluster,
    access: Result<(String, ClusterPki), String>,
    looks: u32,
    last: Option<Fleet>,
}

impl<'a> FleetWatch<'a> {
    /// For a cluster that the state knows.
    pub async fn open(environment: &'a Environment<'a>, name: &ClusterName, api: &'a dyn ApiProbe) -> Result<Self, OpsError> {
        let (store, recorded) = environment.existing(name).await?;
        let cluster = recorded.cluster;
        let access = access(environment, &store, &cluster).await;
        Ok(Self { environment, store, api, cluster, access, looks: 0, last: None })
    }

    /// What runs now. With `reasons`, why groups are weak is asked for too: a call for each that is.
    pub async fn look(&mut self, reasons: bool) -> Result<Fleet, OpsError> {
        let Self { environment, cluster, .. } = self;
        let aws = environment.aws;
        let number = self.looks;
        self.looks += 1;
        if number == 0 {
            environment.operator.phase("asking for groups, instances and nodes");
        }
        let groups = async {
            let groups = if reasons { groups_with_reasons(aws, cluster).await } else { aws.groups(cluster).await };
            groups.map_err(OpsError::cloud("list the autoscaling groups"))
        };
        let templates_due = number.is_multiple_of(TEMPLATES_EVERY);
        let templates = async {
            match &self.last {
                Some(last) if !templates_due => Ok(last.template_versions.clone()),
                _ => aws.template_versions(cluster).await.map_err(OpsError::cloud("list the launch templates")),
            }
        };
        let listed = async {
            match &self.last {
                // Two calls, whatever there is to ask.
                Some(last) if templates_due => Ok(last.instances.clone()),
                _ => {
                    let listed = aws.instances(cluster).await.map_err(OpsError::cloud("list the instances"))?;
                    Ok::<_, OpsError>(listed.into_iter().filter(|instance| instance.state != "terminated").collect())
                }
            }
        };
        let kubernetes = async {
            match (&self.access, &self.last) {
                (Err(reason), _) => KubernetesView::Skipped { reason: reason.clone() },
                (Ok(_), Some(last)) if !is_cheap(&last.kubernetes) && !number.is_multiple_of(API_EVERY) => {
                    last.kubernetes.clone()
                }
                (Ok((address, pki)), _) => self.api.view(address, address, pki).await,
            }
        };
        let (groups, template_versions, listed, kubernetes) = tokio::join!(groups, templates, listed, kubernetes);
        let known = self.last.take().map(|last| last.boots).unwrap_or_default();
        let mut fleet = Fleet {
            cluster: self.cluster.clone(),
            groups: groups?,
            instances: listed?,
            template_versions: template_versions?,
            boots: known,
            kubernetes,
        };
        fleet.boots = self.boots(&fleet).await;
        self.last = Some(fleet.clone());
        Ok(fleet)
    }

    /// Boot statuses of the instances that are not Ready nodes. One that cannot be read hides neither the others nor its instance.
    async fn boots(&self, fleet: &Fleet) -> BTreeMap<String, Result<NodeStatus, String>> {
        let mut open: Vec<String> = instances(fleet)
            .into_iter()
            .filter(|instance| !matches!(instance.condition, Condition::Ready | Condition::Pending | Condition::Stopped))
            .map(|instance| instance.id)
            .collect();
        let launched: BTreeMap<&str, &InstanceStatus> =
            fleet.instances.iter().map(|instance| (instance.id.as_str(), instance)).collect();
        open.sort_by_cached_key(|id| std::cmp::Reverse(launched.get(id.as_str()).and_then(|instance| instance.launched_at)));
        open.truncate(BOOTS);
        // A boot that is done is told once: what comes later stands in the node's own conditions.
        let is_done = |id: &String| {
            fleet.boots.get(id).is_some_and(|known| known.as_ref().is_ok_and(|boot| boot.step == BOOTED && boot.error.is_none()))
        };
        let (done, open): (Vec<String>, Vec<String>) = open.into_iter().partition(is_done);
        let mut boots = read_boots(&self.store, open).await;
        boots.extend(
            done.into_iter().filter_map(|id| fleet.boots.get_key_value(&id).map(|(id, boot)| (id.clone(), boot.clone()))),
        );
        boots
    }
}

/// Groups of a cluster, and why those that are weak are so, or why that is not known: a call for each of them.
pub(super) async fn groups_with_reasons(aws: &dyn Aws, cluster: &Cluster) -> Result<Vec<GroupStatus>, CloudError> {
    let reasons = stream::iter(aws.groups(cluster).await?).map(|mut group| async move {
        if group.is_weak(group.min_size) {
            group.last_failure = aws.last_failure(&group.group_name).await.map_err(|error| error.to_string());
        }
        group
    });
    Ok(reasons.buffered(CONCURRENCY).collect().await)
}

/// What instances told of their boot; those that told nothing are left out.
async fn read_boots(store: &ClusterStore<'_>, instances: Vec<String>) -> BTreeMap<String, Result<NodeStatus, String>> {
    let read = store.node_statuses_of(&instances).await.into_iter();
    read.map(|(id, status)| (id, status.map_err(words))).collect()
}

/// The same at every look: without the id that each request has of its own.
fn words(error: StoreError) -> String {
    match error {
        StoreError::Cloud { source, .. } => CloudError { request_id: None, ..source }.to_string(),
        StoreError::Io { ref source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

/// Whether the API can be asked at every look.
fn is_cheap(view: &KubernetesView) -> bool {
    matches!(view, KubernetesView::Reachable { nodes, .. } if nodes.len() <= NODES_EVERY_LOOK)
}

/// What it takes to ask the Kubernetes API: its name, and keys to sign a certificate with; or why it cannot be asked.
async fn access(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    cluster: &Cluster,
) -> Result<(String, ClusterPki), String> {
    let address = match cluster.api_name() {
        Some(name) => Ok(Some(name)),
        None => environment.aws.load_balancer_dns_name(cluster).await,
    };
    let address = address.map_err(|error| error.to_string())?.ok_or("the API has no address yet")?;
    let files = store.read_pki().await.map_err(|error| error.to_string())?.ok_or("the state holds no keys of the cluster")?;
    let pki = ClusterPki::from_files(&files.0).map_err(|error| error.to_string())?;
    Ok((address, pki))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;
    use crate::test_support::fake_cloud::FakeCloud;
    use crate::test_support::{example, fleet};

    #[tokio::test]
    async fn groups_are_listed_also_where_their_activities_may_not_be_seen() {
        let cluster = example("ha-private");
        let aws = FakeCloud::default();
        aws.run(|running| {
            running.groups = fleet(&cluster).groups;
            running.groups[3].instances.clear();
            running.denied.insert("activities");
        });
        let groups = groups_with_reasons(&aws, &cluster).await.unwrap();
        let reason = groups[3].last_failure.as_ref().unwrap_err();
        assert!(reason.contains("you are not authorized"), "{reason}");
        assert!(groups[..3].iter().all(|group| group.last_failure == Ok(None)), "those that are not weak are not asked about");
    }

    #[tokio::test]
    async fn a_boot_status_that_cannot_be_read_hides_no_other() {
        let directory = tempfile::TempDir::new().unwrap();
        let status = directory.path().join("dev/nodes/status");
        std::fs::create_dir_all(&status).unwrap();
        let told = r#"{"instance": "i-1", "role": "worker", "group": "workers", "step": "done", "since": "", "error": null}"#;
        std::fs::write(status.join("i-1.json"), told).unwrap();
        let objects = FileStore::new(directory.path().to_owned());
        let store = ClusterStore::new(&objects, ClusterName::parse("dev").unwrap());
        let boots = read_boots(&store, ["i-1", "i-2?", "i-3"].map(str::to_owned).into()).await;
        assert_eq!(boots.keys().collect::<Vec<_>>(), ["i-1", "i-2?"]);
        assert_eq!(boots["i-1"].as_ref().unwrap().step, "done");
        assert!(boots["i-2?"].as_ref().unwrap_err().contains("cannot be a key"), "{:?}", boots["i-2?"]);
    }
}
