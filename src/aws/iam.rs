//! Roles, their inline policies and instance profiles. IAM knows them by name; the path says whose they are.

pub(super) mod observe;

use std::collections::BTreeMap;

use aws_sdk_iam::types::{InstanceProfile as SdkProfile, Tag};

use super::Aws;
use super::error::{answer_without, foreign, not_built, translate};
use crate::cloud::{CloudError, ErrorClass, Physical};
use crate::model::{InstanceProfile, ResourceId, Role, RolePolicy, Tags};

pub(super) async fn create_role(aws: &Aws, id: &ResourceId, role: &Role) -> Result<Physical, CloudError> {
    const OPERATION: &str = "iam:CreateRole";
    let created = aws
        .iam
        .create_role()
        .role_name(&role.name)
        .path(&role.path)
        .assume_role_policy_document(&role.trust_policy)
        .set_tags(Some(tags(OPERATION, &role.tags)?))
        .send()
        .await
        .map_err(|error| translate(OPERATION, error));
    match created {
        Ok(_) => {}
        Err(error) if error.class == ErrorClass::AlreadyExists => adopt_role(aws, id, role).await?,
        Err(error) => return Err(error),
    }
    Ok(Physical::new(&role.name))
}

/// Brings a role that exists already to what it shall be: one whose tags somebody removed is not observed as the cluster's.
async fn adopt_role(aws: &Aws, id: &ResourceId, role: &Role) -> Result<(), CloudError> {
    const OPERATION: &str = "iam:GetRole";
    let found = aws.iam.get_role().role_name(&role.name).send().await.map_err(|error| translate(OPERATION, error))?;
    let found = found.role.ok_or_else(|| answer_without(OPERATION, "Role"))?;
    if found.path != role.path {
        return Err(foreign(OPERATION, id, &format!("the role {}", found.arn)));
    }
    put_trust_policy(aws, role).await?;
    tag_role(aws, role, &role.tags).await
}

pub(super) async fn update_role(aws: &Aws, observed: &Role, desired: &Role) -> Result<(), CloudError> {
    if observed.trust_policy != desired.trust_policy {
        put_trust_policy(aws, desired).await?;
    }
    let changed: Tags = desired
        .tags
        .iter()
        .filter(|(key, value)| observed.tags.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !changed.is_empty() {
        tag_role(aws, desired, &changed).await?;
    }
    let gone: Vec<String> = observed.tags.keys().filter(|key| !desired.tags.contains_key(*key)).cloned().collect();
    if !gone.is_empty() {
        let call = aws.iam.untag_role().role_name(&desired.name).set_tag_keys(Some(gone));
        call.send().await.map_err(|error| translate("iam:UntagRole", error))?;
    }
    Ok(())
}

async fn put_trust_policy(aws: &Aws, role: &Role) -> Result<(), CloudError> {
    let call = aws.iam.update_assume_role_policy().role_name(&role.name).policy_document(&role.trust_policy);
    call.send().await.map_err(|error| translate("iam:UpdateAssumeRolePolicy", error))?;
    Ok(())
}

async fn tag_role(aws: &Aws, role: &Role, changed: &Tags) -> Result<(), CloudError> {
    const OPERATION: &str = "iam:TagRole";
    let call = aws.iam.tag_role().role_name(&role.name).set_tags(Some(tags(OPERATION, changed)?));
    call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(())
}

/// IAM refuses with `DeleteConflict` while the role has policies, is in a profile, or somebody attached a managed policy.
pub(super) async fn delete_role(aws: &Aws, physical: &Physical) -> Result<(), CloudError> {
    gone_is_fine(aws.iam.delete_role().role_name(&physical.id).send().await.map_err(|error| translate("iam:DeleteRole", error)))
}

/// Creates or changes: IAM does not tell the two apart.
pub(super) async fn put_role_policy(aws: &Aws, policy: &RolePolicy, role_name: &str) -> Result<Physical, CloudError> {
    let call = aws.iam.put_role_policy().role_name(role_name).policy_name(&policy.name).policy_document(&policy.document);
    call.send().await.map_err(|error| translate("iam:PutRolePolicy", error))?;
    Ok(Physical::new(policy_id(role_name, &policy.name)))
}

pub(super) async fn delete_role_policy(aws: &Aws, physical: &Physical) -> Result<(), CloudError> {
    // Neither role nor policy names may contain a colon.
    let (role, policy) = physical.id.split_once(':').unwrap_or((&physical.id, ""));
    let call = aws.iam.delete_role_policy().role_name(role).policy_name(policy);
    gone_is_fine(call.send().await.map_err(|error| translate("iam:DeleteRolePolicy", error)))
}

/// Physical id of an inline policy, which has none in AWS: what its calls need.
fn policy_id(role_name: &str, policy_name: &str) -> String {
    format!("{role_name}:{policy_name}")
}

pub(super) async fn create_instance_profile(
    aws: &Aws,
    id: &ResourceId,
    profile: &InstanceProfile,
    role_name: &str,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "iam:CreateInstanceProfile";
    let created = aws
        .iam
        .create_instance_profile()
        .instance_profile_name(&profile.name)
        .path(&profile.path)
        .set_tags(Some(tags(OPERATION, &profile.tags)?))
        .send()
        .await
        .map_err(|error| translate(OPERATION, error));
    match created {
        Ok(_) => {}
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let found = find_profile(aws, &profile.name).await?;
            if found.path != profile.path {
                return Err(foreign(OPERATION, id, &format!("the instance profile {}", found.arn)));
            }
        }
        Err(error) => return Err(error),
    }
    hold_role(aws, &profile.name, role_name).await?;
    Ok(Physical::new(&profile.name))
}

