//! What passes, at every call: the command rides it out by itself, and its world is that of an undisturbed run.

use serde_json::{Value as Json, json};

use super::stage::{Action, Bench, Example, Stage};
use super::tally::{Proof, Tally, sample, try_all};
use super::{HA_PRIVATE, MINIMAL};

/// Actions that are disturbed in one run: failures at different calls do not meddle with each other.
const AT_ONCE: usize = 8;

/// Something that AWS or the network does now and then: to which calls, and how. `None` where it cannot happen.
pub struct Fault {
    name: &'static str,
    pub rule: fn(&Action) -> Option<Json>,
}

/// Every distinct request is disturbed once or twice, wherever it comes from.
pub const FAULTS: [Fault; 10] = [
    Fault { name: "throttled", rule: |action| Some(throttled(action, 2)) },
    Fault { name: "internal-error", rule: |_| Some(error(500, "InternalError", "before", 1)) },
    Fault { name: "unavailable", rule: |_| Some(error(503, "ServiceUnavailable", "before", 2)) },
    Fault { name: "lost-in-error", rule: |_| Some(error(500, "InternalError", "after", 1)) },
    Fault { name: "reset", rule: |_| Some(json!({ "do": "reset", "where": "before", "times": 1 })) },
    Fault { name: "lost-answer", rule: |_| Some(json!({ "do": "reset", "where": "after", "times": 1 })) },
    Fault { name: "cut-answer", rule: |_| Some(json!({ "do": "truncate", "times": 1 })) },
    Fault { name: "in-use", rule: in_use },
    Fault { name: "others-at-work", rule: others_at_work },
    Fault { name: "not-there-yet", rule: not_there_yet },
];

fn error(status: u16, code: &str, when: &str, times: u32) -> Json {
    json!({ "status": status, "code": code, "message": "injected", "where": when, "times": times })
}

fn throttled((service, _): &Action, times: u32) -> Json {
    match service.as_str() {
        "ec2" => error(503, "RequestLimitExceeded", "before", times),
        "s3" => error(503, "SlowDown", "before", times),
        "ssm" => error(400, "ThrottlingException", "before", times),
        _ => error(400, "Throttling", "before", times),
    }
}

/// What holds on to it goes a moment later.
fn in_use((service, action): &Action) -> Option<Json> {
    let code = match (service.as_str(), action.as_str()) {
        ("ec2", "ReleaseAddress") => "InvalidIPAddress.InUse",
        ("ec2", "DeleteVolume") => "VolumeInUse",
        ("ec2", "DeleteNetworkInterface") => "InvalidNetworkInterface.InUse",
        (
            "ec2",
            "DeleteVpc"
            | "DeleteSubnet"
            | "DeleteSecurityGroup"
            | "DeleteRouteTable"
            | "DeleteInternetGateway"
            | "DetachInternetGateway",
        ) => "DependencyViolation",
        ("elbv2", "DeleteTargetGroup" | "DeleteLoadBalancer") => "ResourceInUse",
        ("autoscaling", "DeleteAutoScalingGroup") => "ResourceInUse",
        ("iam", "DeleteRole" | "DeleteInstanceProfile") => "DeleteConflict",
        _ => return None,
    };
    Some(error(if service == "iam" { 409 } else { 400 }, code, "before", 2))
}

/// Another change of the same thing is not finished.
fn others_at_work((service, action): &Action) -> Option<Json> {
    let (status, code) = match (service.as_str(), action.as_str()) {
        ("s3", "PutObject" | "DeleteObject") => (409, "ConditionalRequestConflict"),
        ("s3", action) if action.starts_with("PutBucket") || action.starts_with("PutPublic") => (409, "OperationAborted"),
        ("route53", "ChangeResourceRecordSets") => (400, "PriorRequestNotComplete"),
        ("autoscaling", action) if !action.starts_with("Describe") => (500, "ResourceContention"),
        ("iam", action) if !action.starts_with("Get") && !action.starts_with("List") => (409, "ConcurrentModification"),
        _ => return None,
    };
    let mut rule = error(status, code, "before", 1);
    rule["change"] = json!(true);
    Some(rule)
}

