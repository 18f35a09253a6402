//! Storing records in chunks: skip known ones by fingerprint, parse and upsert the rest.

use std::sync::Arc;

use tokio::sync::SemaphorePermit;

use super::batch::Batch;
use super::seen::SeenRecords;
use super::write::write;
use crate::http::Staleness;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::Run;
use crate::job::transaction::Guard;
use crate::model::{Fingerprint, FingerprintSum, Tally};
use crate::store::advisories::advisory;
use crate::store::origin::ChunkOrigin;

/// Records of one lookup: enough to make the round trip cheap.
const CHUNK_RECORDS: usize = 500;
/// Bytes of records in one chunk; bounds memory.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;

/// Raw records, one after the other in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Held until a large record is stored.
    pub permit: Option<SemaphorePermit<'static>>,
    text: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<Fingerprint>,
}

impl Chunk {
    pub(crate) fn push(&mut self, record: &[u8], hash: Fingerprint) {
        self.text.extend_from_slice(record);
        self.ends.push(self.text.len());
        self.hashes.push(hash);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= CHUNK_RECORDS || self.text.len() >= CHUNK_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn records(&self) -> impl Iterator<Item = (&[u8], Fingerprint)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .zip(&self.hashes)
            .map(|((start, end), hash)| (&self.text[start..*end], *hash))
    }
}

/// Counters of a run, and the sightings of its documents.
#[derive(Debug, Default)]
pub(crate) struct StoredCounters {
    pub tally: Tally,
    pub sightings: Vec<i64>,
    pub received: FingerprintSum,
    /// How old the oldest of the documents is.
    pub staleness: Staleness,
}

impl StoredCounters {
    pub(crate) fn add(&mut self, other: Self) {
        self.count(other.tally);
        self.sightings.extend(other.sightings);
        self.received.merge(other.received);
        self.staleness = self.staleness.or(other.staleness);
    }

    /// Replaces the counters by those of another attempt at the same document. What the
    /// earlier attempts stored stays counted as new or changed, and not as unchanged.
    pub(crate) fn repeated(&mut self, mut again: Self) {
        let Tally { added, changed, .. } = self.tally;
        again.tally.unchanged = again.tally.unchanged.saturating_sub(added + changed);
        again.tally.added += added;
        again.tally.changed += changed;
        again.staleness = self.staleness.or(again.staleness);
        *self = again;
    }

    pub(crate) fn count(&mut self, tally: Tally) {
        // Requests and bytes are counted by the run's client.
        let Tally {
            requests: _,
            bytes: _,
            claimed,
            seen,
            added,
            changed,
            unchanged,
            quarantined,
        } = tally;
        self.tally.claimed = self.tally.claimed.or(claimed);
        self.tally.seen += seen;
        self.tally.added += added;
        self.tally.changed += changed;
        self.tally.unchanged += unchanged;
        self.tally.quarantined += quarantined;
    }
}

/// One of the writers of a document. Known records need no write; the others are
/// collected until there are enough for a transaction.
pub(crate) struct Writer {
    context: Context,
    guard: Guard,
    origin: ChunkOrigin,
    seen: Arc<SeenRecords>,
    batch: Batch,
    pub tally: Tally,
    pub received: FingerprintSum,
}

impl Writer {
    pub(crate) fn new(run: &Run, seen: Arc<SeenRecords>) -> Self {
        Self {
            context: run.context.clone(),
            guard: run.guard.clone(),
            origin: run.origin,
            seen,
            batch: Batch::default(),
            tally: Tally::default(),
            received: FingerprintSum::default(),
        }
    }

    /// Adds a chunk. If all its records are known, nothing is written.
    pub(crate) async fn add(&mut self, chunk: &Chunk) -> Result<(), Failure> {
        let mut connection = self.context.pool.acquire().await?;
        let known = advisory::known(&mut connection, self.origin.source_id, &chunk.hashes).await?;
        drop(connection);
        self.seen.add(known.values().copied());
        self.received.merge(chunk.hashes.iter().collect());
        for (record, hash) in chunk.records() {
            if known.contains_key(&hash) {
                self.tally.seen += 1;
                self.tally.unchanged += 1;
                continue;
            }
            self.batch.parse(&self.context.rules, record, hash);
            if self.batch.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Stores the collected records.
    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let origin = ChunkOrigin {
            at: self.context.clock.now(),
            ..self.origin
        };
        let tally = write(&self.guard, origin, &self.seen, batch).await?;
        self.tally.seen += tally.seen;
        self.tally.quarantined += tally.quarantined;
        self.tally.added += tally.added;
        self.tally.changed += tally.changed;
        self.tally.unchanged += tally.unchanged;
        Ok(())
    }
}
