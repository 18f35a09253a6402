//! Updates of the metrics that are read from the database. They are recorded anew at each
//! scrape, so that none stays for what is no longer there.

use chrono::{DateTime, TimeDelta, Utc};
use metrics::gauge;

use super::table::{
    ADVISORIES, BUDGET, BUDGET_LEFT, CONDITION, DATA_AGE, DATABASE_UP, DEAD_LETTERS, DETAILS_DONE,
    DETAILS_OLDEST, DETAILS_UNAVAILABLE, DETAILS_WANTED, EVALUATION_AGE, EVALUATION_LAG, FAILING,
    FRESHNESS_LIMIT, GAPS, LAST_NEWS, LAST_SUCCESS, MIRROR_SUCCESS, OLDEST_WAITING, QUARANTINE,
    SHARED_LEFT, SHARED_PAUSE, SHARED_USED, SINK_FAILURES, SINK_SUCCESS, STORED, WAITING,
};
use crate::model::{ConditionState, SourceKey};
use crate::store::enrichment::state::EnrichmentState as FileState;
use crate::store::lists::mirror::MirrorState;
use crate::store::reports::monitoring::{EvaluationLag, Membership, SinkQueue};
use crate::store::reports::report::SourceReport;
use crate::store::wanted::backlog::Backlog;

/// A daily limit of requests, and what is left of it.
#[derive(Debug, Clone, Copy)]
pub struct DailyBudget {
    /// Which one: `requests` or `details`.
    pub name: &'static str,
    /// Requests allowed in 24 hours.
    pub limit: u32,
    /// Requests that are left.
    pub left: i64,
}

/// Who uses the budget of requests of an account.
#[derive(Debug, Clone, Copy)]
pub struct SharedUse {
    /// Requests allowed in any minute.
    pub per_minute: u32,
    /// Requests of this process: of the current minute, and of the last 24 hours.
    pub own: (i64, i64),
    /// Requests of all processes.
    pub all: (i64, i64),
    /// Remaining time of a pause.
    pub pause: TimeDelta,
}

impl SharedUse {
    /// Requests of all processes in the last 24 hours.
    pub fn used_today(&self) -> i64 {
        self.all.1
    }
}

/// Sets whether the database answered.
pub fn database(is_up: bool) {
    gauge!(DATABASE_UP.name).set(if is_up { 1.0 } else { 0.0 });
}

/// Sets the state of all conditions that were ever active, except of sources that are no
/// longer followed.
pub fn conditions(states: &[ConditionState], sources: &[SourceReport]) {
    let is_gone = |state: &&ConditionState| {
        let mut gone = sources.iter().filter(|report| !report.configured);
        !state.is_raised && gone.any(|report| report.key.to_string() == state.key)
    };
    for state in states.iter().filter(|state| !is_gone(state)) {
        let (what, key) = (state.condition.name(), state.key.clone());
        let value = if state.is_raised { 1.0 } else { 0.0 };
        gauge!(CONDITION.name, "what" => what, "key" => key).set(value);
    }
}

/// Sets the size and age of the fetch queue; `done_at` is the estimated end.
pub fn details(backlog: &Backlog, done_at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    gauge!(DETAILS_WANTED.name).set(as_float(backlog.wanted));
    gauge!(DETAILS_OLDEST.name).set(age(backlog.oldest_since, now));
    gauge!(DETAILS_UNAVAILABLE.name).set(as_float(backlog.unavailable));
    if let Some(at) = done_at {
        gauge!(DETAILS_DONE.name).set(unix_seconds(at));
    }
}

/// Sets when each mirrored collection was last read, except of lists that are no longer
/// followed and of what upstream refuses.
pub fn mirrors(states: &[MirrorState], sources: &[SourceReport]) {
    let is_followed = |id: i64| {
        let mut followed = sources.iter().filter(|report| report.configured);
        id == 0 || followed.any(|report| report.key == SourceKey::WatchList(id))
    };
    for state in states {
        let (id, kind) = (state.key.watch_list_id, state.key.kind.name());
        let read_at = state.read_at.filter(|_| state.refused_since.is_none());
        let Some(at) = read_at.filter(|_| is_followed(id)) else {
            continue;
        };
        let source = match id {
            0 => "account".to_owned(),
            id => SourceKey::WatchList(id).to_string(),
        };
        gauge!(MIRROR_SUCCESS.name, "source" => source, "kind" => kind).set(unix_seconds(at));
    }
}

/// Sets the daily limits of requests.
pub fn budgets(budgets: &[DailyBudget]) {
    for DailyBudget { name, limit, left } in budgets {
        gauge!(BUDGET.name, "budget" => *name).set(f64::from(*limit));
        gauge!(BUDGET_LEFT.name, "budget" => *name).set(as_float(*left));
    }
}

