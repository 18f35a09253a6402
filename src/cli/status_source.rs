//! `advisoryd status`: one source, as a row of the table, as lines and as JSON.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::output::{columns, rough};
use super::status_daemon::Daemons;
use super::times::Times;
use crate::config::Config;
use crate::model::{DateFilter, IngestedVia, RunFailure, SourceKey, counted, is_in_future};
use crate::store::reports::report::SourceReport;

/// The table's columns.
const HEADING: [&str; 7] = [
    "source",
    "name",
    "state",
    "data age",
    "last success",
    "next run",
    "stored",
];

/// A source as people know it: `watch list 1 (Linux servers)`.
pub(super) fn named(source: &SourceReport) -> String {
    match &source.name {
        Some(name) => format!("{} ({name})", source.key.label()),
        None => source.key.label(),
    }
}

/// What needs attention in a source besides its last error: records in quarantine and gaps.
pub(super) fn problems(source: &SourceReport, times: Times, now: DateTime<Utc>) -> Vec<String> {
    let name = named(source);
    let mut lines = Vec::new();
    if let Some(to) = source.covered_to.filter(|to| is_in_future(Some(*to), now)) {
        lines.push(format!(
            "{name}: the coverage ends in the future, at {}, because a clock was wrong; correct the clock; the next run corrects the coverage",
            times.full(to)
        ));
    }
    if source.missing_details > 0 {
        lines.push(format!(
            "{name}: incomplete: {} that the JSON API lists cannot be fetched from it; they are not stored if they belong to the list",
            counted(source.missing_details, "advisory")
        ));
    }
    if source.quarantined > 0 {
        lines.push(format!(
            "{name}: {} in quarantine; see `advisoryd quarantine list`",
            counted(source.quarantined, "record")
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

/// What is worth knowing of a source: which process reads it, unless it is a daemon that
/// stands above, and through which API.
pub(super) fn notes(source: &SourceReport, daemons: &Daemons, times: Times) -> Vec<String> {
    let name = named(source);
    let mut lines = Vec::new();
    if let Some(holder) = source.holder.as_ref().filter(|one| !daemons.has(one)) {
        let holder = times.in_sentence(&holder.to_string());
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
pub(super) struct SourceSchedule<'a> {
    pub(super) config: &'a Config,
    pub(super) filter: Option<DateFilter>,
    /// The next full pull of all feeds, by schedule.
    pub(super) full: Option<DateTime<Utc>>,
    /// Whether a daemon runs; otherwise nothing of it happens.
    pub(super) is_running: bool,
    pub(super) now: DateTime<Utc>,
}

impl SourceSchedule<'_> {
    fn scheduled(&self, source: &SourceReport) -> Option<DateTime<Utc>> {
        let schedule = self.config.schedule_of(&source.key, self.filter)?;
        let next = schedule.next_after(self.now, self.config.schedule.timezone);
        next.filter(|_| source.configured)
    }
}

/// A row of the table. What fails is not called running while it is tried again.
fn row(source: &SourceReport, plan: &SourceSchedule) -> [String; 7] {
    let now = plan.now;
    let next_run = plan.scheduled(source).filter(|_| plan.is_running);
    let ago = |at: DateTime<Utc>| format!("{} ago", rough(now - at));
    let is_retrying = source.running && source.last_error.is_some();
    [
        source.key.label(),
        source.name.clone().unwrap_or_default(),
        if is_retrying {
            "failing".to_owned()
        } else {
            state(source, now).to_owned()
        },
        source.covered_to.map_or_else(
            || "no data".into(),
            |at| rough((now - at).max(chrono::TimeDelta::zero())),
        ),
        source.last_success_at.map_or_else(|| "never".into(), ago),
        match next_run {
            _ if is_retrying => "now".to_owned(),
            Some(at) => format!("in {}", rough(at - now)),
            None => "-".to_owned(),
        },
        source.records.to_string(),
    ]
}

/// Whether it is a feed that was followed once: its data stays, and nothing happens to it.
fn is_former(source: &SourceReport) -> bool {
    !source.configured && source.key.is_feed()
}

/// The feeds that are no longer followed, while that is news.
pub(super) fn former(sources: &[SourceReport], now: DateTime<Utc>) -> Option<String> {
    const NEWS_FOR: TimeDelta = TimeDelta::days(30);
    let is_news = |source: &&SourceReport| {
        let read_at = source.last_attempt_at.max(source.followed_since);
        is_former(source) && read_at.is_some_and(|at| now - at <= NEWS_FOR)
    };
    let names: Vec<String> = sources.iter().filter(is_news).map(named).collect();
    (!names.is_empty()).then(|| {
        format!(
            "no longer followed: {}; what is stored of it stays; `advisoryd -v status` lists all",
            names.join(", ")
        )
    })
}

/// The table, which fits 80 columns. `in_detail` adds how much is stored, and the feeds that
/// are no longer followed.
pub(super) fn table(sources: &[SourceReport], plan: &SourceSchedule, in_detail: bool) -> String {
    let shown = HEADING.len() - usize::from(!in_detail);
    let of = |cells: [String; 7]| cells.into_iter().take(shown).collect::<Vec<String>>();
    let sources = sources.iter().filter(|one| in_detail || !is_former(one));
    let rows: Vec<Vec<String>> = sources.map(|one| of(row(one, plan))).collect();
    columns(&of(HEADING.map(str::to_owned)), &rows)
}

/// The same as JSON.
pub(super) fn as_value(source: &SourceReport, plan: &SourceSchedule) -> Value {
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
