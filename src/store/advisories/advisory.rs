//! Upsert of advisories, and the sources that each was received from.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::blank;
use super::comparison::RecordComparison;
use super::damage;
use super::history;
use super::news;
use super::plan::{Added, WritePlan};
use super::put_forward;
use super::received::{Hashed, ReceivedAdvisory};
use super::row::{self, KnownDetail, StoredAdvisory};
use super::same_time::{self, SameTime};
use super::sighting;
use crate::model::{Advisory, Fingerprint, RecordKind};
use crate::store::change;
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::queue;

/// Result of storing a chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergedChunk {
    /// New advisories.
    pub added: u64,
    /// Advisories with a new version.
    pub changed: u64,
    /// Unchanged records.
    pub unchanged: u64,
    /// Ids of their rows in `sighting`.
    pub sightings: Vec<i64>,
    /// Indexes of conflicting duplicates, which are not stored: the same document
    /// has a record with the same identifier, equally new or newer, with different
    /// content. Storing both would create two versions at each pull.
    pub conflicting_duplicates: Vec<usize>,
    /// Indexes of records with an earlier modification time than the stored version of the
    /// same source, and other content; and that time.
    pub taken_back: Vec<(usize, Option<DateTime<Utc>>)>,
    /// Indexes of records that have lost all that the stored record of the advisory says.
    pub blank: Vec<usize>,
}

/// Which of these fingerprints are the latest bytes of a record from `source_id`,
/// with the row of `sighting` for each. Those records need no parsing. A record that
/// has left the list is not among them: it joins again. Nor is one whose modification time
/// was taken back: it becomes a version. Nor is a conflicting copy, once the source of the
/// current version is no longer followed: it is compared again.
pub async fn known(
    connection: &mut PgConnection,
    source_id: i32,
    hashes: &[Fingerprint],
) -> Result<HashMap<Fingerprint, i64>, sqlx::Error> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    let rows = sqlx::query!(
        "select id, byte_hash
         from sighting
         where source_id = $1
           and byte_hash = any($2)
           and taken_back_at is null
           and left_at is null
           and is_undecided is not true",
        source_id,
        &hashes
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((Fingerprint::try_from(row.byte_hash).ok()?, row.id)))
        .collect())
}

/// What a chunk of records is compared with, beside the stored advisories.
#[derive(Clone, Copy)]
pub struct ChunkContext<'a> {
    /// Whether the run already had a row of `sighting`: the record is then twice in its
    /// document.
    pub is_seen: &'a (dyn Fn(i64) -> bool + Sync),
    /// Parses the raw text of a stored record; `None` if it can no longer be parsed.
    pub read: &'a (dyn Fn(&str) -> Option<Advisory> + Sync),
    /// Whether the raw text of a record has times without a time zone.
    pub has_local_times: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Stores a chunk of records whose bytes are not [`known`]: new advisories,
