//! The context of a job: configuration, database pool, HTTP client, clock, stop token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::http::Client;
use crate::job::budget::SharedBudget;
use crate::job::failure::Failure;
use crate::job::pauses::SourcePauses;
use crate::job::problems::ActiveProblems;
use crate::model::SourceKey;
use crate::source::xml::ParserRules;

/// The target of log lines about failures that a command prints as lines of its own output, or
/// that it mends by asking again.
pub(crate) const OUTCOME: &str = "advisoryd::job::outcome";

/// The dependencies of a job. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The configuration. It does not change while the job runs.
    pub config: Arc<Config>,
    /// How records are recognised and parsed, from the configuration.
    pub rules: Arc<ParserRules>,
    /// The database.
    pub pool: PgPool,
    /// The client for upstream. All its clones share one rate limiter.
    pub client: Client,
    /// The clock.
    pub clock: Clock,
    /// Cancelled when advisoryd stops. Jobs then end at their next safe point.
    pub stop: CancellationToken,
    /// Counters for progress output and for the watchdog.
    pub(crate) progress: Arc<Progress>,
    /// What is wrong at present.
    pub(crate) problems: watch::Sender<ActiveProblems>,
    /// The task that shares the request budget with other processes.
    pub budget: SharedBudget,
    /// Pauses of sources that upstream refused.
    pub(crate) pauses: SourcePauses,
    /// While a bundle is imported: the time for which it has the JSON API's list of
    /// advisories.
    pub(crate) bundled: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Context {
    /// The current time by upstream's clock, estimated from its responses; before the first
    /// response it is our own time. For requests and ages only: what a response covers is
    /// decided by its own `Date`.
    pub(crate) fn upstream_now(&self) -> DateTime<Utc> {
        self.clock.now() + self.client.clock_offset()
    }

    /// Awaits `future`. If advisoryd stops first, the future is dropped and
    /// [`Failure::Stopped`] is returned.
    pub(crate) fn or_stopped<T>(
        &self,
        future: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, Failure>> {
        let done = self.stop.run_until_cancelled(future);
        done.map(|done| done.ok_or(Failure::Stopped))
    }

    /// Changes upstream from before this time were read by the runs that covered the
    /// source up to `covered_to`. Newer changes may have been published late; the
    /// overlap of the next run covers them.
    pub(crate) fn settled_before(
        &self,
        key: &SourceKey,
        covered_to: DateTime<Utc>,
    ) -> DateTime<Utc> {
        covered_to - self.config.overlap_of(key)
    }
}

/// Counters that a run increments while it reads.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    bytes: AtomicU64,
    expected_bytes: AtomicU64,
    records: AtomicU64,
    expected_records: AtomicU64,
}

impl Progress {
    /// Adds the length of a document, where upstream states it.
    pub(crate) fn expect_bytes(&self, bytes: u64) {
        self.expected_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds records that are still to come, where their number is known.
    pub(crate) fn expect_records(&self, records: u64) {
        self.expected_records.fetch_add(records, Ordering::Relaxed);
    }

    /// Adds received bytes and records.
    pub fn add(&self, bytes: u64, records: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Bytes received, after decompression.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes expected, 0 where upstream does not state the length.
    pub(crate) fn expected_bytes(&self) -> u64 {
        self.expected_bytes.load(Ordering::Relaxed)
    }

    /// Records expected, 0 where their number is not known.
    pub(crate) fn expected_records(&self) -> u64 {
        self.expected_records.load(Ordering::Relaxed)
    }

    /// Records received.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
}
