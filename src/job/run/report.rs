//! What is reported of a run that ended, and its line in the log.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracing::{error, info, warn};

use crate::job::failure::Failure;
#[cfg(feature = "otlp")]
use crate::model::RunFailure;
use crate::model::{Mode, Outcome, SourceKey, Tally, counted};

/// A run that ended.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Row in the run log.
    pub run_id: i64,
    /// The source, in words.
    pub source: String,
    /// How it was read.
    pub mode: Mode,
    /// How it ended, and why it is incomplete.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Its counters.
    #[serde(flatten)]
    pub tally: Tally,
    /// The window, by upstream's clock.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// How long it took.
    pub seconds: f64,
}

/// Logs one line per run.
pub(super) fn log_ended(report: &RunReport, key: &SourceKey, failure: Option<&Failure>) {
    let Tally {
        added,
        changed,
        unchanged,
        quarantined,
        requests,
        bytes,
        ..
    } = report.tally;
    let (run_id, seconds) = (report.run_id, report.seconds);
    let (mode, what, label) = (report.mode.name(), key.records(), key.label());
    match failure {
        None => info!(
            source = %key, run.id = run_id, run.mode = mode, run.seconds = seconds,
            added, changed, unchanged, quarantined, requests, bytes,
            "{label}: {added} new, {changed} changed, {unchanged} unchanged {what} in {seconds:.1} s"
        ),
        Some(Failure::Stopped) => warn!(
            source = %key, run.id = run_id, run.mode = mode, added, changed, unchanged,
            "{label}: interrupted; data received so far is stored, the next run resumes"
        ),
        Some(failure) => {
            let consequence = match report.mode {
                Mode::Details => {
                    "fetching details failed; the pending ones are requested again later"
                }
                Mode::Import => "the import failed; records that could be parsed are stored",
                Mode::Window | Mode::Full | Mode::Incremental | Mode::Reconcile | Mode::Json => {
                    "the run failed; the next scheduled run reads the same period again"
                }
            };
            error!(
                source = %key, run.id = run_id, run.mode = mode, run.seconds = seconds,
                added, changed, unchanged, quarantined, requests, bytes,
                error = %failure.chain(),
                "{label}: {consequence}: {}", failure.chain()
            );
        }
    }
    if quarantined > 0 {
        warn!(
            source = %key, run.id = run_id, quarantined,
            "{label}: {} could not be parsed; see `advisoryd quarantine list`",
            counted(quarantined, "record")
        );
    }
}

/// Makes the span of a run.
#[cfg(feature = "otlp")]
pub(super) fn trace(
    report: &RunReport,
    (key, failure): (&SourceKey, Option<RunFailure>),
    times: (DateTime<Utc>, DateTime<Utc>),
) {
    crate::traces::run_ended(&crate::traces::EndedRun {
        key,
        id: report.run_id,
        mode: report.mode,
        outcome: &report.outcome,
        failure,
        tally: &report.tally,
        times,
    });
}
