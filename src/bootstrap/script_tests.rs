//! What the functions of the boot program do. Bash runs them with stand-ins for what they call.

use std::process::Command;

use super::boot::PARTS;

/// Facts of a slot, stand-ins for everything that a test must not touch, and all functions of the program but its main part.
pub(super) fn program(body: &str) -> String {
    let functions = PARTS[..PARTS.len() - 1].join("\n");
    format!(
        "set -Eeuo pipefail
        ROLE=control-plane GROUP=cp-2 CLUSTER=test CLUSTER_UID=uid API_NAME=api.test API_PORT=6443 FILES_URL='' REGION=us-east-1
        SLOTS='cp-1=10.0.0.10 cp-2=10.0.32.10 cp-3=10.0.64.10'
        VOLUME_TAGS='kubernetes.io/cluster/test=owned kclust.dev/id=Volume/cp-2'
        S3_URL=https://state.example.com S3_REGION=us-east-1 S3_PREFIX=test EC2_URL=https://ec2.example.com/
        declare -A DIGESTS=([kubelet-amd64]={digest} [kubelet-arm64]={digest})
        {aws}
        {functions}
        INSTANCE_ID=i-2 ADDRESS=10.0.32.10 ZONE=us-east-1b
        RUN_DIR=$(mktemp -d) && trap 'rm -r \"$RUN_DIR\"' EXIT
        FAILURE=$RUN_DIR/failure.$$
        sleep() {{ :; }}
        put() {{ echo \"put $2\"; cat; }}
        trap on_error ERR
        {body}",
        digest = "0".repeat(64),
        aws = include_str!("../../templates/aws.sh"),
    )
}

/// Standard output of a program that must succeed.
pub(super) fn output(body: &str) -> String {
    let output = Command::new("bash").args(["-c", &program(body)]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn an_attempt_ends_at_the_first_error_and_is_repeated_with_its_reason() {
    let text = output(
        r#"work() { echo x >> "$RUN_DIR/tries"; [ "$(wc -l < "$RUN_DIR/tries")" -ge 3 ]; echo "worked"; }
        retry work"#,
    );
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("work: [ ") && lines[0].ends_with("exit status 1); again in 1 s"), "{text}");
    assert!(lines[1].ends_with("again in 2 s"), "{text}");
    assert_eq!(lines[2], "worked");
}

#[test]
fn the_reason_that_a_function_gives_is_kept() {
    let text = output(
        r#"inner() { fail "the cause"; }
        work() { local x; if [ -e "$RUN_DIR/tried" ]; then return; fi; touch "$RUN_DIR/tried"; x=$(inner); echo "$x"; }
        retry work"#,
    );
    assert_eq!(text, "work: the cause; again in 1 s\n");
}

#[test]
fn what_ends_the_program_reaches_the_status_object() {
    let script = program(
        r#"s3_put() { echo "$1"; cat; }
        sleep() { command sleep 0.1; }
        step "a step"
        publish_in_background
        until [ -e "$RUN_DIR/published" ]; do sleep; done
        trap 'end_of_program $?; rm -r "$RUN_DIR"' EXIT
        fail 'because of "this"'"#,
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let status: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap_or_else(|_| panic!("{text}"));
    assert!(text.contains("nodes/status/i-2.json\n"));
    assert_eq!(status["instance"], "i-2");
    assert_eq!(status["group"], "cp-2");
    assert_eq!(status["step"], "a step");
    assert_eq!(status["error"], "ended: because of \"this\"");
}

#[test]
fn a_status_object_is_written_only_when_it_changes() {
    let text = output(
        r#"s3_put() { cat > /dev/null; echo "$1"; }
        now() { echo 2026-11-22T14:00:00Z; }
        step "one" && publish_status && publish_status
        problem 'tab	quote" backslash\' && publish_status
        step "two" && publish_status
        status_json"#,
    );
    assert_eq!(text.matches("nodes/status/i-2.json\n").count(), 3, "{text}");
    let status: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(status["since"], "2026-11-22T14:00:00Z");
    assert_eq!(status["error"], serde_json::Value::Null);
}

/// `set_up_cluster` with a lock whose holder is as said; the objects of S3 are files.
fn set_up(holder: &str, holder_runs: bool) -> String {
    output(&format!(
        r#"sha256sum() {{ [ $# -gt 0 ] || cat > /dev/null; echo 0123456789abcdef0123; }}
        s3_path() {{ echo "$RUN_DIR/${{1//\//_}}"; }}
        s3_exists() {{ [ -e "$(s3_path "$1")" ]; }}
        s3_get() {{ cat "$(s3_path "$1")"; }}
        s3_create() {{ if s3_exists "$1"; then return 1; fi; echo "$2" > "$(s3_path "$1")"; echo "created $1"; }}
        instance_runs() {{ {holder_runs}; }}
        phase() {{ echo "phase $*"; }}
        bind_admins() {{ echo "bound the admins"; }}
        publish_credential() {{ echo "published the join credential"; }}
        if [ -n '{holder}' ]; then echo '{holder}' > "$(s3_path control-plane/phases-0123456789abcdef.lock)"; fi
        sleep() {{ echo 'i-1' > "$(s3_path control-plane/phases-0123456789abcdef)"; }}
        set_up_cluster"#
    ))
}

#[test]
fn the_phases_are_done_by_whoever_holds_the_lock() {
    let phases = "phase upload-config all\nphase bootstrap-token --skip-token-print\nphase addon all\nbound the admins\n";
    let free = set_up("", true);
    assert!(free.starts_with("created control-plane/phases-0123456789abcdef.lock\n"), "{free}");
    // What workers wait for comes before the marker.
    let end = "published the join credential\ncreated control-plane/phases-0123456789abcdef\n";
    assert!(free.contains(phases) && free.contains(end), "{free}");
    // An answer was lost after the lock was made, or this program was ended while it held it.
    assert!(set_up("i-2", true).contains(phases));
    assert!(set_up("i-1", false).contains(phases));
    assert_eq!(set_up("i-1", true), "");
}

#[test]
fn admins_are_bound_once_and_whatever_became_of_that_stays() {
    let bind = |kubectl: &str| output(&format!("kubectl() {{ {kubectl}; }}\n(bind_admins) && echo bound || echo failed"));
    assert_eq!(bind("true"), "bound\n");
    let exists =
        "Error from server (AlreadyExists): error when creating: clusterrolebindings \\\"kclust:admins\\\" already exists";
    assert_eq!(bind(&format!("echo \"{exists}\" >&2; return 1")), "bound\n");
    assert!(bind("echo 'Error from server (Forbidden)' >&2; return 1").ends_with("failed\n"));
}

#[test]
fn digests_are_known_or_published() {
    let digest = |name: &str, file: &str, published: &str| {
        output(&format!("fetch() {{ printf '{published}'; }}\ndigest_of {name} dl.example.com/{file} sums"))
    };
    let sum = "5".repeat(64);
    assert_eq!(digest("kubelet", "kubelet", "not asked"), "0".repeat(64));
    assert_eq!(digest("kubeadm", "kubeadm", &sum), sum);
    assert_eq!(digest("runc", "runc.amd64", &format!(r"{}  runc.arm64\n{sum} *runc.amd64\n", "6".repeat(64))), sum);
    assert_eq!(digest("cni", "cni.tgz", &format!(r"{sum}  cni.tgz\n")), sum);
    let text = output("fetch() { echo '<html>'; }\nattempt digest_of runc dl.example.com/runc.amd64 sums\nfailure");
    assert_eq!(text, "sums has no SHA-256 of runc.amd64");
}

#[test]
fn a_download_with_another_digest_is_not_installed() {
    let text = output(
        r#"INSTALLED_DIR=$RUN_DIR
        fetch() { echo "something" > "$3"; }
        install_program() { echo "installed"; }
        attempt provide_kubernetes_stub
        failure"#
            .replace("attempt", "KUBERNETES_VERSION=1.36.4\nprovide_kubernetes_stub() { provide_kubernetes kubelet; }\nattempt")
            .as_str(),
    );
    assert!(text.contains("does not have the SHA-256 0000"), "{text}");
    assert!(!text.contains("installed"));
}

#[test]
fn containerds_configuration_has_the_version_it_reads() {
    for (answer, version) in [
        ("containerd github.com/containerd/containerd/v2 v2.3.6 abc", "4"),
        ("containerd github.com/containerd/containerd/v2 2.1.9~ds1 2.1.9~ds1-1", "3"),
        ("containerd github.com/containerd/containerd v3.0.0 abc", "4"),
    ] {
        assert_eq!(output(&format!("containerd() {{ echo '{answer}'; }}\ncontainerd_config_version")).trim(), version);
    }
}

#[test]
fn workers_begin_with_different_slots_and_know_all() {
    let order = |instance: &str| output(&format!("INSTANCE_ID={instance}\nslots_in_turn"));
    let orders: std::collections::BTreeSet<_> = (0..20).map(|number| order(&format!("i-{number:017x}"))).collect();
    assert_eq!(orders.len(), 3);
    for order in orders {
        let mut addresses: Vec<_> = order.lines().collect();
        addresses.sort_unstable();
        assert_eq!(addresses, ["10.0.0.10", "10.0.32.10", "10.0.64.10"]);
    }
}

/// The restart of a slot under its boot program once waited for what publishes the status, which never ends.
#[test]
fn a_control_plane_stops_beside_what_runs_in_the_background() {
    let text = output(
        r#"systemctl() { echo "systemctl $*"; }
        stop_containers() { echo "stop $1" >> "$RUN_DIR/stopped"; }
        command sleep 30 & publisher=$!
        stop_control_plane
        kill "$publisher" && echo "still publishing"
        sort "$RUN_DIR/stopped"; tail -n 1 "$RUN_DIR/stopped""#,
    );
    assert_eq!(
        text,
        "systemctl stop kubelet.service\nstill publishing\nstop etcd\nstop kube-apiserver\nstop kube-controller-manager\n\
         stop kube-scheduler\nstop etcd\n"
    );
}

/// kubectl refuses an object whose namespace is another than that of its option.
#[test]
fn objects_of_a_manifest_may_be_in_any_namespace() {
    let text = output(
        r#"kubectl() { echo "$*" > "$RUN_DIR/asked"; }
        apply_manifest addon.yaml
        cat "$RUN_DIR/asked""#,
    );
    assert!(text.ends_with("--filename addon.yaml\n") && !text.contains("--namespace"), "{text}");
}

/// Answers of EC2 to the search for the volume and to attaching it.
fn attach(volumes: &str) -> String {
    output(&format!(
        r#"ec2() {{ echo "$*" >> "$RUN_DIR/calls"; if [ "$1" = DescribeVolumes ]; then echo '{volumes}'; fi; }}
        attempt attach_volume
        if [ "$ATTEMPT" -ne 0 ]; then failure; fi
        cat "$RUN_DIR/calls""#
    ))
}

#[test]
fn the_etcd_volume_is_found_by_its_tags_and_attached_once() {
    let free = attach("<volumeId>vol-1</volumeId><status>available</status>");
    assert!(free.contains("Filter.1.Name=tag:kubernetes.io/cluster/test Filter.1.Value.1=owned"), "{free}");
    assert!(free.contains("Filter.2.Name=tag:kclust.dev/id Filter.2.Value.1=Volume/cp-2"), "{free}");
    assert!(free.contains("AttachVolume VolumeId=vol-1 InstanceId=i-2"), "{free}");
    assert!(free.starts_with("put /etc/kclust/etcd-volume\nvol-1\n"), "{free}");
    let mine =
        attach("<volumeId>vol-1</volumeId><attachmentSet><volumeId>vol-1</volumeId><instanceId>i-2</instanceId></attachmentSet>");
    assert!(!mine.contains("AttachVolume") && mine.contains("vol-1\n"), "{mine}");
    assert!(attach("<volumeSet/>").starts_with("one volume should have the tags"));
    assert!(attach("<volumeId>vol-1</volumeId><volumeId>vol-2</volumeId>").contains("found: vol-1 vol-2"));
}

#[test]
fn an_error_of_ec2_is_told() {
    let text = output(
        r#"ec2() { echo '<Errors><Error><Code>VolumeInUse</Code><Message>vol-1 is attached</Message></Error></Errors>'; false; }
        attempt attach_volume
        failure"#,
    );
    assert_eq!(text, "DescribeVolumes: VolumeInUse: vol-1 is attached");
}

#[test]
fn no_credential_is_on_a_command_line() {
    for version in ["8.5.0", "7.81.0"] {
        let text = output(&format!(
            r#"metadata() {{
              if [ "$1" = meta-data/iam/security-credentials/ ]; then echo role
              else printf '{{\n  "AccessKeyId" : "KEY1",\n  "SecretAccessKey" : "SECRET1/+",\n  "Token" : "TOKEN1=="\n}}\n'; fi
            }}
            python3() {{ shift; printf 'header = "x: %s"\n' "$*"; cat > "$RUN_DIR/stdin"; }}
            curl() {{
              if [ "$1" = --version ]; then echo 'curl {version} (x86_64)'; return; fi
              printf 'argument %s\n' "$@"
              while [ "$1" != --config ]; do shift; done
              sed 's/^/configuration /' "$2"
            }}
            s3_get nodes/bootstrap.kubeconfig
            ec2 DescribeVolumes Filter.1.Name=tag:a/b
            cat "$RUN_DIR/stdin" 2> /dev/null || true"#
        ));
        let (arguments, rest): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("argument "));
        assert!(arguments.iter().all(|line| !line.contains("SECRET1") && !line.contains("TOKEN1")), "{text}");
        assert!(rest.iter().any(|line| line.contains("SECRET1/+")), "{text}");
        assert!(text.contains("argument https://state.example.com/test/nodes/bootstrap.kubeconfig\n"), "{text}");
        assert!(text.contains("argument Action=DescribeVolumes&Version=2016-11-15&Filter.1.Name=tag%3Aa%2Fb\n"), "{text}");
        assert_eq!(text.contains("aws-sigv4 = \"aws:amz:us-east-1:s3\""), version.starts_with('8'));
    }
}

/// The signer was compared with `--aws-sigv4` of curl 7.88, which leaves nothing out where the payload is unsigned.
#[test]
fn requests_are_signed_as_curl_signs_them() {
    let signer = include_str!("../../templates/sigv4.py").replace("time.gmtime()", "time.gmtime(1795356600)");
    let mut command = Command::new("python3");
    command.args(["-c", &signer, "s3", "us-east-1", "PUT", "https://state.example.com/a/b.json", "application/octet-stream", ""]);
    let directory = tempfile::tempdir().unwrap();
    let credentials = directory.path().join("credentials");
    std::fs::write(&credentials, "AKID\nSECRET\nTOKEN\n").unwrap();
    match command.stdin(std::fs::File::open(&credentials).unwrap()).output() {
        Ok(output) => {
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains("header = \"x-amz-date: 20261122T141000Z\"\n"), "{text}");
            assert!(
                text.contains("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token"),
                "{text}"
            );
            assert!(text.contains("Signature=15467f37e05a17b40a4a0eba6cebcbd098a16c83de7731fd1b402a58a0219a77\""), "{text}");
        }
        Err(error) => println!("skipped: python3: {error}"),
    }
}