/// Makes a role the one that a profile holds.
pub(super) async fn hold_role(aws: &Aws, profile: &str, role_name: &str) -> Result<(), CloudError> {
    match add_role(aws, profile, role_name).await {
        // A profile holds one role. Whether it is this one, after a lost answer, the error does not say.
        Err(error) if error.class == ErrorClass::Quota => {}
        done => return done,
    }
    let roles = find_profile(aws, profile).await?.roles;
    if roles.iter().any(|role| role.role_name == role_name) {
        return Ok(());
    }
    for role in roles {
        remove_role(aws, profile, &role.role_name).await?;
    }
    add_role(aws, profile, role_name).await
}

pub(super) async fn delete_instance_profile(aws: &Aws, physical: &Physical) -> Result<(), CloudError> {
    let found = match find_profile(aws, &physical.id).await {
        Ok(found) => found,
        Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for role in found.roles {
        remove_role(aws, &physical.id, &role.role_name).await?;
    }
    let call = aws.iam.delete_instance_profile().instance_profile_name(&physical.id);
    gone_is_fine(call.send().await.map_err(|error| translate("iam:DeleteInstanceProfile", error)))
}

async fn find_profile(aws: &Aws, name: &str) -> Result<SdkProfile, CloudError> {
    const OPERATION: &str = "iam:GetInstanceProfile";
    let call = aws.iam.get_instance_profile().instance_profile_name(name);
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    answer.instance_profile.ok_or_else(|| answer_without(OPERATION, "InstanceProfile"))
}

async fn add_role(aws: &Aws, profile: &str, role_name: &str) -> Result<(), CloudError> {
    let call = aws.iam.add_role_to_instance_profile().instance_profile_name(profile).role_name(role_name);
    call.send().await.map_err(|error| translate("iam:AddRoleToInstanceProfile", error))?;
    Ok(())
}

async fn remove_role(aws: &Aws, profile: &str, role_name: &str) -> Result<(), CloudError> {
    let call = aws.iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role_name);
    gone_is_fine(call.send().await.map_err(|error| translate("iam:RemoveRoleFromInstanceProfile", error)))
}

/// Profiles below a path, whether they hold a role or not.
pub(super) async fn profiles_below(aws: &Aws, path: &str) -> Result<Vec<SdkProfile>, CloudError> {
    let pages = aws.iam.list_instance_profiles().path_prefix(path).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("iam:ListInstanceProfiles", error))
}

fn gone_is_fine<T>(result: Result<T, CloudError>) -> Result<(), CloudError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn tags(operation: &'static str, tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, CloudError> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(|error| not_built(operation, error))
}
