//! Storing records in chunks: skip known ones by fingerprint, parse and upsert the rest.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::{PgConnection, PgPool};

use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::transaction;
use crate::model::{Fingerprint, FingerprintSum, Tally, plain_fingerprint};
use crate::source::xml::{self, Rules};
use crate::store;
use crate::store::advisories::advisory::{self, Merged};
use crate::store::advisories::received::Received;
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::quarantine::{self, Unreadable};
use crate::store::origin::Origin;

/// Records of one lookup: enough to make the round trip cheap.
const CHUNK_RECORDS: usize = 500;
/// Bytes of records in one chunk; bounds memory.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;
/// Records in one transaction: enough to make its commit cheap, few enough to
/// keep it short.
const BATCH_RECORDS: usize = 500;
/// Bytes of records in one transaction; parsed they take several times as much
/// memory.
const BATCH_BYTES: usize = 1024 * 1024;
/// How often a batch is written that conflicts with another transaction. With the
/// exclusive lock it cannot conflict, so two would do; a third costs nothing.
const CONFLICT_ATTEMPTS: u32 = 3;

/// Raw records, one after the other in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
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
pub(crate) struct Stored {
    pub tally: Tally,
    pub sightings: Vec<i64>,
    pub received: FingerprintSum,
}

/// Rows of `sighting` that a document contains, shared by all its writers.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashSet<i64>>);

impl Seen {
    fn add(&self, sightings: impl IntoIterator<Item = i64>) {
        self.lock().extend(sightings);
    }

    pub(crate) fn take(&self) -> Vec<i64> {
        self.lock().drain().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<i64>> {
        // A set of numbers is consistent whenever its lock is free.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    pub(crate) fn add(&mut self, other: Self) {
        self.count(other.tally);
        self.sightings.extend(other.sightings);
        self.received.merge(other.received);
    }

    /// Replaces the counters by those of another attempt at the same document. What the
    /// earlier attempts stored stays counted as new or changed, and not as unchanged.
    pub(crate) fn repeated(&mut self, mut again: Self) {
        let Tally { added, changed, .. } = self.tally;
        again.tally.unchanged = again.tally.unchanged.saturating_sub(added + changed);
        again.tally.added += added;
        again.tally.changed += changed;
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
    origin: Origin,
    seen: Arc<Seen>,
    batch: Batch,
    pub tally: Tally,
    pub received: FingerprintSum,
}

impl Writer {
    pub(crate) fn new(context: Context, origin: Origin, seen: Arc<Seen>) -> Self {
        Self {
            context,
            origin,
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
        let origin = Origin {
            at: self.context.clock.now(),
            ..self.origin
        };
        let merged = write(&self.context.pool, origin, &self.seen, &batch).await?;
        let conflicting_duplicates = merged.conflicting_duplicates.len() as u64;
        self.tally.seen += batch.received.len() as u64 - conflicting_duplicates;
        self.tally.quarantined += batch.unreadable.len() as u64 + conflicting_duplicates;
        self.tally.added += merged.added;
        self.tally.changed += merged.changed;
        self.tally.unchanged += merged.unchanged;
        self.seen.add(merged.sightings);
        Ok(())
    }
}

/// New records, to be stored in one transaction.
#[derive(Default)]
struct Batch {
    received: Vec<Received>,
    unreadable: Vec<Unreadable>,
    bytes: usize,
}

impl Batch {
    fn parse(&mut self, rules: &Arc<Rules>, record: &[u8], hash: Fingerprint) {
        self.bytes += record.len();
        match xml::read_record(rules, record) {
            Ok(advisory) => self.received.push(Received {
                advisory,
                raw: String::from_utf8_lossy(record).into_owned(),
                byte_hash: hash,
            }),
            Err(xml::Unreadable { key, reason }) => self.unreadable.push(Unreadable {
                key,
                reason,
                byte_hash: plain_fingerprint(record),
                raw: xml::printable(record),
            }),
        }
    }

    fn is_empty(&self) -> bool {
        self.received.is_empty() && self.unreadable.is_empty()
    }

    fn is_full(&self) -> bool {
        self.received.len() + self.unreadable.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }
}

/// Writes a batch in one transaction; repeats it if it conflicts with another one.
async fn write(
    pool: &PgPool,
    origin: Origin,
    seen: &Seen,
    batch: &Batch,
) -> Result<Merged, Failure> {
    let mut lock = WriteLock::Shared;
    for _ in 1..CONFLICT_ATTEMPTS {
        match write_once(pool, origin, seen, batch, lock).await {
            Err(Failure::Store(error)) if store::is_conflict(&error) => {
                tracing::debug!(%error, "two transactions conflicted; repeating this one with the exclusive write lock");
                lock = WriteLock::Exclusive;
            }
            result => return result,
        }
    }
    write_once(pool, origin, seen, batch, lock).await
}

async fn write_once(
    pool: &PgPool,
    origin: Origin,
    seen: &Seen,
    batch: &Batch,
    lock: WriteLock,
) -> Result<Merged, Failure> {
    let Batch {
        received,
        unreadable,
        bytes: _,
    } = batch;
    let mut transaction = transaction::begin_with_lock(lock, pool, origin.run_id).await?;
    let merged = if received.is_empty() {
        Merged::default()
    } else {
        let is_seen = |sighting| seen.lock().contains(&sighting);
        advisory::merge(&mut transaction, origin, received, is_seen).await?
    };
    let conflicting_duplicates: Vec<Unreadable> = merged
        .conflicting_duplicates
        .iter()
        .map(|index| conflicting_duplicate(&received[*index]))
        .collect();
    release(
        &mut transaction,
        origin,
        received,
        &merged.conflicting_duplicates,
    )
    .await?;
    quarantine::keep(&mut transaction, origin, unreadable).await?;
    quarantine::keep(&mut transaction, origin, &conflicting_duplicates).await?;
    transaction.commit().await?;
    Ok(merged)
}

/// A record that is quarantined although it can be parsed.
fn conflicting_duplicate(record: &Received) -> Unreadable {
    Unreadable {
        key: Some(record.advisory.said.clone()),
        reason: "conflicting duplicate: the same document contains a different record of this advisory that is as new or newer; that one was stored".to_owned(),
        byte_hash: plain_fingerprint(record.raw.as_bytes()),
        raw: xml::printable(record.raw.as_bytes()),
    }
}

/// Releases records from quarantine that failed to parse before, with the same bytes.
async fn release(
    connection: &mut PgConnection,
    origin: Origin,
    received: &[Received],
    conflicting_duplicates: &[usize],
) -> Result<(), sqlx::Error> {
    if received.is_empty() || quarantine::is_empty(connection, origin.source_id).await? {
        return Ok(());
    }
    let hashes: Vec<Fingerprint> = received
        .iter()
        .enumerate()
        .filter(|(index, _)| !conflicting_duplicates.contains(index))
        .map(|(_, record)| plain_fingerprint(record.raw.as_bytes()))
        .collect();
    quarantine::release_bytes(connection, origin.source_id, &hashes).await?;
    Ok(())
}
