//! Things of the cluster's own kinds that its world does not show: each is observed through something else that an interrupted
//! run may not have made, or has removed already.

use aws_sdk_ec2::types::{Filter, LaunchTemplate as SdkTemplate, State, Tag, VpcEndpoint as SdkEndpoint};

use crate::aws::Aws;
use crate::aws::error::translate;
use crate::aws::facts::filter;
use crate::aws::iam;
use crate::cloud::{CloudError, Leftover, Observed, Physical, Scope};
use crate::model::{
    Disk, InstanceProfileRef, Kind, LaunchNetwork, LaunchTemplate, Ref, Resource, ResourceId, Tags, UserData, VpcEndpoint,
    iam_path, tags,
};

pub(super) async fn find(aws: &Aws, scope: &Scope) -> Result<Vec<Leftover>, CloudError> {
    let cluster = scope.cluster.as_str();
    let path = iam_path(aws.region(), cluster);
    let (templates, endpoints, profiles) =
        tokio::try_join!(templates(aws, cluster), endpoints(aws, scope), iam::profiles_below(aws, &path))?;
    let of_controllers: Vec<Leftover> = templates.iter().filter_map(of_controller).collect();
    let mut found: Vec<(ResourceId, Observed)> = templates.iter().filter_map(read_template).collect();
    found.extend(endpoints.iter().filter_map(|endpoint| read_endpoint(endpoint, scope)));
    // One with a role is observed through the role.
    found.extend(profiles.iter().filter(|profile| profile.roles.is_empty()).map(iam::observe::roleless));
    let found = found.into_iter().map(|(id, observed)| Leftover::Own { id, observed });
    Ok(found.chain(of_controllers).collect())
}

/// All launch templates of the cluster: in the world they are found by their instance profiles, which a state that is lost, or
/// was written by an earlier spec, does not name. Node autoscalers make some too.
async fn templates(aws: &Aws, cluster: &str) -> Result<Vec<SdkTemplate>, CloudError> {
    let pages = aws.ec2.describe_launch_templates().filters(super::owned(cluster)).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeLaunchTemplates", error))
}

/// All gateway endpoints of the cluster, also where they lost their tags and the state knows them: in the world one is found in
/// the route tables.
async fn endpoints(aws: &Aws, scope: &Scope) -> Result<Vec<SdkEndpoint>, CloudError> {
    let tagged = vec![super::owned(&scope.cluster), filter("tag-key", [tags::ID.to_owned()])];
    let mut found = described(aws, tagged).await?;
    let is_missing = |id: &String| found.iter().all(|endpoint| endpoint.vpc_endpoint_id() != Some(id));
    let known = scope.known.iter().filter(|(_, id)| id.kind == Kind::VpcEndpoint).map(|(physical, _)| physical.clone());
    let missing: Vec<String> = known.filter(is_missing).collect();
    if !missing.is_empty() {
        found.extend(described(aws, vec![filter("vpc-endpoint-id", missing)]).await?);
    }
    Ok(found)
}

async fn described(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<SdkEndpoint>, CloudError> {
    let pages = aws.ec2.describe_vpc_endpoints().set_filters(Some(filters)).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeVpcEndpoints", error))
}

fn of_controller(template: &SdkTemplate) -> Option<Leftover> {
    if super::has(template.tags(), tags::ID) {
        return None;
    }
    let name = template.launch_template_name.clone().unwrap_or_default();
    Some(Leftover::LaunchTemplate { id: template.launch_template_id.clone()?, name })
}

/// Only what its removal needs: nothing is compared with it.
fn read_template(template: &SdkTemplate) -> Option<(ResourceId, Observed)> {
    let id = logical_id(template.tags(), Kind::LaunchTemplate)?;
    let resource = LaunchTemplate {
        name: template.launch_template_name.clone().unwrap_or_default(),
        image: String::new(),
        instance_type: String::new(),
        key_pair: None,
        instance_profile: InstanceProfileRef::Foreign { arn: String::new() },
        network: LaunchNetwork::Groups { security_groups: Vec::new(), public_ip: false },
        root_device: String::new(),
        root_disk: Disk { size_gib: 0, volume_type: String::new(), iops: None, throughput: None, encrypted: false },
        metadata_hop_limit: 0,
        metadata_tokens_required: false,
        user_data: UserData { text: String::new(), api_name_of: None },
        instance_tags: Tags::new(),
        tags: Tags::new(),
    };
    Some((id, observed(resource, template.launch_template_id.as_deref()?)))
}

fn read_endpoint(endpoint: &SdkEndpoint, scope: &Scope) -> Option<(ResourceId, Observed)> {
    if matches!(endpoint.state(), Some(State::Deleting | State::Deleted)) {
        return None;
    }
    let known = || {
        let is_other = super::names_another_cluster(endpoint.tags(), &scope.cluster);
        scope.known.get(endpoint.vpc_endpoint_id()?).filter(|id| id.kind == Kind::VpcEndpoint && !is_other).cloned()
    };
    let id = logical_id(endpoint.tags(), Kind::VpcEndpoint).or_else(known)?;
    let service = endpoint.service_name.clone().unwrap_or_default();
    let resource = VpcEndpoint { vpc: Ref::Nothing, service, route_tables: Vec::new(), tags: Tags::new() };
    Some((id, observed(resource, endpoint.vpc_endpoint_id.as_deref()?)))
}

fn observed(resource: impl Into<Resource>, physical: &str) -> Observed {
    Observed { resource: resource.into(), physical: Physical::new(physical) }
}

fn logical_id(found: &[Tag], kind: Kind) -> Option<ResourceId> {
    ResourceId::parse(super::value(found, tags::ID)?).filter(|id| id.kind == kind)
}
