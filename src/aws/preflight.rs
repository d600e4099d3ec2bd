//! What is asked before the first write: the policy simulator, quotas, and where instance types can be had.

mod quotas;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{InstanceTypeOffering, LocationType};
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::Aws;
use super::error::{answer_without, translate};
use super::facts::filter;
use crate::cloud::{CloudError, CloudPreflight, ErrorClass, Identity, Quota, Room, Verdict};
use crate::model::policy::operator::{Condition, Grant};

const SIMULATE: &str = "iam:SimulatePrincipalPolicy";
/// IAM's own bucket is small; a plan takes some thirty of these calls.
const CONCURRENCY: usize = 6;
/// Actions in one call; the answer has a page for as many.
const ACTIONS: usize = 100;

#[async_trait]
impl CloudPreflight for Aws {
    async fn permitted(&self, identity: &Identity, grants: &[Grant]) -> Result<Option<Vec<Verdict>>, CloudError> {
        let Some(source) = policy_source(self, identity).await? else { return Ok(None) };
        let questions: Vec<_> = questions(grants).into_iter().map(|question| ask(self, &source, question)).collect();
        let answers: Vec<Answered> = stream::iter(questions).buffer_unordered(CONCURRENCY).try_collect().await?;
        let mut verdicts = Vec::new();
        for grant in grants {
            let of_grant = answers.iter().filter(|answered| answered.question.is_about(grant));
            let mut results = of_grant.flat_map(|answered| &answered.results);
            let found = results.find(|(action, _)| action.eq_ignore_ascii_case(grant.action));
            verdicts.push(
                found.map(|(_, verdict)| verdict.clone()).ok_or_else(|| answer_without(SIMULATE, "result for each action"))?,
            );
        }
        Ok(Some(verdicts))
    }