/// Sets who uses the budget of requests that processes share.
pub fn shared_budget(shared: &SharedUse) {
    let SharedUse {
        per_minute,
        own,
        all,
        pause,
    } = *shared;
    let windows = [("minute", own.0, all.0), ("day", own.1, all.1)];
    for (window, own, all) in windows {
        let others = (all - own).max(0);
        gauge!(SHARED_USED.name, "by" => "self", "window" => window).set(as_float(own));
        gauge!(SHARED_USED.name, "by" => "others", "window" => window).set(as_float(others));
    }
    gauge!(SHARED_LEFT.name).set(as_float((i64::from(per_minute) - all.0).max(0)));
    gauge!(SHARED_PAUSE.name).set(pause.as_seconds_f64());
}

/// Sets how old the data of each configured source is at `now`, by upstream's clock. It
/// needs no database: the age grows also while that does not answer.
pub fn ages(sources: &[SourceReport], now: DateTime<Utc>) {
    for report in sources.iter().filter(|report| report.configured) {
        let source = report.key.to_string();
        if let Some(from) = report.data_from() {
            gauge!(DATA_AGE.name, "source" => source.clone()).set(age(Some(from), now));
        }
        if let Some(at) = report.last_success_at {
            gauge!(LAST_SUCCESS.name, "source" => source.clone()).set(unix_seconds(at));
        }
        if let Some(at) = report.news_at {
            gauge!(LAST_NEWS.name, "source" => source).set(unix_seconds(at));
        }
    }
}

/// Sets the age at which the data of each source is stale.
pub fn freshness_limits(limits: &[(String, TimeDelta)]) {
    for (source, limit) in limits {
        gauge!(FRESHNESS_LIMIT.name, "source" => source.clone()).set(limit.as_seconds_f64());
    }
}

/// Sets what is stored of each configured source.
pub fn sources(sources: &[SourceReport]) {
    for report in sources.iter().filter(|report| report.configured) {
        let source = report.key.to_string();
        let failing = if report.last_error.is_some() {
            1.0
        } else {
            0.0
        };
        gauge!(FAILING.name, "source" => source.clone()).set(failing);
        gauge!(STORED.name, "source" => source.clone()).set(as_float(report.records));
        gauge!(QUARANTINE.name, "source" => source.clone()).set(as_float(report.quarantined));
        let gaps = i64::try_from(report.gaps.len()).unwrap_or(i64::MAX);
        gauge!(GAPS.name, "source" => source).set(as_float(gaps));
    }
}

/// Sets what is stored of the published files that are followed, which count as sources.
pub fn files(files: &[FileState]) {
    for file in files {
        let source = file.catalogue.name();
        let failing = if file.last_error.is_some() { 1.0 } else { 0.0 };
        gauge!(FAILING.name, "source" => source).set(failing);
        gauge!(STORED.name, "source" => source).set(as_float(file.entries.unwrap_or(0)));
    }
}

/// Sets how old they are at `now`, by our clock.
pub fn file_ages(files: &[FileState], now: DateTime<Utc>) {
    for file in files {
        let source = file.catalogue.name();
        if let Some(from) = file.data_from() {
            gauge!(DATA_AGE.name, "source" => source).set(age(Some(from), now));
        }
        if let Some(at) = file.read_at {
            gauge!(LAST_SUCCESS.name, "source" => source).set(unix_seconds(at));
        }
    }
}

/// Sets the number of advisories of each list, by severity.
pub fn advisories(members: &[Membership]) {
    for Membership {
        key,
        severity,
        advisories,
    } in members
    {
        let (source, severity) = (key.to_string(), severity.clone());
        gauge!(ADVISORIES.name, "source" => source, "severity" => severity)
            .set(as_float(*advisories));
    }
}

/// Sets the state of each configured sink.
pub fn sinks(queues: &[SinkQueue], now: DateTime<Utc>) {
    for queue in queues {
        let sink = || queue.name.clone();
        gauge!(WAITING.name, "sink" => sink()).set(as_float(queue.waiting));
        gauge!(OLDEST_WAITING.name, "sink" => sink()).set(age(queue.oldest_at, now));
        gauge!(DEAD_LETTERS.name, "sink" => sink()).set(as_float(queue.dead_letters));
        gauge!(SINK_FAILURES.name, "sink" => sink()).set(f64::from(queue.failures));
        if let Some(at) = queue.last_success_at {
            gauge!(SINK_SUCCESS.name, "sink" => sink()).set(unix_seconds(at));
        }
    }
}

/// Sets how far the evaluation of rules is behind.
pub fn evaluation(lag: &EvaluationLag, now: DateTime<Utc>) {
    gauge!(EVALUATION_LAG.name).set(as_float(lag.changes));
    gauge!(EVALUATION_AGE.name).set(age(lag.oldest_at, now));
}

/// Seconds since then, 0 if it is not in the past.
fn age(since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> f64 {
    since.map_or(0.0, |since| (now - since).as_seconds_f64().max(0.0))
}

pub(super) fn unix_seconds(at: DateTime<Utc>) -> f64 {
    (at - DateTime::<Utc>::UNIX_EPOCH).as_seconds_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows stay far below 2^53"
)]
fn as_float(count: i64) -> f64 {
    count as f64
}