/// new versions and the sightings, inside the caller's transaction.
///
/// `read` parses a stored record again: it is compared with one that replaces it. Fails with a unique violation when another
/// transaction stores the same new advisory at the same time; the caller then
/// repeats the whole transaction, which finds it stored.
pub async fn merge(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    received: &[ReceivedAdvisory],
    document: ChunkContext<'_>,
) -> Result<MergedChunk, sqlx::Error> {
    let ChunkContext { is_seen, read, .. } = document;
    let records = received.len();
    let (received, mut conflicting_duplicates) = one_of_each(received);
    let mut taken_back = Vec::new();
    let said = received.iter().map(|(_, record)| &record.advisory.said);
    let said: Vec<String> = said.cloned().collect();
    let mut stored = stored_advisories(connection, &said).await?;
    let (received, blank) = blank::without_blank(connection, received, &stored, read).await?;
    let mut details = known_details(connection, &said).await?;
    let sighted = sighting::sighted(connection, origin.source_id, &said).await?;
    let received: Vec<Hashed<'_>> = received
        .into_iter()
        .map(|(index, record)| (index, record, record.advisory.content_hash()))
        .collect();
    add_same_time(connection, origin, &received, &mut stored).await?;
    put_forward::mark(&received, &mut stored, document.has_local_times);
    damage::mark(connection, &received, &mut stored, read).await?;
    let corrected = corrected(origin, &received, &stored);
    add_replaced(connection, &corrected, &mut details, read).await?;

    let mut plan = WritePlan::of(origin);
    for (index, record, content_hash) in received {
        let said = &record.advisory.said;
        let stored = stored.get(said);
        let again = sighted.get(said).is_some_and(|known| is_seen(known.id));
        if again
            && stored.is_some_and(|stored| is_conflicting_duplicate(record, &content_hash, stored))
        {
            conflicting_duplicates.push(index);
            continue;
        }
        let compared = (stored, sighted.get(said));
        if plan.add(record, content_hash, compared, details.get(said)) == Added::TakenBack {
            let known = stored.and_then(|stored| stored.record_modified_at);
            taken_back.push((index, known));
        }
    }
    let former = history::keep_advisories(connection, &plan.changed, origin.at).await?;
    row::insert(connection, origin, &plan.new).await?;
    row::update(connection, origin, &plan.changed).await?;
    row::replace_record(connection, &plan.same_content).await?;
    queue::enqueue(connection, &plan.wanted, origin.at).await?;
    let sightings = sighting::write(connection, origin, &plan.sightings, &sighted).await?;

    let known = plan.first_sent(&stored, &sighted);
    let news = news::of(connection, origin, (!plan.new.is_empty(), &known)).await?;
    let facts = plan.facts(&stored, &sighted, &former, &news);
    change::record(connection, origin, RecordKind::Advisory, &facts, false).await?;

    let (added, changed) = (plan.new.len() as u64, plan.changed.len() as u64);
    Ok(MergedChunk {
        added,
        changed,
        unchanged: (records - conflicting_duplicates.len() - taken_back.len() - blank.len()) as u64
            - added
            - changed,
        sightings,
        conflicting_duplicates,
        taken_back,
        blank,
    })
}

