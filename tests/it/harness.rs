//! One emulator for all tests, an account of its own for each.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// The emulator ends when its standard input closes: when this process ends, however it does.
struct Emulator {
    port: u16,
    _process: Child,
    _lifeline: ChildStdin,
    _directory: TempDir,
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn emulator() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| {
        let venv = std::env::var_os("KCLUST_VENV").map_or_else(|| repository().join(".venv"), PathBuf::from);
        let python = venv.join("bin/python");
        assert!(python.exists(), "{} is missing: run tests/emulator/setup.sh, or `make test`", python.display());
        let directory = TempDir::new().unwrap();
        let port_file = directory.path().join("port");
        let mut process = Command::new(python)
            .args(["-m", "emulator", "--port-file"])
            .arg(&port_file)
            .env("PYTHONPATH", repository().join("tests"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::from(fs::File::create(directory.path().join("log")).unwrap()))
            .spawn()
            .unwrap();
        let lifeline = process.stdin.take().unwrap();
        let begun = Instant::now();
        let port = loop {
            if let Ok(text) = fs::read_to_string(&port_file) {
                break text.trim().parse().unwrap();
            }
            let ended = process.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(120),
                "the emulator did not start: {}",
                fs::read_to_string(directory.path().join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        };
        Emulator { port, _process: process, _lifeline: lifeline, _directory: directory }
    })
}

/// Address of the emulator.
pub fn endpoint() -> String {
    format!("http://127.0.0.1:{}", emulator().port)
}

/// Asks the emulator itself (tests/emulator/README.md).
fn control(method: &str, path: &str, body: Option<&Json>) -> Json {
    let body = body.map(Json::to_string).unwrap_or_default();
    serde_json::from_str(&http(method, &format!("/_emulator/{path}"), "", &body)).unwrap()
}

/// Sends one request to the emulator and returns the body of its answer, which must be a success.
fn http(method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", emulator().port)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    body.to_owned()
}

/// An AWS account that nobody else uses, with a state store and a place for files.
pub struct Account {
    pub id: String,
    pub directory: TempDir,
}

/// How a command ended.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// # Panics
    /// When the exit code is another one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }
}

