//! All Prometheus metrics: names, help texts and updates.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::http::Usage;
use crate::model::{ConditionState, Ending, Outcome, SourceKey, Tally};
use crate::store::lists::mirror::State as MirrorState;
use crate::store::reports::report::SourceReport;
use crate::store::wanted::backlog::Backlog;

const RUNS: &str = "advisoryd_runs_total";
const RUN_SECONDS: &str = "advisoryd_run_duration_seconds";
const RECORDS: &str = "advisoryd_records_total";
const RECEIVED_BYTES: &str = "advisoryd_received_bytes_total";
const REQUESTS: &str = "advisoryd_upstream_requests_total";
const RETRIES: &str = "advisoryd_upstream_retries_total";
const THROTTLED: &str = "advisoryd_upstream_throttled_total";
const DATA_AGE: &str = "advisoryd_data_age_seconds";
const LAST_SUCCESS: &str = "advisoryd_last_success_timestamp_seconds";
const LAST_NEWS: &str = "advisoryd_last_news_timestamp_seconds";
const DATABASE_UP: &str = "advisoryd_database_up";
const STORED: &str = "advisoryd_stored_records";
const QUARANTINE: &str = "advisoryd_quarantine_records";
const GAPS: &str = "advisoryd_coverage_gaps";
const DETAILS_WANTED: &str = "advisoryd_details_wanted";
const DETAILS_UNAVAILABLE: &str = "advisoryd_details_unavailable";
const DETAILS_DONE: &str = "advisoryd_details_done_timestamp_seconds";
const MIRROR_SUCCESS: &str = "advisoryd_mirror_last_success_timestamp_seconds";
const DRIFT: &str = "advisoryd_reconcile_drift_total";
const RAISED: &str = "advisoryd_alerts_raised_total";
const DELIVERIES: &str = "advisoryd_alert_deliveries_total";
const CONDITION: &str = "advisoryd_condition";
const DELIVERY_SECONDS: &str = "advisoryd_alert_delivery_duration_seconds";

/// Gives the metrics of this process their help texts.
pub fn describe() {
    describe_counter!(RUNS, "Runs that ended, by source and outcome.");
    describe_histogram!(RUN_SECONDS, "Duration of runs, in seconds.");
    describe_counter!(RECORDS, "Records received, by source and result.");
    describe_counter!(
        RECEIVED_BYTES,
        "Bytes received from upstream, after decompression."
    );
    describe_counter!(REQUESTS, "Requests sent to upstream, retries included.");
    describe_counter!(RETRIES, "Requests that were retried.");
    describe_counter!(THROTTLED, "Responses with status 429 (too many requests).");
    describe_counter!(
        DRIFT,
        "Records that upstream changed without a new modification date, found by reconciliation, by source."
    );
    describe_counter!(RAISED, "Alerts created.");
    describe_counter!(DELIVERIES, "Delivery attempts, by sink and outcome.");
    describe_histogram!(
        DELIVERY_SECONDS,
        "Duration of delivery attempts, in seconds."
    );
}

/// Gives the metrics that are read from the database their help texts. They are recorded
/// anew at each scrape, so that none stays for what is no longer there.
pub fn describe_database() {
    describe_gauge!(
        DATABASE_UP,
        "1 if the database answered this scrape, otherwise 0."
    );
    describe_gauge!(
        LAST_NEWS,
        "Newest release or modification of an advisory of the source according to upstream, in Unix seconds."
    );
    describe_gauge!(
        DATA_AGE,
        "Seconds since the end of the covered time, or since the source is followed if it was never read completely, by source."
    );
    describe_gauge!(
        LAST_SUCCESS,
        "End of the last complete run, in Unix seconds."
    );
    describe_gauge!(STORED, "Records stored, by source.");
    describe_gauge!(QUARANTINE, "Records in quarantine, by source.");
    describe_gauge!(GAPS, "Gaps in the covered time, by source.");
    describe_gauge!(
        MIRROR_SUCCESS,
        "When what a watch list contains, or the pending approvals, were last read completely, in Unix seconds, by source and kind."
    );
    describe_gauge!(DETAILS_WANTED, "Advisory details in the fetch queue.");
    describe_gauge!(
        DETAILS_UNAVAILABLE,
        "Advisory details that upstream does not have or that cannot be parsed."
    );
    describe_gauge!(
        DETAILS_DONE,
        "Estimated time when all pending details will have been fetched, in Unix seconds."
    );
    describe_gauge!(
        CONDITION,
        "1 while a condition is active, 0 when it is resolved, by what and key."
    );
}

