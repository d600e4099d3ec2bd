//! `kclust kubeconfig` and `kclust credential` with the real kubectl: the one that `KCLUST_KUBECTL` names, or that on the PATH. Where there
//! is none, the tests say so and pass.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use kclust::pki::{Authority, Secret, certificate_validity};
use serde_json::{Value as Json, json};

use crate::harness::{Account, Run, run};
use crate::kubernetes_api::{Certificate, KubernetesApi};

const CLUSTER: &str = "dev.k8s.local";

/// `None`, and a word why, where there is no kubectl.
pub fn kubectl() -> Option<String> {
    let named = std::env::var("KCLUST_KUBECTL").ok();
    let program = named.clone().unwrap_or_else(|| "kubectl".to_owned());
    match Command::new(&program).args(["version", "--client"]).output() {
        Ok(output) if output.status.success() => Some(program),
        Ok(output) => panic!("{program}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) if named.is_none() => {
            // Past the test harness, which would keep it to itself: what nobody knows was left out counts as passed.
            writeln!(std::io::stderr(), "skipped: kubectl: {error}").unwrap();
            None
        }
        Err(error) => panic!("KCLUST_KUBECTL: {program}: {error}"),
    }
}

/// A cluster that kubectl can reach, and a person who wants to.
struct Reached {
    account: Account,
    api: KubernetesApi,
    kubectl: String,
}

impl Reached {
    fn new() -> Option<Self> {
        let kubectl = kubectl()?;
        let account = Account::new();
        account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
        let api = KubernetesApi::healthy(&account, CLUSTER);
        Some(Self { account, api, kubectl })
    }

    /// In the environment that kclust has in the tests.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.args(args).env_clear();
        for (name, value) in self.account.command(&[]).get_envs() {
            command.env(name, value.unwrap());
        }
        self.api.reached_by(&mut command);
        command
    }

    fn kubectl(&self, args: &[&str]) -> Run {
        run(&mut self.command(args))
    }

    fn kubeconfig(&self) -> PathBuf {
        self.account.directory.path().join(".kube/config")
    }

    /// The credential that is kept, and its place.
    fn kept(&self) -> (PathBuf, Json) {
        let directory = self.account.directory.path().join(".cache/kclust/credentials").join(CLUSTER);
        let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        let mut files: Vec<PathBuf> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).filter(is_json).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let file = files.remove(0);
        let content = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        (file, content)
    }

    /// Puts a credential in the place of the one that is kept: of the same authority, made `age` ago and good for an hour.
    fn keep_older(&self, age: SignedDuration) {
        let file = |name: &str| self.account.state_object(&format!("{CLUSTER}/pki/{name}"));
        let authority = Authority { certificate: file("ca.crt"), key: Secret::new(file("ca.key")) };
        let hour = SignedDuration::from_hours(1);
        let older =
            authority.client_certificate("older", "kclust:admins", hour, Timestamp::now() - age, &mut rand::rng()).unwrap();
        let content = json!({"certificate": older.certificate, "key": older.key.expose()});
        fs::write(self.kept().0, content.to_string()).unwrap();
    }

    /// Users who asked the API since the last time.
    fn users(&self) -> Vec<(String, Vec<String>)> {
        let mut users: Vec<_> = self.api.requests().into_iter().filter_map(|request| request.user).collect();
        users.dedup();
        self.api.forget_requests();
        users
    }
}

#[test]
fn kubectl_reaches_a_cluster_and_asks_aws_once() {
    let Some(it) = Reached::new() else { return };
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    it.account.forget_calls();
    let nodes = it.kubectl(&["get", "nodes", "--output", "name"]).expect(0);
    assert!(
        nodes.stdout.lines().count() >= 3 && nodes.stdout.lines().all(|line| line.starts_with("node/i-")),
        "{}",
        nodes.stdout
    );
    let users = it.users();
    let [(user, groups)] = users.as_slice() else { panic!("{users:?}") };
    assert!(user.starts_with("iam:") && groups == &["kclust:admins"], "{users:?}");
    let calls: Vec<String> =
        it.account.calls().iter().map(|call| format!("{}:{}", call["service"], call["action"]).replace('"', "")).collect();
    assert_eq!(calls, ["sts:GetCallerIdentity", "s3:ListObjectsV2", "s3:GetObject"]);

    it.account.forget_calls();
    let version = it.kubectl(&["version", "--output", "json"]).expect(0).json();
    assert_eq!(version["serverVersion"]["major"], "1");
    it.kubectl(&["get", "pods", "--all-namespaces"]).expect(0);
    assert_eq!(it.account.calls(), Vec::<Json>::new(), "the credential was kept");
    assert_eq!(it.users().len(), 1);
}