impl Account {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let id = format!("{:012}", 200_000_000_000_u64 + u64::from(NEXT.fetch_add(1, Ordering::Relaxed)));
        Self { id, directory: TempDir::new().unwrap() }
    }

    /// Bucket names are shared by all accounts, in AWS as here.
    pub fn state(&self) -> String {
        format!("s3://kclust-state-{}", self.id)
    }

    pub fn access_key(&self) -> String {
        format!("AKIA{}TEST", self.id)
    }

    /// The binary, in this account; nothing of the environment of the tests leaks in.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kclust"));
        command
            .args(args)
            .current_dir(repository())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("USER", "tester")
            .env("LANG", "C.UTF-8")
            // A name that does not exist shall not be looked for long.
            .env("RES_OPTIONS", "timeout:1 attempts:1")
            .env("AWS_ENDPOINT_URL", endpoint())
            .env("AWS_ACCESS_KEY_ID", self.access_key())
            .env("AWS_SECRET_ACCESS_KEY", "emulated")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("KCLUST_STATE", self.state())
            // Nobody answers there: what name servers say is for the tests that bring their own.
            .env("KCLUST_RESOLVER", "127.0.0.1:1")
            .stdin(Stdio::null());
        command
    }

    pub fn kclust(&self, args: &[&str]) -> Run {
        run(&mut self.command(args))
    }

    pub fn seed(&self, what: &Json) -> Json {
        control("POST", &format!("seed?account={}", self.id), Some(what))
    }

    /// The hosted zone that the examples name.
    pub fn with_zone(self, name: &str) -> Self {
        self.seed(&json!({ "what": "zone", "name": name }));
        self
    }

    /// Everything that the account holds.
    pub fn world(&self) -> Json {
        control("GET", &format!("world?account={}", self.id), None)
    }

    /// The same in a form that is equal for any two runs with the same result.
    pub fn canonical_world(&self) -> Json {
        control("GET", &format!("canonical-world?account={}", self.id), None)
    }

    /// Puts the account aside, for [`Self::restore`].
    pub fn snapshot(&self, name: &str) {
        control("POST", &format!("snapshot?account={}", self.id), Some(&json!({ "name": name })));
    }

    /// Makes the account what it was when it was put aside.
    pub fn restore(&self, name: &str) {
        control("POST", &format!("restore?account={}", self.id), Some(&json!({ "name": name })));
    }

    /// All calls since the last [`Self::forget_calls`].
    pub fn calls(&self) -> Vec<Json> {
        control("GET", &format!("calls?account={}", self.id), None).as_array().unwrap().clone()
    }

    pub fn forget_calls(&self) {
        control("DELETE", &format!("calls?account={}", self.id), None);
    }

    /// Calls that the emulator could not answer as AWS would.
    pub fn defects(&self) -> Vec<Json> {
        control("GET", &format!("defects?account={}", self.id), None).as_array().unwrap().clone()
    }

    pub fn set_faults(&self, rules: &Json) {
        control("PUT", &format!("faults?account={}", self.id), Some(rules));
    }

    pub fn set_conditions(&self, conditions: &Json) {
        control("PUT", &format!("conditions?account={}", self.id), Some(conditions));
    }

    /// Listings have no longer pages than that.
    pub fn set_page_size(&self, size: Option<u32>) {
        control("PUT", &format!("page-size?account={}", self.id), Some(&json!(size)));
    }

    /// What kclust may do in this account, in IAM policies; tests themselves may do everything.
    pub fn set_permissions(&self, policies: &Json) {
        let permissions = json!({ "policies": policies, "client": "app/kclust-" });
        control("PUT", &format!("permissions?account={}", self.id), Some(&permissions));
    }

    /// Whom the credentials of this account belong to, instead of its user `operator`.
    pub fn set_principal(&self, arn: &str, policies: &Json) {
        let permissions = json!({ "policies": policies, "client": "app/kclust-", "principal": arn });
        control("PUT", &format!("permissions?account={}", self.id), Some(&permissions));
    }

    /// Actions and resources of the policies that allowed nothing yet.
    pub fn unused_permissions(&self) -> Vec<String> {
        let unused = control("GET", &format!("permissions?account={}", self.id), None)["unused"].take();
        serde_json::from_value(unused).unwrap()
    }

    pub fn set_quotas(&self, quotas: &Json) {
        control("PUT", &format!("quotas?account={}", self.id), Some(quotas));
    }

    /// Sends a request to S3 as a client of this account would. Nobody looks at signatures.
    pub fn s3(&self, method: &str, path: &str, region: &str, body: &str) -> String {
        self.rest("s3", method, path, region, body)
    }

    /// As [`Self::s3`], to another service that has paths.
    pub fn rest(&self, service: &str, method: &str, path: &str, region: &str, body: &str) -> String {
        let kind = "Content-Type: application/octet-stream\r\n";
        http(method, &format!("/{path}"), &format!("{kind}{}", self.authorization(service, region)), body)
    }

    /// Sends a request to a service that takes forms, such as EC2.
    pub fn form(&self, service: &str, region: &str, body: &str) -> String {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        http("POST", "/", &format!("{kind}{}", self.authorization(service, region)), body)
    }

    fn authorization(&self, service: &str, region: &str) -> String {
        let credential = format!("{}/20260101/{region}/{service}/aws4_request", self.access_key());
        format!("Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0\r\n")
    }

    /// Text of an object of the state store.
    pub fn state_object(&self, key: &str) -> String {
        self.s3("GET", &format!("kclust-state-{}/{key}", self.id), "us-east-1", "")
    }

    /// Puts an object into the state store, behind kclust's back.
    pub fn put_state_object(&self, key: &str, content: &str) {
        self.s3("PUT", &format!("kclust-state-{}/{key}", self.id), "us-east-1", content);
    }

    /// Makes an object of the state store older than it is, by the store's clock.
    pub fn age_state_object(&self, key: &str, seconds: u32) {
        let object = json!({ "bucket": format!("kclust-state-{}", self.id), "key": key, "seconds": seconds });
        control("POST", &format!("age?account={}", self.id), Some(&object));
    }

    pub fn remove_state_object(&self, key: &str) {
        self.s3("DELETE", &format!("kclust-state-{}/{key}", self.id), "us-east-1", "");
    }

    /// Text of one version of an object of the state store.
    pub fn state_version(&self, key: &str, id: &str) -> String {
        self.s3("GET", &format!("kclust-state-{}/{key}?versionId={id}", self.id), "us-east-1", "")
    }

    /// Texts of all versions of an object of the state store.
    pub fn state_versions(&self, key: &str) -> Vec<String> {
        let list = self.s3("GET", &format!("kclust-state-{}?versions&prefix={key}", self.id), "us-east-1", "");
        let versions = list.split("<Version>").skip(1);
        let ids = versions.filter_map(|version| version.split_once("<VersionId>")?.1.split_once('<')).map(|(id, _)| id);
        ids.map(|id| self.state_version(key, id)).collect()
    }

    /// Writes a file into the account's directory.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            control("POST", &format!("reset?account={}", self.id), None);
        }
    }
}

