//! Whether the collector takes spans: counts those that were lost, and reports it once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

/// A collector that fails now and then is not a line in the log each time.
const WARN_AGAIN_AFTER: Duration = Duration::from_hours(1);

/// What became of the spans.
#[derive(Debug)]
pub(super) struct ExportOutage {
    endpoint: String,
    made: AtomicU64,
    taken: AtomicU64,
    reported: Mutex<Reported>,
}

#[derive(Debug, Default)]
struct Reported {
    /// Whether the last line in the log said that spans are lost.
    is_failing: bool,
    at: Option<Instant>,
    /// Spans lost since then.
    lost: u64,
}

impl ExportOutage {
    pub(super) fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            made: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            reported: Mutex::default(),
        }
    }

    /// Counts a span that is to be sent.
    pub(super) fn made(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts spans that the collector took.
    pub(super) fn taken(&self, spans: u64) {
        self.taken.fetch_add(spans, Ordering::Relaxed);
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if !reported.is_failing {
            return;
        }
        let (endpoint, lost) = (&self.endpoint, std::mem::take(&mut reported.lost));
        reported.is_failing = false;
        info!(
            lost,
            "traces are sent to {endpoint} again; lost spans: {lost}"
        );
    }

    /// Counts spans that were lost.
    pub(super) fn lost(&self, spans: u64, why: &str) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.lost += spans;
        if reported.is_failing
            || reported
                .at
                .is_some_and(|at| at.elapsed() < WARN_AGAIN_AFTER)
        {
            return;
        }
        reported.is_failing = true;
        reported.at = Some(Instant::now());
        let endpoint = &self.endpoint;
        warn!(
            error = why,
            "traces cannot be sent to {endpoint} and are lost: {why}"
        );
    }

    /// Says at the end how many spans were lost, also for want of room in the queue.
    pub(super) fn warn_at_end(&self) {
        let made = self.made.load(Ordering::Relaxed);
        let lost = made.saturating_sub(self.taken.load(Ordering::Relaxed));
        let endpoint = &self.endpoint;
        if lost > 0 {
            warn!(lost, "{lost} of {made} spans were not sent to {endpoint}");
        }
    }
}