#[test]
fn a_credential_is_renewed_before_its_end() {
    let Some(it) = Reached::new() else { return };
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    it.kubectl(&["get", "nodes"]).expect(0);
    // One that has ended, and one that is about to.
    for age in [SignedDuration::from_hours(2), SignedDuration::from_mins(56)] {
        it.keep_older(age);
        it.users();
        it.account.forget_calls();
        it.kubectl(&["get", "nodes"]).expect(0);
        assert!(it.users().iter().all(|(user, _)| user.starts_with("iam:")), "{age}");
        assert!(!it.account.calls().is_empty());
        let (_, end) = certificate_validity(it.kept().1["certificate"].as_str().unwrap()).unwrap();
        assert!(end > Timestamp::now() + SignedDuration::from_mins(55));
    }
    it.keep_older(SignedDuration::from_mins(30));
    it.account.forget_calls();
    it.users();
    it.kubectl(&["get", "nodes"]).expect(0);
    assert_eq!(it.account.calls(), Vec::<Json>::new());
    assert_eq!(it.users(), [("older".to_owned(), vec!["kclust:admins".to_owned()])]);
}

#[test]
fn an_api_of_another_authority_is_refused() {
    let Some(it) = Reached::new() else { return };
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    it.api.behave(|behaviour| behaviour.certificate = Certificate { foreign: true, ..Certificate::default() });
    let refused = it.kubectl(&["get", "nodes"]).expect(1);
    assert!(refused.stderr.contains("certificate signed by unknown authority"), "{}", refused.stderr);
}

/// The cluster was deleted and made again: the configuration of kubectl is that of the first one.
#[test]
fn a_configuration_of_an_earlier_cluster_is_refused_until_it_is_written_again() {
    let Some(it) = Reached::new() else { return };
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    let written = fs::read_to_string(it.kubeconfig()).unwrap();
    let life = SignedDuration::from_hours(9);
    let earlier = Authority::generate("kubernetes", CLUSTER, life, Timestamp::now(), &mut rand::rng()).unwrap();
    let own = written.lines().find_map(|line| line.trim().strip_prefix("certificate-authority-data: ")).unwrap();
    fs::write(it.kubeconfig(), written.replace(own, &STANDARD.encode(earlier.certificate))).unwrap();
    let refused = it.kubectl(&["get", "nodes"]).expect(1);
    let said = "error: kubectl trusts another authority than that of cluster dev.k8s.local in the state\n\
                hint: is it of an earlier cluster of that name? `kclust kubeconfig dev.k8s.local` brings it up to date\n";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    assert_eq!(fs::read_to_string(it.kubeconfig()).unwrap(), written);
    it.kubectl(&["get", "nodes"]).expect(0);
}

#[test]
fn a_certificate_that_is_written_down_needs_nothing_else() {
    let Some(it) = Reached::new() else { return };
    let file = it.account.directory.path().join("ci.kubeconfig");
    let path = file.display().to_string();
    let written = it.account.kclust(&["kubeconfig", CLUSTER, "--admin", "8h", "--out", &path, "-o", "json"]).expect(0).json();
    let expires: Timestamp = written["expires"].as_str().unwrap().parse().unwrap();
    let hours = expires.duration_since(Timestamp::now()).as_secs_f64() / 3600.0;
    assert!((7.9..=8.0).contains(&hours), "{hours}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!it.kubeconfig().exists());
    it.account.forget_calls();
    run(it.command(&["get", "nodes", "--kubeconfig", &path]).env_remove("AWS_ACCESS_KEY_ID")).expect(0);
    assert_eq!(it.account.calls(), Vec::<Json>::new());
    assert!(it.users().iter().all(|(user, groups)| user.starts_with("iam:") && groups == &["kclust:admins"]));
}

/// What kubectl writes, kclust keeps; what kclust writes, kubectl understands.
#[test]
fn the_file_of_kubectl_is_shared_with_it() {
    let Some(it) = Reached::new() else { return };
    it.kubectl(&["config", "set-cluster", "other", "--server", "https://other.example.com"]).expect(0);
    it.kubectl(&["config", "set-credentials", "me", "--token", "secret"]).expect(0);
    it.kubectl(&["config", "set-context", "other", "--cluster", "other", "--user", "me", "--namespace", "web"]).expect(0);
    it.kubectl(&["config", "use-context", "other"]).expect(0);
    let before = fs::read_to_string(it.kubeconfig()).unwrap();
    it.account.kclust(&["kubeconfig", CLUSTER, "--keep-context"]).expect(0);
    let current = it.kubectl(&["config", "current-context"]).expect(0).stdout;
    assert_eq!(current, "other\n");
    it.kubectl(&["config", "set-context", CLUSTER, "--namespace", "kube-system"]).expect(0);
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    let seen = it.kubectl(&["config", "view", "--raw", "--output", "json"]).expect(0).json();
    assert_eq!(seen["current-context"], CLUSTER);
    let context = seen["contexts"].as_array().unwrap().iter().find(|context| context["name"] == CLUSTER).unwrap();
    assert_eq!(context["context"], json!({"cluster": CLUSTER, "namespace": "kube-system", "user": CLUSTER}));
    it.account.kclust(&["kubeconfig", "--remove", CLUSTER]).expect(0);
    let after = fs::read_to_string(it.kubeconfig()).unwrap();
    assert_eq!(after, before.replace("current-context: other", "current-context: \"\""));
}

/// Both change the file at the same time, again and again.
#[test]
fn kubectl_and_kclust_lose_nothing_of_each_other() {
    let Some(it) = Reached::new() else { return };
    let names: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for more in [&["--admin", "1h"][..], &[], &["--admin", "1h"], &[]] {
                it.account.kclust(&[&["kubeconfig", CLUSTER], more].concat()).expect(0);
            }
        });
        for name in &names {
            // Kubectl does not wait for a lock.
            while it.kubectl(&["config", "set-cluster", name, "--server", "https://x"]).code != 0 {}
        }
    });
    // What kubectl read before it took the lock it writes back after: of kclust's own only the last word, said alone, is certain.
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    let seen = it.kubectl(&["config", "view", "--output", "json"]).expect(0).json();
    let clusters: Vec<&str> =
        seen["clusters"].as_array().unwrap().iter().map(|cluster| cluster["name"].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| clusters.contains(&name.as_str())) && clusters.contains(&CLUSTER), "{clusters:?}");
    let user = seen["users"].as_array().unwrap().iter().find(|user| user["name"] == CLUSTER).unwrap();
    assert!(user["user"]["exec"].is_object(), "the last word is kclust's last: {user}");
}

