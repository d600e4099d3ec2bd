//! What kclust puts into kubectl's configuration for a cluster.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::kubeconfig::{Entry, Section};
use crate::pki::ClientCertificate;

/// Version of kubectl's protocol for programs that make credentials (KEP 541).
pub const EXEC_API_VERSION: &str = "client.authentication.k8s.io/v1";

/// A cluster as kubectl reaches it.
#[derive(Debug, Clone)]
pub struct Login {
    /// Name of the context, and in the configuration of kubectl also that of the cluster and of the user.
    pub name: String,
    /// Name of the cluster in the state store.
    pub cluster: String,
    /// Address of the API with scheme and port.
    pub server: String,
    /// Certificate of the cluster's authority in PEM.
    pub ca: String,
    pub user: User,
}

/// How kubectl proves who somebody is.
#[derive(Debug, Clone)]
pub enum User {
    /// By a program that makes short-lived credentials.
    Exec(Exec),
    /// By a certificate that is written down.
    Certificate(ClientCertificate),
}

/// A program and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// A word that is looked for on the `PATH`, or an absolute path.
    pub command: String,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl Login {
    /// Whether this is the authority of the cluster, in Base64 as a configuration has it.
    pub(super) fn trusts(&self, authority: &str) -> bool {
        STANDARD.decode(authority).is_ok_and(|authority| authority.trim_ascii() == self.ca.as_bytes().trim_ascii())
    }

    /// With the variables that somebody has added to what kclust wrote before.
    pub fn keeping(mut self, earlier: Vec<(String, String)>) -> Self {
        if let User::Exec(exec) = self.user {
            self.user = User::Exec(exec.keeping(earlier));
        }
        self
    }

    /// In the order in which they are written: a context comes after what it names.
    pub fn entries(&self) -> [Entry; 3] {
        let entry = |section, fields, without| Entry { section, name: self.name.clone(), fields, without };
        let (user, other_ways) = match &self.user {
            User::Exec(exec) => (vec![("exec", exec.to_json())], &WITHOUT_EXEC[..]),
            User::Certificate(ClientCertificate { certificate, key }) => (
                vec![
                    ("client-certificate-data", json!(STANDARD.encode(certificate))),
                    ("client-key-data", json!(STANDARD.encode(key.expose()))),
                ],
                &WITHOUT_CERTIFICATE[..],
            ),
        };
        [
            entry(
                Section::Clusters,
                vec![("certificate-authority-data", json!(STANDARD.encode(&self.ca))), ("server", json!(self.server))],
                &["certificate-authority", "insecure-skip-tls-verify", "tls-server-name"],
            ),
            entry(Section::Users, user, other_ways),
            entry(Section::Contexts, vec![("cluster", json!(self.name)), ("user", json!(self.name))], &[]),
        ]
    }
}

impl Exec {
    /// With the variables that an earlier configuration gave the program: those of the same name are as they are here.
    fn keeping(mut self, earlier: Vec<(String, String)>) -> Self {
        let mut env = earlier;
        for (name, value) in self.env {
            match env.iter_mut().find(|(known, _)| *known == name) {
                Some((_, earlier)) => *earlier = value,
                None => env.push((name, value)),
            }
        }
        self.env = env;
        self
    }

    fn to_json(&self) -> Json {
        let Self { command, args, env } = self;
        let variables: Vec<Json> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({
            "apiVersion": EXEC_API_VERSION,
            "args": args,
            "command": command,
            "env": if variables.is_empty() { Json::Null } else { Json::Array(variables) },
            "installHint": "The credentials of this cluster are made by kclust, which must be on the PATH.",
            // Nothing is ever asked: kubectl keeps its standard input for itself.
            "interactiveMode": "Never",
            // With the authority that the cluster is trusted by, so that credentials of another cluster are not taken for its own.
            "provideClusterInfo": true,
        })
    }
}

