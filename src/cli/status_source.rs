//! `advisoryd status`: one source, as a row of the table, as lines and as JSON.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::output::{columns, rough};
use super::times::Times;
use crate::config::Config;
use crate::model::{DateFilter, IngestedVia, RunFailure, SourceKey, counted, is_in_future};
use crate::store::reports::report::SourceReport;

/// The table's columns.
const HEADING: [&str; 8] = [
    "source",
    "name",
    "state",
    "data age",
    "last success",
    "stored",
    "quarantine",
    "next run",
];

/// A source as people know it: `watch list 1 (Linux servers)`.
pub(super) fn named(source: &SourceReport) -> String {
    match &source.name {
        Some(name) => format!("{} ({name})", source.key.label()),
        None => source.key.label(),
    }
}

/// What needs attention in a source: its last error and gaps.
pub(super) fn problems(source: &SourceReport, times: Times, now: DateTime<Utc>) -> Vec<String> {
    let name = named(source);
    let mut lines = Vec::new();
    if let Some(error) = &source.last_error {
        lines.push(format!("last error ({name}): {error}"));
    }
    if let Some(to) = source.covered_to.filter(|to| is_in_future(Some(*to), now)) {
        lines.push(format!(
            "{name}: the coverage ends in the future, at {}; a clock is or was wrong: correct it; the next run cuts the coverage back",
            times.full(to)
        ));
    }
    if source.missing_details > 0 {
        lines.push(format!(
            "{name}: incomplete: {} that the JSON API lists cannot be fetched from it; they are not stored if they belong to the list",
            counted(source.missing_details, "advisory")
        ));
    }
    lines.extend(source.gaps.iter().map(|gap| {
        format!(
            "{name}: gap from {} to {}; it is requested again",
            times.full(gap.from),
            times.full(gap.to)
        )
    }));
    lines
}

/// What is worth knowing of a source: who reads it, and through which API.
pub(super) fn notes(source: &SourceReport) -> Vec<String> {
    let name = named(source);
    let mut lines = Vec::new();
    if let Some(holder) = &source.holder {
        lines.push(format!("{name}: in use by {holder}"));
    }
    if source.ingested_via == IngestedVia::Json {
        let why = source.ingested_via_reason.as_deref();
        let why = why.unwrap_or("set in the configuration");
        lines.push(format!("{name}: read through the JSON API: {why}"));
    }
    lines
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

/// When sources are read.
pub(super) struct Plan<'a> {
    pub(super) config: &'a Config,
    pub(super) filter: Option<DateFilter>,
    /// The next full pull of all feeds, by schedule.
    pub(super) full: Option<DateTime<Utc>>,
    /// Whether a daemon runs; otherwise nothing of it happens.
    pub(super) is_running: bool,
    pub(super) now: DateTime<Utc>,
}

impl Plan<'_> {
    fn scheduled(&self, source: &SourceReport) -> Option<DateTime<Utc>> {
        let schedule = self.config.schedule_of(&source.key, self.filter)?;
        let next = schedule.next_after(self.now, self.config.schedule.timezone);
        next.filter(|_| source.configured)
    }
}

/// A row of the table.
pub(super) fn row(source: &SourceReport, plan: &Plan) -> [String; 8] {
    let now = plan.now;
    let next_run = plan.scheduled(source).filter(|_| plan.is_running);
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

/// The table. It fits 80 columns if nothing is in quarantine.
pub(super) fn table(rows: Vec<[String; 8]>) -> String {
    const QUARANTINE: usize = 6;
    let has_quarantine = rows.iter().any(|row| row[QUARANTINE] != "0");
    let shown = |cells: [String; 8]| -> Vec<String> {
        let cells = cells.into_iter().enumerate();
        let cells = cells.filter(|(place, _)| has_quarantine || *place != QUARANTINE);
        cells.map(|(_, cell)| cell).collect()
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(shown).collect();
    columns(&shown(HEADING.map(str::to_owned)), &rows)
}

/// The same as JSON.
pub(super) fn as_value(source: &SourceReport, plan: &Plan) -> Value {
    let now = plan.now;
    let scheduled = plan.scheduled(source);
    let next_full = plan
        .full
        .filter(|_| source.configured && source.key.is_feed());
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
        "paused_until": source.paused_until,
        "records": source.records,
        "quarantined": source.quarantined,
        "gaps": gaps,
        "next_run_at": scheduled.filter(|_| plan.is_running),
        "scheduled_at": scheduled,
        "last_full_at": source.full_at,
        "next_full_at": next_full.filter(|_| plan.is_running),
        "last_news_at": source.news_at,
    })
}
