//! Grants as policy documents.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::limit::{Condition, Grant};

/// Characters of a managed policy, white space not counted.
pub const MANAGED_POLICY_LIMIT: usize = 6144;

/// Keys whose values tell for which call something is allowed: statements that differ in nothing else become one.
const CALLS: [&str; 2] = ["ec2:CreateAction", "elasticloadbalancing:CreateAction"];

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Statement {
    resources: Vec<String>,
    conditions: Vec<Condition>,
    actions: Vec<&'static str>,
}

/// The one document that allows all of it.
pub fn document(grants: &[Grant]) -> Json {
    of_statements(&statements(grants))
}

/// The same in documents that each fit into a managed policy. Each document is of some use by itself, and all of them together allow what
/// the one would.
pub fn parts(grants: &[Grant]) -> Vec<Json> {
    let mut parts: Vec<Vec<Statement>> = Vec::new();
    for statement in statements(grants) {
        let room = parts.iter_mut().find(|part| {
            let together: Vec<Statement> = part.iter().chain([&statement]).cloned().collect();
            characters(&of_statements(&together)) <= MANAGED_POLICY_LIMIT
        });
        match room {
            Some(part) => part.push(statement),
            None => parts.push(vec![statement]),
        }
    }
    parts.iter().map(|part| of_statements(part)).collect()
}

/// Characters as IAM counts them. No text of a policy has a space in it.
pub fn characters(document: &Json) -> usize {
    document.to_string().len()
}

/// Grants that are alike in two of three (actions; resources; conditions) become one statement, in an order that is always the same.
fn statements(grants: &[Grant]) -> Vec<Statement> {
    let mut by_limit: BTreeMap<(Vec<String>, Vec<Condition>), Vec<&'static str>> = BTreeMap::new();
    for grant in grants {
        let actions = by_limit.entry((grant.resources.clone(), grant.conditions.clone())).or_default();
        actions.push(grant.action);
        actions.sort_unstable();
        actions.dedup();
    }
    let statements = by_limit.into_iter().map(|((resources, conditions), actions)| Statement { resources, conditions, actions });
    let statements = merged(statements.collect(), |one, other| {
        let calls = |statement: &Statement| statement.conditions.iter().position(|condition| CALLS.contains(&&*condition.key));
        let (Some(at), Some(same)) = (calls(one), calls(other)) else { return false };
        let rest = |statement: &Statement| {
            let mut conditions = statement.conditions.clone();
            conditions[at].values.clear();
            conditions
        };
        if at != same || one.actions != other.actions || one.resources != other.resources || rest(one) != rest(other) {
            return false;
        }
        let values = other.conditions[at].values.clone();
        one.conditions[at].values.extend(values);
        one.conditions[at].values.sort();
        true
    });
    let statements = merged(statements, |one, other| {
        let alike = one.actions == other.actions && one.conditions == other.conditions;
        if alike {
            one.resources.extend(other.resources.iter().cloned());
            one.resources.sort();
            one.resources.dedup();
        }
        alike
    });
    let mut sorted = statements;
    sorted.sort_by(|a, b| (&a.actions, a).cmp(&(&b.actions, b)));
    sorted
}

/// Puts each statement into the first that takes it.
fn merged(statements: Vec<Statement>, take: impl Fn(&mut Statement, &Statement) -> bool) -> Vec<Statement> {
    let mut kept: Vec<Statement> = Vec::new();
    for statement in statements {
        if !kept.iter_mut().any(|earlier| take(earlier, &statement)) {
            kept.push(statement);
        }
    }
    kept
}

fn of_statements(statements: &[Statement]) -> Json {
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(of_statement).collect::<Vec<_>>() })
}

fn of_statement(statement: &Statement) -> Json {
    let mut json = json!({ "Effect": "Allow", "Action": statement.actions, "Resource": one_or_many(&statement.resources) });
    if !statement.conditions.is_empty() {
        let mut conditions = Map::new();
        for condition in &statement.conditions {
            conditions.entry(condition.operator).or_insert_with(|| json!({}))[&condition.key] = one_or_many(&condition.values);
        }
        json["Condition"] = conditions.into();
    }
    json
}

fn one_or_many(values: &[String]) -> Json {
    match values {
        [one] => json!(one),
        many => json!(many),
    }
}