    async fn role_exists(&self, name: &str) -> Result<bool, CloudError> {
        match self.iam.get_role().role_name(name).send().await.map_err(|error| translate("iam:GetRole", error)) {
            Ok(_) => Ok(true),
            Err(error) if error.class == ErrorClass::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn room(&self, wanted: &[Quota]) -> BTreeMap<Quota, Result<Option<Room>, CloudError>> {
        quotas::room(self, wanted).await
    }

    async fn offered(&self, types: &[String]) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError> {
        let call = self.ec2.describe_instance_type_offerings().location_type(LocationType::AvailabilityZone);
        let pages = call.filters(filter("instance-type", types.iter().cloned())).into_paginator().items().send();
        let found: Result<Vec<InstanceTypeOffering>, _> = pages.collect().await;
        let mut offered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for offering in found.map_err(|error| translate("ec2:DescribeInstanceTypeOfferings", error))? {
            if let (Some(name), Some(zone)) = (offering.instance_type, offering.location) {
                offered.entry(name.as_str().to_owned()).or_default().insert(zone);
            }
        }
        Ok(offered)
    }
}

/// Whose policies apply: the user, or the role of a session, by its ARN with its path, which that of the session lacks. None apply to
/// the root user.
async fn policy_source(aws: &Aws, identity: &Identity) -> Result<Option<String>, CloudError> {
    let what = identity.arn.splitn(6, ':').nth(5).unwrap_or_default();
    let mut parts = what.split('/');
    match (parts.next(), parts.next()) {
        (Some("root"), None) => Ok(None),
        (Some("assumed-role"), Some(name)) => {
            const OPERATION: &str = "iam:GetRole";
            let answer = aws.iam.get_role().role_name(name).send().await.map_err(|error| translate(OPERATION, error))?;
            answer.role.map(|role| Some(role.arn)).ok_or_else(|| answer_without(OPERATION, "Role"))
        }
        _ => Ok(Some(identity.arn.clone())),
    }
}

/// One call of the simulator, which judges all of its actions on one thing and in one context.
struct Question {
    resource: String,
    conditions: Vec<Condition>,
    actions: Vec<String>,
}

struct Answered {
    question: Question,
    results: Vec<(String, Verdict)>,
}

impl Question {
    fn is_about(&self, grant: &Grant) -> bool {
        self.resource == grant.example && self.conditions == grant.conditions
    }
}

fn questions(grants: &[Grant]) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for grant in grants {
        let open = questions.iter_mut().find(|question| question.is_about(grant) && question.actions.len() < ACTIONS);
        match open {
            Some(question) if question.actions.iter().any(|action| action == grant.action) => {}
            Some(question) => question.actions.push(grant.action.to_owned()),
            None => questions.push(Question {
                resource: grant.example.clone(),
                conditions: grant.conditions.clone(),
                actions: vec![grant.action.to_owned()],
            }),
        }
    }
    questions
}

async fn ask(aws: &Aws, source: &str, question: Question) -> Result<Answered, CloudError> {
    let region = context("aws:RequestedRegion", &[aws.region().to_owned()], ContextKeyTypeEnum::String);
    let entries = question.conditions.iter().map(entry).chain([region]).collect();
    let mut call = aws.iam.simulate_principal_policy().policy_source_arn(source).set_context_entries(Some(entries));
    call = call.set_action_names(Some(question.actions.clone()));
    if question.resource != "*" {
        call = call.resource_arns(&question.resource);
    }
    let pages = call.into_paginator().items().send();
    let results: Vec<EvaluationResult> = pages.collect::<Result<_, _>>().await.map_err(|error| translate(SIMULATE, error))?;
    let results = results.iter().map(|result| (result.eval_action_name.clone(), verdict(result))).collect();
    Ok(Answered { question, results })
}

fn verdict(result: &EvaluationResult) -> Verdict {
    let refused = match result.eval_decision {
        PolicyEvaluationDecisionType::Allowed => return Verdict::Allowed,
        PolicyEvaluationDecisionType::ExplicitDeny => Verdict::Denied,
        _ => Verdict::NotAllowed,
    };
    // A policy that asks for something that nobody told, such as where the call comes from, may allow the call itself.
    let of_resources = result.resource_specific_results().iter().flat_map(|resource| resource.missing_context_values());
    let missing: BTreeSet<String> = result.missing_context_values().iter().chain(of_resources).cloned().collect();
    if !missing.is_empty() {
        return Verdict::Depends(missing.into_iter().collect());
    }
    let within_organization = result.organizations_decision_detail().is_none_or(|detail| detail.allowed_by_organizations());
    let within_boundary =
        result.permissions_boundary_decision_detail().is_none_or(|detail| detail.allowed_by_permissions_boundary());
    if within_organization && within_boundary { refused } else { Verdict::Bounded }
}

/// A context in which a condition holds.
fn entry(condition: &Condition) -> ContextEntry {
    let values: Vec<String> = condition.values.iter().map(|value| value.replace('*', "0")).collect();
    let kind = match condition.operator.starts_with("ForAllValues") {
        true => ContextKeyTypeEnum::StringList,
        false => ContextKeyTypeEnum::String,
    };
    context(&condition.key, &values, kind)
}

fn context(key: &str, values: &[String], kind: ContextKeyTypeEnum) -> ContextEntry {
    ContextEntry::builder().context_key_name(key).context_key_type(kind).set_context_key_values(Some(values.to_vec())).build()
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::OrganizationsDecisionDetail;

    use super::*;

    fn result(decision: PolicyEvaluationDecisionType) -> aws_sdk_iam::types::builders::EvaluationResultBuilder {
        EvaluationResult::builder().eval_action_name("ec2:CreateVpc").eval_decision(decision)
    }

    #[test]
    fn a_refusal_for_want_of_context_is_no_refusal() {
        use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
        let of = |builder: aws_sdk_iam::types::builders::EvaluationResultBuilder| verdict(&builder.build().expect("complete"));
        assert_eq!(of(result(Allowed)), Verdict::Allowed);
        assert_eq!(of(result(ExplicitDeny)), Verdict::Denied);
        assert_eq!(of(result(ImplicitDeny)), Verdict::NotAllowed);
        let missing = result(ExplicitDeny).missing_context_values("aws:SourceIp");
        assert_eq!(of(missing), Verdict::Depends(vec!["aws:SourceIp".to_owned()]));
        let detail = OrganizationsDecisionDetail::builder().allowed_by_organizations(false).build();
        assert_eq!(of(result(ImplicitDeny).organizations_decision_detail(detail)), Verdict::Bounded);
    }

    #[test]
    fn actions_on_one_thing_in_one_context_are_asked_about_together() {
        let grant = |action, example: &str, conditions: &[Condition]| Grant {
            action,
            resources: vec![],
            example: example.to_owned(),
            conditions: conditions.to_vec(),
        };
        let tagged = [Condition { operator: "StringEquals", key: "aws:RequestTag/a".into(), values: vec!["b".into()] }];
        let grants = [
            grant("ec2:DescribeVpcs", "*", &[]),
            grant("ec2:DescribeSubnets", "*", &[]),
            grant("ec2:CreateVpc", "arn:vpc/0", &tagged),
            grant("ec2:DescribeVpcs", "*", &[]),
        ];
        let asked: Vec<Vec<String>> = questions(&grants).into_iter().map(|question| question.actions).collect();
        assert_eq!(asked, [vec!["ec2:DescribeVpcs", "ec2:DescribeSubnets"], vec!["ec2:CreateVpc"]]);
    }

    #[test]
    fn a_context_makes_its_condition_hold() {
        let condition = Condition { operator: "ArnLike", key: "ec2:LaunchTemplate".into(), values: vec!["arn:lt/*".into()] };
        assert_eq!(entry(&condition).context_key_values(), ["arn:lt/0"]);
        assert_eq!(entry(&condition).context_key_type(), Some(&ContextKeyTypeEnum::String));
        let all = Condition { operator: "ForAllValues:StringEquals", ..condition };
        assert_eq!(entry(&all).context_key_type(), Some(&ContextKeyTypeEnum::StringList));
    }
}
