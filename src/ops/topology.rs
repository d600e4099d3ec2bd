//! `kclust get topology`: everything that a picture of a cluster shows.

use crate::inventory::{Console, resources};
use crate::model::{API, Kind, ResourceId};
use crate::spec::ClusterName;
use crate::topology::{Source, Topology};

use super::error::OpsError;
use super::get::observation;
use super::{ApiProbe, Environment, FleetWatch, StateRoot};

/// Looks at a cluster: its resources, what runs of it, and the targets of its load balancer.
pub async fn topology(environment: &Environment<'_>, name: &ClusterName, api: &dyn ApiProbe) -> Result<Topology, OpsError> {
    let observed = observation(environment, name).await?;
    let mut watch = FleetWatch::open(environment, name, api).await?;
    let target_group = observed.world.resources.get(&ResourceId::new(Kind::TargetGroup, API));
    let targets = async {
        match target_group {
            Some(group) => environment.aws.target_health(&group.physical.id).await.map_err(|error| error.to_string()),
            None => Ok(Vec::new()),
        }
    };
    let (fleet, targets) = tokio::join!(watch.look(true), targets);
    let fleet = fleet?;
    let bucket = matches!(environment.state_root, StateRoot::S3 { .. });
    let console = Console::new(&observed.facts, observed.cluster.region.as_str(), bucket);
    let rows = resources(&observed.world, &observed.drift, &console);
    Ok(Topology::new(&Source {
        facts: &observed.facts,
        world: &observed.world,
        resources: &rows,
        fleet: &fleet,
        targets: &targets,
        at: environment.clock.now(),
    }))
}
