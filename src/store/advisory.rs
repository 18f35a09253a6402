//! Advisories and through which source each was seen.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::advisory_row::{self, Stored};
use super::beside::Beside;
use super::change::{self, AdvisoryChanges};
use super::history;
use crate::model::{Advisory, Fingerprint};

/// One record that was read: what it says, and the bytes it said it in.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it says, normalised.
    pub advisory: Advisory,
    /// The record as it came, decoded to UTF-8.
    pub raw: String,
    /// Fingerprint of `raw`'s bytes as they came.
    pub byte_hash: Fingerprint,
}

/// Where a chunk of records comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Row in `source`.
    pub source_id: i32,
    /// Row in `sync_run`.
    pub run_id: i64,
    /// When it is stored, by our clock: what it says is known from then on.
    pub at: DateTime<Utc>,
    /// What upstream said before this came with complete runs; set where old time
    /// is read again. What is new and older has drifted.
    pub settled_before: Option<DateTime<Utc>>,
}

/// What became of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Advisories that were not known before.
    pub added: u64,
    /// Advisories that became a new version.
    pub changed: u64,
    /// Records that said nothing new.
    pub unchanged: u64,
    /// Rows of `sighting` behind all of them.
    pub sightings: Vec<i64>,
    /// Which of the received were left out: the same document holds their
    /// identifier another time, as new or newer, with another content. Were both
    /// taken, each pull would make two versions of them.
    pub twins: Vec<usize>,
}

/// Which of these fingerprints `source_id` has sent before as the latest bytes
/// of a record, with the row of `sighting` for each. Those records need no reading.
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
           and byte_hash = any($2)",
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

/// Stores a chunk of records whose bytes are not [`known`]: new advisories,
/// new versions and the sightings, inside the caller's transaction.
///
/// `is_seen` tells whether the run has had a row of `sighting` before: the
/// record then stands twice in its document. Fails with a unique violation when
/// another transaction stores the same new advisory at this moment; the whole
/// transaction is then to be repeated, and finds it stored.
pub async fn merge(
    connection: &mut PgConnection,
    origin: Origin,
    received: &[Received],
    is_seen: impl Fn(i64) -> bool,
) -> Result<Merged, sqlx::Error> {
    let records = received.len();
    let (received, mut twins) = one_of_each(received);
    let said: Vec<String> = received
        .iter()
        .map(|(_, record)| record.advisory.said.clone())
        .collect();
    let stored = stored_advisories(connection, &said).await?;
    let sighted = sighted(connection, origin.source_id, &said).await?;

    let mut plan = Plan::default();
    for (place, record) in received {
        let content_hash = record.advisory.content_hash();
        let stored = stored.get(&record.advisory.said);
        let again = sighted
            .get(&record.advisory.said)
            .is_some_and(|id| is_seen(*id));
        if again && stored.is_some_and(|stored| is_twin(record, &content_hash, stored)) {
            twins.push(place);
            continue;
        }
        let verdict = judge(record, &content_hash, stored, origin.source_id);
        plan.add(
            record,
            content_hash,
            verdict,
            stored.map_or(0, |stored| stored.version),
        );
    }
    let facts = plan.facts(&stored, &sighted);
    history::keep_advisories(connection, &facts.replaced, origin.at).await?;
    advisory_row::insert(connection, origin, &plan.new).await?;
    advisory_row::update(connection, origin, &plan.changed).await?;
    advisory_row::replace_raw(connection, &plan.reworded).await?;
    let sightings = super::sighting::write(connection, origin, &plan.sightings, &sighted).await?;

    change::record_advisories(connection, origin, &facts).await?;

    let (added, changed) = (plan.new.len() as u64, plan.changed.len() as u64);
    Ok(Merged {
        added,
        changed,
        unchanged: (records - twins.len()) as u64 - added - changed,
        sightings,
        twins,
    })
}

/// What a record that comes late is beside what is stored. The stored advisory
/// stays as it is until the transaction ends.
pub async fn beside(
    connection: &mut PgConnection,
    advisory: &Advisory,
) -> Result<Beside, sqlx::Error> {
    let mut stored = stored_advisories(connection, std::slice::from_ref(&advisory.said)).await?;
    let Some(stored) = stored.remove(&advisory.said) else {
        return Ok(Beside::Unknown);
    };
    let same = stored.content_hash == advisory.content_hash();
    Ok(Beside::judge(
        same,
        advisory.modified_at,
        stored.modified_at,
    ))
}

/// What a record means beside what is stored.
#[derive(Clone, Copy)]
enum Verdict {
    /// The advisory is not known yet.
    New,
    /// It becomes the next version.
    Newer,
    /// The same in other bytes, from the source that the current version came from.
    Reworded,
    /// Says the same in the same bytes, or is of no consequence for the current
    /// version; `kept` when its bytes are stored nowhere else.
    Aside { kept: bool },
}

