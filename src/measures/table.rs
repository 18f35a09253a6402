//! The table of all metrics: names, types, labels, units and help texts.
//! `docs/metrics.md` is generated from it.

use std::fmt::Write as _;

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricType {
    /// It only grows while the process runs.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

/// Where the value of a metric comes from, which decides when it is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricOrigin {
    /// The process. Counters start at zero with it.
    Process,
    /// The database, at each scrape. Not exported while it does not answer.
    Database,
    /// The database, and the passing time: exported also while it does not answer.
    Age,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricType,
    /// Where its value comes from.
    pub origin: MetricOrigin,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Unit of its value.
    pub unit: &'static str,
    /// What it means.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($id:ident = $origin:ident $kind:ident $name:literal [$($label:literal)*] $unit:literal $help:literal;)*) => {
        $(pub(super) const $id: Metric = Metric {
            name: $name,
            kind: MetricType::$kind,
            origin: MetricOrigin::$origin,
            labels: &[$($label),*],
            unit: $unit,
            help: $help,
        };)*
        /// All metrics.
        pub const METRICS: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD = Process Gauge "advisoryd_build_info" ["version"] "1"
        "1, with the version of advisoryd as a label.";
    STARTED = Process Gauge "process_start_time_seconds" [] "Unix time"
        "When the process started.";
    CONFIG_HASH = Process Gauge "advisoryd_config_hash" [] "hash"
        "Hash of the configuration that is in use, without secrets. Equal for equal configurations.";
    RELOADED = Process Gauge "advisoryd_config_last_reload_successful" [] "0 or 1"
        "1 if the configuration was accepted when it was last loaded, 0 if it was refused and the one before is still in use.";
    RUNS = Process Counter "advisoryd_runs_total" ["source" "outcome"] "runs"
        "Runs that ended, by source and outcome (ok, failed, interrupted).";
    RUN_SECONDS = Process Histogram "advisoryd_run_duration_seconds" ["source"] "seconds"
        "Duration of runs, by source.";
    RECORDS = Process Counter "advisoryd_records_total" ["source" "kind"] "records"
        "Records received, by source and result (added, changed, unchanged, quarantined).";
    RECEIVED_BYTES = Process Counter "advisoryd_received_bytes_total" ["source"] "bytes"
        "Bytes received from upstream, after decompression, by source.";
    REQUESTS = Process Counter "advisoryd_upstream_requests_total" [] "requests"
        "Requests sent to upstream, retries included.";
    RETRIES = Process Counter "advisoryd_upstream_retries_total" [] "requests"
        "Requests that were retried.";
    THROTTLED = Process Counter "advisoryd_upstream_throttled_total" [] "responses"
        "Responses with status 429 (too many requests).";
    CLOCK_OFFSET = Process Gauge "advisoryd_upstream_clock_offset_seconds" [] "seconds"
        "Time of upstream (header Date of its last response) minus time of this machine. Not exported before the first response.";
    DRIFT = Process Counter "advisoryd_reconcile_drift_total" ["source"] "records"
        "Records that upstream changed without a new modification date, found by reconciliation, by source.";
    RAISED = Process Counter "advisoryd_alerts_raised_total" [] "alerts"
        "Alerts created.";
    DELIVERIES = Process Counter "advisoryd_alert_deliveries_total" ["sink" "outcome"] "attempts"
        "Delivery attempts, by sink and outcome: delivered, postponed (it is retried), abandoned (it is a dead letter).";
    FAILURES = Process Counter "advisoryd_alert_delivery_failures_total" ["sink" "reason"] "attempts"
        "Failed delivery attempts, by sink and reason: auth (credentials rejected), rate_limited (status 429), refused (any other error response or exit status), unreachable (no response), template (the message could not be built).";
    DELIVERY_SECONDS = Process Histogram "advisoryd_alert_delivery_duration_seconds" ["sink"] "seconds"
        "Duration of delivery attempts, by sink.";
    DATABASE_UP = Process Gauge "advisoryd_database_up" [] "0 or 1"
        "1 if the database answered this scrape within 5 seconds, otherwise 0.";
    DATA_AGE = Age Gauge "advisoryd_data_age_seconds" ["source"] "seconds"
        "Age of the data of a source: time since the end of the covered time, or since it is followed if it was never read completely.";
    FRESHNESS_LIMIT = Age Gauge "advisoryd_freshness_limit_seconds" ["source"] "seconds"
        "Age at which the data of the source is stale, from [freshness] and the schedule of the source. Compare with advisoryd_data_age_seconds. Not exported where [freshness] is off.";
    LAST_SUCCESS = Age Gauge "advisoryd_last_success_timestamp_seconds" ["source"] "Unix time"
        "End of the last complete run of the source. Not exported before the first one.";
    LAST_NEWS = Age Gauge "advisoryd_last_news_timestamp_seconds" ["source"] "Unix time"
        "Newest release or modification of an advisory of the source, according to upstream.";
    FAILING = Database Gauge "advisoryd_source_failing" ["source"] "0 or 1"
        "1 if the last run of the source failed, otherwise 0.";
    STORED = Database Gauge "advisoryd_stored_records" ["source"] "records"
        "Stored records, by source.";
    ADVISORIES = Database Gauge "advisoryd_advisories" ["source" "severity"] "advisories"
        "Advisories that are on a watch list or extra feed now, by source and severity. An advisory on two lists counts in both.";
    MIRROR_SUCCESS = Database Gauge "advisoryd_mirror_last_success_timestamp_seconds" ["source" "kind"] "Unix time"
        "When the vendors, products or product releases of a list, or the pending approvals (source account), were last read completely, by source and kind. Not exported while upstream refuses them.";
    QUARANTINE = Database Gauge "advisoryd_quarantine_records" ["source"] "records"
        "Records in quarantine, by source.";
    GAPS = Database Gauge "advisoryd_coverage_gaps" ["source"] "gaps"
        "Gaps in the covered time, by source.";
    CONDITION = Database Gauge "advisoryd_condition" ["what" "key"] "0 or 1"
        "1 while a condition is active, 0 when it is resolved, by condition and what is affected (docs/operations.md#self-monitoring). Not exported if it never occurred.";
    DETAILS_WANTED = Database Gauge "advisoryd_details_wanted" [] "advisories"
        "Pending advisory details, in the fetch queue.";
    DETAILS_OLDEST = Database Gauge "advisoryd_details_oldest_wanted_seconds" [] "seconds"
        "How long the oldest pending detail has been in the fetch queue; 0 if there is none.";
    DETAILS_UNAVAILABLE = Database Gauge "advisoryd_details_unavailable" [] "advisories"
        "Advisory details that upstream does not have or that cannot be parsed.";
    DETAILS_DONE = Database Gauge "advisoryd_details_done_timestamp_seconds" [] "Unix time"
        "Estimated time when all pending details will have been fetched. Not exported while none is pending or no estimate is possible.";
    BUDGET = Database Gauge "advisoryd_request_budget_requests" ["budget"] "requests"
        "Requests allowed in any 24 hours: requests ([upstream] requests_per_day) and details ([feeds] details_per_day). Not exported for a budget without limit.";
    BUDGET_LEFT = Database Gauge "advisoryd_request_budget_remaining_requests" ["budget"] "requests"
        "How many of them are left.";
    SHARED_USED = Database Gauge "advisoryd_request_budget_used_requests" ["by" "window"] "requests"
        "Requests of the account, by who sent them (self: this process, others: all other processes that use the account on this database) and window (minute: the current minute, day: the last 24 hours). Not exported before the first request.";
    SHARED_LEFT = Database Gauge "advisoryd_request_budget_remaining_minute_requests" [] "requests"
        "Requests that the current minute leaves to all processes ([upstream] requests_per_minute).";
    SHARED_PAUSE = Database Gauge "advisoryd_request_budget_pause_seconds" [] "seconds"
        "Remaining time of a pause that upstream asked one of the processes for; 0 without a pause.";
    EVALUATION_LAG = Database Gauge "advisoryd_alert_evaluation_lag_changes" [] "changes"
        "Changes that the rules have not evaluated yet. Not exported without rules.";
    EVALUATION_AGE = Database Gauge "advisoryd_alert_evaluation_lag_seconds" [] "seconds"
        "Time since the oldest of them was stored; 0 if there is none.";
    WAITING = Database Gauge "advisoryd_alert_deliveries_waiting" ["sink"] "deliveries"
        "Messages that wait for delivery, including those that still gather alerts, by sink.";
    OLDEST_WAITING = Database Gauge "advisoryd_alert_deliveries_oldest_waiting_seconds" ["sink"] "seconds"
        "How long the oldest undelivered message has been complete and waiting, by sink; 0 if there is none.";
    DEAD_LETTERS = Database Gauge "advisoryd_alert_deliveries_dead_letters" ["sink"] "deliveries"
        "Stored deliveries that are dead letters, by sink.";
    SINK_FAILURES = Database Gauge "advisoryd_sink_consecutive_failures" ["sink"] "attempts"
        "Failed delivery attempts since the last success, by sink.";
    SINK_SUCCESS = Database Gauge "advisoryd_sink_last_success_timestamp_seconds" ["sink"] "Unix time"
        "Last successful delivery, by sink. Not exported before the first one.";
}

