//! Everything that kclust writes outside `pki/` in the life of a cluster is searched for the keys and credentials of that run.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::harness::{Account, Run, example, run};

const CLUSTER: &str = "prod.example.com";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYkclustSCAN";
const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEHkaCXVzLWVhc3QtMSJHMEUCIQDkclustSCANtoken0123456789abcdef==";

#[test]
fn no_secret_leaves_pki() {
    let account = Account::new().with_zone("example.com");
    let mut told = Told::default();
    let spec = account.file("prod.yaml", &example("ha-private"));
    let more = account.file("more.yaml", &example("ha-private").replacen("maxSize: ", "maxSize: 1", 1));
    assert_ne!(fs::read_to_string(&more).unwrap(), fs::read_to_string(&spec).unwrap());
    let bad = account.file("bad.yaml", "metadata: {name: [prod}");

    // What is made of a spec before there is a cluster, and a create that fails in the middle.
    told.run(&account, 0, &["create", "-f", &spec, "--dry-run", "-o", "json", "-vvv"]);
    told.run(&account, 2, &["create", "-f", &bad, "-vvv"]);
    let fault =
        json!([{ "service": "ec2", "action": "CreateLaunchTemplate", "code": "InvalidParameterValue", "message": "why" }]);
    account.set_faults(&fault);
    told.run(&account, 1, &["create", "-f", &spec, "--yes", "-vvv"]);
    // Answers that are lost, so that the log tells of repetitions, those of keys among them.
    account.set_faults(&json!([
        { "service": "s3", "action": "PutObject", "status": 500, "code": "InternalError", "where": "after", "times": 3 },
        { "service": "ec2", "status": 503, "code": "RequestLimitExceeded", "times": 2 },
    ]));
    told.run(&account, 0, &["create", "-f", &spec, "--yes", "-vvv"]);
    account.set_faults(&json!([]));
    let secrets = secrets(&account);

    told.run(&account, 0, &["create", "-f", &spec, "--yes", "-vvv"]);
    told.run(&account, 2, &["create", "-f", &more, "--yes", "-vvv"]);
    told.run(&account, 4, &["validate", "-vvv"]);
    told.run(&account, 4, &["validate", "-o", "json"]);
    told.run(&account, 0, &["update", "-f", &more, "--dry-run", "-o", "json", "-vvv"]);
    told.run(&account, 0, &["update", "-f", &more, "--yes", "-vvv"]);
    told.run(&account, 0, &["update", "--from-history", "1", "--yes", "-vvv"]);
    for what in ["clusters", "spec", "history", "backups"] {
        told.run(&account, 0, &["get", what, "-vvv"]);
        told.run(&account, 0, &["get", what, "-o", "json"]);
    }
    for what in ["groups", "instances", "resources"] {
        told.run(&account, 0, &["get", what, "-o", "json", "-vvv"]);
    }
    told.run(&account, 0, &["iam-policy", CLUSTER, "-vvv"]);
    let kubeconfig = account.directory.path().join("kubeconfig").display().to_string();
    told.run(&account, 0, &["kubeconfig", CLUSTER, "--out", &kubeconfig, "-vvv"]);
    told.run(&account, 0, &["kubeconfig", CLUSTER, "--admin", "1h", "--out", &format!("{kubeconfig}-admin"), "-vvv"]);
    // The second time the certificate comes from the cache.
    for _ in 0..2 {
        told.run(&account, 0, &["credential", "--cluster", CLUSTER, "-vvv"]);
    }
    told.run(&account, 2, &["restore", CLUSTER, "--from", "latest", "--yes", "-vvv"]);
    told.run(&account, 1, &["backup", "--timeout", "1s", "-vvv"]);
    let rendered = account.directory.path().join("rendered");
    told.run(&account, 0, &["render", "-f", &spec, "--out", rendered.to_str().unwrap(), "-vvv"]);
    // Keys that are damaged: the error is about them.
    let bundle = account.state_object(&format!("{CLUSTER}/pki/bundle.json"));
    for damaged in [&bundle[..bundle.len() - 9], &bundle.replacen("\"ca.key\": \"", "\"ca.key\": 7, \"x\": \"", 1), ""] {
        account.put_state_object(&format!("{CLUSTER}/pki/bundle.json"), damaged);
        account.put_state_object(&format!("{CLUSTER}/pki/ca.key"), "half");
        told.run(&account, 1, &["update", "-f", &more, "--yes", "-vvv"]);
        told.run(&account, 4, &["validate", "-vvv"]);
    }
    account.put_state_object(&format!("{CLUSTER}/pki/bundle.json"), &bundle);
    let mut wrong = account.command(&["validate", CLUSTER, "-vvv"]);
    wrong.env("AWS_ACCESS_KEY_ID", "AKIAINVALID000000000");
    told.add("validate without valid credentials", &with_credentials(&mut wrong, 4));
    told.run(&account, 0, &["update", "-f", &more, "--yes", "-vvv"]);
    let user_data = told.world(&account);
    assert!(user_data > 3, "{user_data}");
    told.run(&account, 0, &["delete", "--dry-run", "-o", "json", "-vvv"]);
    told.run(&account, 0, &["delete", "--yes", "-vvv"]);
    told.files(account.directory.path());

    // It logs, and of every kind of thing there is something to search.
    for part in [
        "stderr of create",
        "stdout of create",
        "user-data of",
        "/history/",
        "ledger.json",
        "rendered/plan.json",
        "world",
        "kubeconfig-admin",
        "stdout of credential",
    ] {
        assert!(told.0.iter().any(|(name, text)| name.contains(part) && text.len() > 100), "there is no {part}");
    }
    let log =
        |(name, text): &(String, Vec<u8>)| name.contains("stderr of create") && text.windows(5).any(|part| part == b"DEBUG");
    assert!(told.0.iter().any(log), "nothing was logged");
    for (name, text) in &told.0 {
        let found: Vec<&str> = secrets.iter().filter(|secret| secret.is_in(text)).map(|secret| secret.name.as_str()).collect();
        assert_eq!(found, Vec::<&str>::new(), "in {name}");
    }
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// Whatever a secret is written as, it would be found.
#[test]
fn the_search_finds_what_it_looks_for() {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    let secrets = secrets_of(&account, "dev.k8s.local");
    let keys: Vec<&Secret> = secrets.iter().filter(|secret| secret.name.ends_with(".key")).collect();
    assert_eq!(keys.len(), 4, "three authorities and the service accounts");
    for secret in &secrets {
        let plain = &secret.plain;
        let text = String::from_utf8(plain.clone()).unwrap();
        assert!(secret.is_in(plain), "{}", secret.name);
        for shift in ["", "x", "xy"] {
            assert!(secret.is_in(BASE64.encode(format!("{shift}{text}")).as_bytes()), "{} in Base64", secret.name);
        }
        assert!(secret.is_in(json!({ "a": text }).to_string().as_bytes()), "{} in JSON", secret.name);
        assert!(secret.is_in(format!("{plain:?}").as_bytes()), "{} as a list of bytes", secret.name);
        assert!(secret.is_in(hex(plain).as_bytes()) && secret.is_in(hex(plain).to_uppercase().as_bytes()), "{}", secret.name);
        if text.contains("PRIVATE KEY") {
            let der = BASE64.decode(pem_body(&text)).unwrap();
            for shown in [hex(&der), hex(&der).to_uppercase(), format!("{der:?}"), BASE64.encode(&der)] {
                assert!(secret.is_in(shown.as_bytes()), "{}: {shown}", secret.name);
            }
            assert!(text.lines().filter(|line| line.len() == 64).all(|line| secret.is_in(line.as_bytes())));
        }
    }
    // They are where they belong: in the bundle, and in files of their own.
    let bundle = account.state_object("dev.k8s.local/pki/bundle.json");
    for secret in secrets.iter().filter(|secret| secret.name.ends_with(".key") || secret.name == "encryption key") {
        let file = if secret.name == "encryption key" { "encryption.yaml" } else { &secret.name };
        assert!(secret.is_in(bundle.as_bytes()), "{}", secret.name);
        assert!(secret.is_in(account.state_object(&format!("dev.k8s.local/pki/{file}")).as_bytes()), "{}", secret.name);
    }
    assert!(!secrets.iter().any(|secret| secret.is_in(account.state_object("dev.k8s.local/pki/ca.crt").as_bytes())));
}

/// Something that must not be seen, in every form that it may be written in.
struct Secret {
    name: String,
    plain: Vec<u8>,
    needles: Vec<Vec<u8>>,
}

impl Secret {
    fn new(name: &str, plain: &[u8]) -> Self {
        let mut needles = Vec::new();
        let text = String::from_utf8(plain.to_vec()).unwrap();
        let mut forms = vec![plain.to_vec()];
        if text.contains("PRIVATE KEY") {
            // The line with which every key begins tells nothing; the body of a key does, also a single line of it.
            needles.extend(text.lines().filter(|line| line.len() == 64).map(|line| line.as_bytes().to_vec()));
            needles.push(pem_body(&text).into_bytes());
            forms.push(BASE64.decode(pem_body(&text)).unwrap());
        } else {
            needles.push(plain.to_vec());
        }
        for form in forms {
            // In Base64 of something longer it stands in one of three ways; at both ends characters depend on what is beside it.
            for skip in 0..3 {
                let whole = (form.len() - skip) / 3 * 3;
                needles.push(BASE64.encode(&form[skip..skip + whole]).into_bytes());
            }
            // A log may be cut: half of it is too much.
            let half = &form[form.len() / 2..];
            needles.push(hex(half).into_bytes());
            needles.push(hex(half).to_uppercase().into_bytes());
            let list = format!("{half:?}");
            needles.push(list[1..list.len() - 1].as_bytes().to_vec());
        }
        Self { name: name.to_owned(), plain: plain.to_vec(), needles }
    }

    fn is_in(&self, text: &[u8]) -> bool {
        // Base64 and PEM are broken into lines of any length.
        let dense: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let dense_of = |needle: &[u8]| needle.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
        let text = String::from_utf8_lossy(&dense).replace("\\n", "");
        self.needles.iter().any(|needle| text.contains(&*String::from_utf8_lossy(&dense_of(needle))))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pem_body(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("-----")).collect()
}

fn secrets(account: &Account) -> Vec<Secret> {
    secrets_of(account, CLUSTER)
}

/// The private keys, the key that Secrets are encrypted with, and the credentials.
fn secrets_of(account: &Account, cluster: &str) -> Vec<Secret> {
    let bundle: Json = serde_json::from_str(&account.state_object(&format!("{cluster}/pki/bundle.json"))).unwrap();
    let files: BTreeMap<String, String> = serde_json::from_value(bundle["files"].clone()).unwrap();
    let mut secrets =
        vec![Secret::new("AWS secret key", SECRET_KEY.as_bytes()), Secret::new("AWS session token", SESSION_TOKEN.as_bytes())];
    for (name, content) in &files {
        let content = BASE64.decode(content).unwrap();
        let text = String::from_utf8(content.clone()).unwrap();
        if text.contains("PRIVATE KEY") {
            secrets.push(Secret::new(name, &content));
        } else if let Some((_, key)) = text.split_once("secret: ") {
            secrets.push(Secret::new("encryption key", key.lines().next().unwrap().as_bytes()));
        }
    }
    assert_eq!(secrets.len(), 7);
    secrets
}

/// Names and contents of what kclust wrote.
#[derive(Default)]
struct Told(Vec<(String, Vec<u8>)>);

impl Told {
    #[track_caller]
    fn run(&mut self, account: &Account, code: i32, args: &[&str]) {
        let told = with_credentials(&mut account.command(args), code);
        self.add(&args.join(" "), &told);
    }

    fn add(&mut self, what: &str, run: &Run) {
        self.0.push((format!("stdout of {what}"), run.stdout.clone().into_bytes()));
        self.0.push((format!("stderr of {what}"), run.stderr.clone().into_bytes()));
    }

    /// What is in the account: its resources, user-data, and every version of every object outside `pki/`. Returns the number of
    /// user-data.
    fn world(&mut self, account: &Account) -> usize {
        self.0.push(("world".to_owned(), account.world().to_string().into_bytes()));
        let bucket = format!("kclust-state-{}", account.id);
        let list = account.s3("GET", &format!("{bucket}?versions"), "us-east-1", "");
        for version in list.split("<Version>").skip(1) {
            let part = |name: &str| version.split_once(&format!("<{name}>")).unwrap().1.split_once('<').unwrap().0;
            let (key, id) = (part("Key"), part("VersionId"));
            if !key.starts_with(&format!("{CLUSTER}/pki/")) {
                self.0.push((format!("{key} of {id}"), account.state_version(key, id).into_bytes()));
            }
        }
        let body = "Action=DescribeLaunchTemplateVersions&Version=2016-11-15&LaunchTemplateVersion.1=$Latest";
        let answer = account.form("ec2", "us-east-1", body);
        let user_data: Vec<&str> = answer.split("<userData>").skip(1).map(|rest| rest.split_once('<').unwrap().0).collect();
        for (number, encoded) in user_data.iter().enumerate() {
            let compressed = BASE64.decode(encoded).unwrap();
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut text).unwrap();
            assert!(text.windows(6).any(|part| part == b"kclust"));
            self.0.push((format!("user-data of template {number}"), text));
        }
        self.0.push(("launch templates".to_owned(), answer.clone().into_bytes()));
        user_data.len()
    }

    /// Files that were written beside the specs; nobody but their owner may change them.
    fn files(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
            } else {
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o7133, 0, "{} has mode {mode:o}", path.display());
                self.0.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
}

/// Runs a command with credentials that can be told again, and whatever makes libraries talk.
#[track_caller]
fn with_credentials(command: &mut std::process::Command, code: i32) -> Run {
    command
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_SESSION_TOKEN", SESSION_TOKEN)
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    run(command).expect(code)
}
