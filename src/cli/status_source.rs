//! `advisoryd status`: one source, as a row of the table, as lines and as JSON.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::output::{print_line, rough};
use crate::model::{IngestedVia, RunFailure, SourceKey, is_in_future};
use crate::store::reports::report::SourceReport;

/// The table's columns.
pub(super) const HEADING: [&str; 8] = [
    "source",
    "name",
    "state",
    "data age",
    "last success",
    "stored",
    "quarantine",
    "next run",
];

/// What needs attention in a source: its last error, the fallback, gaps.
pub(super) fn print_source(source: &SourceReport, now: DateTime<Utc>) {
    if let Some(holder) = &source.holder {
        print_line(&format!("\n{}: in use by {holder}", source.key.label()));
    }
    if let Some(error) = &source.last_error {
        print_line(&format!("\nlast error ({}): {error}", source.key.label()));
    }
    if let Some(to) = source.covered_to.filter(|to| is_in_future(Some(*to), now)) {
        print_line(&format!(
            "\n{}: the coverage ends in the future, at {to}; a clock is or was wrong: correct it, then restart advisoryd or run `advisoryd sync`",
            source.key.label()
        ));
    }
    if source.ingested_via == IngestedVia::Json {
        let why = source.ingested_via_reason.as_deref();
        let why = why.unwrap_or("set in the configuration");
        print_line(&format!(
            "\n{}: read through the JSON API: {why}",
            source.key.label()
        ));
    }
    if source.missing_details > 0 {
        print_line(&format!(
            "\n{}: incomplete: {} advisories that the JSON API lists cannot be fetched from it; they are not stored if they belong to the list",
            source.key.label(),
            source.missing_details
        ));
    }
    for gap in &source.gaps {
        print_line(&format!(
            "\n{}: gap from {} to {}; it is requested again",
            source.key.label(),
            gap.from,
            gap.to
        ));
    }
}

/// `off`, `running`, `refused`, `missing`, `failing`, `never ran`, `incomplete` or `ok`.
fn state(source: &SourceReport, now: DateTime<Utc>) -> &'static str {
    let is_refused = source.key == SourceKey::RevisionScan && source.paused_until.is_some();
    if !source.configured {
        "off"
    } else if source.running {
        "running"
    } else if is_refused {
        "refused"
    } else if source.last_failure == Some(RunFailure::ListMissing) {
        "missing"
    } else if source.last_error.is_some() || is_in_future(source.covered_to, now) {
        "failing"
    } else if source.last_success_at.is_none() {
        "never ran"
    } else if source.missing_details > 0 {
        "incomplete"
    } else {
        "ok"
    }
}

/// A row of the table.
pub(super) fn row(
    source: &SourceReport,
    next_run: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> [String; 8] {
    let ago = |at: DateTime<Utc>| format!("{} ago", rough(now - at));
    [
        source.key.label(),
        source.name.clone().unwrap_or_default(),
        state(source, now).to_owned(),
        source.covered_to.map_or_else(
            || "no data".into(),
            |at| rough((now - at).max(chrono::TimeDelta::zero())),
        ),
        source.last_success_at.map_or_else(|| "never".into(), ago),
        source.records.to_string(),
        source.quarantined.to_string(),
        next_run.map_or_else(|| "-".into(), |at| format!("in {}", rough(at - now))),
    ]
}

/// The same as JSON.
pub(super) fn as_value(
    source: &SourceReport,
    (next_run, next_full): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> Value {
    let next_full = next_full.filter(|_| source.configured && source.key.is_feed());
    let (id, ingested_via) = match &source.key {
        SourceKey::WatchList(id) => (json!(id), Some(source.ingested_via.name())),
        SourceKey::ExtraFeed(name) => (json!(name), None),
        SourceKey::Tickets | SourceKey::RevisionScan | SourceKey::Details => (Value::Null, None),
    };
    let gaps: Vec<Value> = source
        .gaps
        .iter()
        .map(|gap| json!({ "from": gap.from, "to": gap.to }))
        .collect();
    json!({
        "kind": source.key.kind(),
        "id": id,
        "name": source.name,
        "state": state(source, now),
        "held_by": source.holder,
        "configured": source.configured,
        "last_attempt_at": source.last_attempt_at,
        "last_success_at": source.last_success_at,
        "last_error": source.last_error,
        "covered_to": source.covered_to,
        "covered_in_future": is_in_future(source.covered_to, now),
        "data_age_seconds": source.covered_to.map(|at| (now - at).num_seconds().max(0)),
        "served_by": ingested_via,
        "served_why": source.ingested_via_reason,
        "missing_details": source.missing_details,
        "rests_until": source.paused_until,
        "records": source.records,
        "quarantined": source.quarantined,
        "gaps": gaps,
        "next_run_at": next_run,
        "last_full_at": source.full_at,
        "next_full_at": next_full,
        "last_news_at": source.news_at,
    })
}
