//! Snapshots of etcd and restores, as people and programs read them.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::listing;
use super::table::{Cell, Column, table};
use crate::ops::{Before, RestorePlan, SlotState};
use crate::plan::TextStyle;
use crate::store::EtcdSnapshot;

/// Where slots mount the volume of etcd's data.
const KEPT_BELOW: &str = "/var/lib/etcd/";

const COLUMNS: [Column; 5] = [
    Column::text("TIME (UTC)"),
    Column::number("AGE"),
    Column::number("REVISION"),
    Column::number("SIZE"),
    Column::text("SNAPSHOT"),
];

pub fn snapshot_json(snapshot: &EtcdSnapshot) -> Json {
    let EtcdSnapshot { key, taken_at, revision, bytes } = snapshot;
    json!({ "key": key, "time": taken_at, "revision": revision, "bytes": bytes })
}

/// One line for each snapshot, in their order. `SNAPSHOT` is what `restore --from` takes.
pub fn snapshot_table(snapshots: &[EtcdSnapshot], now: Timestamp, style: TextStyle) -> String {
    let row = |snapshot: &EtcdSnapshot| {
        let EtcdSnapshot { key, taken_at, revision, bytes } = snapshot;
        vec![
            Cell::from(taken_at.strftime("%Y-%m-%d %H:%M")),
            Cell::from(listing::age(*taken_at, now)),
            Cell::from(revision),
            Cell::from(size(*bytes)),
            Cell::from(key.rsplit('/').next().unwrap_or(key)),
        ]
    };
    table(&COLUMNS, &snapshots.iter().map(row).collect::<Vec<_>>(), style)
}

pub fn plan_json(plan: &RestorePlan) -> Json {
    let RestorePlan { cluster, snapshot, age, slots, epoch, before, of_earlier_cluster } = plan;
    let (before, missing) = match before {
        Before::Done => (None, &[][..]),
        Before::Open { missing } => (Some(&snapshot.key), missing.as_slice()),
        Before::Abandoned { key, missing } => (Some(key), missing.as_slice()),
    };
    json!({
        "cluster": cluster,
        "operation": "restore",
        "snapshot": snapshot_json(snapshot),
        "ageSeconds": age.as_secs(),
        "slots": slots,
        "epoch": epoch.as_str(),
        "keptData": kept_data(plan),
        "ofEarlierCluster": of_earlier_cluster,
        "unfinished": before.map(|key| json!({ "key": key, "slots": missing })),
    })
}

/// What a restore does, what is lost, and how to go on. Lines of at most 80 columns, but for names.
pub fn plan_text(plan: &RestorePlan) -> String {
    let RestorePlan { cluster, snapshot, age: lost, slots, epoch: _, before, of_earlier_cluster } = plan;
    let lost = age(*lost);
    let mut text = String::new();
    let _ = writeln!(text, "Restore {cluster} from {}", snapshot.key);
    let _ = writeln!(text, "  taken     {}, {lost} ago", time(snapshot.taken_at));
    let _ = writeln!(text, "  revision  {}, {}", snapshot.revision, size(snapshot.bytes));
    let _ = writeln!(text, "  slots     {}", slots.join(", "));
    text.push('\n');
    match before {
        Before::Done => {}
        Before::Open { missing } => {
            let _ = writeln!(
                text,
                "It was asked for before and is not done yet on {}:\nnothing is asked for anew.\n",
                missing.join(", ")
            );
        }
        Before::Abandoned { key, missing } => {
            let _ = writeln!(
                text,
                "An earlier restore was never done on {}, from\n{key}.\nThis one takes its place.\n",
                missing.join(", ")
            );
        }
    }
    if *of_earlier_cluster {
        text.push_str(
            "The snapshot is of an earlier cluster of this name. Its Secrets were encrypted\n\
             with keys that are gone: the API server will not be able to read them.\n\n",
        );
    }
    let _ = writeln!(
        text,
        "On each of these slots etcd and the API server stop, and start again with the\n\
         data of the snapshot. Everything that was written to the cluster in the last\n\
         {lost} is gone.\n\
         \n\
         Pods keep running, but the objects of the API go back in time: what was made\n\
         since then is unknown to the cluster, and what was removed is there again.\n\
         Workers that joined since then register again when their kubelet restarts.\n\
         \n\
         The present data stays on the volume of each slot, in\n  {KEPT_BELOW}{}\n\
         If this is interrupted, the slots go on. To wait for them again:\n  {}",
        kept_data(plan),
        restore_command(cluster, &snapshot.key)
    );
    text
}

/// Where a slot keeps the data that it had before, beside etcd's.
pub fn kept_data(plan: &RestorePlan) -> String {
    format!("data.before-{}", plan.epoch)
}

/// The command that goes on with a restore. The name of the file is enough.
pub fn restore_command(cluster: &str, key: &str) -> String {
    let file = key.rsplit('/').next().unwrap_or(key);
    format!("kclust restore {cluster} --from {file}")
}

/// What a slot told last.
pub fn slot_line(state: &SlotState) -> String {
    match &state.status {
        None => format!("{}: its machine has not told anything", state.slot),
        Some(status) => {
            let error = status.error.as_ref().map(|error| format!("\n  {error}")).unwrap_or_default();
            format!("{}: {}, since {} ({}){error}", state.slot, status.step, status.since, status.instance)
        }
    }
}

