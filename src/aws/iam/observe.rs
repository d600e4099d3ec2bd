//! The cluster's roles, policies and profiles, out of one listing of the account's roles.

use aws_sdk_iam::types::{EntityType, InstanceProfile as SdkProfile, RoleDetail};

use super::policy_id;
use crate::aws::Aws;
use crate::aws::error::translate;
use crate::cloud::{Blocker, CloudError, Observed, Physical, World};
use crate::model::{
    InstanceProfile, Kind, ROLE_LIMIT, Ref, Resource, ResourceId, Role, RolePolicy, Tags, iam_path, named_thing, policy, tags,
};

/// The cluster's roles as IAM describes them.
///
/// `GetAccountAuthorizationDetails` is the one call that returns roles with tags, inline policies and profiles; `ListRoles` by
/// path would need three more calls for each role. It has no filter by path: the pages depend on the account's number of roles.
pub(in crate::aws) async fn fetch(aws: &Aws, cluster: &str) -> Result<Vec<RoleDetail>, CloudError> {
    let path = iam_path(aws.region(), cluster);
    let mut pages = aws.iam.get_account_authorization_details().filter(EntityType::Role).max_items(1000).into_paginator().send();
    let mut roles = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| translate("iam:GetAccountAuthorizationDetails", error))?;
        let all = page.role_detail_list.unwrap_or_default();
        roles.extend(all.into_iter().filter(|role| role.path.as_deref() == Some(path.as_str())));
    }
    Ok(roles)
}

/// Adds them to the world.
pub(in crate::aws) fn add_to(world: &mut World, roles: Vec<RoleDetail>, region: &str, cluster: &str) {
    let logical = |role: &RoleDetail| logical_name(role, region, cluster);
    let roles: Vec<(String, RoleDetail)> = roles.into_iter().filter_map(|role| Some((logical(&role)?, role))).collect();
    for (logical, role) in &roles {
        let name = role.role_name.as_deref().unwrap_or_default();
        for policy in role.role_policy_list() {
            let (Some(policy_name), Some(document)) = (policy.policy_name(), policy.policy_document()) else { continue };
            let id = ResourceId::new(Kind::RolePolicy, format!("{logical}:{policy_name}"));
            let resource =
                RolePolicy { role: Ref::own(logical.as_str()), name: policy_name.to_owned(), document: canonical(document) };
            add(world, id, resource, policy_id(name, policy_name));
        }
        for profile in role.instance_profile_list() {
            if role.path.as_deref() == Some(profile.path()) {
                let logical_profile = logical_profile(profile, roles.iter().map(|(logical, _)| logical.as_str()), logical);
                let id = ResourceId::new(Kind::InstanceProfile, logical_profile);
                let resource = InstanceProfile {
                    name: profile.instance_profile_name.clone(),
                    path: profile.path.clone(),
                    role: Ref::own(logical.as_str()),
                    // The listing does not return them.
                    tags: Tags::new(),
                };
                add(world, id, resource, profile.instance_profile_name.clone());
            }
        }
        world.held.extend(holders(role, name));
        let resource = Role {
            name: name.to_owned(),
            path: role.path.clone().unwrap_or_default(),
            trust_policy: role.assume_role_policy_document.as_deref().map(canonical).unwrap_or_default(),
            tags: role_tags(role),
        };
        add(world, ResourceId::new(Kind::Role, logical.as_str()), resource, name.to_owned());
    }
}

/// What others gave a role, and IAM does not delete it with: managed policies, and profiles of theirs.
fn holders(role: &RoleDetail, name: &str) -> Vec<Blocker> {
    let account = |arn: &str| match arn.split(':').nth(4) {
        None | Some("" | "aws") => "AWS".to_owned(),
        Some(account) => format!("account {account}"),
    };
    let held = |kind, arn: &str, thing: Option<&str>| Blocker {
        kind,
        id: arn.to_owned(),
        description: thing.map(str::to_owned),
        owner: account(arn),
        keeps: format!("{}/{name}", Kind::Role),
    };
    let policies = role.attached_managed_policies().iter();
    let policies = policies.filter_map(|policy| Some(held("AttachedPolicy", policy.policy_arn()?, policy.policy_name())));
    let profiles = role.instance_profile_list().iter().filter(|profile| role.path.as_deref() != Some(profile.path()));
    let profiles = profiles.map(|profile| held(Kind::InstanceProfile.as_str(), &profile.arn, None));
    policies.chain(profiles).collect()
}

