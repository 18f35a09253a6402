//! What every job is handed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::http::Client;
use crate::job::failure::Failure;
use crate::model::SourceKey;
use crate::source::xml::Rules;

/// What every job is handed. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The configuration that this job runs under to its end.
    pub config: Arc<Config>,
    /// How records are recognised and read, from the configuration.
    pub rules: Arc<Rules>,
    /// The database.
    pub pool: PgPool,
    /// The client for upstream, with the process's one pace.
    pub client: Client,
    /// The time.
    pub clock: Clock,
    /// Cancelled when the program is to stop: jobs end at their next safe point.
    pub stop: CancellationToken,
    /// What a person may watch.
    pub progress: Arc<Progress>,
}

impl Context {
    /// Upstream's time, as far as its answers have told it. Before the first
    /// answer it is ours, which every window allows for by its overlap.
    pub fn upstream_now(&self) -> DateTime<Utc> {
        self.clock.now() + self.client.clock_offset()
    }

    /// What comes of `future`, unless the program is told to stop first: then it is
    /// dropped where it waits.
    pub(crate) fn or_stopped<T>(
        &self,
        future: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, Failure>> {
        let done = self.stop.run_until_cancelled(future);
        done.map(|done| done.ok_or(Failure::Stopped))
    }

    /// What upstream said before this time came with the runs that covered the
    /// source to `covered_to`: later it may have been late, which the next run's
    /// overlap allows for.
    pub(crate) fn settled_before(
        &self,
        key: &SourceKey,
        covered_to: DateTime<Utc>,
    ) -> DateTime<Utc> {
        covered_to - self.config.overlap_of(key)
    }
}

/// Counters that move while a run reads.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    expected_bytes: AtomicU64,
    records: AtomicU64,
}

impl Progress {
    /// Notes how long the document will be, where upstream says.
    pub fn expect_bytes(&self, bytes: u64) {
        self.expected_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes what has come.
    pub fn add(&self, bytes: u64, records: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Bytes that have come, after decompression.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that will come, 0 where upstream does not say.
    pub fn expected_bytes(&self) -> u64 {
        self.expected_bytes.load(Ordering::Relaxed)
    }

    /// Records that have come.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
}
