//! What turns a machine into a node: user-data, boot program and kubeadm documents, rendered from `templates/`. Pure.
//!
//! Three things reach a node, in this order, and none of them holds a secret:
//!
//! 1. **User-data** ([`slot_user_data`], [`worker_user_data`]): a `#cloud-boothook` that writes the node's facts and the kubeadm
//!    documents, and starts the service `kclust-boot`. The only text that may hold the API's name: without a DNS zone that is the
//!    load balancer's, unknown when the plan is made.
//! 2. **The boot program** ([`boot_program`]): one shell script for all nodes of a cluster. User-data pins its SHA-256, so that it
//!    cannot be swapped, and its key in the state bucket holds the same hash, so that a change is a new object.
//! 3. What the boot program downloads, checked against [`versions`].
//!
//! Rendering cannot fail for a valid `Cluster`: a failure is a mistake in a template, and ends the program.

mod boot;
mod facts;
mod kubeadm;
mod templates;
mod userdata;
mod versions;

#[cfg(test)]
mod cis_tests;
#[cfg(test)]
mod decision_tests;
#[cfg(test)]
mod kubeadm_tests;
#[cfg(test)]
mod script_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tool_tests;

use crate::cloud::Facts;
use crate::model::BootstrapObject;
use crate::spec::Cluster;

pub use boot::boot_program;
pub(crate) use templates::render;
pub use userdata::{LIMIT, compress, decompress, slot_user_data, with_api_name, worker_user_data};
pub use versions::{Versions, versions};

/// Everything that nodes of the cluster are given, for a person to read: relative path → content, user-data uncompressed.
pub fn all_artefacts(cluster: &Cluster, facts: &Facts) -> Vec<(String, String)> {
    let boot = boot_program(cluster);
    let mut artefacts = Vec::new();
    for slot in cluster.slots() {
        let user_data = slot_user_data(cluster, facts, &slot, &boot);
        artefacts.push((format!("slots/{}/user-data.sh", slot.name), user_data.text));
        artefacts.push((format!("slots/{}/kubeadm.yaml", slot.name), kubeadm::slot_configuration(cluster, facts, &slot)));
    }
    for group in &cluster.node_groups {
        let user_data = worker_user_data(cluster, facts, group, &boot);
        artefacts.push((format!("groups/{}/user-data.sh", group.name), user_data.text));
        artefacts.push((format!("groups/{}/kubeadm.yaml", group.name), kubeadm::join_configuration(group)));
    }
    let BootstrapObject { key, content, .. } = boot;
    artefacts.extend(content.map(|content| (key, content)));
    artefacts
}
