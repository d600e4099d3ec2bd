//! What would go wrong is told before anything is written, all of it at once; what cannot be found out stops nobody.

use serde_json::{Value as Json, json};

use crate::harness::{Account, Run, example};

const SPEC: &str = "examples/minimal.yaml";

fn policy(statements: &Json) -> Json {
    json!([{ "Version": "2012-10-17", "Statement": statements }])
}

/// Everything but this.
fn all_but(actions: &[&str]) -> Json {
    policy(&json!([
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": actions, "Resource": "*" },
    ]))
}

impl Account {
    /// Runs `create` and asserts that it told these things and changed nothing.
    #[track_caller]
    fn stops(&self, file: &str, code: i32, words: &[&str]) -> Run {
        let before = self.world();
        let run = self.kclust(&["create", "-f", file, "--yes"]).expect(code);
        assert_eq!(self.world(), before, "something was changed");
        for word in words {
            assert!(run.stderr.contains(word), "{word:?} is missing in:\n{}", run.stderr);
        }
        run
    }
}

#[test]
fn an_account_with_room_and_rights_has_no_findings() {
    let account = Account::new();
    let plan = account.kclust(&["create", "-f", SPEC, "--dry-run", "-o", "json"]).expect(0).json();
    assert_eq!(plan["warnings"], json!([]));
    assert_eq!(account.defects(), Vec::<Json>::new());
}