/// Fields of a user that say in another way who he is.
const WITHOUT_EXEC: [&str; 9] = [
    "client-certificate-data",
    "client-key-data",
    "client-certificate",
    "client-key",
    "token",
    "tokenFile",
    "username",
    "password",
    "auth-provider",
];
const WITHOUT_CERTIFICATE: [&str; 8] =
    ["client-certificate", "client-key", "token", "tokenFile", "username", "password", "auth-provider", "exec"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Kubeconfig;
    use crate::pki::Secret;

    fn login(user: User) -> Login {
        let cluster = "dev.k8s.local".to_owned();
        Login { name: cluster.clone(), cluster, server: "https://api.dev:6443".into(), ca: "CA\n".into(), user }
    }

    fn exec(profile: Option<&str>) -> User {
        User::Exec(Exec {
            command: "kclust".into(),
            args: ["credential", "--cluster", "dev.k8s.local", "--state", "s3://acme"].map(str::to_owned).into(),
            env: profile.map(|profile| ("AWS_PROFILE".to_owned(), profile.to_owned())).into_iter().collect(),
        })
    }

    fn put(kubeconfig: &mut Kubeconfig, user: User) {
        login(user).entries().iter().for_each(|entry| kubeconfig.put(entry).unwrap());
    }

    #[test]
    fn one_way_to_log_in_takes_the_place_of_the_other() {
        let mut kubeconfig = Kubeconfig::new();
        put(&mut kubeconfig, exec(None));
        let by_exec = kubeconfig.as_str().to_owned();
        assert!(by_exec.contains("      env: null\n") && by_exec.contains("      interactiveMode: Never\n"), "{by_exec}");
        let certificate = ClientCertificate { certificate: "CERTIFICATE".into(), key: Secret::new("KEY") };
        put(&mut kubeconfig, User::Certificate(certificate));
        let text = kubeconfig.as_str();
        assert!(!text.contains("exec") && text.contains(&format!("client-key-data: {}", STANDARD.encode("KEY"))), "{text}");
        put(&mut kubeconfig, exec(None));
        assert_eq!(kubeconfig.as_str(), by_exec);
    }

    /// Kubectl breaks long lines, drops quotes, and leaves what it writes in one order.
    #[test]
    fn what_kubectl_wrote_anew_is_left_as_it_is() {
        let mut kubeconfig = Kubeconfig::new();
        put(&mut kubeconfig, exec(Some("acme dev")));
        let hint = "installHint: \"The credentials of this cluster are made by kclust, which must be on the PATH.\"";
        let broken = "installHint: The credentials of this cluster are made by kclust, which must\n        be on the PATH.";
        let text = kubeconfig.as_str().replace("\"acme dev\"", "acme dev").replace(hint, broken);
        assert_eq!(text.matches("made by kclust, which must\n").count(), 1);
        let mut kubeconfig = Kubeconfig::parse(text.as_bytes()).unwrap();
        put(&mut kubeconfig, exec(Some("acme dev")));
        assert_eq!(kubeconfig.as_str(), text);
        // An older kclust said something else.
        for older in [broken.replace("made by", "of"), "installHint: |\n        get\n        kclust".to_owned()] {
            let mut kubeconfig = Kubeconfig::parse(text.replace(broken, &older).as_bytes()).unwrap();
            put(&mut kubeconfig, exec(Some("acme dev")));
            assert_eq!(kubeconfig.as_str(), text.replace(broken, hint));
        }
    }

    #[test]
    fn the_profile_is_that_of_the_last_time_that_there_was_one_and_other_variables_stay() {
        let mut kubeconfig = Kubeconfig::new();
        let again = |kubeconfig: &mut Kubeconfig, profile| {
            let login = login(exec(profile)).keeping(kubeconfig.credential_environment("dev.k8s.local"));
            login.entries().iter().for_each(|entry| kubeconfig.put(entry).unwrap());
        };
        again(&mut kubeconfig, None);
        let without = kubeconfig.as_str().to_owned();
        again(&mut kubeconfig, Some("acme dev"));
        let with = "      env:\n      - name: AWS_PROFILE\n        value: \"acme dev\"\n";
        let text = without.replace("      env: null\n", with);
        assert_eq!(kubeconfig.as_str(), text);
        again(&mut kubeconfig, None);
        assert_eq!(kubeconfig.as_str(), text);
        let added = text.replace(with, &format!("{with}      - name: HTTPS_PROXY # mine\n        value: http://proxy\n"));
        let mut kubeconfig = Kubeconfig::parse(added.as_bytes()).unwrap();
        again(&mut kubeconfig, None);
        assert_eq!(kubeconfig.as_str(), added);
        again(&mut kubeconfig, Some("prod"));
        let env = [("AWS_PROFILE", "prod"), ("HTTPS_PROXY", "http://proxy")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(kubeconfig.credential_environment("dev.k8s.local"), env);
    }
}
