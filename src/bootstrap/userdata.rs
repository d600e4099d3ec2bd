//! User-data: what EC2 hands to a machine at its start.

use std::io::{Read, Write};

use flate2::{Compression, GzBuilder, read::GzDecoder};
use serde::Serialize;

use super::facts::NodeFacts;
use super::kubeadm;
use super::templates::render;
use crate::cloud::Facts;
use crate::model::{API, BootstrapObject, Ref, UserData};
use crate::spec::{ApiEndpoint, Cluster, NodeGroup, Slot};

/// Most bytes of user-data that EC2 takes, after compression and before base64 (`RunInstances`, `CreateLaunchTemplate`).
pub const LIMIT: usize = 16 * 1024;

/// Longest text that [`decompress`] unpacks: far beyond what [`LIMIT`] bytes of ours can hold.
const LONGEST_TEXT: u64 = 1024 * 1024;

/// A file that user-data or the boot program writes on the node.
#[derive(Debug, Serialize)]
pub(super) struct File {
    pub path: String,
    /// Octal, as chmod takes it.
    pub mode: &'static str,
    /// Ends with a line feed and has no line that is [`END`].
    pub content: String,
}

/// Line that ends a file's content in a script.
const END: &str = "KCLUST_END";

impl File {
    pub(super) fn new(path: impl Into<String>, mode: &'static str, content: impl Into<String>) -> Self {
        let (path, content) = (path.into(), content.into());
        debug_assert!(content.ends_with('\n') && !content.lines().any(|line| line == END), "{path}");
        Self { path, mode, content }
    }
}

/// User-data of a control-plane slot.
pub fn slot_user_data(cluster: &Cluster, facts: &Facts, slot: &Slot, boot: &BootstrapObject) -> UserData {
    let documents = [
        File::new("/etc/kclust/init.yaml", "600", kubeadm::init_configuration(slot)),
        File::new("/etc/kclust/cluster.yaml", "600", kubeadm::cluster_configuration(cluster, facts)),
    ];
    user_data(cluster, &NodeFacts::slot(cluster, facts, slot, boot), documents)
}

/// User-data of the machines of a node group.
pub fn worker_user_data(cluster: &Cluster, facts: &Facts, group: &NodeGroup, boot: &BootstrapObject) -> UserData {
    let documents = [File::new("/etc/kclust/join.yaml", "600", kubeadm::join_configuration(group))];
    user_data(cluster, &NodeFacts::worker(cluster, facts, group, boot), documents)
}

fn user_data(cluster: &Cluster, node: &NodeFacts<'_>, documents: impl IntoIterator<Item = File>) -> UserData {
    #[derive(Serialize)]
    struct Boothook {
        files: Vec<File>,
    }
    let mut files = vec![File::new("/etc/kclust/node.env", "600", render("node.env", node))];
    files.extend(documents);
    files.extend([
        File::new("/usr/local/lib/kclust/aws.sh", "644", include_str!("../../templates/aws.sh")),
        File::new("/usr/local/lib/kclust/sigv4.py", "644", include_str!("../../templates/sigv4.py")),
        File::new("/usr/local/lib/kclust/start", "755", include_str!("../../templates/start.sh")),
        File::new("/etc/systemd/system/kclust-boot.service", "644", include_str!("../../templates/kclust-boot.service")),
    ]);
    let own_name = cluster.dns.is_none() && cluster.api.endpoint == ApiEndpoint::LoadBalancer;
    UserData { text: render("cloud-boothook.sh", &Boothook { files }), api_name_of: own_name.then(|| Ref::own(API)) }
}

/// Puts the DNS name of the load balancer where the text has [`UserData::API_NAME`].
pub fn with_api_name(text: &str, name: &str) -> String {
    text.replace(UserData::API_NAME, name)
}

/// gzip, which cloud-init unpacks by itself. The same text gives the same bytes: the header has no time.
pub fn compress(text: &str) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

/// Reverses [`compress`]. `None` when the bytes are not a gzip of UTF-8 text of a sensible length: not ours.
pub fn decompress(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    GzDecoder::new(bytes).take(LONGEST_TEXT).read_to_string(&mut text).ok()?;
    (text.len() as u64 != LONGEST_TEXT).then_some(text)
}
