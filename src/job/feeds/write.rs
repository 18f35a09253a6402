//! Writes batches of records: one transaction each. A record with a value that PostgreSQL
//! refuses is quarantined and does not stop the others.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::batch::{Batch, blank, conflicting_duplicate, taken_back};
use super::seen::SeenRecords;
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{DetailsMode, Fingerprint, Tally, plain_fingerprint};
use crate::store;
use crate::store::advisories::advisory::{self, ChunkContext, MergedChunk};
use crate::store::advisories::received::ReceivedAdvisory;
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::quarantine::{self, QuarantineEntry};
use crate::store::ledger::unknown_field;
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::queue::{self, QueueEntry, Reason};

/// How often a batch is written that conflicts with another transaction. With the
/// exclusive lock it cannot conflict, so two would do; a third costs nothing.
const CONFLICT_ATTEMPTS: u32 = 3;

/// Writes a batch and returns its counters. If PostgreSQL refuses a value, the batch is
/// written in halves, down to the record with that value, which is quarantined.
pub(super) async fn write(
    guard: &Guard,
    origin: ChunkOrigin,
    seen: &SeenRecords,
    batch: Batch,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut waiting = vec![batch];
    while let Some(batch) = waiting.pop() {
        match write_repeated(guard, origin, seen, &batch).await {
            Ok(written) => {
                count(&mut tally, &batch, &written);
                seen.add(written.merged.sightings);
            }
            Err(Failure::Store(error)) => {
                let Some(refused) = store::refused_value(&error) else {
                    return Err(Failure::Store(error));
                };
                tracing::debug!(%error, "PostgreSQL refused a value; storing the records of the batch separately");
                let Some(rest) = batch.without_refused(&refused) else {
                    return Err(Failure::Store(error));
                };
                waiting.extend(rest);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(tally)
}

/// What became of a batch.
struct Written {
    merged: MergedChunk,
    /// How many elements name an advisory that is not stored.
    pointers: u64,
}

fn count(tally: &mut Tally, batch: &Batch, written: &Written) {
    let Written { merged, pointers } = written;
    let set_aside = merged.conflicting_duplicates.len() + merged.taken_back.len();
    let set_aside = (set_aside + merged.blank.len()) as u64;
    tally.seen += batch.received.len() as u64 - set_aside;
    tally.quarantined += batch.unreadable.len() as u64 + pointers + set_aside;
    tally.added += merged.added;
    tally.changed += merged.changed;
    tally.unchanged += merged.unchanged;
}

/// Writes a batch in one transaction; repeats it if it conflicts with another one.
async fn write_repeated(
    guard: &Guard,
    origin: ChunkOrigin,
    seen: &SeenRecords,
    batch: &Batch,
) -> Result<Written, Failure> {
    let mut lock = WriteLock::Shared;
    for _ in 1..CONFLICT_ATTEMPTS {
        match write_once(guard, origin, seen, batch, lock).await {
            Err(Failure::Store(error)) if store::is_conflict(&error) => {
                tracing::debug!(%error, "two transactions conflicted; repeating this one with the exclusive write lock");
                lock = WriteLock::Exclusive;
            }
            result => return result,
        }
    }
    write_once(guard, origin, seen, batch, lock).await
}

async fn write_once(
    guard: &Guard,
    origin: ChunkOrigin,
    seen: &SeenRecords,
    batch: &Batch,
    lock: WriteLock,
) -> Result<Written, Failure> {
    let Batch {
        received,
        unreadable,
        pointers,
        ..
    } = batch;
    let mut transaction = guard.begin_with_lock(lock).await?;
    let merged = if received.is_empty() {
        MergedChunk::default()
    } else {
        let document = ChunkContext {
            is_seen: &|sighting| seen.contains(sighting),
            read: &|raw| seen.read(raw),
            has_local_times: &|raw| seen.has_local_times(raw),
        };
        advisory::merge(&mut transaction, origin, received, document).await?
    };
    let advisories = received.iter().map(|record| &record.advisory);
    unknown_field::record(&mut transaction, origin, advisories).await?;
    let duplicates = merged.conflicting_duplicates.iter();
    let duplicates = duplicates.map(|index| (*index, conflicting_duplicate(&received[*index])));
    let taken = merged.taken_back.iter();
    let taken = taken.map(|(index, known)| (*index, taken_back(&received[*index], *known)));
    let (mut set_aside, quarantined): (Vec<usize>, Vec<QuarantineEntry>) =
        duplicates.chain(taken).unzip();
    set_aside.extend(&merged.blank);
    let blank = merged.blank.iter().map(|index| blank(&received[*index]));
    let blank: Vec<QuarantineEntry> = blank.collect();
    let pointers = not_stored(&mut transaction, pointers).await?;
    release(&mut transaction, origin, received, &set_aside).await?;
    enqueue_details(&mut transaction, origin, unreadable).await?;
    enqueue_details(&mut transaction, origin, &pointers).await?;
    enqueue_details(&mut transaction, origin, &blank).await?;
    quarantine::keep(&mut transaction, origin, unreadable).await?;
    quarantine::keep(&mut transaction, origin, &quarantined).await?;
    quarantine::keep(&mut transaction, origin, &blank).await?;
    quarantine::keep(&mut transaction, origin, &pointers).await?;
    transaction.commit().await?;
    Ok(Written {
        merged,
        pointers: pointers.len() as u64,
    })
}

/// Of elements that only name an advisory those whose advisory is not stored.
async fn not_stored(
    transaction: &mut PgConnection,
    pointers: &[QuarantineEntry],
) -> Result<Vec<QuarantineEntry>, sqlx::Error> {
    if pointers.is_empty() {
        return Ok(Vec::new());
    }
    let saids: Vec<String> = pointers.iter().filter_map(|one| one.key.clone()).collect();
    let stored = advisory::stored_advisories(transaction, &saids).await?;
    let is_stored = |one: &&QuarantineEntry| {
        let mut said = one.key.iter();
        said.any(|said| stored.contains_key(said))
    };
    Ok(pointers
        .iter()
        .filter(|one| !is_stored(one))
        .cloned()
        .collect())
}

/// Queues the details of advisories whose records cannot be parsed, when they are first
/// quarantined: JSON may have what the feed could not deliver.
async fn enqueue_details(
    transaction: &mut PgConnection,
    origin: ChunkOrigin,
    unreadable: &[QuarantineEntry],
) -> Result<(), sqlx::Error> {
    if unreadable.is_empty() || origin.details == DetailsMode::Never {
        return Ok(());
    }
    let hashes: Vec<Fingerprint> = unreadable.iter().map(|record| record.byte_hash).collect();
    let known = quarantine::known(transaction, origin.source_id, &hashes).await?;
    let news = unreadable
        .iter()
        .filter(|record| !known.contains(&record.byte_hash.to_vec()));
    // One statement cannot write an entry twice.
    let saids: BTreeSet<&String> = news
        .flat_map(|record| record.key.iter().chain(&record.hints))
        .collect();
    let wanted: Vec<QueueEntry> = saids
        .into_iter()
        .cloned()
        .map(|said| QueueEntry {
            said,
            reason: Reason::Lacks,
            modified_at: None,
        })
        .collect();
    queue::enqueue(transaction, &wanted, origin.at).await?;
    Ok(())
}

/// Releases records from quarantine that failed to parse before, with the same bytes.
async fn release(
    transaction: &mut PgConnection,
    origin: ChunkOrigin,
    received: &[ReceivedAdvisory],
    set_aside: &[usize],
) -> Result<(), sqlx::Error> {
    if received.is_empty() || quarantine::is_empty(transaction, origin.source_id).await? {
        return Ok(());
    }
    let hashes: Vec<Fingerprint> = received
        .iter()
        .enumerate()
        .filter(|(index, _)| !set_aside.contains(index))
        .map(|(_, record)| plain_fingerprint(record.raw.as_bytes()))
        .collect();
    quarantine::release_bytes(transaction, origin.source_id, &hashes).await?;
    Ok(())
}
