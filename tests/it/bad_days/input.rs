//! Specs and command lines that are wrong, and things that the spec names and AWS does not have.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::{CLUSTER, CREATE, SPEC, changed};
use crate::harness::{Account, Running, example, run};

#[test]
fn keys_that_no_spec_has() {
    let account = Account::new();
    let text = changed("minSize: 2", "minSise: 2").replace("  network:", "  netwrok: {}\n  network:");
    let file = account.file("typo.yaml", &text);
    let words = ["`minSise`", "did you mean `minSize`?", "`netwrok`", "typo.yaml:", "2 errors in"];
    account.refuses(&["create", "-f", &file, "--yes"], 2, &words);
    assert_eq!(account.calls().len(), 0, "AWS was asked about a spec that is wrong");
}

#[test]
fn files_that_are_no_spec() {
    let account = Account::new();
    let refuses = |content: &str, words: &[&str]| {
        let file = account.file("spec.yaml", content);
        account.refuses(&["create", "-f", &file, "--yes"], 2, words);
    };
    refuses("", &["spec.yaml", "holds no document"]);
    refuses("# only a comment\n", &["spec.yaml", "holds no document"]);
    refuses("a: [b\n", &["spec.yaml:"]);
    refuses("[]\n", &["spec.yaml:"]);
    refuses("apiVersion: v1\nkind: ConfigMap\n", &["apiVersion", "kclust.dev/v1alpha1"]);
    let binary = account.directory.path().join("binary.yaml");
    std::fs::write(&binary, [0x7f, b'E', b'L', b'F', 0, 0xff, 0xfe]).unwrap();
    account.refuses(&["create", "-f", binary.to_str().unwrap(), "--yes"], 2, &["binary.yaml", "UTF-8"]);
    assert_eq!(account.calls().len(), 0);
}

#[test]
fn files_that_cannot_be_read() {
    let account = Account::new();
    let missing = account.directory.path().join("missing.yaml");
    let words = ["could not read the spec", "missing.yaml", "No such file or directory"];
    account.refuses(&["create", "-f", missing.to_str().unwrap(), "--yes"], 2, &words);
    let words = ["could not read the spec examples", "Is a directory"];
    account.refuses(&["create", "-f", "examples", "--yes"], 2, &words);
    account.refuses(&["update", "-f", "examples", "--yes"], 2, &words);
    account.refuses(&["render", "-f", "examples", "--out", "unused"], 2, &words);
}

