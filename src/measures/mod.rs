//! All Prometheus metrics: a table of them, and their updates.

mod database;
mod table;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use self::database::unix_seconds;
pub use self::database::{
    DailyBudget, SharedUse, advisories, ages, budgets, conditions, database, details, evaluation,
    file_ages, files, freshness_limits, mirrors, shared_budget, sinks, sources,
};
use self::table::{
    BUILD, CLOCK_OFFSET, CONFIG_HASH, DELIVERIES, DELIVERY_SECONDS, DRIFT, FAILURES, RAISED,
    RECEIVED_BYTES, RECORDS, RELOADED, REQUESTS, RETRIES, RUN_SECONDS, RUNS, STARTED, THROTTLED,
};
pub use self::table::{METRICS, Metric, MetricOrigin, MetricType, page};
use crate::http::Usage;
use crate::model::{Ending, FailureReason, Outcome, Tally};

/// Upper bounds of the buckets for runs, in seconds.
const RUN_BUCKETS: [f64; 8] = [1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 28800.0];
/// The same for deliveries.
const DELIVERY_BUCKETS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// A recorder for metrics.
pub(crate) fn recorder() -> PrometheusRecorder {
    let buckets = [
        (RUN_SECONDS.name, RUN_BUCKETS),
        (DELIVERY_SECONDS.name, DELIVERY_BUCKETS),
    ];
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in buckets {
        builder = match builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), &buckets) {
            Ok(builder) => builder,
            // Fails only without buckets.
            Err(_) => PrometheusBuilder::new(),
        };
    }
    builder.build_recorder()
}

/// Gives the metrics of the current recorder their help texts.
pub(crate) fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricType::Counter => describe_counter!(metric.name, metric.help),
            MetricType::Gauge => describe_gauge!(metric.name, metric.help),
            MetricType::Histogram => describe_histogram!(metric.name, metric.help),
        }
    }
}

/// Sets the version, and the time when the process started.
pub fn started(at: DateTime<Utc>) {
    gauge!(BUILD.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!(STARTED.name).set(unix_seconds(at));
}

/// Sets the configuration in use, by its hash and the names of its sinks, whose counters
/// begin at 0 so that the first failure is an increase.
#[expect(clippy::cast_precision_loss, reason = "the hash has 48 bits")]
pub fn configured<'a>(hash: u64, sinks: impl Iterator<Item = &'a str>) {
    gauge!(CONFIG_HASH.name).set(hash as f64);
    for sink in sinks {
        for reason in FailureReason::ALL {
            counter!(FAILURES.name, "sink" => sink.to_owned(), "reason" => reason.name())
                .absolute(0);
        }
    }
    reloaded(true);
}

/// Sets whether the configuration was accepted when it was last loaded.
pub fn reloaded(is_accepted: bool) {
    gauge!(RELOADED.name).set(if is_accepted { 1.0 } else { 0.0 });
}

/// Counts created alerts.
pub fn raised(alerts: u64) {
    counter!(RAISED.name).increment(alerts);
}

/// Counts a delivery attempt; `failure` is why it failed.
pub(crate) fn attempted(
    sink: &str,
    ending: &Ending,
    failure: Option<FailureReason>,
    took: Duration,
) {
    let outcome = ending.name();
    let sink = sink.to_owned();
    counter!(DELIVERIES.name, "sink" => sink.clone(), "outcome" => outcome).increment(1);
    if let Some(failure) = failure {
        counter!(FAILURES.name, "sink" => sink.clone(), "reason" => failure.name()).increment(1);
    }
    histogram!(DELIVERY_SECONDS.name, "sink" => sink).record(took.as_secs_f64());
}

/// Counts a run that ended.
pub(crate) fn run_ended(source: &str, outcome: &Outcome, tally: &Tally, seconds: f64) {
    let source = source.to_owned();
    counter!(RUNS.name, "source" => source.clone(), "outcome" => outcome.name()).increment(1);
    histogram!(RUN_SECONDS.name, "source" => source.clone()).record(seconds);
    counter!(RECEIVED_BYTES.name, "source" => source.clone()).increment(tally.bytes);
    let kinds = [
        ("added", tally.added),
        ("changed", tally.changed),
        ("unchanged", tally.unchanged),
        ("quarantined", tally.quarantined),
    ];
    for (kind, count) in kinds {
        counter!(RECORDS.name, "source" => source.clone(), "kind" => kind).increment(count);
    }
}

/// A page of metrics without the series of these sources. What a process has counted cannot
/// be taken back, only left out.
pub fn without_sources(page: &str, sources: &[String]) -> String {
    let labels: Vec<String> = sources
        .iter()
        .map(|source| source.replace('\\', r"\\").replace('"', "\\\""))
        .map(|source| format!("source=\"{source}\""))
        .collect();
    let is_left_out = |line: &&str| labels.iter().any(|label| line.contains(label));
    let lines = page.split_inclusive('\n');
    lines.filter(|line| !is_left_out(line)).collect()
}

/// Counts drifted records found by reconciliation.
pub fn drifted(source: &str, records: u64) {
    counter!(DRIFT.name, "source" => source.to_owned()).increment(records);
}

/// Sets the counters of the HTTP clients of this process, and upstream's time minus ours.
pub fn upstream(usage: &Usage, clock_offset: Option<TimeDelta>) {
    counter!(REQUESTS.name).absolute(usage.requests);
    counter!(RETRIES.name).absolute(usage.retries);
    counter!(THROTTLED.name).absolute(usage.throttled);
    if let Some(offset) = clock_offset {
        gauge!(CLOCK_OFFSET.name).set(offset.as_seconds_f64());
    }
}