pub fn run(command: &mut Command) -> Run {
    Running::start(command).wait()
}

/// A command that was started and not waited for.
pub struct Running {
    child: Child,
    stdout: Option<Output>,
    stderr: Option<Output>,
}

impl Running {
    /// No command of a test takes longer, on however slow a machine.
    const LIMIT: Duration = Duration::from_secs(240);

    /// Its output is collected, but for streams that [`Self::start_with`] leaves alone.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    pub fn start_with(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(Output::collect);
        let stderr = child.stderr.take().map(Output::collect);
        Self { child, stdout, stderr }
    }

    /// A command that does nothing before a line is written to its standard input: its process is known before its first call.
    pub fn held(command: &Command) -> (Self, ChildStdin) {
        let mut sh = Command::new("sh");
        sh.args(["-c", "read -r _ && exec \"$@\" </dev/null", "sh"]).arg(command.get_program()).args(command.get_args());
        sh.current_dir(command.get_current_dir().unwrap()).env_clear().stdin(Stdio::piped());
        sh.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut running = Self::start(&mut sh);
        let begin = running.child.stdin.take().unwrap();
        (running, begin)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success(), "the command has ended already");
    }

    /// Waits until standard output or standard error holds these words.
    #[track_caller]
    pub fn wait_for_words(&self, words: &str) {
        let begun = Instant::now();
        let said = || [&self.stdout, &self.stderr].into_iter().flatten().map(Output::text).collect::<String>();
        while !said().contains(words) {
            assert!(begun.elapsed() < Self::LIMIT, "{words:?} was not said:\n{}", said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The exit code of a command that a signal ended is -1.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let begun = Instant::now();
        let mut late = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > Self::LIMIT {
                late = true;
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let all = |output: Option<Output>| output.map(Output::all).unwrap_or_default();
        let run = Run { code: status.code().unwrap_or(-1), stdout: all(self.stdout), stderr: all(self.stderr) };
        assert!(!late, "the command did not end; stdout:\n{}\nstderr:\n{}", run.stdout, run.stderr);
        run
    }
}

/// What a command has written to a stream.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn collect(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                match stream.read(&mut buffer).unwrap() {
                    0 => break,
                    read => collected.lock().unwrap().extend(&buffer[..read]),
                }
            }
        });
        Self { bytes, reader }
    }

    /// As far as it goes by now.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn all(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8(std::mem::take(&mut *self.bytes.lock().unwrap())).unwrap()
    }
}

/// Text of an example spec.
pub fn example(name: &str) -> String {
    fs::read_to_string(repository().join("examples").join(format!("{name}.yaml"))).unwrap()
}
