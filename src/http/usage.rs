//! Usage counters: requests, retries and bytes, per run and per process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Requests and bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Requests sent, including redirects and retries.
    pub requests: u64,
    /// Responses with status 429.
    pub throttled: u64,
    /// Retries.
    pub retries: u64,
    /// Bytes of response bodies after decompression.
    pub bytes: u64,
    /// Bytes of response bodies before decompression.
    pub wire_bytes: u64,
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            throttled: self.throttled + other.throttled,
            retries: self.retries + other.retries,
            bytes: self.bytes + other.bytes,
            wire_bytes: self.wire_bytes + other.wire_bytes,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    throttled: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    wire_bytes: AtomicU64,
}

impl Counters {
    fn usage(&self) -> Usage {
        let Self {
            requests,
            throttled,
            retries,
            bytes,
            wire_bytes,
        } = self;
        Usage {
            requests: requests.load(Ordering::Relaxed),
            throttled: throttled.load(Ordering::Relaxed),
            retries: retries.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
            wire_bytes: wire_bytes.load(Ordering::Relaxed),
        }
    }
}

/// A request that waits for its next attempt.
#[derive(Debug, Clone)]
pub struct Retrying {
    /// Why the last attempt failed.
    pub error: String,
    /// When the next one is made.
    pub at: Instant,
    /// Number of the next one, from 2.
    pub attempt: u32,
    /// How many are made at most.
    pub of: u32,
}

/// Forgets the waiting request at its end, also if it is dropped.
pub(super) struct Waiting(Arc<Mutex<Option<Retrying>>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Counts for one run and, at the same time, for the whole process.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    run: Arc<Counters>,
    process: Arc<Counters>,
    retrying: Arc<Mutex<Option<Retrying>>>,
}

impl Meter {
    /// A meter that starts at zero for the run and also counts for the process.
    pub(super) fn for_run(&self) -> Self {
        Self {
            run: Arc::default(),
            process: Arc::clone(&self.process),
            retrying: Arc::clone(&self.retrying),
        }
    }

    /// Says that a request waits, until what is returned is dropped.
    pub(super) fn waits(&self, retrying: Retrying) -> Waiting {
        *self.retrying.lock().unwrap_or_else(PoisonError::into_inner) = Some(retrying);
        Waiting(Arc::clone(&self.retrying))
    }

    /// The request of this process that began to wait last, while it waits.
    pub(super) fn retrying(&self) -> Option<Retrying> {
        let retrying = self.retrying.lock();
        retrying.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn run(&self) -> Usage {
        self.run.usage()
    }

    pub(super) fn process(&self) -> Usage {
        self.process.usage()
    }

    pub(super) fn request(&self) {
        self.add(|counters| &counters.requests, 1);
    }

    pub(super) fn throttled(&self) {
        self.add(|counters| &counters.throttled, 1);
    }

    pub(super) fn retry(&self) {
        self.add(|counters| &counters.retries, 1);
    }

    pub(super) fn bytes(&self, bytes: usize) {
        self.add(|counters| &counters.bytes, bytes as u64);
    }

    pub(super) fn wire_bytes(&self, bytes: usize) {
        self.add(|counters| &counters.wire_bytes, bytes as u64);
    }

    fn add(&self, counter: impl Fn(&Counters) -> &AtomicU64, count: u64) {
        for counters in [&self.run, &self.process] {
            counter(counters).fetch_add(count, Ordering::Relaxed);
        }
    }
}
