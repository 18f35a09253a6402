//! One chunk of records: skip what is known, read the rest, store it.

use std::sync::Arc;

use sqlx::{PgConnection, PgPool};

use super::failure::Failure;
use crate::model::{Fingerprint, plain_fingerprint};
use crate::source::xml::{self, Rules};
use crate::store;
use crate::store::advisory::{self, Merged, Origin, Received};
use crate::store::quarantine::{self, Unreadable};
use crate::store::run::{self, Tally};
use crate::store::turn::Turn;

/// Rows in one transaction: enough to make round trips cheap, few enough to
/// keep the transaction and its memory small.
const CHUNK_RECORDS: usize = 500;
/// Bytes of records in one transaction; bounds memory where records are large.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;
/// How often a chunk is written that met another transaction. Alone it meets
/// none, so two would do; a third costs nothing.
const CONFLICT_ATTEMPTS: u32 = 3;

/// Records as they came, one after the other in one buffer.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    text: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<Fingerprint>,
}

impl Chunk {
    pub(super) fn push(&mut self, record: &[u8], hash: Fingerprint) {
        self.text.extend_from_slice(record);
        self.ends.push(self.text.len());
        self.hashes.push(hash);
    }

    pub(super) fn is_full(&self) -> bool {
        self.ends.len() >= CHUNK_RECORDS || self.text.len() >= CHUNK_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
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

/// What a run has counted and seen so far.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub tally: Tally,
    pub sightings: Vec<i64>,
}

impl Stored {
    pub(super) fn add(&mut self, other: Self) {
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
        } = other.tally;
        self.tally.claimed = self.tally.claimed.or(claimed);
        self.tally.seen += seen;
        self.tally.added += added;
        self.tally.changed += changed;
        self.tally.unchanged += unchanged;
        self.tally.quarantined += quarantined;
        self.sightings.extend(other.sightings);
    }
}

/// Stores a chunk. A chunk in which nothing is new writes nothing at all.
pub(super) async fn store_chunk(
    pool: &PgPool,
    rules: &Arc<Rules>,
    origin: Origin,
    chunk: &Chunk,
) -> Result<Stored, Failure> {
    let mut connection = pool.acquire().await?;
    let known = advisory::known(&mut connection, origin.source_id, &chunk.hashes).await?;
    drop(connection);

    let mut stored = Stored::default();
    let mut received = Vec::new();
    let mut unreadable = Vec::new();
    for (record, hash) in chunk.records() {
        if let Some(id) = known.get(&hash) {
            stored.sightings.push(*id);
            continue;
        }
        match xml::read_record(rules, record) {
            Ok(advisory) => received.push(Received {
                advisory,
                raw: String::from_utf8_lossy(record).into_owned(),
                byte_hash: hash,
            }),
            Err(xml::Unreadable { key, reason }) => unreadable.push(Unreadable {
                key,
                reason,
                byte_hash: plain_fingerprint(record),
                raw: xml::printable(record),
            }),
        }
    }
    let skipped = stored.sightings.len() as u64;
    stored.tally.seen = skipped + received.len() as u64;
    stored.tally.unchanged = skipped;
    stored.tally.quarantined = unreadable.len() as u64;
    if received.is_empty() && unreadable.is_empty() {
        return Ok(stored);
    }
    let merged = write(pool, origin, &received, &unreadable).await?;
    stored.tally.added = merged.added;
    stored.tally.changed = merged.changed;
    stored.tally.unchanged += merged.unchanged;
    stored.sightings.extend(merged.sightings);
    Ok(stored)
}

/// Writes in one transaction, again when it met another one.
async fn write(
    pool: &PgPool,
    origin: Origin,
    received: &[Received],
    unreadable: &[Unreadable],
) -> Result<Merged, Failure> {
    let mut turn = Turn::BesideOthers;
    for _ in 1..CONFLICT_ATTEMPTS {
        match write_once(pool, origin, received, unreadable, turn).await {
            Err(Failure::Store(error)) if store::is_conflict(&error) => {
                tracing::debug!(%error, "two transactions met; this one is repeated alone");
                turn = Turn::Alone;
            }
            result => return result,
        }
    }
    write_once(pool, origin, received, unreadable, turn).await
}

async fn write_once(
    pool: &PgPool,
    origin: Origin,
    received: &[Received],
    unreadable: &[Unreadable],
    turn: Turn,
) -> Result<Merged, Failure> {
    let mut transaction = pool.begin().await?;
    turn.take(&mut transaction).await?;
    if !run::still_ours(&mut transaction, origin.run_id).await? {
        return Err(Failure::Lost);
    }
    let merged = if received.is_empty() {
        Merged::default()
    } else {
        advisory::merge(&mut transaction, origin, received).await?
    };
    release(&mut transaction, origin, received).await?;
    quarantine::keep(&mut transaction, origin, unreadable).await?;
    transaction.commit().await?;
    Ok(merged)
}

/// Lets records leave quarantine that were not understood before in these very bytes.
async fn release(
    connection: &mut PgConnection,
    origin: Origin,
    received: &[Received],
) -> Result<(), sqlx::Error> {
    if received.is_empty() || quarantine::is_empty(connection, origin.source_id).await? {
        return Ok(());
    }
    let hashes: Vec<Fingerprint> = received
        .iter()
        .map(|record| plain_fingerprint(record.raw.as_bytes()))
        .collect();
    quarantine::release_bytes(connection, origin.source_id, &hashes).await?;
    Ok(())
}
