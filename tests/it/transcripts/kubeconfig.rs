//! kubectl's configuration.

use std::fs;

use super::Transcript;
use crate::harness::Account;

const CLUSTER: &str = "dev.k8s.local";

fn cluster() -> Account {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    account
}

#[test]
fn a_context_comes_and_goes() {
    let account = cluster();
    Transcript::of(&account)
        .run("kubeconfig")
        .run("kubeconfig")
        .run("kubeconfig --keep-context -o json")
        .run(
            "kubeconfig --admin 8h --keep-context --out DIR/ci"
                .replace("DIR", &account.directory.path().display().to_string())
                .as_str(),
        )
        .run("kubeconfig --remove dev.k8s.local")
        .run("kubeconfig --remove dev.k8s.local")
        .run("kubeconfig --remove")
        .run("kubeconfig")
        .run("delete dev.k8s.local --yes -q")
        .is("kubeconfig");
    let left = fs::read_to_string(account.directory.path().join(".kube/config")).unwrap();
    assert!(!left.contains(CLUSTER), "{left}");
}

#[test]
fn files_that_cannot_be_used() {
    let account = cluster();
    let broken = account.file("broken", "users:\n- user: {token: hunter2}\n");
    let locked = account.file("locked", "");
    account.file("locked.lock", "");
    let shared = account.file("shared", "base: &base {server: x}\nclusters:\n- name: dev.k8s.local\n  cluster: *base\n");
    let other = "clusters:\n- name: dev.k8s.local\n  cluster: {certificate-authority-data: T1RIRVI=, server: https://kops}\n";
    let kops = account.file("kops", other);
    Transcript::of(&account)
        .run(&format!("kubeconfig --out {broken}"))
        .run(&format!("kubeconfig --out {kops}"))
        .run(&format!("kubeconfig --out {kops} --context mine"))
        .run(&format!("kubeconfig --out {kops} --remove dev.k8s.local --context mine"))
        .run(&format!("kubeconfig --out {locked}"))
        .run(&format!("kubeconfig --out {shared}"))
        .run("kubeconfig --out /dev/null")
        .run_with("kubeconfig", |command| {
            command.env_remove("HOME");
        })
        .run("kubeconfig prod.k8s.local")
        .run("kubeconfig --remove dev.k8s.local --out -")
        .run("credential --cluster prod.k8s.local")
        .run_with("credential --cluster dev.k8s.local", |command| {
            command.env("KUBERNETES_EXEC_INFO", "{}");
        })
        .is("kubeconfig-errors");
    assert!(fs::read_to_string(&kops).unwrap().starts_with(other));
    account.kclust(&["kubeconfig", "--out", &kops, "--force"]).expect(0);
    assert!(!fs::read_to_string(&kops).unwrap().contains("T1RIRVI="));
    for (name, content) in [("broken", "users:\n- user: {token: hunter2}\n"), ("locked", "")] {
        assert_eq!(fs::read_to_string(account.directory.path().join(name)).unwrap(), content);
    }
}

/// A configuration of its own, as it is written for a cluster that nobody has seen before.
#[test]
fn a_configuration_of_its_own() {
    let account = cluster();
    let printed = account.kclust(&["kubeconfig", "--out", "-"]).expect(0).stdout;
    let authority = printed.lines().find_map(|line| line.trim().strip_prefix("certificate-authority-data: ")).unwrap().to_owned();
    let program = env!("CARGO_BIN_EXE_kclust");
    let text = printed.replace(&authority, "AUTHORITY").replace(program, "/PATH/kclust");
    super::is_golden("kubeconfig-out", &format!("$ kclust kubeconfig --out -\n{text}"), &account);
    assert!(!account.directory.path().join(".kube").exists());
}
