//! Chunks of records: skip what is known, read the rest, store it.

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

/// Records that are looked up at once: enough to make the round trip cheap.
const CHUNK_RECORDS: usize = 500;
/// Bytes of records that travel between tasks at once; bounds memory.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;
/// Records in one transaction: enough to make its commit cheap, few enough to
/// keep it short.
const NEWS_RECORDS: usize = 500;
/// Bytes of records in one transaction; with what is made of them they are
/// several times as much memory.
const NEWS_BYTES: usize = 1024 * 1024;
/// How often a chunk is written that met another transaction. Alone it meets
/// none, so two would do; a third costs nothing.
const CONFLICT_ATTEMPTS: u32 = 3;

/// Records as they came, one after the other in one buffer.
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

/// What a run has counted, and seen when it is over.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub tally: Tally,
    pub sightings: Vec<i64>,
    pub received: FingerprintSum,
}

/// Rows of `sighting` that a document has held so far, for all its writers.
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
        // A set of numbers is whole whenever its lock is free.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    pub(crate) fn add(&mut self, other: Self) {
        self.count(other.tally);
        self.sightings.extend(other.sightings);
        self.received.merge(other.received);
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

/// Stores the chunks of a document as one of its writers. Records that are known
/// are done; the others wait until they make a transaction worth its commit.
pub(crate) struct Storing {
    context: Context,
    origin: Origin,
    seen: Arc<Seen>,
    news: News,
    pub tally: Tally,
    pub received: FingerprintSum,
}

impl Storing {
    pub(crate) fn new(context: Context, origin: Origin, seen: Arc<Seen>) -> Self {
        Self {
            context,
            origin,
            seen,
            news: News::default(),
            tally: Tally::default(),
            received: FingerprintSum::default(),
        }
    }

    /// Takes a chunk in. One in which nothing is new writes nothing at all.
    pub(crate) async fn take_in(&mut self, chunk: &Chunk) -> Result<(), Failure> {
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
            self.news.read(&self.context.rules, record, hash);
            if self.news.is_full() {
                self.store().await?;
            }
        }
        Ok(())
    }

    /// Stores what still waits.
    pub(crate) async fn store(&mut self) -> Result<(), Failure> {
        let news = std::mem::take(&mut self.news);
        if news.is_empty() {
            return Ok(());
        }
        let origin = Origin {
            at: self.context.clock.now(),
            ..self.origin
        };
        let merged = write(&self.context.pool, origin, &self.seen, &news).await?;
        let conflicting_duplicates = merged.conflicting_duplicates.len() as u64;
        self.tally.seen += news.received.len() as u64 - conflicting_duplicates;
        self.tally.quarantined += news.unreadable.len() as u64 + conflicting_duplicates;
        self.tally.added += merged.added;
        self.tally.changed += merged.changed;
        self.tally.unchanged += merged.unchanged;
        self.seen.add(merged.sightings);
        Ok(())
    }
}

/// Records that are not known, waiting to be stored together.
#[derive(Default)]
struct News {
    received: Vec<Received>,
    unreadable: Vec<Unreadable>,
    bytes: usize,
}

impl News {
    fn read(&mut self, rules: &Arc<Rules>, record: &[u8], hash: Fingerprint) {
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
        self.received.len() + self.unreadable.len() >= NEWS_RECORDS || self.bytes >= NEWS_BYTES
    }
}

/// Writes in one transaction, again when it met another one.
async fn write(pool: &PgPool, origin: Origin, seen: &Seen, news: &News) -> Result<Merged, Failure> {
    let mut turn = WriteLock::Shared;
    for _ in 1..CONFLICT_ATTEMPTS {
        match write_once(pool, origin, seen, news, turn).await {
            Err(Failure::Store(error)) if store::is_conflict(&error) => {
                tracing::debug!(%error, "two transactions met; this one is repeated alone");
                turn = WriteLock::Exclusive;
            }
            result => return result,
        }
    }
    write_once(pool, origin, seen, news, turn).await
}

async fn write_once(
    pool: &PgPool,
    origin: Origin,
    seen: &Seen,
    news: &News,
    turn: WriteLock,
) -> Result<Merged, Failure> {
    let News {
        received,
        unreadable,
        bytes: _,
    } = news;
    let mut transaction = transaction::begin_at(turn, pool, origin.run_id).await?;
    let merged = if received.is_empty() {
        Merged::default()
    } else {
        let is_seen = |sighting| seen.lock().contains(&sighting);
        advisory::merge(&mut transaction, origin, received, is_seen).await?
    };
    let conflicting_duplicates: Vec<Unreadable> = merged
        .conflicting_duplicates
        .iter()
        .map(|at| twin(&received[*at]))
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

/// A record that is kept aside though it reads well.
fn twin(record: &Received) -> Unreadable {
    Unreadable {
        key: Some(record.advisory.said.clone()),
        reason: "the same document says something else of this advisory, as new or newer; that is what was stored".to_owned(),
        byte_hash: plain_fingerprint(record.raw.as_bytes()),
        raw: xml::printable(record.raw.as_bytes()),
    }
}

/// Lets records leave quarantine that were not understood before in these very bytes.
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
        .filter(|(place, _)| !conflicting_duplicates.contains(place))
        .map(|(_, record)| plain_fingerprint(record.raw.as_bytes()))
        .collect();
    quarantine::release_bytes(connection, origin.source_id, &hashes).await?;
    Ok(())
}