#[test]
fn standard_input_that_is_empty_or_holds_the_spec() {
    let account = Account::new();
    account.refuses(&["create", "-f", "-", "--yes"], 2, &["<stdin>", "holds no document"]);
    let mut command = account.command(&["create", "-f", "-", "--dry-run", "-o", "json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(example("minimal").as_bytes()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    // Without --yes there is nobody who could answer on the same stream.
    let mut command = account.command(&["create", "-f", "-"]);
    command.stdin(std::fs::File::open(SPEC).unwrap());
    account.unchanged(|| run(&mut command).expect(2).says(&["nothing was changed", "--yes"]));
    // Closed, not empty.
    let mut closed = std::process::Command::new("sh");
    closed.args(["-c", "exec \"$0\" create -f - --yes <&-", env!("CARGO_BIN_EXE_kclust")]);
    closed.env_clear().env("KCLUST_STATE", account.state());
    Running::start(&mut closed).wait().fails(2, &["<stdin>"]);
}

#[test]
fn a_name_that_is_not_the_file_s() {
    let account = Account::new();
    let words = ["examples/minimal.yaml describes cluster dev.k8s.local, not other.k8s.local", "leave NAME out"];
    account.refuses(&["create", "other.k8s.local", "-f", SPEC, "--yes"], 2, &words);
    account.refuses(&["update", "other.k8s.local", "-f", SPEC, "--yes"], 2, &words);
    account.refuses(&["create", "Not_A_Name", "--zones", "us-east-1a", "--yes"], 2, &["Not_A_Name", "it must be"]);
}

#[test]
fn no_state_store_and_one_with_a_bad_address() {
    let account = Account::new();
    for args in [&CREATE[..], &["validate"], &["delete", "--yes"], &["get", "clusters"], &["get", "spec"]] {
        let mut command = account.command(args);
        command.env_remove("KCLUST_STATE");
        run(&mut command).fails(2, &["no state store is named", "--state", "KCLUST_STATE", "s3://BUCKET"]);
        for (url, word) in
            [("kclust-state", "s3://"), ("https://example.com", "s3://"), ("s3://", "bucket"), ("s3://A", "bucket")]
        {
            let args = [args, &["--state", url]].concat();
            account.refuses(&args, 2, &["--state", url, word]);
        }
    }
    assert_eq!(account.calls().len(), 0);
}

#[test]
fn a_hosted_zone_that_is_missing() {
    let account = Account::new();
    account.refuses(
        &["create", "-f", "examples/ha-private.yaml", "--yes"],
        2,
        &["spec.dns.zone", "there is no public hosted zone example.com", "make the zone in Route 53", "leave `dns` out"],
    );
}

#[test]
fn a_hosted_zone_that_is_there_twice() {
    let account = Account::new().with_zone("example.com").with_zone("example.com");
    let words = ["spec.dns.zone", "there are 2 public hosted zones example.com"];
    account.refuses(&["create", "-f", "examples/ha-private.yaml", "--yes"], 2, &words);
}

/// Everything that is missing is told at once.
#[test]
fn an_image_and_a_zone_that_aws_does_not_have() {
    let account = Account::new();
    let image = "instanceTypes: [t3.large]\n      image: ami-0123456789abcdef0";
    let text = changed("instanceTypes: [t3.large]", image).replace("us-east-1a", "us-east-1z");
    let file = account.file("image.yaml", &text);
    let words = [
        "create of dev.k8s.local would not succeed; nothing was changed",
        "spec.nodeGroups[0].image: there is no image ami-0123456789abcdef0 in us-east-1",
        "images differ from region to region",
        "spec.network.zones[0]: there is no zone us-east-1z",
    ];
    account.refuses(&["create", "-f", &file, "--yes"], 2, &words);
}

#[test]
fn a_cluster_of_the_same_name_with_another_spec() {
    let account = Account::with_cluster();
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    let words = [
        "cluster dev.k8s.local exists already, with another spec",
        "-       maxSize: 2",
        "+       maxSize: 3",
        "kclust update dev.k8s.local -f",
    ];
    account.refuses(&["create", "-f", &file, "--yes"], 2, &words);
    account.refuses(&["create", "-f", &file, "--dry-run"], 2, &words);
}

#[test]
fn two_clusters_and_no_name() {
    let account = Account::with_cluster();
    let file = account.file("other.yaml", &changed(CLUSTER, "other.k8s.local"));
    account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(0);
    for args in [&["validate"][..], &["delete", "--yes"], &["update", "--yes"], &["get", "spec"]] {
        account.refuses(args, 2, &["no cluster is named", "holds 2", "name one of dev.k8s.local, other.k8s.local"]);
    }
    let listed = account.kclust(&["get", "clusters", "-o", "json"]).expect(0).json();
    assert_eq!((&listed[0]["name"], &listed[1]["name"]), (&json!(CLUSTER), &json!("other.k8s.local")));
    account.kclust(&["delete", "other.k8s.local", "--yes", "-q"]).expect(0);
    // Now there is only one that can be meant.
    assert!(account.kclust(&["get", "spec"]).expect(0).stdout.contains("name: dev.k8s.local"));
    account.has_one_whole_cluster();
}

#[test]
fn a_cluster_that_does_not_exist() {
    let account = Account::with_cluster();
    let words = ["there is no cluster absent.k8s.local in s3://kclust-state-", "it holds dev.k8s.local"];
    let region = ["--region", "us-east-1"];
    for args in [["validate", "absent.k8s.local"], ["update", "absent.k8s.local"]] {
        account.refuses(&args, 1, &words);
        account.refuses(&[args, region].concat(), 1, &words);
    }
    // Without a region nobody has looked for what it may have left.
    for more in [&[][..], &["--ignore-not-found"]] {
        let delete = [&["delete", "absent.k8s.local", "--yes"], more].concat();
        account.refuses(&delete, 2, &[&words[..], &["no region is set", "--region"]].concat());
    }
    account.refuses(&["delete", "absent.k8s.local", "--yes", "--region", "us-east-1"], 1, &words);
    account.refuses(&["get", "spec", "absent.k8s.local"], 1, &words);
    let args = ["delete", "absent.k8s.local", "--yes", "--ignore-not-found", "--region", "us-east-1"];
    let gone = account.unchanged(|| account.kclust(&args).expect(0).says(&["Nothing to delete"]));
    assert_eq!(gone.stdout, "");
}

#[test]
fn a_state_store_that_does_not_exist() {
    let account = Account::new();
    account.refuses(&["validate"], 2, &["no cluster is named", "holds none", "is --state or KCLUST_STATE right?"]);
    account.refuses(&["validate", CLUSTER], 1, &["there is no cluster dev.k8s.local", "is --state or KCLUST_STATE right?"]);
    assert_eq!(account.kclust(&["get", "clusters"]).expect(0).stdout, "");
    assert_eq!(account.world()["s3"], json!({}), "looking makes no bucket");
}

/// A directory serves to look and to render. Machines could not read it.
#[test]
fn a_state_store_in_a_directory() {
    let account = Account::new();
    let state = format!("file://{}", account.directory.path().join("state").display());
    let planned =
        account.unchanged(|| account.kclust(&["create", "-f", SPEC, "--dry-run", "-o", "json", "--state", &state]).expect(0));
    assert_eq!(planned.json()["summary"]["update"], json!(0));
    let words = ["machines cannot read a state store in a directory", "use --state s3://BUCKET[/PREFIX]"];
    account.refuses(&["create", "-f", SPEC, "--yes", "--state", &state], 2, &words);
    assert!(!account.directory.path().join("state").exists(), "a refusal makes nothing");
}
