//! Which service a resource belongs to. The matches name every kind, so that a new one does not compile before it has a place.

use async_trait::async_trait;

use super::error::own;
use super::reference::resolve;
use super::{Aws, autoscaling, caller, ec2, elbv2, iam, leftovers, observe, obstacles, route53};
use crate::cloud::{
    Cloud, CloudError, Creation, ErrorClass, Fence, Identity, Leftover, Observed, Obstacles, Outputs, Physical, Readiness, Scope,
    World,
};
use crate::model::{Resource, ResourceId};

#[async_trait]
impl Cloud for Aws {
    fn region(&self) -> &str {
        self.region()
    }

    fn fence(&self) -> Fence {
        self.fence.clone()
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        let refused = match caller::identity(self, self.region()).await {
            Err(error) if matches!(error.class, ErrorClass::Credentials | ErrorClass::Unreachable) => error,
            answer => return answer,
        };
        match caller::is_known_at_home(self).await {
            true => Err(caller::no_such_region(self, &refused)),
            false => Err(refused),
        }
    }

    async fn observe(&self, scope: &Scope) -> Result<World, CloudError> {
        observe::observe(self, scope).await
    }

    async fn create(&self, creation: Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError> {
        let id = creation.id;
        match creation.resource {
            Resource::Vpc(_)
            | Resource::InternetGateway(_)
            | Resource::Subnet(_)
            | Resource::ElasticIp(_)
            | Resource::NatGateway(_)
            | Resource::RouteTable(_)
            | Resource::Route(_)
            | Resource::RouteTableAssociation(_)
            | Resource::VpcEndpoint(_)
            | Resource::SecurityGroup(_)
            | Resource::SecurityGroupRule(_)
            | Resource::KeyPair(_)
            | Resource::NetworkInterface(_)
            | Resource::Volume(_)
            | Resource::LaunchTemplate(_) => ec2::create(&self.ec2, &creation, outputs).await,
            Resource::AutoscalingGroup(_) => autoscaling::create(&self.autoscaling, &creation, outputs).await,
            Resource::Role(role) => iam::create_role(self, id, role).await.map_err(not_visible_yet),
            Resource::RolePolicy(policy) => {
                let role = resolve("iam:PutRolePolicy", outputs, &policy.role)?;
                iam::put_role_policy(self, policy, &role).await.map_err(not_visible_yet)
            }
            Resource::InstanceProfile(profile) => {
                let role = resolve("iam:AddRoleToInstanceProfile", outputs, &profile.role)?;
                iam::create_instance_profile(self, id, profile, &role).await.map_err(not_visible_yet)
            }
            Resource::LoadBalancer(load_balancer) => {
                elbv2::create_load_balancer(self, id, load_balancer, outputs).await.map_err(not_visible_yet)
            }
            Resource::TargetGroup(group) => elbv2::create_target_group(self, id, group, outputs).await.map_err(not_visible_yet),
            Resource::Listener(listener) => elbv2::create_listener(self, listener, outputs).await.map_err(not_visible_yet),
            Resource::Target(target) => elbv2::create_target(self, target, outputs).await.map_err(not_visible_yet),
            // A hosted zone that is not found is no zone of this run's making: it will not turn up.
            Resource::DnsRecord(record) => route53::put_record(self, record, outputs).await,
            Resource::BootstrapObject(_) | Resource::ControlPlaneSettings(_) => Err(kept_elsewhere(id)),
        }
    }

    async fn update(
        &self,
        id: &ResourceId,
        observed: &Observed,
        desired: &Resource,
        outputs: &Outputs,
    ) -> Result<Physical, CloudError> {
        let physical = &observed.physical;
        let updated = match (&observed.resource, desired) {
            (
                _,
                Resource::Vpc(_)
                | Resource::InternetGateway(_)
                | Resource::Subnet(_)
                | Resource::ElasticIp(_)
                | Resource::NatGateway(_)
                | Resource::RouteTable(_)
                | Resource::Route(_)
                | Resource::RouteTableAssociation(_)
                | Resource::VpcEndpoint(_)
                | Resource::SecurityGroup(_)
                | Resource::SecurityGroupRule(_)
                | Resource::KeyPair(_)
                | Resource::NetworkInterface(_)
                | Resource::Volume(_)
                | Resource::LaunchTemplate(_),
            ) => return ec2::update(&self.ec2, observed, desired, outputs).await,
            (_, Resource::AutoscalingGroup(_)) => {
                return autoscaling::update(&self.autoscaling, observed, desired, outputs).await;
            }
            (_, Resource::DnsRecord(desired)) => return route53::put_record(self, desired, outputs).await,
            (_, Resource::BootstrapObject(_) | Resource::ControlPlaneSettings(_)) => return Err(kept_elsewhere(id)),
            (Resource::Role(observed), Resource::Role(desired)) => iam::update_role(self, observed, desired).await,
            (Resource::RolePolicy(_), Resource::RolePolicy(desired)) => {
                let role = resolve("iam:PutRolePolicy", outputs, &desired.role)?;
                iam::put_role_policy(self, desired, &role).await.map(|_| ())
            }
            (Resource::InstanceProfile(_), Resource::InstanceProfile(desired)) => {
                let role = resolve("iam:AddRoleToInstanceProfile", outputs, &desired.role)?;
                iam::hold_role(self, &desired.name, &role).await
            }
            (Resource::LoadBalancer(observed), Resource::LoadBalancer(desired)) => {
                elbv2::update_load_balancer(self, physical, observed, desired, outputs).await
            }
            (Resource::TargetGroup(observed), Resource::TargetGroup(desired)) => {
                elbv2::update_target_group(self, &physical.id, observed, desired).await
            }
            (Resource::Listener(_), Resource::Listener(desired)) => {
                elbv2::update_listener(self, &physical.id, desired, outputs).await
            }
            // Another address is another target; the rest is a pair of different kinds.
            (
                _,
                Resource::Role(_)
                | Resource::RolePolicy(_)
                | Resource::InstanceProfile(_)
                | Resource::LoadBalancer(_)
                | Resource::TargetGroup(_)
                | Resource::Listener(_)
                | Resource::Target(_),
            ) => return Err(own("update", ErrorClass::Invalid, format!("{id} cannot be changed in place"))),
        };
        updated.map(|()| physical.clone()).map_err(not_visible_yet)
    }

    async fn delete(&self, id: &ResourceId, observed: &Observed) -> Result<(), CloudError> {
        let physical = &observed.physical;
        let deleted = match &observed.resource {
            Resource::Vpc(_)
            | Resource::InternetGateway(_)
            | Resource::Subnet(_)
            | Resource::ElasticIp(_)
            | Resource::NatGateway(_)
            | Resource::RouteTable(_)
            | Resource::Route(_)
            | Resource::RouteTableAssociation(_)
            | Resource::VpcEndpoint(_)
            | Resource::SecurityGroup(_)
            | Resource::SecurityGroupRule(_)
            | Resource::KeyPair(_)
            | Resource::NetworkInterface(_)
            | Resource::Volume(_)
            | Resource::LaunchTemplate(_) => ec2::delete(&self.ec2, id, observed).await,
            Resource::AutoscalingGroup(_) => autoscaling::delete(&self.autoscaling, observed).await,
            Resource::Role(_) => iam::delete_role(self, physical).await,
            Resource::RolePolicy(_) => iam::delete_role_policy(self, physical).await,
            Resource::InstanceProfile(_) => iam::delete_instance_profile(self, physical).await,
            Resource::LoadBalancer(_) => elbv2::delete_load_balancer(self, &physical.id).await,
            Resource::TargetGroup(_) => elbv2::delete_target_group(self, &physical.id).await,
            Resource::Listener(_) => elbv2::delete_listener(self, &physical.id).await,
            Resource::Target(target) => elbv2::delete_target(self, physical, target).await,
            Resource::DnsRecord(record) => route53::delete_record(self, record).await,
            Resource::BootstrapObject(_) | Resource::ControlPlaneSettings(_) => Err(kept_elsewhere(id)),
        };
        gone_is_fine(deleted)
    }

    async fn readiness(&self, id: &ResourceId, physical: &Physical) -> Result<Readiness, CloudError> {
        // Nothing else has to be waited for: see the services.
        ec2::readiness(&self.ec2, id.kind, physical).await
    }

    async fn is_gone(&self, id: &ResourceId, observed: &Observed) -> Result<bool, CloudError> {
        match &observed.resource {
            Resource::LoadBalancer(_) => elbv2::load_balancer_is_gone(self, &observed.physical.id).await,
            Resource::AutoscalingGroup(_) => autoscaling::is_gone(&self.autoscaling, observed).await,
            Resource::Vpc(_)
            | Resource::InternetGateway(_)
            | Resource::Subnet(_)
            | Resource::ElasticIp(_)
            | Resource::NatGateway(_)
            | Resource::RouteTable(_)
            | Resource::Route(_)
            | Resource::RouteTableAssociation(_)
            | Resource::VpcEndpoint(_)
            | Resource::SecurityGroup(_)
            | Resource::SecurityGroupRule(_)
            | Resource::KeyPair(_)
            | Resource::NetworkInterface(_)
            | Resource::Volume(_)
            | Resource::LaunchTemplate(_) => ec2::is_gone(&self.ec2, id, observed).await,
            Resource::Role(_)
            | Resource::RolePolicy(_)
            | Resource::InstanceProfile(_)
            | Resource::TargetGroup(_)
            | Resource::Listener(_)
            | Resource::Target(_)
            | Resource::DnsRecord(_)
            | Resource::BootstrapObject(_)
            | Resource::ControlPlaneSettings(_) => Ok(true),
        }
    }

    async fn leftovers(&self, scope: &Scope) -> Result<Vec<Leftover>, CloudError> {
        leftovers::find(self, scope).await
    }

    async fn delete_leftover(&self, scope: &Scope, leftover: &Leftover) -> Result<(), CloudError> {
        match leftover {
            Leftover::Own { id, observed } => self.delete(id, observed).await,
            other => gone_is_fine(leftovers::delete(self, &scope.cluster, other).await),
        }
    }

    async fn obstacles(&self, scope: &Scope, world: &World) -> Result<Obstacles, CloudError> {
        obstacles::find(self, scope, world).await
    }
}

/// What is not found while something is made or changed is what the plan made a moment ago: IAM and ELB are eventually consistent.
fn not_visible_yet(mut error: CloudError) -> CloudError {
    if error.class == ErrorClass::NotFound {
        error.class = ErrorClass::NotYet;
    }
    error
}

/// Deleting what is gone already is success.
fn gone_is_fine(deleted: Result<(), CloudError>) -> Result<(), CloudError> {
    match deleted {
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        deleted => deleted,
    }
}

fn kept_elsewhere(id: &ResourceId) -> CloudError {
    own("aws", ErrorClass::Invalid, format!("{id} is kept by the state store"))
}