/// What a profile that holds no role would be in the world.
pub(in crate::aws) fn roleless(profile: &SdkProfile) -> (ResourceId, Observed) {
    let resource = InstanceProfile {
        name: profile.instance_profile_name.clone(),
        path: profile.path.clone(),
        role: Ref::Nothing,
        tags: Tags::new(),
    };
    let id = ResourceId::new(Kind::InstanceProfile, profile.instance_profile_name.as_str());
    (id, Observed { resource: resource.into(), physical: Physical::new(profile.instance_profile_name.as_str()) })
}

fn add(world: &mut World, id: ResourceId, resource: impl Into<Resource>, physical: String) {
    let observed = Observed { resource: resource.into(), physical: Physical::new(physical) };
    match world.resources.contains_key(&id) {
        true => world.duplicates.push((id, observed)),
        false => drop(world.resources.insert(id, observed)),
    }
}

/// By its tag; where it lost that, by its name. At the cluster's own path nobody else has one.
fn logical_name(role: &RoleDetail, region: &str, cluster: &str) -> Option<String> {
    match role.tags().iter().find(|tag| tag.key == tags::ID) {
        Some(tag) => ResourceId::parse(&tag.value).filter(|id| id.kind == Kind::Role).map(|id| id.name),
        None => named_thing(region, cluster, role.role_name()?, ROLE_LIMIT).map(str::to_owned),
    }
}

/// A profile has the logical name of the role that it is made for. Its own name begins with that; the role that it holds may be
/// another one, if somebody changed it.
fn logical_profile<'a>(profile: &SdkProfile, roles: impl Iterator<Item = &'a str>, holds: &'a str) -> &'a str {
    let name = profile.instance_profile_name.as_str();
    let mut fitting = roles.filter(|role| name.strip_prefix(role).is_some_and(|rest| rest.starts_with('-')));
    fitting.next().unwrap_or(holds)
}

