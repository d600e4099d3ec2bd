//! Terminals and streams that are not what one would like.

use std::io::Read as _;
use std::process::Stdio;

use super::{CLUSTER, CREATE, SPEC, changed};
use crate::harness::{Account, Running, run};

/// Without a terminal and without --yes the plan is the result, and nothing is done.
#[test]
fn nobody_to_ask() {
    let account = Account::with_cluster();
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    for (args, planned) in [
        (&["update", "-f", &file][..], "~ AutoscalingGroup/workers"),
        (&["delete", CLUSTER], "- AutoscalingGroup/workers"),
        (&["delete", CLUSTER, "-q"], "- AutoscalingGroup/workers"),
    ] {
        let words = ["nothing was changed: there is no terminal to confirm the plan on", "--yes", "--dry-run"];
        let told = account.unchanged(|| account.kclust(args).expect(2).says(&words));
        assert!(told.stdout.contains(planned), "{}", told.stdout);
    }
    let empty = Account::new();
    let told = empty.unchanged(|| empty.kclust(&["create", "-f", SPEC, "-o", "json"]).expect(2));
    assert_eq!(told.json()["operation"], "create");
}

/// Everything that is said fits into ASCII where the locale says so; and `NO_COLOR` or a pipe means no escape codes.
#[test]
fn a_terminal_without_utf_8() {
    let account = Account::with_cluster();
    let (typo, image, replaced) = (
        account.file("typo.yaml", &changed("minSize", "minSise")),
        account.file(
            "image.yaml",
            &changed("[t3.large]", "[t3.large]\n      image: ami-0123456789abcdef0").replace(CLUSTER, "b.local"),
        ),
        account.file("replaced.yaml", &changed("minSize: 2", "minSize: 1")),
    );
    let commands: [&[&str]; 11] = [
        &["--help"],
        &["create", "--help"],
        &["create", "-f", &typo, "--yes"],
        &["create", "-f", &image, "--yes"],
        &["create", "-f", SPEC, "--dry-run"],
        &["update", "-f", &replaced, "--dry-run"],
        &["update", "-f", &replaced],
        &["validate"],
        &["validate", "-o", "yaml"],
        &["delete", "--dry-run"],
        &["get", "spec"],
    ];
    for args in commands {
        let mut command = account.command(args);
        command.env("LC_ALL", "C");
        let told = run(&mut command);
        for text in [&told.stdout, &told.stderr] {
            let foreign: Vec<&str> = text.lines().filter(|line| !line.is_ascii() || line.contains('\u{1b}')).collect();
            assert_eq!(foreign, Vec::<&str>::new(), "of {args:?}");
        }
        assert!(!told.stdout.is_empty() || !told.stderr.is_empty());
    }
    // And of those that AWS cannot be asked for.
    let mut command = account.command(&["validate"]);
    command.env("LC_ALL", "C").env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    assert!(run(&mut command).fails(1, &[]).stderr.is_ascii());
}

/// `kclust … | head -1`: the reader goes away, the work goes on.
#[test]
fn a_reader_that_goes_away() {
    let account = Account::new();
    for args in [&["create", "-f", SPEC, "--dry-run"][..], &["schema"], &["--help"], &["completion", "bash"], &["man"]] {
        let mut child = account.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
    // Nobody reads progress either, and the cluster is made all the same.
    let mut child =
        account.command(&["create", "-f", SPEC, "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    account.has_one_whole_cluster();
}

/// Standard output and error are closed, as some schedulers leave them.
#[test]
fn streams_that_are_closed() {
    let account = Account::new();
    let mut sh = std::process::Command::new("sh");
    sh.args(["-c", "exec \"$0\" create -f \"$1\" --yes >&- 2>&-", env!("CARGO_BIN_EXE_kclust"), SPEC]);
    let like = account.command(&CREATE);
    sh.current_dir(like.get_current_dir().unwrap()).env_clear();
    sh.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Running::start(&mut sh).wait().expect(0);
    account.has_one_whole_cluster();
}

/// A result that cannot be written is a failure: a script must not take half a spec for a whole one.
#[test]
fn a_full_disk() {
    let account = Account::with_cluster();
    let mut command = account.command(&["get", "spec"]);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
    let told = Running::start_with(&mut command).wait();
    told.fails(1, &["could not write the result", "No space left on device"]);
}

/// AWS says no more than that it does not know the credentials.
#[test]
fn a_region_that_is_not_enabled() {
    let account = Account::new();
    let file = account.file("south.yaml", &changed("us-east-1", "af-south-1"));
    let words = ["the region af-south-1 is not enabled for this account, or does not exist", "are good for us-east-1"];
    let run = account.refuses(&["create", "-f", &file, "--yes"], 1, &words);
    assert!(!run.stderr.contains("set credentials"), "{}", run.stderr);
}
