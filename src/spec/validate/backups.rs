//! Snapshots of etcd: how often, and how long they stay.

use crate::diag::Diagnostic;
use crate::spec::cluster::Backups;
use crate::spec::decode::Spanned;
use crate::spec::defaults;
use crate::spec::period::Period;
use crate::spec::raw::RawBackups;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// A snapshot of a large etcd takes a minute or so: more often than this, its leader would do little else.
const INTERVAL: (Period, Period) = (Period::from_seconds(5 * MINUTE), Period::from_seconds(24 * HOUR));
const RETENTION: (Period, Period) = (Period::from_seconds(HOUR), Period::from_seconds(3650 * DAY));

pub(super) fn backups(raw: Option<&RawBackups>, found: &mut Vec<Diagnostic>) -> Option<Backups> {
    let (interval, retention) = raw.map_or((None, None), |raw| (raw.interval.as_ref(), raw.retention.as_ref()));
    let given = (interval, retention);
    let interval = period(interval, defaults::BACKUP_INTERVAL, INTERVAL, "`spec.backups.interval`", found);
    let retention = period(retention, defaults::BACKUP_RETENTION, RETENTION, "`spec.backups.retention`", found);
    let (interval, retention) = (interval?, retention?);
    // The interval's longest is shorter than the default of the retention: what is too short was given.
    if let (interval_text, Some(text)) = given
        && retention < interval
    {
        let message = format!("`spec.backups.retention` must be at least the interval, {interval}: no snapshot would be left");
        let finding = Diagnostic::error(text.span.clone(), message);
        found.push(match interval_text {
            Some(interval) => finding.related(interval.span.clone(), "the interval"),
            None => finding,
        });
        return None;
    }
    Some(Backups { interval, retention })
}

fn period(
    text: Option<&Spanned<String>>,
    default: Period,
    (least, most): (Period, Period),
    what: &str,
    found: &mut Vec<Diagnostic>,
) -> Option<Period> {
    let Some(text) = text else { return Some(default) };
    let rule = match Period::parse(&text.value) {
        Ok(period) if (least..=most).contains(&period) => return Some(period),
        Ok(_) => format!("{least} to {most}"),
        Err(rule) => rule,
    };
    found.push(Diagnostic::error(text.span.clone(), format!("{what} must be {rule}")));
    None
}
