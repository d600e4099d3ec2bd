//! The boundary to AWS, in our own words: what can be asked and told, and how it can fail. `aws/` implements it; nothing
//! above it knows the SDK.

pub mod error;
pub mod facts;
mod fence;
pub mod leftover;
pub mod preflight;
pub mod status;
pub mod world;

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::{Resource, ResourceId};
use crate::spec::{Architecture, Cluster, Image, InstanceType};

pub use error::{CloudError, ErrorClass};
pub use facts::{ExistingNetwork, Facts, HostedZone, Identity, InstanceTypeFacts, ResolvedImage, ResolvedManifest};
pub use fence::Fence;
pub use leftover::{Blocker, Leftover, Obstacles};
pub use preflight::{CloudPreflight, Family, Quota, Room, Verdict};
pub use status::{GroupStatus, InstanceStatus, TargetState};
pub use world::{Observed, Outputs, Physical, World};

/// What to observe.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Name of the cluster, as in the tag `kubernetes.io/cluster/<name>`.
    pub cluster: String,
    /// Hosted zone that may hold the cluster's records: asked for nothing but the names below.
    pub zone_id: Option<String>,
    /// Record names that the cluster may own, without the final dot.
    pub record_names: Vec<String>,
    /// Name of the API's load balancer (`model::load_balancer_name`): asked for whether or not the cluster shall have one, because
    /// it may have had one before its spec changed.
    pub load_balancer_name: Option<String>,
    /// Name of its target group.
    pub target_group_name: Option<String>,
    /// The VPC that the cluster is placed in, where it does not make its own.
    pub vpc: Option<String>,
    /// What the state says that the cluster has made, by id in AWS: a thing that lost its tags is still the cluster's.
    pub known: BTreeMap<String, ResourceId>,
    /// Instance profiles, by ARN, of the cluster's launch templates: the one bulk filter that AWS has for their versions.
    pub instance_profiles: Vec<String>,
}

/// One resource to make.
#[derive(Debug, Clone)]
pub struct Creation<'a> {
    pub id: &'a ResourceId,
    pub resource: &'a Resource,
    /// `ClientToken` where the API takes one: the same for the same content, also in another process.
    pub token: &'a str,
    /// An earlier attempt may have taken effect: look before making another.
    pub retry: bool,
}

/// Whether a resource that was made can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Not yet; why, for the person who waits.
    Pending(String),
    /// It never will; AWS's reason.
    Failed(String),
}

/// Reading and changing a cluster's resources.
///
/// Every call may be repeated. `create` of something that exists already with the cluster's tag is success; `delete` of
/// something that is gone is success.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// The region that regional calls go to.
    fn region(&self) -> &str;

    /// What keeps its calls back. A cloud without one has none to keep back.
    fn fence(&self) -> Fence {
        Fence::default()
    }

    /// Who the credentials belong to (`sts:GetCallerIdentity`).
    async fn identity(&self) -> Result<Identity, CloudError>;

    /// All resources of the cluster: a fixed number of calls, whatever their number and whatever else the account holds.
    async fn observe(&self, scope: &Scope) -> Result<World, CloudError>;

    /// Makes a resource, or finds it made. Its references are looked up in `outputs`.
    async fn create(&self, creation: Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError>;

    /// Changes `observed` into `desired`, where they differ in fields that can be changed in place.
    async fn update(
        &self,
        id: &ResourceId,
        observed: &Observed,
        desired: &Resource,
        outputs: &Outputs,
    ) -> Result<Physical, CloudError>;

    /// Asks for a resource to be removed.
    async fn delete(&self, id: &ResourceId, observed: &Observed) -> Result<(), CloudError>;

    /// Whether a resource that `create` returned is ready for those that refer to it.
    async fn readiness(&self, id: &ResourceId, physical: &Physical) -> Result<Readiness, CloudError>;

    /// Whether a resource that `delete` was called for is gone, so that what it refers to can be removed.
    async fn is_gone(&self, id: &ResourceId, observed: &Observed) -> Result<bool, CloudError>;

    /// What else belongs to the cluster and need not be in its world: made by controllers inside it, or by an interrupted run.
    /// Asked before and between the passes of a deletion. A [`Leftover::Own`] that the world has too is to be ignored: which of
    /// them the world shows depends on the scope.
    async fn leftovers(&self, scope: &Scope) -> Result<Vec<Leftover>, CloudError>;

    /// Removes a leftover. Rules of the cluster's own groups and its controllers' that refer to it go with it.
    async fn delete_leftover(&self, scope: &Scope, leftover: &Leftover) -> Result<(), CloudError>;

    /// What else may keep the cluster's resources from going: those of `world`, which will be removed. Asked before a deletion, and
    /// when something does not go.
    async fn obstacles(&self, scope: &Scope, world: &World) -> Result<Obstacles, CloudError>;
}

/// Facts that a model needs and only AWS knows. Each is asked for once and then recorded in the state.
#[async_trait]
pub trait CloudFacts: Send + Sync {
    /// `None` when there is no such image.
    async fn image(&self, image: &Image, architecture: Architecture) -> Result<Option<ResolvedImage>, CloudError>;

    /// Types that the region does not have are missing from the answer.
    async fn instance_types(&self, types: &[InstanceType]) -> Result<Vec<InstanceTypeFacts>, CloudError>;

    /// Names of the zones of the region that can be used.
    async fn zones(&self) -> Result<Vec<String>, CloudError>;

    /// The hosted zone of a name and visibility; a private one must be associated with `vpc` where that is given. All matches.
    async fn hosted_zones(&self, name: &str, private: bool, vpc: Option<&str>) -> Result<Vec<HostedZone>, CloudError>;

    /// A VPC and subnets that exist already; what is not there is missing from the answer.
    async fn existing_network(&self, vpc: &str, subnets: &[String]) -> Result<ExistingNetwork, CloudError>;
}

/// What `validate` and `get` look at beside the world.
#[async_trait]
pub trait CloudStatus: Send + Sync {
    /// The cluster's autoscaling groups with their instances, without [`GroupStatus::last_failure`].
    async fn groups(&self, cluster: &Cluster) -> Result<Vec<GroupStatus>, CloudError>;

    /// [`GroupStatus::last_failure`] of a group, by its name in AWS.
    async fn last_failure(&self, group_name: &str) -> Result<Option<String>, CloudError>;

    /// The cluster's instances, with those that were terminated a short while ago.
    async fn instances(&self, cluster: &Cluster) -> Result<Vec<InstanceStatus>, CloudError>;

    /// The version that each launch template of the cluster launches by default, by the logical name of its slot or node group.
    async fn template_versions(&self, cluster: &Cluster) -> Result<BTreeMap<String, u64>, CloudError>;

    /// DNS name of the API's load balancer, where there is one.
    async fn load_balancer_dns_name(&self, cluster: &Cluster) -> Result<Option<String>, CloudError>;

    /// Health of the targets of a target group.
    async fn target_health(&self, target_group_arn: &str) -> Result<Vec<TargetState>, CloudError>;

    /// The name servers of a public hosted zone.
    async fn name_servers(&self, zone_id: &str) -> Result<Vec<String>, CloudError>;
}
