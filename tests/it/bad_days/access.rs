//! No credentials, wrong credentials, no way to AWS, a bucket that is not ours.

use serde_json::json;

use super::{CLUSTER, CREATE, DELETE, SPEC, changed};
use crate::harness::{Account, run};

/// Commands that need AWS, each of which changes nothing when it cannot have it.
const COMMANDS: [&[&str]; 6] = [
    &CREATE,
    &["create", "-f", SPEC, "--dry-run"],
    &["update", CLUSTER, "--yes"],
    &["validate", CLUSTER],
    &DELETE,
    &["get", "clusters"],
];

#[test]
fn no_credentials() {
    let account = Account::new();
    for args in COMMANDS {
        let mut command = account.command(args);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        let told = run(&mut command).fails(1, &["no AWS credentials were found", "AWS_PROFILE", "aws sso login"]);
        assert_eq!(told.stderr.matches("AWS_PROFILE").count(), 1, "the advice is given once:\n{}", told.stderr);
    }
    assert_eq!(account.calls().len(), 0);
}

#[test]
fn credentials_that_have_expired_or_that_nobody_knows() {
    let account = Account::with_cluster();
    for (key, words) in [("AKIAEXPIRED000000000", "expired"), ("AKIAINVALID000000000", "Inva")] {
        for args in COMMANDS {
            let mut command = account.command(args);
            command.env("AWS_ACCESS_KEY_ID", key);
            account.unchanged(|| run(&mut command).fails(1, &[words, "hint: set credentials"]));
        }
    }
}

#[test]
fn the_way_to_aws_is_the_proxy_that_the_environment_names() {
    let account = Account::new();
    // Nobody listens there.
    let behind = |more: &[(&str, &str)]| {
        let mut command = account.command(&["get", "clusters"]);
        command.env("HTTP_PROXY", "http://127.0.0.1:9").envs(more.iter().copied());
        run(&mut command)
    };
    behind(&[]).fails(1, &["cannot be reached"]);
    assert_eq!(account.calls().len(), 0);
    behind(&[("NO_PROXY", "127.0.0.1")]).expect(0);
    assert!(!account.calls().is_empty());
}

/// They expire in the middle: what was made stays, and the same command goes on with new ones.
#[test]
fn credentials_that_expire_while_a_cluster_is_made() {
    let account = Account::new();
    let before = account.resources();
    account.set_faults(&json!([
        { "service": "ec2", "action": "CreateSubnet", "code": "RequestExpired", "message": "Request has expired." },
        { "service": "elbv2", "action": "CreateTargetGroup", "code": "ExpiredToken", "status": 403, "message": "The security token is expired" },
    ]));
    account.kclust(&CREATE).fails(1, &["ec2:CreateSubnet: RequestExpired", "set credentials", "run the same command again"]);
    account.set_faults(&json!([]));
    account.kclust(&CREATE).expect(0);
    account.has_one_whole_cluster();
    account.is_clean_after_delete(&before);
}

#[test]
fn a_region_that_is_not_the_cluster_s() {
    let account = Account::with_cluster();
    let words = [CLUSTER, "us-east-1", "eu-west-1", "--region"];
    account.refuses(&["create", "-f", SPEC, "--yes", "--region", "eu-west-1"], 2, &words);
    account.refuses(&["validate", CLUSTER, "--region", "eu-west-1"], 2, &words);
    account.refuses(&["delete", CLUSTER, "--yes", "--region", "eu-west-1"], 2, &words);
    let moved = account.file("moved.yaml", &changed("us-east-1", "us-west-2"));
    account.refuses(&["update", "-f", &moved, "--yes"], 2, &["is in us-east-1, not in us-west-2", "a cluster cannot move"]);
}

#[test]
fn a_region_and_a_zone_that_do_not_exist() {
    let account = Account::new();
    let nowhere = account.file("nowhere.yaml", &changed("region: us-east-1", "region: nowhere"));
    account.refuses(&["create", "-f", &nowhere, "--yes"], 2, &["region", "nowhere"]);
    let no_zone = account.file("no-zone.yaml", &changed("us-east-1a", "us-east-1z"));
    let words = ["spec.network.zones[0]", "there is no zone us-east-1z", "the zones of us-east-1 are us-east-1a, us-east-1b"];
    account.refuses(&["create", "-f", &no_zone, "--yes"], 2, &words);
}

#[test]
fn an_endpoint_that_cannot_be_reached() {
    let account = Account::new();
    // Nothing listens on the port of discard, and the name cannot exist (RFC 6761).
    for (endpoint, args) in [("http://127.0.0.1:9", COMMANDS[0]), ("http://aws.invalid:9", COMMANDS[3])] {
        let mut command = account.command(args);
        command.env("AWS_ENDPOINT_URL", endpoint);
        run(&mut command).fails(1, &["the endpoint cannot be reached", "check the network, the region, and AWS_ENDPOINT_URL"]);
    }
}

#[test]
fn a_bucket_of_somebody_else() {
    let (owner, account) = (Account::with_cluster(), Account::new());
    let before = (owner.world(), account.world());
    let state = owner.state();
    let bucket = format!("bucket kclust-state-{}", owner.id);
    for args in COMMANDS {
        let mut command = account.command(args);
        command.env("KCLUST_STATE", &state);
        run(&mut command).fails(1, &[&bucket, "belongs to somebody else", "s3:ListBucket", "hint: use a bucket of"]);
    }
    assert_eq!((owner.world(), account.world()), before);
}

/// A team's state lies in one bucket, wherever its clusters are.
#[test]
fn a_bucket_in_another_region() {
    let account = Account::new();
    let constraint =
        "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    account.s3("PUT", &format!("kclust-state-{}", account.id), "eu-central-1", constraint);
    let before = account.resources();
    account.kclust(&CREATE).expect(0);
    account.has_one_whole_cluster();
    assert_eq!(account.kclust(&["get", "clusters", "-o", "json"]).expect(0).json()[0]["name"], CLUSTER);
    assert_eq!(account.world()["s3"][format!("kclust-state-{}", account.id)]["region"], json!("eu-central-1"));
    account.is_clean_after_delete(&before);
}

#[test]
fn throttling_for_a_while_is_ridden_out() {
    let account = Account::new();
    account.set_faults(&json!([
        { "service": "ec2", "action": "CreateVpc", "status": 503, "code": "RequestLimitExceeded", "times": 2 },
        { "service": "ec2", "action": "DescribeSubnets", "status": 503, "code": "RequestLimitExceeded", "times": 1 },
        { "service": "iam", "action": "CreateRole", "code": "Throttling", "times": 2 },
        { "service": "s3", "action": "PutObject", "status": 503, "code": "SlowDown", "times": 2 },
        { "service": "elbv2", "action": "CreateLoadBalancer", "code": "Throttling", "times": 1 },
    ]));
    account.kclust(&CREATE).expect(0);
    account.has_one_whole_cluster();
}

#[test]
fn a_quota_that_is_used_up() {
    let account = Account::new();
    account.set_faults(&json!([{
        "service": "ec2", "action": "CreateVpc", "code": "VpcLimitExceeded", "message": "The maximum number of VPCs has been reached."
    }]));
    let words = ["could not create Vpc/main", "ec2:CreateVpc: VpcLimitExceeded", "The maximum number of VPCs", "Service Quotas"];
    account.kclust(&CREATE).fails(1, &words);
    account.set_faults(&json!([]));
    account.kclust(&CREATE).expect(0);
    account.has_one_whole_cluster();
}
