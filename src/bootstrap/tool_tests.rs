//! What nodes are given is put before the programs that will read it: bash and shellcheck, cloud-init. Where one of them is missing, a
//! test says what it did not check, and passes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::tests::{EXAMPLES, all_user_data, assets, example, facts, written_file, written_files};
use super::*;

/// Says what is not checked, past the test harness, which would keep it to itself: what nobody knows was left out counts as passed.
pub(super) fn skipped(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").unwrap();
}

/// Runs a program with something on its standard input: whether it succeeds, and what it says. `None` where there is no such program.
pub(super) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Option<(bool, String)> {
    let spawned =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            skipped(&format!("{program}: {error}"));
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// Bash and shellcheck, where they are at hand, accept these scripts.
fn assert_good_scripts(scripts: &BTreeMap<String, String>) {
    for (program, arguments) in [("bash", &["-n"][..]), ("shellcheck", &["--norc", "--shell=bash", "--severity=style", "-"][..])]
    {
        for (script, what) in scripts {
            let Some((accepted, output)) = run(program, arguments, script.as_bytes()) else { break };
            assert!(accepted, "{program} refuses {what}:\n{output}");
        }
    }
}

/// All that a shell runs or reads on nodes of a cluster: text → what it is. User-data without the line that cloud-init takes away.
fn scripts(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut scripts = BTreeMap::new();
    for (path, content) in all_artefacts(cluster, &facts(cluster)) {
        if !path.ends_with(".sh") {
            continue;
        }
        for file in written_files(&content) {
            if file.content.starts_with("#!/bin/bash\n") || file.content.starts_with("# shellcheck shell=bash\n") {
                scripts.insert(file.content.to_owned(), format!("{} of {} {path}", file.path, cluster.name));
            }
        }
        let content = content.strip_prefix("#cloud-boothook\n").unwrap_or(&content);
        scripts.insert(content.to_owned(), format!("{} {path}", cluster.name));
    }
    scripts
}

#[test]
fn every_script_is_accepted_by_bash_and_shellcheck() {
    let mut with_mirrors = example("minimal");
    with_mirrors.assets = assets();
    let mut all = BTreeMap::new();
    for cluster in EXAMPLES.map(example).iter().chain([&with_mirrors]) {
        let scripts = scripts(cluster);
        let user_data = cluster.slots().len() + cluster.node_groups.len();
        // The boot program, and what it and user-data write: aws.sh, start, mount-etcd.
        assert!(scripts.len() >= user_data + 1 + 3, "{:?}", scripts.values());
        all.extend(scripts);
    }
    for file in ["/usr/local/lib/kclust/aws.sh", "/usr/local/lib/kclust/start", "/usr/local/lib/kclust/mount-etcd"] {
        assert!(all.values().any(|what| what.starts_with(file)), "{file} is not checked");
    }
    assert_good_scripts(&all);
}

#[test]
fn the_facts_of_a_node_mean_the_same_to_a_shell() {
    let cluster = example("ha-private");
    let mut facts = facts(&cluster);
    facts.state.prefix = "it's $HOME \"here\"".into();
    let slot = &cluster.slots()[1];
    let text = slot_user_data(&cluster, &facts, slot, &boot_program(&cluster)).text;
    let variables = r#"printf '%s\n' "$CLUSTER" "$GROUP" "$SLOTS" "$VOLUME_TAGS" "$S3_PREFIX""#;
    let script = format!("set -eu\n{}\n{variables}", written_file(&text, "/etc/kclust/node.env"));
    if let Some((_, output)) = run("bash", &[], script.as_bytes()) {
        let slots = "cp-1=10.0.0.10 cp-2=10.0.32.10 cp-3=10.0.64.10";
        let tags = "kubernetes.io/cluster/prod.example.com=owned kclust.dev/id=Volume/cp-2";
        assert_eq!(output, format!("prod.example.com\ncp-2\n{slots}\n{tags}\n{}\n", facts.state.prefix));
    }
}

/// cloud-init as it is installed here: the program, and the Python that it runs in and that therefore knows its modules.
fn cloud_init() -> Option<(String, String)> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&directories).map(|directory| directory.join("cloud-init")).find(|file| file.exists());
    let Some(program) = program else {
        skipped(
            "no cloud-init on the PATH (Debian and Ubuntu: package cloud-init): it could not be asked about user-data and cloud.cfg",
        );
        return None;
    };
    let text = std::fs::read_to_string(&program).unwrap();
    let python = text.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or_else(|| panic!("{}", program.display()));
    Some((program.to_str().unwrap().to_owned(), python.trim().to_owned()))
}

/// What cloud-init makes of user-data (standard input), in its own code: the kind of each part, and the program that its handler of
/// boothooks would run.
const AS_CLOUD_INIT_READS_IT: &str = r#"
import sys, tempfile
from cloudinit import util
from cloudinit.handlers.boot_hook import BootHookPartHandler
from cloudinit.helpers import Paths
from cloudinit.user_data import UserDataProcessor

with tempfile.TemporaryDirectory() as directory:
    paths = Paths({"cloud_dir": directory, "run_dir": directory})
    message = UserDataProcessor(paths).process(sys.stdin.buffer.read())
    parts = [part for part in message.walk() if not part.is_multipart()]
    sys.stdout.write(" ".join(part.get_content_type() for part in parts) + "\n")
    if parts[0].get_content_type() == "text/cloud-boothook":
        handler = BootHookPartHandler(paths, None)
        handler.boothook_dir = directory
        program = handler._write_part(util.fully_decoded_payload(parts[0]), "part-001")
        sys.stdout.write(open(program).read())
sys.stdout.flush()
"#;

#[test]
fn cloud_init_takes_user_data_for_a_boothook() {
    let Some((_, python)) = cloud_init() else { return };
    // Warnings about the missing data source go to standard error, which is not wanted here.
    let script = format!("import os\nos.dup2(os.open(os.devnull, os.O_WRONLY), 2)\n{AS_CLOUD_INIT_READS_IT}");
    let read =
        |bytes: &[u8]| run(&python, &["-c", &script], bytes).unwrap_or_else(|| panic!("{python}, in which cloud-init runs"));
    for name in EXAMPLES {
        for (node, user_data, _) in all_user_data(&example(name)) {
            let program = user_data.text.strip_prefix("#cloud-boothook\n").unwrap();
            let (succeeds, output) = read(&compress(&user_data.text));
            assert!(succeeds && output == format!("text/cloud-boothook\n{program}"), "{name} {node}: {output}");
        }
    }
    // What the answer would be for another script.
    assert_eq!(read(b"#!/bin/bash\ntrue\n").1, "text/x-shellscript\n");
}

#[test]
fn cloud_init_knows_the_keys_of_its_configuration() {
    let Some((program, _)) = cloud_init() else { return };
    let boot = boot_program(&example("minimal")).content.unwrap();
    let configuration = written_file(&boot, "/etc/cloud/cloud.cfg.d/99-kclust.cfg");
    let directory = tempfile::tempdir().unwrap();
    let accepts = |text: &str| {
        let file = directory.path().join("cloud.cfg");
        // Files of that directory need no such line, but the checker does.
        std::fs::write(&file, format!("#cloud-config\n{text}")).unwrap();
        run(&program, &["schema", "--config-file", path_text(&file)], b"").unwrap()
    };
    let (accepted, output) = accepts(configuration);
    assert!(accepted, "{output}");
    assert!(!accepts(&configuration.replace("preserve_hostname", "preserve_host_name")).0);
}

pub(super) fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}
