//! What a report says, in a form that is short to compare.

use crate::health::{Check, CheckStatus, Report};

/// Status, message, lines of the cause and resources of one check.
pub type Told<'a> = (CheckStatus, &'a str, Vec<&'a str>, Vec<&'a str>);

pub fn find<'a>(report: &'a Report, name: &str) -> &'a Check {
    report.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}"))
}

pub fn told<'a>(report: &'a Report, name: &str) -> Told<'a> {
    let check = find(report, name);
    let cause = check.cause.iter().flat_map(|cause| cause.lines()).collect();
    (check.status, &check.message, cause, check.resources.iter().map(String::as_str).collect())
}

pub fn ok(message: &str) -> Told<'_> {
    (CheckStatus::Ok, message, Vec::new(), Vec::new())
}

pub fn skipped(message: &str) -> Told<'_> {
    (CheckStatus::Skipped, message, Vec::new(), Vec::new())
}

pub fn unknown<'a>(message: &'a str, cause: &'a str) -> Told<'a> {
    (CheckStatus::Unknown, message, vec![cause], Vec::new())
}

pub fn failed<'a>(message: &'a str, cause: &[&'a str], resources: &[&'a str]) -> Told<'a> {
    (CheckStatus::Failed, message, cause.to_vec(), resources.to_vec())
}

/// The names of the checks that are not `ok`.
pub fn not_ok(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| check.status != CheckStatus::Ok).map(|check| check.name.as_str()).collect()
}
