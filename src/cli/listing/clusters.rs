//! `kclust get clusters`.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::cli::table::{Cell, Column, Tone, table};
use crate::ops::ClusterEntry;
use crate::plan::TextStyle;

use super::age;

const COLUMNS: [Column; 7] = [
    Column::text("NAME").at_least(16),
    Column::text("REGION"),
    Column::text("VERSION"),
    Column::number("CONTROL"),
    Column::number("GROUPS"),
    Column::text("CHANGED"),
    Column::text("STATE"),
];

/// An array with an object for each cluster. Fields of a cluster that cannot be read are null, but for `name` and `problem`.
pub fn cluster_document(entries: &[ClusterEntry]) -> Json {
    let document = |entry: &ClusterEntry| match &entry.applied {
        Ok((cluster, revision)) => json!({
            "name": entry.name,
            "region": cluster.region,
            "kubernetesVersion": cluster.kubernetes_version,
            "controlPlanes": cluster.control_plane.replicas,
            "nodeGroups": cluster.node_groups.len(),
            "lastChange": revision,
            "problem": null,
        }),
        Err(error) => json!({
            "name": entry.name,
            "region": null,
            "kubernetesVersion": null,
            "controlPlanes": null,
            "nodeGroups": null,
            "lastChange": null,
            "problem": error.to_string(),
        }),
    };
    entries.iter().map(document).collect()
}

/// A line for each cluster, one that cannot be read included.
pub fn cluster_table(entries: &[ClusterEntry], now: Timestamp, style: TextStyle) -> String {
    let row = |entry: &ClusterEntry| match &entry.applied {
        Ok((cluster, revision)) => vec![
            Cell::from(&entry.name),
            Cell::from(&cluster.region),
            Cell::from(&cluster.kubernetes_version),
            Cell::from(cluster.control_plane.replicas),
            Cell::from(cluster.node_groups.len()),
            Cell::from(format!("{} ago", age(revision.at, now))),
            Cell::from("ok"),
        ],
        Err(_) => {
            let unknown = || Cell::maybe(None::<u8>);
            let mut row = vec![Cell::from(&entry.name)];
            row.extend(std::iter::repeat_with(unknown).take(5));
            row.push(Cell::new("unreadable", Tone::Bad));
            row
        }
    };
    table(&COLUMNS, &entries.iter().map(row).collect::<Vec<_>>(), style)
}
