//! What `get` lists, as tables: a file for each thing that is listed.

mod clusters;
mod groups;
mod instances;
mod resources;

use jiff::Timestamp;

pub use clusters::{cluster_document, cluster_table};
pub use groups::group_table;
pub use instances::{InstanceChange, instance_changes, instance_table};
pub use resources::resource_table;

/// How long ago, short enough for a column: `41s`, `12m`, `3h12m`, `14h`, `6d20h`, `14d`.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    // Clocks differ: what was a moment ago may be in the future.
    let seconds = now.duration_since(at).as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60);
    let with_rest = |whole: i64, unit: &str, rest: i64, smaller: &str| match (whole, rest) {
        (..10, 1..) => format!("{whole}{unit}{rest}{smaller}"),
        _ => format!("{whole}{unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, ..) => with_rest(hours, "h", minutes % 60, "m"),
        _ => with_rest(days, "d", hours % 24, "h"),
    }
}

/// A zone without its region, which all zones of a cluster share: `a` of `us-east-1a`, `lax-1a` of `us-west-2-lax-1a`.
fn short_zone(zone: &str, region: &str) -> String {
    match zone.strip_prefix(region).map(|rest| rest.trim_start_matches('-')) {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => zone.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let now: Timestamp = "2026-11-26T22:15:00Z".parse().unwrap();
        for (seconds, shown) in [
            (-5, "0s"),
            (41, "41s"),
            (720, "12m"),
            (11_520, "3h12m"),
            (10_800, "3h"),
            (50_400, "14h"),
            (590_400, "6d20h"),
            (1_216_800, "14d"),
        ] {
            assert_eq!(age(now - jiff::SignedDuration::from_secs(seconds), now), shown);
        }
    }

    #[test]
    fn a_zone_is_known_by_what_follows_its_region() {
        for (zone, shown) in
            [("us-east-1a", "a"), ("us-east-1-bos-1a", "bos-1a"), ("eu-west-1b", "eu-west-1b"), ("us-east-1", "us-east-1")]
        {
            assert_eq!(short_zone(zone, "us-east-1"), shown);
        }
    }
}