/// What a call refers to was made a moment ago, and is not visible everywhere.
fn not_there_yet((service, action): &Action) -> Option<Json> {
    let profile = "You must use a valid fully-formed launch template. Value (x) for parameter iamInstanceProfile.name is invalid. \
                   Invalid IAM Instance Profile name";
    let (status, code, message) = match (service.as_str(), action.as_str()) {
        ("autoscaling", "CreateAutoScalingGroup") => (400, "ValidationError", profile),
        ("ec2", "CreateRoute" | "ReplaceRoute") => (400, "InvalidNatGatewayID.NotFound", "The NatGateway ID does not exist"),
        ("ec2", "AssociateRouteTable") => (400, "InvalidRouteTableID.NotFound", "The routeTable ID does not exist"),
        ("ec2", "AssociateAddress") => (400, "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID does not exist"),
        ("ec2", "AuthorizeSecurityGroupIngress") => (400, "InvalidGroup.NotFound", "The security group does not exist"),
        ("ec2", "AttachInternetGateway") => (400, "InvalidInternetGatewayID.NotFound", "The gateway ID does not exist"),
        ("ec2", "CreateNatGateway") => (400, "InvalidSubnet", "Subnet subnet-1 was not found"),
        ("ec2", "CreateSubnet" | "CreateRouteTable" | "CreateSecurityGroup" | "CreateVpcEndpoint" | "ModifyVpcAttribute") => {
            (400, "InvalidVpcID.NotFound", "The vpc ID does not exist")
        }
        ("ec2", "CreateNetworkInterface" | "ModifySubnetAttribute") => {
            (400, "InvalidSubnetID.NotFound", "The subnet ID does not exist")
        }
        ("elbv2", "CreateLoadBalancer") => (400, "SubnetNotFound", "The subnet ID does not exist"),
        ("elbv2", "CreateListener" | "RegisterTargets" | "ModifyTargetGroupAttributes") => {
            (400, "TargetGroupNotFound", "One or more target groups not found")
        }
        ("iam", "PutRolePolicy" | "AddRoleToInstanceProfile") => (404, "NoSuchEntity", "The role cannot be found"),
        _ => return None,
    };
    Some(json!({ "status": status, "code": code, "message": message, "where": "before", "times": 2 }))
}

/// One fault at some actions.
struct Point {
    stage: usize,
    fault: &'static Fault,
    number: usize,
    actions: Vec<Action>,
}

fn points(bench: &Bench) -> Vec<Point> {
    let mut points = Vec::new();
    for (stage, command) in bench.stages.iter().enumerate() {
        for fault in &FAULTS {
            let actions: Vec<Action> = command.actions().into_iter().filter(|action| (fault.rule)(action).is_some()).collect();
            // Neighbours in the alphabet are of one service, and often need each other.
            let groups = actions.len().div_ceil(AT_ONCE);
            points.extend((0..groups).map(|number| {
                let actions = actions.iter().skip(number).step_by(groups).cloned().collect();
                Point { stage, fault, number, actions }
            }));
        }
    }
    points
}

fn name(bench: &Bench, point: &Point) -> String {
    format!("{} {} {}", bench.stages[point.stage].name, point.fault.name, point.number)
}

fn attempt(bench: &Bench, point: &Point, _: &Tally) -> Result<Proof, String> {
    let rules = point.actions.iter().filter_map(|action| {
        let mut rule = (point.fault.rule)(action)?;
        (rule["service"], rule["action"], rule["per"]) = (json!(action.0), json!(action.1), json!("request"));
        Some(rule)
    });
    let stage = &bench.stages[point.stage];
    bench.begin(stage);
    rides_out(bench, stage, &rules.collect()).map_err(|why| format!("{:?}: {why}", point.actions))
}

/// The command ends well in spite of these faults.
pub fn rides_out(bench: &Bench, stage: &Stage, rules: &Json) -> Result<Proof, String> {
    bench.account.set_faults(rules);
    let run = bench.run(stage);
    if run.code != 0 {
        return Err(format!("it ended with {}:\n{}", run.code, run.stderr));
    }
    if !bench.account.calls().iter().any(|call| call["fault"].is_string()) {
        return Err("nothing was disturbed".to_owned());
    }
    bench.compare(stage, &bench.account.canonical_world()).map(|()| Proof::Unaided)
}

fn one_by_one(example: &'static Example, one_of: usize) {
    try_all("faults", example, |bench| sample(points(bench), one_of), name, attempt);
}

#[test]
fn sample_of_minimal() {
    one_by_one(&MINIMAL, 40);
}

#[test]
#[ignore = "make soak"]
fn minimal() {
    one_by_one(&MINIMAL, 1);
}

#[test]
#[ignore = "make soak"]
fn ha_private() {
    one_by_one(&HA_PRIVATE, 1);
}
