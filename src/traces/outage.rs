//! Whether the collector takes spans: counts those that were lost, and tells once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

/// A collector that fails now and then is not a line in the log each time.
const TELL_AGAIN_AFTER: Duration = Duration::from_hours(1);

/// What became of the spans.
#[derive(Debug)]
pub(super) struct Outage {
    endpoint: String,
    made: AtomicU64,
    taken: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// Whether the last line in the log said that spans are lost.
    is_failing: bool,
    at: Option<Instant>,
    /// Spans lost since then.
    lost: u64,
}

impl Outage {
    pub(super) fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            made: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    /// Counts a span that is to be sent.
    pub(super) fn made(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts spans that the collector took.
    pub(super) fn taken(&self, spans: u64) {
        self.taken.fetch_add(spans, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.is_failing {
            return;
        }
        let (endpoint, lost) = (&self.endpoint, std::mem::take(&mut told.lost));
        told.is_failing = false;
        info!(
            lost,
            "traces are sent to {endpoint} again; lost spans: {lost}"
        );
    }

    /// Counts spans that were lost.
    pub(super) fn lost(&self, spans: u64, why: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.lost += spans;
        if told.is_failing || told.at.is_some_and(|at| at.elapsed() < TELL_AGAIN_AFTER) {
            return;
        }
        told.is_failing = true;
        told.at = Some(Instant::now());
        let endpoint = &self.endpoint;
        warn!(
            error = why,
            "traces cannot be sent to {endpoint} and are lost: {why}"
        );
    }

    /// Says at the end how many spans were lost, also for want of room in the queue.
    pub(super) fn tell_at_end(&self) {
        let made = self.made.load(Ordering::Relaxed);
        let lost = made.saturating_sub(self.taken.load(Ordering::Relaxed));
        let endpoint = &self.endpoint;
        if lost > 0 {
            warn!(lost, "{lost} of {made} spans were not sent to {endpoint}");
        }
    }
}
