//! What does not pass, at every call: the command fails at once and says why, and without the refusal the same command converges.

use serde_json::{Value as Json, json};

use super::kills::converges;
use super::stage::{Action, Bench, Example};
use super::tally::{Proof, Tally, sample, try_all};
use super::{HA_PRIVATE, MINIMAL};
use crate::bad_days::denied::{denial, is_asked_by_the_preflight, permission};

/// A refusal is not tried again, and nobody waits: what does not need the refused call goes on. In seconds without any call, which
/// do not depend on how fast the machine is.
const PROMPT: f64 = 10.0;

struct Point {
    stage: usize,
    what: &'static str,
    action: Action,
}

/// What AWS says when there are too many of a kind.
fn quota((service, action): &Action) -> Option<Json> {
    let (status, code) = match (service.as_str(), action.as_str()) {
        ("ec2", "CreateVpc") => (400, "VpcLimitExceeded"),
        ("ec2", "CreateSubnet") => (400, "SubnetLimitExceeded"),
        ("ec2", "CreateInternetGateway") => (400, "InternetGatewayLimitExceeded"),
        ("ec2", "CreateNatGateway") => (400, "NatGatewayLimitExceeded"),
        ("ec2", "CreateRouteTable") => (400, "RouteTableLimitExceeded"),
        ("ec2", "CreateRoute") => (400, "RouteLimitExceeded"),
        ("ec2", "CreateSecurityGroup") => (400, "SecurityGroupLimitExceeded"),
        ("ec2", "CreateVpcEndpoint") => (400, "VpcEndpointLimitExceeded"),
        ("ec2", "CreateVolume") => (400, "VolumeLimitExceeded"),
        ("ec2", "AllocateAddress") => (400, "AddressLimitExceeded"),
        ("ec2", "AuthorizeSecurityGroupIngress") => (400, "RulesPerSecurityGroupLimitExceeded"),
        ("elbv2", "CreateLoadBalancer") => (400, "TooManyLoadBalancers"),
        ("elbv2", "CreateTargetGroup") => (400, "TooManyTargetGroups"),
        ("elbv2", "CreateListener") => (400, "TooManyListeners"),
        ("elbv2", "RegisterTargets") => (400, "TooManyTargets"),
        ("iam", "CreateRole" | "CreateInstanceProfile") => (409, "LimitExceeded"),
        ("autoscaling", "CreateAutoScalingGroup") => (400, "LimitExceeded"),
        ("s3", "CreateBucket") => (400, "TooManyBuckets"),
        _ => return None,
    };
    let message = "The maximum number has been reached";
    Some(json!({ "service": service, "action": action, "status": status, "code": code, "message": message }))
}

/// Who may not do this gives the lock back all the same: it runs out. Who may not read the bucket's tags did not make it. And what the
/// preflight may not ask is a warning.
fn is_no_failure(action: &Action) -> bool {
    action.0 == "s3" && matches!(action.1.as_str(), "DeleteObject" | "GetBucketTagging") || is_asked_by_the_preflight(action)
}

fn points(bench: &Bench) -> Vec<Point> {
    let mut points = Vec::new();
    for (stage, command) in bench.stages.iter().enumerate() {
        for action in command.actions() {
            if quota(&action).is_some() {
                points.push(Point { stage, what: "quota", action: action.clone() });
            }
            if !is_no_failure(&action) {
                points.push(Point { stage, what: "denied", action });
            }
        }
    }
    points
}

fn name(bench: &Bench, point: &Point) -> String {
    format!("{} {} {}:{}", bench.stages[point.stage].name, point.what, point.action.0, point.action.1)
}

fn attempt(bench: &Bench, point: &Point, _: &Tally) -> Result<Proof, String> {
    let stage = &bench.stages[point.stage];
    bench.begin(stage);
    let refusal = match point.what {
        "quota" => quota(&point.action).expect("a point of this action"),
        _ => denial(&point.action),
    };
    bench.account.set_faults(&json!([refusal]));
    let run = bench.run(stage);
    bench.account.set_faults(&json!([]));
    let of_action = |(service, action): &Action| (service, action) == (&point.action.0, &point.action.1);
    let undisturbed = stage.calls.iter().filter(|call| of_action(call)).count();
    let calls = bench.account.calls();
    let refused = calls.iter().filter(|call| call["fault"].is_string()).count();
    if refused == 0 || refused > undisturbed {
        return Err(format!("{refused} calls were refused, of {undisturbed} that there are"));
    }
    if run.code == 0 {
        // What cannot be asked is known from before; that it could not is said.
        return match run.stderr.contains(&permission(&point.action)) {
            true => bench.compare(stage, &bench.account.canonical_world()).map(|()| Proof::Unaided),
            false => Err(format!("it ended well, and says nothing of the refusal:\n{}", run.stderr)),
        };
    }
    match point.what {
        "quota" => run.fails(1, &["The maximum number has been reached", "ask for a higher limit in Service Quotas"]),
        _ => run.fails(1, &["You are not authorized to do this", "permission", &permission(&point.action)]),
    };
    // Not more than all of the work, and a look at what is left.
    if calls.len() > 2 * stage.calls.len() || longest_silence(&calls) > PROMPT {
        let silence = longest_silence(&calls);
        return Err(format!("it failed after {} calls, and was silent for {silence:.1} s of that", calls.len()));
    }
    converges(bench, stage).map(Proof::Rerun)
}

/// The longest time in which no call was under way, in seconds.
fn longest_silence(calls: &[Json]) -> f64 {
    let mut spans: Vec<(f64, f64)> = Vec::new();
    for call in calls {
        let start = call["start"].as_f64().unwrap();
        // The answer may come when nobody waits for it any more.
        spans.push((start, call["end"].as_f64().unwrap_or(start)));
    }
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut until = spans.first().map_or(0.0, |first| first.0);
    let mut longest = 0.0_f64;
    for (start, end) in spans {
        longest = longest.max(start - until);
        until = until.max(end);
    }
    longest
}

fn all(example: &'static Example, one_of: usize) {
    try_all("refusals", example, |bench| sample(points(bench), one_of), name, attempt);
}

#[test]
fn sample_of_minimal() {
    all(&MINIMAL, 40);
}

#[test]
#[ignore = "make soak"]
fn minimal() {
    all(&MINIMAL, 1);
}

#[test]
#[ignore = "make soak"]
fn ha_private() {
    all(&HA_PRIVATE, 1);
}