/// Sets whether the database answered.
pub fn database(is_up: bool) {
    gauge!(DATABASE_UP).set(if is_up { 1.0 } else { 0.0 });
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
        gauge!(CONDITION, "what" => what, "key" => key).set(value);
    }
}

/// Counts created alerts.
pub fn raised(alerts: u64) {
    counter!(RAISED).increment(alerts);
}

/// Counts a delivery attempt.
pub fn attempted(sink: &str, ending: &Ending, took: Duration) {
    let outcome = ending.name();
    let sink = sink.to_owned();
    counter!(DELIVERIES, "sink" => sink.clone(), "outcome" => outcome).increment(1);
    histogram!(DELIVERY_SECONDS, "sink" => sink).record(took.as_secs_f64());
}

/// Counts a run that ended.
pub fn run_ended(source: &str, outcome: &Outcome, tally: &Tally, seconds: f64) {
    let source = source.to_owned();
    counter!(RUNS, "source" => source.clone(), "outcome" => outcome.name()).increment(1);
    histogram!(RUN_SECONDS, "source" => source.clone()).record(seconds);
    counter!(RECEIVED_BYTES, "source" => source.clone()).increment(tally.bytes);
    let kinds = [
        ("added", tally.added),
        ("changed", tally.changed),
        ("unchanged", tally.unchanged),
        ("quarantined", tally.quarantined),
    ];
    for (kind, count) in kinds {
        counter!(RECORDS, "source" => source.clone(), "kind" => kind).increment(count);
    }
}

/// Counts drifted records found by reconciliation.
pub fn drifted(source: &str, records: u64) {
    counter!(DRIFT, "source" => source.to_owned()).increment(records);
}

/// Sets the counters of the HTTP client.
pub fn upstream(usage: &Usage) {
    counter!(REQUESTS).absolute(usage.requests);
    counter!(RETRIES).absolute(usage.retries);
    counter!(THROTTLED).absolute(usage.throttled);
}

/// Sets the size of the fetch queue; `done_at` is the estimated end.
pub fn details(backlog: &Backlog, done_at: Option<DateTime<Utc>>) {
    gauge!(DETAILS_WANTED).set(as_float(backlog.wanted));
    gauge!(DETAILS_UNAVAILABLE).set(as_float(backlog.unavailable));
    if let Some(at) = done_at {
        gauge!(DETAILS_DONE).set(unix_seconds(at));
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
        gauge!(MIRROR_SUCCESS, "source" => source, "kind" => kind).set(unix_seconds(at));
    }
}

/// Sets how old the data of each configured source is. It needs no database: the age
/// grows also while that does not answer.
pub fn ages(sources: &[SourceReport], now: DateTime<Utc>) {
    for report in sources.iter().filter(|report| report.configured) {
        let source = report.key.to_string();
        if let Some(from) = report.covered_to.or(report.followed_since) {
            let age = (now - from).as_seconds_f64().max(0.0);
            gauge!(DATA_AGE, "source" => source.clone()).set(age);
        }
        if let Some(at) = report.last_success_at {
            gauge!(LAST_SUCCESS, "source" => source.clone()).set(unix_seconds(at));
        }
        if let Some(at) = report.news_at {
            gauge!(LAST_NEWS, "source" => source).set(unix_seconds(at));
        }
    }
}

/// Sets what is stored of each configured source.
pub fn sources(sources: &[SourceReport]) {
    for report in sources.iter().filter(|report| report.configured) {
        let source = report.key.to_string();
        gauge!(STORED, "source" => source.clone()).set(as_float(report.records));
        gauge!(QUARANTINE, "source" => source.clone()).set(as_float(report.quarantined));
        let gaps = i64::try_from(report.gaps.len()).unwrap_or(i64::MAX);
        gauge!(GAPS, "source" => source).set(as_float(gaps));
    }
}

fn unix_seconds(at: DateTime<Utc>) -> f64 {
    (at - DateTime::<Utc>::UNIX_EPOCH).as_seconds_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows stay far below 2^53"
)]
fn as_float(count: i64) -> f64 {
    count as f64
}
