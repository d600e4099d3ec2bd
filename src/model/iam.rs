//! A role, its policy and its instance profile for each kind of machine, unless the spec names a profile that exists.

use super::build::Builder;
use super::id::Ref;
use super::names::{COMMON_LIMIT, ROLE_LIMIT};
use super::policy;
use super::resource::{InstanceProfile, InstanceProfileRef, Kind, Role, RolePolicy};
use super::security::{CONTROL_PLANE, NODES};

/// Name of the one inline policy of a role.
pub const ROLE_POLICY: &str = "kclust";

pub(super) fn add(builder: &mut Builder<'_>) {
    if builder.cluster.iam.control_plane_profile.is_none() {
        let document = policy::control_plane(builder.cluster, builder.facts);
        add_profile(builder, CONTROL_PLANE, document);
    }
    if builder.cluster.iam.node_profile.is_none() {
        let document = policy::nodes(builder.facts);
        add_profile(builder, NODES, document);
    }
}

fn add_profile(builder: &mut Builder<'_>, name: &str, document: String) {
    let path = builder.iam_path();
    let role = Role {
        name: builder.aws_name(name, ROLE_LIMIT),
        path: path.clone(),
        trust_policy: policy::trust(builder.facts),
        tags: builder.tags(Kind::Role, name),
    };
    builder.add(name, role);
    builder.add(format!("{name}:{ROLE_POLICY}"), RolePolicy { role: Ref::own(name), name: ROLE_POLICY.to_owned(), document });
    let profile = InstanceProfile {
        name: profile_name(builder, name),
        path,
        role: Ref::own(name),
        tags: builder.tags(Kind::InstanceProfile, name),
    };
    builder.add(name, profile);
}

fn profile_name(builder: &Builder<'_>, name: &str) -> String {
    builder.aws_name(name, COMMON_LIMIT)
}

pub(super) fn control_plane_profile(builder: &Builder<'_>) -> InstanceProfileRef {
    profile(builder, builder.cluster.iam.control_plane_profile.as_ref(), CONTROL_PLANE)
}

pub(super) fn node_profile(builder: &Builder<'_>) -> InstanceProfileRef {
    profile(builder, builder.cluster.iam.node_profile.as_ref(), NODES)
}

fn profile(builder: &Builder<'_>, foreign: Option<&String>, name: &str) -> InstanceProfileRef {
    match foreign {
        Some(arn) => InstanceProfileRef::Foreign { arn: arn.clone() },
        None => InstanceProfileRef::Own {
            profile: Ref::own(name),
            arn: format!(
                "arn:{}:iam::{}:instance-profile{}{}",
                builder.facts.partition,
                builder.facts.account,
                builder.iam_path(),
                profile_name(builder, name)
            ),
        },
    }
}