/// Above its own error kubectl shows what the plugin says.
#[test]
fn what_is_wrong_is_told_in_two_lines() {
    let Some(it) = Reached::new() else { return };
    it.account.kclust(&["kubeconfig", CLUSTER]).expect(0);
    let told = |prepare: &dyn Fn(&mut Command)| {
        let mut command = it.command(&["get", "nodes"]);
        prepare(&mut command);
        let refused = run(&mut command).expect(1).stderr;
        // Some versions of kubectl ask again and again, and log that in between.
        let mut own: Vec<String> = Vec::new();
        for line in refused.lines().filter(|line| !line.contains("getting credentials")) {
            let line = line.split(" (request id ").next().unwrap_or(line);
            if !own.iter().any(|known| known == line) {
                own.push(line.to_owned());
            }
        }
        assert!(own.len() <= 2 && own[0].starts_with("error: "), "{refused}");
        own.join("\n")
    };
    let none = told(&|command| {
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    });
    assert!(none.contains("no AWS credentials were found\nhint: set credentials as for the AWS CLI"), "{none}");
    let expired = told(&|command| {
        command.env("AWS_ACCESS_KEY_ID", "AKIAEXPIRED000000000");
    });
    assert!(expired.contains("ExpiredToken") && expired.contains("\nhint: "), "{expired}");
    it.account.set_faults(
        &json!([{"service": "s3", "action": "GetObject", "status": 403, "code": "AccessDenied", "message": "Access Denied"}]),
    );
    let denied = told(&|_| {});
    assert!(
        denied.contains("pki/bundle.json: s3:GetObject: ") && denied.contains("needs permission for s3:GetObject"),
        "{denied}"
    );
    it.account.set_faults(&json!([]));
    it.account.s3("DELETE", &format!("kclust-state-{}/{CLUSTER}/pki/bundle.json", it.account.id), "us-east-1", "");
    let missing = told(&|_| {});
    assert!(missing.starts_with("error: the state of cluster dev.k8s.local holds no keys yet\nhint: "), "{missing}");
}

/// Neither a log nor an error has a key in it.
#[test]
fn keys_go_to_kubectl_and_nowhere_else() {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    let made = account.kclust(&["credential", "--cluster", CLUSTER, "-vv"]).expect(0);
    let answer = made.json();
    let mut keys: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["apiVersion", "kind", "status"]);
    let key = answer["status"]["clientKeyData"].as_str().unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(!made.stderr.contains("PRIVATE KEY") && !made.stderr.contains(key.lines().nth(1).unwrap()));
    let certificate = answer["status"]["clientCertificateData"].as_str().unwrap();
    let (begin, end) = certificate_validity(certificate).unwrap();
    assert!(begin < Timestamp::now() - SignedDuration::from_mins(5), "clocks may differ");
    let told: Timestamp = answer["status"]["expirationTimestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(end.duration_since(told), SignedDuration::from_mins(5));
}
