//! The boot program: one shell script for all nodes of a cluster, put together from `templates/boot/`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::kubeadm;
use super::templates::render;
use super::userdata::File;
use super::versions::versions;
use crate::model::BootstrapObject;
use crate::spec::Cluster;

/// The parts that are the same for every cluster, in their order in the script.
pub(super) const PARTS: [&str; 20] = [
    include_str!("../../templates/boot/log.sh"),
    include_str!("../../templates/boot/requests.sh"),
    include_str!("../../templates/boot/identity.sh"),
    include_str!("../../templates/boot/host.sh"),
    include_str!("../../templates/boot/software.sh"),
    include_str!("../../templates/boot/containerd.sh"),
    include_str!("../../templates/boot/volume.sh"),
    include_str!("../../templates/boot/pki.sh"),
    include_str!("../../templates/boot/etcd.sh"),
    include_str!("../../templates/boot/control-plane.sh"),
    include_str!("../../templates/boot/certificates.sh"),
    include_str!("../../templates/boot/cluster.sh"),
    include_str!("../../templates/boot/cluster-settings.sh"),
    include_str!("../../templates/boot/addons.sh"),
    include_str!("../../templates/boot/backup.sh"),
    include_str!("../../templates/boot/restore.sh"),
    include_str!("../../templates/boot/end.sh"),
    include_str!("../../templates/boot/tend.sh"),
    include_str!("../../templates/boot/worker.sh"),
    include_str!("../../templates/boot/main.sh"),
];

/// The boot program of the cluster's nodes: one for all, since what differs from node to node is in their user-data.
pub fn boot_program(cluster: &Cluster) -> BootstrapObject {
    let mut content = settings(cluster);
    content.push_str(&files(cluster));
    for part in PARTS {
        content.push('\n');
        content.push_str(part);
    }
    BootstrapObject::new("boot", "sh", content)
}

/// Versions, digests and download sources.
fn settings(cluster: &Cluster) -> String {
    #[derive(Serialize)]
    struct Settings<'a> {
        kubernetes_version: String,
        containerd_version: String,
        runc_version: String,
        cni_plugins_version: String,
        etcd_version: String,
        helm_version: String,
        pause_image: String,
        files_url: &'a str,
        digests: Vec<Digest>,
    }
    /// Not a map: Tera goes through maps in no order, and the program would not hash to the same twice.
    #[derive(Serialize)]
    struct Digest {
        download: String,
        sha256: String,
    }
    let versions = versions();
    let kubernetes = &cluster.kubernetes_version;
    // A mirror vouches for what it holds, rebuilt or not, by the checksum files beside its files.
    let digests = if cluster.assets.files.is_none() { versions.digests(kubernetes) } else { BTreeMap::new() };
    let digests = digests.into_iter().map(|(download, sha256)| Digest { download, sha256 }).collect();
    render(
        "settings.sh",
        &Settings {
            kubernetes_version: kubernetes.to_string(),
            containerd_version: versions.containerd.version.to_string(),
            runc_version: versions.runc.version.to_string(),
            cni_plugins_version: versions.cni_plugins.version.to_string(),
            etcd_version: versions.etcd(kubernetes).version.to_string(),
            helm_version: versions.helm.version.to_string(),
            pause_image: kubeadm::pause_image(),
            files_url: cluster.assets.files.as_deref().unwrap_or_default().trim_end_matches('/'),
            digests,
        },
    )
}

/// The functions that write files on nodes.
fn files(cluster: &Cluster) -> String {
    #[derive(Serialize)]
    struct Files {
        node_files: Vec<File>,
        control_plane_files: Vec<File>,
    }
    #[derive(Serialize)]
    struct Containerd {
        pause_image: String,
    }
    let containerd = render("containerd.toml", &Containerd { pause_image: kubeadm::pause_image() });
    let mut node_files = vec![
        File::new("/etc/sysctl.d/90-kclust.conf", "644", include_str!("../../templates/files/sysctl.conf")),
        File::new("/etc/modules-load.d/kclust.conf", "644", include_str!("../../templates/files/modules.conf")),
        File::new("/etc/cloud/cloud.cfg.d/99-kclust.cfg", "644", include_str!("../../templates/files/cloud.cfg")),
        File::new("/etc/kclust/containerd.toml", "644", containerd),
        File::new("/etc/systemd/system/containerd.service", "644", include_str!("../../templates/files/containerd.service")),
        File::new("/etc/systemd/system/kubelet.service", "600", include_str!("../../templates/files/kubelet.service")),
    ];
    node_files.extend(registry_files(cluster));
    let control_plane_files = vec![
        File::new("/usr/local/lib/kclust/mount-etcd", "755", include_str!("../../templates/files/mount-etcd.sh")),
        File::new(
            "/etc/systemd/system/kubelet.service.d/20-etcd-volume.conf",
            "600",
            include_str!("../../templates/files/kubelet-etcd-volume.conf"),
        ),
        File::new(
            "/etc/systemd/system/kclust-credential.service",
            "644",
            include_str!("../../templates/files/kclust-credential.service"),
        ),
        File::new(
            "/etc/systemd/system/kclust-credential.timer",
            "644",
            include_str!("../../templates/files/kclust-credential.timer"),
        ),
        File::new("/etc/systemd/system/kclust-tend.service", "644", include_str!("../../templates/files/kclust-tend.service")),
        File::new(
            "/etc/systemd/system/kclust-addons.service",
            "644",
            include_str!("../../templates/files/kclust-addons.service"),
        ),
        File::new("/etc/systemd/system/kclust-end.service", "644", include_str!("../../templates/files/kclust-end.service")),
        File::new("/etc/systemd/system/kclust-stop.service", "644", include_str!("../../templates/files/kclust-stop.service")),
        File::new("/etc/kclust/admins.yaml", "600", include_str!("../../templates/files/admins.yaml")),
        File::new("/etc/kubernetes/apiserver/admission.yaml", "600", include_str!("../../templates/files/admission.yaml")),
        File::new("/etc/kubernetes/apiserver/audit-policy.yaml", "600", include_str!("../../templates/files/audit-policy.yaml")),
        File::new(
            "/etc/kubernetes/apiserver/authentication.yaml",
            "600",
            include_str!("../../templates/files/authentication.yaml"),
        ),
    ];
    render("files.sh", &Files { node_files, control_plane_files })
}

/// Mirrors of image registries, as containerd reads them (`hosts.toml`).
fn registry_files(cluster: &Cluster) -> impl Iterator<Item = File> {
    #[derive(Serialize)]
    struct Hosts<'a> {
        server: String,
        mirrors: Vec<Mirror<'a>>,
    }
    #[derive(Serialize)]
    struct Mirror<'a> {
        url: &'a str,
        /// A URL with a path is the root of the registry API, `/v2` included; otherwise containerd appends `/v2`.
        whole_path: bool,
    }
    cluster.assets.registries.iter().map(|(registry, mirrors)| {
        let mirrors = mirrors.iter().map(|url| url.trim_end_matches('/'));
        let mirrors =
            mirrors.map(|url| Mirror { url, whole_path: url.split("://").last().is_some_and(|rest| rest.contains('/')) });
        let hosts = Hosts { server: registry_url(registry), mirrors: mirrors.collect() };
        File::new(format!("/etc/containerd/certs.d/{registry}/hosts.toml"), "644", render("hosts.toml", &hosts))
    })
}

/// Docker Hub's registry has another name than its images.
fn registry_url(registry: &str) -> String {
    match registry {
        "docker.io" => "https://registry-1.docker.io".to_owned(),
        _ => format!("https://{registry}"),
    }
}