fn judge(
    record: &Received,
    content_hash: &Fingerprint,
    stored: Option<&Stored>,
    source_id: i32,
) -> Verdict {
    let Some(stored) = stored else {
        return Verdict::New;
    };
    let ours = stored.source_id == source_id || !stored.source_configured;
    let same_bytes = stored.byte_hash == record.byte_hash;
    if stored.content_hash == *content_hash {
        return if ours && !same_bytes {
            Verdict::Reworded
        } else {
            Verdict::Aside { kept: !same_bytes }
        };
    }
    match (record.advisory.modified_at, stored.modified_at) {
        (Some(theirs), Some(known)) if theirs > known => Verdict::Newer,
        (Some(theirs), Some(known)) if theirs < known => Verdict::Aside { kept: true },
        _ if ours => Verdict::Newer,
        _ => Verdict::Aside { kept: true },
    }
}

/// What one chunk writes.
#[derive(Default)]
struct Plan<'a> {
    new: Vec<advisory_row::Version<'a>>,
    changed: Vec<advisory_row::Version<'a>>,
    reworded: Vec<&'a Received>,
    sightings: Vec<super::sighting::Seen<'a>>,
}

impl<'a> Plan<'a> {
    fn facts(
        &self,
        stored: &HashMap<String, Stored>,
        sighted: &HashMap<String, i64>,
    ) -> AdvisoryChanges {
        let said = |version: &advisory_row::Version<'_>| version.record.advisory.said.clone();
        let joined = self
            .sightings
            .iter()
            .filter(|seen| stored.contains_key(seen.said) && !sighted.contains_key(seen.said))
            .map(|seen| seen.said.to_owned());
        AdvisoryChanges {
            fresh: self.new.iter().map(said).collect(),
            replaced: self.changed.iter().map(said).collect(),
            joined: joined.collect(),
        }
    }

    fn add(
        &mut self,
        record: &'a Received,
        content_hash: Fingerprint,
        verdict: Verdict,
        version: i32,
    ) {
        let next = advisory_row::Version {
            record,
            content_hash,
            number: version + 1,
        };
        let mut dissent = None;
        match verdict {
            Verdict::New => self.new.push(next),
            Verdict::Newer => self.changed.push(next),
            Verdict::Reworded => self.reworded.push(record),
            Verdict::Aside { kept } => dissent = kept.then_some(record.raw.as_str()),
        }
        self.sightings.push(super::sighting::Seen {
            said: &record.advisory.said,
            byte_hash: record.byte_hash,
            content_hash,
            dissent,
        });
    }
}

/// Whether a record that stands a second time in its document says other things
/// than the first and is not a revision of it.
fn is_twin(record: &Received, content_hash: &Fingerprint, stored: &Stored) -> bool {
    stored.content_hash != *content_hash && record.advisory.modified_at <= stored.modified_at
}

/// One record per identifier, the newest and of those the first, in the order
/// of identifiers: two transactions that lock the same rows then never wait for
/// each other in a circle. Then the places of those left out that say otherwise.
fn one_of_each(received: &[Received]) -> (Vec<(usize, &Received)>, Vec<usize>) {
    let mut chosen = BTreeMap::<&str, (usize, &Received)>::new();
    let mut left_out = Vec::new();
    for (place, record) in received.iter().enumerate() {
        match chosen.entry(record.advisory.said.as_str()) {
            Entry::Vacant(free) => {
                free.insert((place, record));
            }
            Entry::Occupied(mut other) => {
                let (other_place, other_record) = *other.get();
                if record.advisory.content_hash() == other_record.advisory.content_hash() {
                    continue;
                }
                if record.advisory.modified_at > other_record.advisory.modified_at {
                    other.insert((place, record));
                    left_out.push(other_place);
                } else {
                    left_out.push(place);
                }
            }
        }
    }
    (chosen.into_values().collect(), left_out)
}

async fn stored_advisories(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<HashMap<String, Stored>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select a.said, a.byte_hash, a.content_hash, a.modified_at, a.source_id, a.version,
                  coalesce(s.configured, false) as "configured!"
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
            let stored = Stored {
                byte_hash: row.byte_hash,
                content_hash: row.content_hash,
                modified_at: row.modified_at,
                source_id: row.source_id,
                source_configured: row.configured,
                version: row.version,
            };
            (row.said, stored)
        })
        .collect())
}

async fn sighted(
    connection: &mut PgConnection,
    source_id: i32,
    said: &[String],
) -> Result<HashMap<String, i64>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, said
         from sighting
         where source_id = $1
           and said = any($2)",
        source_id,
        said
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.said, row.id)).collect())
}
