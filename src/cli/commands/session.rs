//! Opening AWS and the state store for a command.

use std::path::Path;
use std::sync::Arc;

use crate::apply::Stop;
use crate::aws::Aws;
use crate::cli::error::CliError;
use crate::cli::{GlobalArgs, Progress};
use crate::cloud::{Cloud, Identity};
use crate::ops::{Environment, OpsError, StateRoot, cluster_names, cluster_spec, newest_spec, revision_spec, user_of_identity};
use crate::spec::{Cluster, ClusterName};
use crate::store::{FileStore, Holder, ObjectStore, StoreError, StoreUrl, SystemClock};

use super::manifests::Manifests;
use super::operator::Terminals;

/// Answers for buckets of all regions.
const ANY_REGION: &str = "us-east-1";

/// The state store alone: enough to look.
pub(super) struct Store {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) root: StateRoot,
}

/// AWS in one region, and the state store.
pub(super) struct Session {
    aws: Aws,
    identity: Identity,
    store: Store,
    manifests: Manifests,
}

/// `--state` or `KCLUST_STATE`; one of them must be there.
pub(super) fn store_url(global: &GlobalArgs) -> Result<StoreUrl, CliError> {
    named_store(global)?.ok_or_else(|| CliError::Usage {
        headline: "no state store is named".to_owned(),
        hint: "give s3://BUCKET[/PREFIX] or file:///DIR with --state or in KCLUST_STATE".to_owned(),
    })
}

/// `--state`, or else `KCLUST_STATE` where it is not empty.
pub(super) fn named_store(global: &GlobalArgs) -> Result<Option<StoreUrl>, CliError> {
    if let Some(url) = &global.state {
        return Ok(Some(url.clone()));
    }
    let variable = std::env::var("KCLUST_STATE").ok().filter(|value| !value.is_empty());
    variable.map(|value| value.parse()).transpose().map_err(|error| CliError::Usage {
        headline: format!("KCLUST_STATE: {error}"),
        hint: "correct it, or name the state store with --state".to_owned(),
    })
}

impl Store {
    /// Opens the store to look into it; who owns a bucket does not matter then.
    pub(super) async fn open(global: &GlobalArgs) -> Result<Self, CliError> {
        match store_url(global)? {
            StoreUrl::File { dir } => Ok(Self::directory(dir)),
            StoreUrl::S3 { bucket, prefix } => {
                let aws = connect_anywhere(global).await?;
                Self::bucket(&aws, &bucket, &prefix, None).await
            }
        }
    }

    /// Opens the store for a credential, and says for whom: the AWS identity, or the user of this machine where the store is a directory.
    pub(super) async fn with_user(global: &GlobalArgs) -> Result<(Self, String), CliError> {
        match store_url(global)? {
            StoreUrl::File { dir } => Ok((Self::directory(dir), Holder::this_process("credential", None).to_string())),
            StoreUrl::S3 { bucket, prefix } => {
                let aws = connect_anywhere(global).await?;
                let identity = identity(&aws).await?;
                // Who owned a bucket of this name could give it keys of his own.
                let store = Self::bucket(&aws, &bucket, &prefix, Some(identity.account)).await?;
                Ok((store, user_of_identity(&identity.arn)))
            }
        }
    }

    fn directory(dir: std::path::PathBuf) -> Self {
        Self { objects: Arc::new(FileStore::new(dir)), root: StateRoot::Directory }
    }

    async fn bucket(aws: &Aws, bucket: &str, prefix: &str, account: Option<String>) -> Result<Self, CliError> {
        let store = aws.state_store(bucket, prefix, account).await?;
        let (bucket, prefix, region) = (bucket.to_owned(), prefix.to_owned(), store.region().to_owned());
        Ok(Self { objects: Arc::new(store), root: StateRoot::S3 { bucket, prefix, region } })
    }

    /// The cluster that is meant: the one that is named, or the only one that there is.
    pub(super) async fn named(&self, name: Option<&ClusterName>) -> Result<ClusterName, CliError> {
        if let Some(name) = name {
            return Ok(name.clone());
        }
        let mut names = cluster_names(self.objects.as_ref()).await?;
        match (names.pop(), names.len()) {
            (Some(only), 0) => Ok(only),
            (None, _) => Err(CliError::Usage {
                headline: format!("no cluster is named, and {} holds none", self.objects.root()),
                hint: "is --state or KCLUST_STATE right?".to_owned(),
            }),
            (Some(last), _) => Err(CliError::Usage {
                headline: format!("no cluster is named, and {} holds {}", self.objects.root(), names.len() + 1),
                hint: format!(
                    "name one of {}",
                    names.iter().chain([&last]).map(ToString::to_string).collect::<Vec<_>>().join(", ")
                ),
            }),
        }
    }
}