impl MetricType {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

const INTRODUCTION: &str = "\
# Metrics

`/metrics` on `[http] listen` has the metrics below, in Prometheus' text format. [monitoring](monitoring/README.md) has alerting rules and dashboards for them. `make metrics` writes this page from `src/measures/table.rs`; do not edit it.
";

const SECTIONS: [(MetricOrigin, &str, &str); 3] = [
    (
        MetricOrigin::Process,
        "The process",
        "Counters begin at zero when the process starts. Counters of a source or sink that is no longer configured keep their value until the process ends. If `advisoryd_database_up` is 0, the metrics of the last section are not exported.",
    ),
    (
        MetricOrigin::Age,
        "Ages",
        "Of each followed source. They continue while the database does not answer, computed from what it said last.",
    ),
    (
        MetricOrigin::Database,
        "The database",
        "Read at each scrape. Not exported while the database does not answer: no value is older than the scrape. What is no longer followed or configured has no series.",
    ),
];

/// The text of `docs/metrics.md`.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (origin, title, text) in SECTIONS {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {title}\n\n{text}\n\n| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n"
        );
        for metric in METRICS.iter().filter(|metric| metric.origin == origin) {
            let labels: Vec<String> = metric
                .labels
                .iter()
                .map(|label| format!("`{label}`"))
                .collect();
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                metric.name,
                metric.kind.name(),
                labels.join(", "),
                metric.unit,
                metric.help
            );
        }
    }
    page
}
