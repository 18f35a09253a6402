//! Every metric by name, in one place.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::http::Usage;
use crate::model::{ConditionState, Ending, Outcome, Tally};
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
const STORED: &str = "advisoryd_stored_records";
const QUARANTINE: &str = "advisoryd_quarantine_records";
const GAPS: &str = "advisoryd_coverage_gaps";
const DETAILS_WANTED: &str = "advisoryd_details_wanted";
const DETAILS_UNAVAILABLE: &str = "advisoryd_details_unavailable";
const DETAILS_DONE: &str = "advisoryd_details_done_timestamp_seconds";
const DRIFT: &str = "advisoryd_reconcile_drift_total";
const RAISED: &str = "advisoryd_alerts_raised_total";
const DELIVERIES: &str = "advisoryd_alert_deliveries_total";
const CONDITION: &str = "advisoryd_condition";
const DELIVERY_SECONDS: &str = "advisoryd_alert_delivery_duration_seconds";

/// Gives every metric its help text.
pub fn describe() {
    describe_counter!(RUNS, "Runs that ended, by source and outcome.");
    describe_histogram!(RUN_SECONDS, "How long runs took, in seconds.");
    describe_counter!(
        RECORDS,
        "Records that came, by source and what became of them."
    );
    describe_counter!(
        RECEIVED_BYTES,
        "Bytes received from upstream, after decompression."
    );
    describe_counter!(REQUESTS, "Requests sent to upstream, retries included.");
    describe_counter!(RETRIES, "Requests that were repeated.");
    describe_counter!(THROTTLED, "Answers 429: upstream asked to slow down.");
    describe_gauge!(
        DATA_AGE,
        "Seconds since the end of what was read completely."
    );
    describe_gauge!(
        LAST_SUCCESS,
        "When the last complete run ended, in Unix seconds. Failed runs do not move it."
    );
    describe_gauge!(STORED, "Records stored, by source.");
    describe_gauge!(QUARANTINE, "Records in quarantine, by source.");
    describe_gauge!(GAPS, "Holes in the covered time, by source.");
    describe_gauge!(
        DETAILS_WANTED,
        "Details (whole advisories by JSON) that are to be fetched."
    );
    describe_gauge!(
        DETAILS_UNAVAILABLE,
        "Details that upstream does not have or that cannot be read."
    );
    describe_gauge!(
        DETAILS_DONE,
        "When all details that are wanted now will be there, in Unix seconds; now where none is."
    );
    describe_counter!(
        DRIFT,
        "Records that reading old time again found changed, by source."
    );
    describe_counter!(RAISED, "Alerts raised by rules.");
    describe_counter!(
        DELIVERIES,
        "Attempts to tell a sink, by sink and what came of them."
    );
    describe_gauge!(
        CONDITION,
        "1 while something is wrong, 0 when it is over, by what and key."
    );
    describe_histogram!(DELIVERY_SECONDS, "How long sinks took, in seconds.");
}

/// Sets what is wrong with the program, of all that ever was.
pub fn conditions(standings: &[ConditionState]) {
    for standing in standings {
        let (what, key) = (standing.condition.name(), standing.key.clone());
        let holds = if standing.is_raised { 1.0 } else { 0.0 };
        gauge!(CONDITION, "what" => what, "key" => key).set(holds);
    }
}

/// Counts alerts that were raised.
pub fn raised(alerts: u64) {
    counter!(RAISED).increment(alerts);
}

/// Counts an attempt to deliver.
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

/// Counts what reading old time again found.
pub fn drifted(source: &str, records: u64) {
    counter!(DRIFT, "source" => source.to_owned()).increment(records);
}

/// Sets what the client counted.
pub fn upstream(usage: &Usage) {
    counter!(REQUESTS).absolute(usage.requests);
    counter!(RETRIES).absolute(usage.retries);
    counter!(THROTTLED).absolute(usage.throttled);
}

/// Sets how far fetching details is; `done_at` is the forecast.
pub fn details(backlog: &Backlog, done_at: Option<DateTime<Utc>>) {
    gauge!(DETAILS_WANTED).set(as_float(backlog.wanted));
    gauge!(DETAILS_UNAVAILABLE).set(as_float(backlog.unavailable));
    if let Some(at) = done_at {
        let seconds = (at - DateTime::<Utc>::UNIX_EPOCH).as_seconds_f64();
        gauge!(DETAILS_DONE).set(seconds);
    }
}

/// Sets what the store says of each configured source.
pub fn sources(sources: &[SourceReport], now: DateTime<Utc>) {
    for report in sources.iter().filter(|report| report.configured) {
        let source = report.key.to_string();
        if let Some(covered_to) = report.covered_to {
            let age = (now - covered_to).as_seconds_f64().max(0.0);
            gauge!(DATA_AGE, "source" => source.clone()).set(age);
        }
        if let Some(at) = report.last_success_at {
            let seconds = (at - DateTime::<Utc>::UNIX_EPOCH).as_seconds_f64();
            gauge!(LAST_SUCCESS, "source" => source.clone()).set(seconds);
        }
        gauge!(STORED, "source" => source.clone()).set(as_float(report.records));
        gauge!(QUARANTINE, "source" => source.clone()).set(as_float(report.quarantined));
        let gaps = i64::try_from(report.gaps.len()).unwrap_or(i64::MAX);
        gauge!(GAPS, "source" => source).set(as_float(gaps));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows stay far below 2^53"
)]
fn as_float(count: i64) -> f64 {
    count as f64
}