impl Session {
    /// Connects to the region of a spec.
    pub(super) async fn for_cluster(global: &GlobalArgs, cluster: &Cluster) -> Result<Self, CliError> {
        check_region(global, cluster)?;
        Self::connect(global, Some(cluster.region.to_string())).await
    }

    /// Connects to the region of a cluster that the state knows; of one that it does not know, to that of the options.
    pub(super) async fn for_name(global: &GlobalArgs, name: Option<&ClusterName>) -> Result<(Self, ClusterName), CliError> {
        let store = Store::open(global).await?;
        let name = store.named(name).await?;
        let given = global.region.as_ref().map(ToString::to_string);
        let region = match cluster_spec(store.objects.as_ref(), &name).await {
            Ok(cluster) => {
                check_region(global, &cluster)?;
                Some(cluster.region.to_string())
            }
            // The command itself says what is lost, or does without.
            Err(OpsError::Store(StoreError::Lost { .. })) => {
                newest_spec(store.objects.as_ref(), &name).await?.map(|spec| spec.region.to_string()).or(given)
            }
            // Its resources may be there all the same; where, only the operator knows.
            Err(error @ OpsError::NoSuchCluster { .. }) => match given {
                Some(region) => Some(region),
                None if Aws::connect(None).await.is_err() => return Err(error.into()),
                None => None,
            },
            Err(error) => return Err(error.into()),
        };
        Ok((Self::connect(global, region).await?, name))
    }

    /// Connects to the region of a revision of a cluster's spec, whatever `cluster.yaml` is like.
    pub(super) async fn for_revision(
        global: &GlobalArgs,
        name: Option<&ClusterName>,
        revision: u32,
    ) -> Result<(Self, ClusterName), CliError> {
        let store = Store::open(global).await?;
        let name = store.named(name).await?;
        let cluster = revision_spec(store.objects.as_ref(), &name, revision).await?;
        Ok((Self::for_cluster(global, &cluster).await?, name))
    }

    async fn connect(global: &GlobalArgs, region: Option<String>) -> Result<Self, CliError> {
        let url = store_url(global)?;
        let aws = connect(region).await?;
        // The first call of any command: missing credentials are told before anything else.
        let identity = identity(&aws).await?;
        let store = match url {
            StoreUrl::File { dir } => Store::directory(dir),
            StoreUrl::S3 { bucket, prefix } => Store::bucket(&aws, &bucket, &prefix, Some(identity.account.clone())).await?,
        };
        Ok(Self { aws, identity, store, manifests: Manifests::nowhere() })
    }

    pub(super) fn region(&self) -> &str {
        self.aws.region()
    }

    /// Whose credentials these are.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The same, with the manifests that lie beside the spec's file.
    pub(super) fn beside(self, file: &Path) -> Self {
        Self { manifests: Manifests::beside(file), ..self }
    }

    /// What the use cases work with.
    pub(super) fn environment<'a>(
        &'a self,
        progress: &'a Progress,
        operator: &'a Terminals<'a>,
        stop: &'a Stop,
    ) -> Environment<'a> {
        Environment {
            aws: &self.aws,
            identity: self.identity.clone(),
            objects: Arc::clone(&self.store.objects),
            state_root: self.store.root.clone(),
            manifests: &self.manifests,
            clock: Arc::new(SystemClock),
            observer: progress,
            operator,
            stop,
        }
    }
}

async fn identity(aws: &Aws) -> Result<Identity, CliError> {
    let identity = aws.identity().await;
    Ok(identity.map_err(|source| OpsError::Cloud { action: "find out whose credentials these are".to_owned(), source })?)
}

/// Any region will do to find a bucket; its own is used from then on.
async fn connect_anywhere(global: &GlobalArgs) -> Result<Aws, CliError> {
    match Aws::connect(global.region.as_ref().map(ToString::to_string)).await {
        Ok(aws) => Ok(aws),
        Err(_) => connect(Some(ANY_REGION.to_owned())).await,
    }
}

async fn connect(region: Option<String>) -> Result<Aws, CliError> {
    let connected = Aws::connect(region).await;
    Ok(connected.map_err(|source| OpsError::Cloud { action: "set up AWS".to_owned(), source })?)
}

/// A region on the command line that is not the cluster's is a mistake worth stopping for.
fn check_region(global: &GlobalArgs, cluster: &Cluster) -> Result<(), CliError> {
    match &global.region {
        Some(region) if *region != cluster.region => Err(CliError::Usage {
            headline: format!("cluster {} is in {}, not in {region}", cluster.name, cluster.region),
            hint: "leave --region out: the spec of a cluster says where it is".to_owned(),
        }),
        _ => Ok(()),
    }
}