/// `2026-11-26 22:15:00 UTC`
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Two units at most: `41 s`, `12 min`, `3 h 12 min`, `14 d 2 h`.
pub fn age(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match (minutes / (24 * 60), minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", age.as_secs()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `4.2 MiB`
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths, rounded down: whole numbers do not round 1023.96 up to 1024.0.
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / 1024, 0);
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1024, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NodeStatus, RequestId};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn snapshot(time: &str, revision: u64, bytes: u64) -> EtcdSnapshot {
        let key = format!("backups/etcd/{}-r{revision}.db.zst", at(time).strftime("%Y%m%dT%H%M%SZ"));
        EtcdSnapshot { key, taken_at: at(time), revision, bytes }
    }

    fn plan(before: Before) -> RestorePlan {
        RestorePlan {
            cluster: "prod.example.com".into(),
            snapshot: snapshot("2026-11-26T22:15:00Z", 12_345, 4_404_019),
            age: Duration::from_secs(3 * 3600 + 12 * 60 + 7),
            slots: ["cp-1", "cp-2", "cp-3"].map(str::to_owned).to_vec(),
            epoch: RequestId::new(at("2026-11-27T01:27:07Z"), 0x0a1b_2c3d),
            before,
            of_earlier_cluster: false,
        }
    }

    #[test]
    fn ages_and_sizes_are_short() {
        for (seconds, shown) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3600, "1 h"),
            (11_520, "3 h 12 min"),
            (86_400, "1 d"),
            (1_216_800, "14 d 2 h"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), shown);
        }
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1023.9 KiB"),
            (4_404_019, "4.1 MiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    const STYLE: TextStyle = TextStyle { color: false, unicode: true, width: 80 };

    #[test]
    fn snapshots_are_a_table() {
        let snapshots = [snapshot("2026-11-26T22:15:00Z", 12_345, 4_404_019), snapshot("2026-11-20T02:00:00Z", 9, 900)];
        insta::assert_snapshot!(snapshot_table(&snapshots, at("2026-11-26T22:16:00Z"), STYLE), @r"
        TIME (UTC)          AGE  REVISION     SIZE  SNAPSHOT
        2026-11-26 22:15     1m     12345  4.1 MiB  20261126T221500Z-r12345.db.zst
        2026-11-20 02:00  6d20h         9    900 B  20261120T020000Z-r9.db.zst
        ");
    }

    #[test]
    fn a_plan_tells_what_is_lost_and_how_to_go_on() {
        insta::assert_snapshot!(plan_text(&plan(Before::Done)), @r"
        Restore prod.example.com from backups/etcd/20261126T221500Z-r12345.db.zst
          taken     2026-11-26 22:15:00 UTC, 3 h 12 min ago
          revision  12345, 4.1 MiB
          slots     cp-1, cp-2, cp-3

        On each of these slots etcd and the API server stop, and start again with the
        data of the snapshot. Everything that was written to the cluster in the last
        3 h 12 min is gone.

        Pods keep running, but the objects of the API go back in time: what was made
        since then is unknown to the cluster, and what was removed is there again.
        Workers that joined since then register again when their kubelet restarts.

        The present data stays on the volume of each slot, in
          /var/lib/etcd/data.before-20261127T012707Z-0a1b2c3d
        If this is interrupted, the slots go on. To wait for them again:
          kclust restore prod.example.com --from 20261126T221500Z-r12345.db.zst
        ");
        let missing = vec!["cp-2".to_owned(), "cp-3".to_owned()];
        let earlier = plan_text(&RestorePlan { of_earlier_cluster: true, ..plan(Before::Done) });
        assert!(earlier.contains("The snapshot is of an earlier cluster of this name."), "{earlier}");
        let open = plan_text(&plan(Before::Open { missing: missing.clone() }));
        assert!(open.contains("not done yet on cp-2, cp-3:\nnothing is asked for anew."), "{open}");
        let key = "backups/etcd/20261120T020000Z-r9.db.zst".to_owned();
        let abandoned = plan_text(&plan(Before::Abandoned { key, missing }));
        assert!(abandoned.contains("never done on cp-2, cp-3, from\nbackups/etcd/20261120T020000Z-r9.db.zst."), "{abandoned}");
    }

    #[test]
    fn a_plan_is_a_document_too() {
        let missing = vec!["cp-2".to_owned()];
        let document = plan_json(&plan(Before::Open { missing }));
        assert_eq!(document["epoch"], "20261127T012707Z-0a1b2c3d");
        assert_eq!(document["keptData"], "data.before-20261127T012707Z-0a1b2c3d");
        assert_eq!(document["snapshot"]["revision"], 12_345);
        assert_eq!(document["unfinished"]["slots"], json!(["cp-2"]));
        assert_eq!(plan_json(&plan(Before::Done))["unfinished"], Json::Null);
    }

    #[test]
    fn a_slot_tells_its_step_and_its_error() {
        let status = NodeStatus {
            instance: "i-1".into(),
            role: "control-plane".into(),
            group: "cp-1".into(),
            step: "restoring".into(),
            since: "2026-11-26T22:15:00Z".into(),
            error: Some("no space left".into()),
        };
        let told = SlotState { slot: "cp-1".into(), status: Some(status) };
        assert_eq!(slot_line(&told), "cp-1: restoring, since 2026-11-26T22:15:00Z (i-1)\n  no space left");
        assert_eq!(slot_line(&SlotState { slot: "cp-2".into(), status: None }), "cp-2: its machine has not told anything");
    }
}