/// Adds what is known of the stored advisories that have the same modification time as
/// records with another content.
async fn add_same_time(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    received: &[Hashed<'_>],
    stored: &mut HashMap<String, StoredAdvisory>,
) -> Result<(), sqlx::Error> {
    let current = of_same_time(received, stored);
    for (said, known) in same_time::find(connection, origin, current).await? {
        if let Some(stored) = stored.get_mut(&said) {
            stored.same_time = known;
        }
    }
    Ok(())
}

/// The advisories whose stored records have the same modification time and another content,
/// and that content.
fn of_same_time(
    received: &[Hashed<'_>],
    stored: &HashMap<String, StoredAdvisory>,
) -> HashMap<String, Option<Vec<u8>>> {
    let same = received.iter().filter_map(|(_, record, content_hash)| {
        let said = &record.advisory.said;
        let stored = stored.get(said)?;
        let is_same_time = stored.byte_hash.is_some()
            && stored.record_modified_at == record.advisory.modified_at
            && !stored.says(content_hash);
        is_same_time.then(|| (said.clone(), stored.content_hash.clone()))
    });
    same.collect()
}

/// The advisories whose stored records are corrected without a new modification time.
fn corrected(
    origin: ChunkOrigin,
    received: &[Hashed<'_>],
    stored: &HashMap<String, StoredAdvisory>,
) -> Vec<String> {
    let corrected = received.iter().filter_map(|(_, record, content_hash)| {
        let said = &record.advisory.said;
        let stored = stored.get(said)?;
        let is_corrected = stored.is_corrected_by(record, content_hash, origin);
        is_corrected.then(|| said.clone())
    });
    corrected.collect()
}

/// Adds the stored records of these advisories to their details, parsed again.
async fn add_replaced(
    connection: &mut PgConnection,
    said: &[String],
    details: &mut HashMap<String, KnownDetail>,
    read: &(dyn Fn(&str) -> Option<Advisory> + Sync),
) -> Result<(), sqlx::Error> {
    let with_details = said.iter().filter(|said| details.contains_key(*said));
    let said: Vec<String> = with_details.cloned().collect();
    for (said, raw) in blank::records_of(connection, &said).await? {
        if let Some(detail) = details.get_mut(&said) {
            detail.replaced_record = read(&raw);
        }
    }
    Ok(())
}

/// Compares a single record with the stored advisory, which is locked until the
/// transaction ends.
pub async fn compare(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    advisory: &Advisory,
    read: &(dyn Fn(&str) -> Option<Advisory> + Sync),
) -> Result<RecordComparison, sqlx::Error> {
    let mut stored = stored_advisories(connection, std::slice::from_ref(&advisory.said)).await?;
    let Some(stored) = stored.remove(&advisory.said) else {
        return Ok(RecordComparison::Unknown);
    };
    if stored.content_hash.is_none() {
        // Only known from JSON so far.
        return Ok(RecordComparison::Newer);
    }
    if !stored.says(&advisory.content_hash()) && blank::is_blank(connection, advisory, read).await?
    {
        return Ok(RecordComparison::Other);
    }
    let is_own = stored.source_id == origin.source_id || !stored.source_configured;
    Ok(RecordComparison::judge(
        stored.says(&advisory.content_hash()),
        advisory.modified_at,
        (stored.record_modified_at, is_own),
        origin,
    ))
}

/// Whether a repeated record of a document has different content than the first
/// one and is not a newer revision of it.
fn is_conflicting_duplicate(
    record: &ReceivedAdvisory,
    content_hash: &Fingerprint,
    stored: &StoredAdvisory,
) -> bool {
    let is_better = stored.is_repaired
        && !record.advisory.is_repaired()
        && record.advisory.modified_at == stored.record_modified_at;
    !stored.says(content_hash)
        && !is_better
        && record.advisory.modified_at <= stored.record_modified_at
}

/// One record per identifier, of those that say something the newest, of those an intact one,
/// of those the first, in the order of identifiers, so that transactions that lock the same
/// rows cannot deadlock; and the indexes of conflicting duplicates.
fn one_of_each(received: &[ReceivedAdvisory]) -> (Vec<(usize, &ReceivedAdvisory)>, Vec<usize>) {
    let mut chosen = BTreeMap::<&str, (usize, &ReceivedAdvisory)>::new();
    let mut left_out = Vec::new();
    for (index, record) in received.iter().enumerate() {
        match chosen.entry(record.advisory.said.as_str()) {
            Entry::Vacant(free) => {
                free.insert((index, record));
            }
            Entry::Occupied(mut other) => {
                let (other_place, other_record) = *other.get();
                if record.advisory.content_hash() == other_record.advisory.content_hash() {
                    continue;
                }
                // The newer one; of one revision, an intact one before a damaged one.
                let rank = |one: &ReceivedAdvisory| {
                    let advisory = &one.advisory;
                    let is_intact = !advisory.is_repaired();
                    (advisory.has_substance(), advisory.modified_at, is_intact)
                };
                if rank(record) > rank(other_record) {
                    other.insert((index, record));
                    left_out.push(other_place);
                } else {
                    left_out.push(index);
                }
            }
        }
    }
    (chosen.into_values().collect(), left_out)
}

pub(crate) async fn stored_advisories(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<HashMap<String, StoredAdvisory>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select a.said, a.byte_hash, a.content_hash, a.modified_at, a.source_id, a.version,
                  case when a.detail_hash is null then a.modified_at else a.record_modified_at end
                      as record_modified_at,
                  coalesce(a.whole_hash, a.content_hash) as "whole_hash!",
                  coalesce(s.configured, false) as "configured!",
                  coalesce(a.unrecognised ? 'repaired', false) as "repaired!", a.corrected
           from advisory a
           left join source s on s.id = a.source_id
           where a.said = any($1)
           order by a.said
           for update of a"#,
        said
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let stored = StoredAdvisory {
                byte_hash: row.byte_hash,
                content_hash: row.content_hash,
                record_modified_at: row.record_modified_at,
                modified_at: row.modified_at,
                whole_hash: row.whole_hash,
                source_id: row.source_id,
                source_configured: row.configured,
                is_repaired: row.repaired,
                corrected: row.corrected.unwrap_or_default(),
                version: row.version,
                same_time: SameTime::default(),
                is_put_forward: false,
                differs_beyond_damage: false,
            };
            (row.said, stored)
        })
        .collect())
}

/// The details of these advisories, to be merged with the records.
async fn known_details(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<HashMap<String, KnownDetail>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select said, byte_hash, model as "model: Json<Advisory>"
           from detail
           where said = any($1)"#,
        said
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let known = KnownDetail {
                byte_hash: row.byte_hash,
                advisory: row.model.0,
                replaced_record: None,
            };
            (row.said, known)
        })
        .collect())
}