#[test]
fn quotas_are_compared_with_what_is_in_use_and_what_the_plan_adds() {
    let account = Account::new();
    account.set_quotas(&json!({
        // The default VPC is one.
        "vpcs": 1, "addresses": 0, "network-load-balancers": 0, "vcpus-standard": 5, "auto-scaling-groups": 1,
    }));
    let run = account.stops(
        SPEC,
        1,
        &[
            "create of dev.k8s.local would not succeed; nothing was changed",
            "quotas: VPCs: 1 more are needed; 1 of 1 are in use, and 0 left",
            "quotas: Elastic IP addresses: 1 more are needed; 0 of 0 are in use",
            "quotas: network load balancers: 1 more are needed",
            "quotas: Auto Scaling groups: 2 more are needed; 0 of 1 are in use, and 1 left",
            "quotas: vCPUs of on-demand standard",
            "ask for more in Service Quotas for us-east-1",
        ],
    );
    assert!(!run.stderr.contains("permissions:"), "{}", run.stderr);
    // Looking is allowed, and told the same.
    let plan = account.kclust(&["create", "-f", SPEC, "--dry-run", "-o", "json"]).expect(0).json();
    let warnings: Vec<&str> = plan["warnings"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert_eq!(warnings.len(), 5, "{warnings:#?}");
    assert!(warnings.iter().all(|warning| warning.starts_with("create would not succeed: quotas: ")), "{warnings:#?}");
    account.set_quotas(&json!({ "vpcs": 2, "addresses": 1, "network-load-balancers": 1, "auto-scaling-groups": 2 }));
    account.kclust(&["create", "-f", SPEC, "--yes"]).expect(0);
    // What is in use already needs no room; a plan that changes nothing asks nothing.
    account.set_quotas(&json!({ "vpcs": 0, "addresses": 0, "network-load-balancers": 0, "auto-scaling-groups": 0 }));
    account.forget_calls();
    account.kclust(&["create", "-f", SPEC, "--yes"]).expect(0);
    let asked = |action: &str| account.calls().iter().any(|call| call["action"] == action);
    assert!(!asked("GetServiceQuota") && !asked("SimulatePrincipalPolicy"));
    account.kclust(&["delete", "--yes"]).expect(0);
}

#[test]
fn spot_and_gpu_machines_and_gateways_have_quotas_of_their_own() {
    let account = Account::new().with_zone("example.com");
    account.set_quotas(&json!({ "nat-gateways": 0, "vcpus-standard": 17 }));
    account.stops(
        "examples/ha-private.yaml",
        1,
        &[
            "quotas: NAT gateways in us-east-1a: 1 more are needed",
            "quotas: NAT gateways in us-east-1c: 1 more are needed",
            // Three m6i.large and three m6i.xlarge.
            "quotas: vCPUs of on-demand standard (A, C, D, H, I, M, R, T, Z) instances: 18 more are needed; 0 of 17",
        ],
    );
    let account = Account::new().with_zone("example.com");
    account.set_quotas(&json!({ "vcpus-spot-standard": 7, "vcpus-g": 3 }));
    let spec = example("ml-spot-gpu");
    let spec = spec
        .replace("minSize: 0\n      maxSize: 50", "minSize: 2\n      maxSize: 50")
        .replace("minSize: 0\n      maxSize: 8", "minSize: 1\n      maxSize: 8");
    let file = account.file("spec.yaml", &spec);
    let run = account.stops(
        &file,
        1,
        &[
            "vCPUs of spot standard (A, C, D, H, I, M, R, T, Z) instances: 8 more",
            "vCPUs of on-demand G and VT instances: 4 more",
        ],
    );
    assert_eq!(run.stderr.matches("quotas: ").count(), 2, "{}", run.stderr);
}

#[test]
fn exactly_the_actions_of_the_plan_must_be_allowed() {
    let account = Account::new();
    account.set_permissions(&all_but(&["ec2:CreateVpc", "iam:PassRole", "ec2:RunInstances", "ec2:DeleteVpc"]));
    let run = account.stops(
        SPEC,
        1,
        &[
            &format!("permissions: a policy of arn:aws:iam::{}:user/operator denies ", account.id),
            "ec2:CreateVpc",
            "iam:PassRole",
            "ec2:RunInstances",
            "`kclust iam-policy -f FILE` prints all that dev.k8s.local takes",
        ],
    );
    assert!(!run.stderr.contains("ec2:DeleteVpc"), "{}", run.stderr);
    // Conditions are judged as for the calls themselves.
    let tagged = json!({ "StringEquals": { "aws:RequestTag/kubernetes.io/cluster/other": "owned" } });
    let statements = json!([
        { "Effect": "Allow", "Action": ["ec2:Describe*", "iam:*", "s3:*", "elasticloadbalancing:*", "autoscaling:*", "ssm:*", "servicequotas:*", "route53:*"], "Resource": "*" },
        { "Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": tagged },
    ]);
    account.set_permissions(&policy(&statements));
    account.stops(SPEC, 1, &["permissions: no policy of ", "ec2:CreateTags (for CreateVpc)"]);
}

/// Before the machines go, and not when they are gone.
#[test]
fn a_removal_needs_permissions_too() {
    let account = Account::new();
    account.kclust(&["create", "-f", SPEC, "--yes", "-q"]).expect(0);
    account.set_permissions(&all_but(&["iam:DeleteRole", "ec2:DeleteVpc", "ec2:CreateVpc"]));
    let before = account.world();
    let run = account.kclust(&["delete", "--yes"]).expect(1);
    assert_eq!(account.world(), before, "something was changed");
    for words in ["delete of dev.k8s.local would not succeed; nothing was changed", "denies ec2:DeleteVpc, iam:DeleteRole\n"] {
        assert!(run.stderr.contains(words), "{words:?} is missing in:\n{}", run.stderr);
    }
    let plan = account.kclust(&["delete", "--dry-run", "-o", "json"]).expect(0).json();
    assert!(plan["warnings"].to_string().contains("delete would not succeed: permissions: "), "{}", plan["warnings"]);
    // What cannot be asked stops nobody.
    account.set_permissions(&all_but(&["iam:SimulatePrincipalPolicy"]));
    let run = account.kclust(&["delete", "--yes"]).expect(0);
    assert!(run.stderr.contains("permissions: they could not be checked: iam:SimulatePrincipalPolicy"), "{}", run.stderr);
}

#[test]
fn everything_is_told_at_once() {
    let account = Account::new();
    account.set_quotas(&json!({ "vpcs": 1 }));
    account.set_permissions(&all_but(&["ec2:CreateSubnet"]));
    let spec = example("minimal").replace("instanceTypes: [t3.large]", "instanceTypes: [t3.metal]");
    let file =
        account.file("spec.yaml", &format!("{}  dns: {{zone: example.com}}\n", spec.replace("dev.k8s.local", "dev.example.com")));
    account.stops(
        &file,
        2,
        &[
            "create of dev.example.com would not succeed; nothing was changed",
            "spec.nodeGroups[0].instanceTypes[0]: there is no instance type t3.metal in us-east-1",
            "spec.dns.zone: there is no public hosted zone example.com",
            "permissions: a policy of",
            "ec2:CreateSubnet",
            "quotas: VPCs: 1 more are needed",
        ],
    );
}

#[test]
fn ranges_must_be_free_in_a_shared_network() {
    let account = Account::new();
    account.seed(&json!({ "what": "existing-vpc" }));
    let spec = example("existing-vpc").replace("arn:aws:iam::123456789012:", &format!("arn:aws:iam::{}:", account.id));
    let taken = spec.replace("    cni: cilium\n", "    cni: cilium\n    podCIDR: 10.0.128.0/17\n");
    assert_ne!(taken, spec);
    let file = account.file("taken.yaml", &taken);
    let words = "spec.network.podCIDR: 10.0.128.0/17 overlaps 10.0.0.0/16 of vpc-0123456789abcdef0";
    account.stops(&file, 2, &[words, "choose a range that is in use nowhere in the VPC"]);
    let file = account.file("free.yaml", &spec);
    account.kclust(&["create", "-f", &file, "--dry-run", "--detailed-exitcode"]).expect(10);
}

#[test]
fn what_cannot_be_found_out_is_a_warning() {
    let account = Account::new();
    let silent = ["iam:SimulatePrincipalPolicy", "servicequotas:GetServiceQuota", "ec2:DescribeInstanceTypeOfferings"];
    account.set_permissions(&all_but(&silent));
    let run = account.kclust(&["create", "-f", SPEC, "--yes"]).expect(0);
    for words in [
        "warning: permissions: they could not be checked: iam:SimulatePrincipalPolicy",
        "could not be checked: servicequotas:GetServiceQuota",
        "where the instance types can be had could not be checked: ec2:DescribeInstanceTypeOfferings",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    account.kclust(&["delete", "--yes"]).expect(0);
}

#[test]
fn a_session_is_judged_by_the_policies_of_its_role() {
    let account = Account::new();
    account.seed(&json!({ "what": "role", "path": "/aws-reserved/sso.amazonaws.com/", "name": "Operators" }));
    let session = format!("arn:aws:sts::{}:assumed-role/Operators/somebody", account.id);
    account.set_principal(&session, &all_but(&["ec2:CreateVpc"]));
    account.stops(SPEC, 1, &[&format!("a policy of {session} denies ec2:CreateVpc")]);
    account.set_principal(&session, &all_but(&["ec2:DeleteVpc"]));
    account.kclust(&["create", "-f", SPEC, "--dry-run", "--detailed-exitcode"]).expect(10);
    // Policies do not apply to the root user.
    account.set_principal(&format!("arn:aws:iam::{}:root", account.id), &json!([]));
    account.forget_calls();
    account.kclust(&["create", "-f", SPEC, "--dry-run", "--detailed-exitcode"]).expect(10);
    assert!(account.calls().iter().all(|call| call["action"] != "SimulatePrincipalPolicy"));
}