fn role_tags(role: &RoleDetail) -> Tags {
    // Tags of AWS itself (`aws:cloudformation:…`) can be neither set nor removed.
    let own = role.tags().iter().filter(|tag| !tag.key.starts_with("aws:"));
    own.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// A document as the model writes it. IAM returns documents URL-encoded (RFC 3986).
fn canonical(encoded: &str) -> String {
    let decoded = percent_decoded(encoded);
    match serde_json::from_str(&decoded) {
        Ok(document) => policy::canonical(&document),
        Err(_) => decoded,
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = text.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    use aws_sdk_iam::types::{PolicyDetail, Tag};

    use crate::model::aws_name;

    const REGION: &str = "us-east-1";
    const CLUSTER: &str = "demo.example.com";

    fn profile(name: &str, path: &str) -> SdkProfile {
        SdkProfile::builder()
            .instance_profile_name(name)
            .path(path)
            .instance_profile_id("AIPA1")
            .arn(format!("arn:aws:iam::1:instance-profile{path}{name}"))
            .create_date(aws_sdk_iam::primitives::DateTime::from_secs(0))
            .set_roles(Some(Vec::new()))
            .build()
            .expect("complete")
    }

    fn role(logical: &str, profiles: &[SdkProfile]) -> RoleDetail {
        let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build().expect("complete");
        RoleDetail::builder()
            .role_name(format!("{logical}-c-1234"))
            .path("/kclust/c/")
            .assume_role_policy_document("%7B%22Version%22%3A%20%222012-10-17%22%2C%20%22Statement%22%3A%20%5B%5D%7D")
            .role_policy_list(
                PolicyDetail::builder()
                    .policy_name("kclust")
                    .policy_document("%7B%22b%22%3A1%2C%22a%22%3A%22%C3%A4%2B%22%7D")
                    .build(),
            )
            .tags(tag(tags::ID, format!("Role/{logical}")))
            .tags(tag("aws:made-by", "x".into()))
            .set_instance_profile_list(Some(profiles.to_vec()))
            .build()
    }

    #[test]
    fn roles_bring_their_policies_and_profiles() {
        let own = profile("nodes-c-1234", "/kclust/c/");
        let mut world = World::default();
        add_to(&mut world, vec![role("nodes", &[own, profile("nodes-of-others", "/")])], REGION, CLUSTER);
        let names: Vec<String> = world.resources.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["Role/nodes", "RolePolicy/nodes:kclust", "InstanceProfile/nodes"]);
        let Resource::Role(role) = &world.resources[&ResourceId::new(Kind::Role, "nodes")].resource else { panic!() };
        assert_eq!(role.trust_policy, r#"{"Statement":[],"Version":"2012-10-17"}"#);
        assert_eq!(role.tags.keys().collect::<Vec<_>>(), [tags::ID]);
        let policy = &world.resources[&ResourceId::new(Kind::RolePolicy, "nodes:kclust")];
        assert_eq!(policy.physical.id, "nodes-c-1234:kclust");
        let Resource::RolePolicy(policy) = &policy.resource else { panic!() };
        assert_eq!(policy.document, r#"{"a":"ä+","b":1}"#);
    }

    #[test]
    fn what_others_gave_a_role_keeps_it() {
        use aws_sdk_iam::types::AttachedPolicy;
        let policy = |arn: &str| AttachedPolicy::builder().policy_name("audit").policy_arn(arn).build();
        let mut held = role("nodes", &[profile("nodes-c-1234", "/kclust/c/"), profile("theirs", "/")]);
        held.attached_managed_policies =
            Some(vec![policy("arn:aws:iam::2:policy/audit"), policy("arn:aws:iam::aws:policy/audit")]);
        let mut world = World::default();
        add_to(&mut world, vec![held], REGION, CLUSTER);
        let told: Vec<String> = world.held.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "AttachedPolicy/arn:aws:iam::2:policy/audit \"audit\" of account 2 keeps Role/nodes-c-1234",
                "AttachedPolicy/arn:aws:iam::aws:policy/audit \"audit\" of AWS keeps Role/nodes-c-1234",
                "InstanceProfile/arn:aws:iam::1:instance-profile/theirs of account 1 keeps Role/nodes-c-1234",
            ]
        );
    }

    #[test]
    fn a_role_that_lost_its_tag_is_known_by_its_name() {
        let name = aws_name(REGION, CLUSTER, "nodes", ROLE_LIMIT);
        let (mut untagged, mut of_others) = (role("nodes", &[]), role("nodes", &[]));
        (untagged.role_name, untagged.tags) = (Some(name), None);
        (of_others.role_name, of_others.tags) = (Some("nodes-of-others".into()), None);
        let mut world = World::default();
        add_to(&mut world, vec![untagged, of_others], REGION, CLUSTER);
        let names: Vec<String> = world.resources.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["Role/nodes", "RolePolicy/nodes:kclust"]);
        assert!(world.duplicates.is_empty());
    }

    #[test]
    fn a_profile_that_holds_the_wrong_role_keeps_its_name() {
        let swapped = profile("nodes-c-1234", "/kclust/c/");
        let mut world = World::default();
        add_to(&mut world, vec![role("control-plane", &[swapped]), role("nodes", &[])], REGION, CLUSTER);
        let profile = &world.resources[&ResourceId::new(Kind::InstanceProfile, "nodes")].resource;
        let Resource::InstanceProfile(profile) = profile else { panic!() };
        assert_eq!(profile.role, Ref::own("control-plane"));
    }

    #[test]
    fn what_is_not_encoded_stays() {
        assert_eq!(percent_decoded("100% {\"a\":1} %zz %4"), "100% {\"a\":1} %zz %4");
        assert_eq!(percent_decoded("%"), "%");
    }
}
