//! The cluster as it is: all services are asked at once, then their answers are put together.

use super::{Aws, autoscaling, ec2, elbv2, iam, route53};
use crate::cloud::{CloudError, Scope, World};

pub(super) async fn observe(aws: &Aws, scope: &Scope) -> Result<World, CloudError> {
    let (network, groups, load_balancer, roles, records) = tokio::try_join!(
        ec2::observe(&aws.ec2, aws.region(), scope),
        autoscaling::observe(&aws.autoscaling, scope),
        elbv2::observe::fetch(aws, scope),
        iam::observe::fetch(aws, &scope.cluster),
        route53::fetch(aws, scope),
    )?;
    // References lead from answer to answer: everything needs the ids of the network, templates the load balancer's name, targets
    // the slots' addresses, and records the load balancer and the addresses.
    let ids = network.ids();
    let mut world = World::default();
    network.add_to(&mut world, &ids, load_balancer.api())?;
    load_balancer.add_to(&mut world, scope, &ids)?;
    groups.add_to(&mut world, &ids);
    iam::observe::add_to(&mut world, roles, aws.region(), &scope.cluster);
    route53::add_to(&mut world, records, scope);
    Ok(world)
}
