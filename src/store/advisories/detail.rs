//! Advisory details from the JSON API: storing the raw response and merging it with
//! the feed record.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::advisory::stored_advisories;
use super::detail_rows::{
    KnownDetails, NamedWatchList, UnusedReason, keep, keep_former, known, lists,
};
use super::news;
use super::row::{self, DetailPart, RecordPart, StoredAdvisory, Version};
use super::sighting::{NewSighting, Sighted, SightingState};
use super::{facts, history, same_time};
use crate::model::{Advisory, Detail, Fingerprint, RecordKind, is_later, overlay};
use crate::store::change::{self, Fact};
use crate::store::ledger::unknown_field;
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::queue::{self, PendingDetail};

/// Result of storing a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailOutcome {
    /// A new advisory.
    Added,
    /// A new version of a known advisory.
    Changed,
    /// Unchanged.
    Unchanged,
    /// Stored, but it is in no followed list.
    Elsewhere,
    /// Older than the known details, which stay current: by its modification time, or because
    /// it is a copy that was made before these were fetched.
    Older,
    /// Of the same revision as the known details, and sent in turn with them.
    Alternating,
}

/// The feed's record of an advisory, for the caller to parse.
pub async fn record(
    connection: &mut PgConnection,
    said: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select raw
         from advisory
         where said = $1
           and byte_hash is not null
         for update",
        said
    )
    .fetch_optional(connection)
    .await
}

/// The feed's record of an advisory, parsed again.
#[derive(Debug, Clone)]
pub struct FeedRecord {
    /// Raw text.
    pub raw: String,
    /// The parsed advisory; `None` if it no longer parses.
    pub advisory: Option<Advisory>,
}

/// Stores a response inside the caller's transaction, which holds the exclusive
/// write lock, and removes the fetch queue entry that it completes. `record` is
/// the advisory's parsed [`record`]; `made_before` is set if the response is a copy of some age.
pub async fn store(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    detail: &Detail,
    record: Option<&FeedRecord>,
    made_before: Option<DateTime<Utc>>,
) -> Result<DetailOutcome, sqlx::Error> {
    let said = &detail.advisory.said;
    let before = known(connection, said).await?;
    if let Some(before) = &before
        && before.is_later_than_copy(detail, made_before)
    {
        let why = "a cache sent a copy that is older than the stored details";
        queue::failed(connection, said, why, origin.at).await?;
        keep_former(connection, detail, origin, UnusedReason::Copy).await?;
        return Ok(DetailOutcome::Older);
    }
    let pending = complete(connection, detail, origin).await?;
    let since = pending.map_or(origin.at, |pending| pending.since);
    let mut stored = stored_advisories(connection, std::slice::from_ref(said)).await?;
    let stored = stored.remove(said);
    if let Some(before) = &before {
        if before.is_newer_than(detail, origin) && !before.is_taken_back_by(detail, pending, origin)
        {
            keep_former(connection, detail, origin, UnusedReason::Older).await?;
            return Ok(DetailOutcome::Older);
        }
        let contents = same_time::details(connection, said).await?;
        if before.takes_turns_with(detail, contents, origin) {
            keep_former(connection, detail, origin, UnusedReason::Alternating).await?;
            return Ok(DetailOutcome::Alternating);
        }
    }
    keep(connection, origin, detail, stored.is_some()).await?;
    unknown_field::record(connection, origin, [&detail.advisory]).await?;
    let lists = lists(connection, detail, since).await?;
    let laid = match &stored {
        Some(stored) => {
            let before = before.as_ref();
            lay_over(connection, origin, detail, (stored, record), before).await?
        }
        None if detail.lists.is_none() || !lists.is_empty() => {
            add(connection, origin, detail, lists.first()).await?
        }
        None => return Ok(DetailOutcome::Elsewhere),
    };
    let came = laid.came;
    record_changes(connection, (origin, since), detail, laid, &lists).await?;
    Ok(came)
}

/// Result for an advisory.
struct Laid {
    came: DetailOutcome,
    /// The current version.
    version: i32,
    facts: Vec<Fact>,
}

/// A version from the response alone.
fn alone(detail: &Detail, source_id: i32, number: i32) -> Version<'_> {
    Version {
        whole: Cow::Borrowed(&detail.advisory),
        raw: &detail.raw,
        record: None,
        detail: Some(DetailPart {
            byte_hash: detail.byte_hash.to_vec(),
            whole_hash: detail.advisory.content_hash(),
            corrected: Vec::new(),
        }),
        source_id,
        number,
        completes: false,
    }
}

async fn add(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    detail: &Detail,
    list: Option<&NamedWatchList>,
) -> Result<Laid, sqlx::Error> {
    let origin = ChunkOrigin {
        source_id: list.map_or(origin.source_id, |list| list.source_id),
        ..origin
    };
    let version = alone(detail, origin.source_id, 1);
    let is_news = list.is_some_and(|list| !list.is_first_load);
    let facts = facts::appeared(&version, origin, is_news);
    row::insert(connection, origin, &[version]).await?;
    Ok(Laid {
        came: DetailOutcome::Added,
        version: 1,
        facts,
    })
}

/// Merges the response with the stored record; creates a version if the result
/// differs from the current one.
async fn lay_over(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    detail: &Detail,
    (stored, record): (&StoredAdvisory, Option<&FeedRecord>),
    before: Option<&KnownDetails>,
) -> Result<Laid, sqlx::Error> {
    let mut version = alone(detail, stored.source_id, stored.version + 1);
    version.completes = completes(detail, stored, before);
    let corrected = before.map(|before| before.left_of(&stored.corrected, detail));
    let corrected = corrected.unwrap_or_default();
    if let Some(FeedRecord { raw, advisory }) = record {
        version.raw = raw;
        version.record = record_part(stored);
        if let Some(advisory) = advisory {
            let whole = overlay(advisory, &detail.advisory, &corrected, origin.at);
            version.whole = Cow::Owned(whole);
        }
    }
    let whole_hash = version.whole.content_hash();
    if let Some(part) = &mut version.detail {
        part.whole_hash = whole_hash;
        part.corrected = corrected;
    }
    if stored.whole_hash == whole_hash {
        row::replace_record(connection, &[version]).await?;
        return Ok(Laid {
            came: DetailOutcome::Unchanged,
            version: stored.version,
            facts: Vec::new(),
        });
    }
    let next = [version];
    let former = history::keep_advisories(connection, &next, origin.at).await?;
    row::update(connection, origin, &next).await?;
    let [version] = next;
    let former = former
        .get(&version.whole.said)
        .map_or(&[][..], Vec::as_slice);
    Ok(Laid {
        came: DetailOutcome::Changed,
        version: version.number,
        facts: facts::replaced(&version, former, origin),
    })
}

fn record_part(stored: &StoredAdvisory) -> Option<RecordPart> {
    let hash = |bytes: &Option<Vec<u8>>| Fingerprint::try_from(bytes.clone()?).ok();
    Some(RecordPart {
        byte_hash: hash(&stored.byte_hash)?,
        content_hash: hash(&stored.content_hash)?,
        modified_at: stored.record_modified_at,
    })
}

/// Writes the sightings and the changes. What was pending `since` then is news in a list that
/// had no chance to list it before.
async fn record_changes(
    connection: &mut PgConnection,
    (origin, since): (ChunkOrigin, DateTime<Utc>),
    detail: &Detail,
    laid: Laid,
    lists: &[NamedWatchList],
) -> Result<(), sqlx::Error> {
    let said = &detail.advisory.said;
    let seen = NewSighting {
        said,
        byte_hash: detail.byte_hash,
        content_hash: detail.advisory.content_hash(),
        dissent: None,
        state: SightingState::Settled,
    };
    let mut new: Vec<(ChunkOrigin, &NamedWatchList)> = Vec::new();
    for list in lists.iter().filter(|list| !list.is_member) {
        let list_origin = ChunkOrigin {
            source_id: list.source_id,
            ..origin
        };
        let known = list.sighting_id.map(|id| {
            let sighted = Sighted {
                id,
                has_left: true,
                taken_back: None,
                held: None,
            };
            (said.clone(), sighted)
        });
        let known = known.into_iter().collect();
        let seen = std::slice::from_ref(&seen);
        crate::store::advisories::sighting::write(connection, list_origin, seen, &known).await?;
        new.push((list_origin, list));
    }
    let Laid {
        came,
        version,
        facts,
    } = laid;
    let is_new = came == DetailOutcome::Added;
    let reporter = new.first().filter(|_| is_new);
    let (reporter, is_first_load) =
        reporter.map_or((origin, false), |(list, of)| (*list, of.is_first_load));
    let kind = RecordKind::Advisory;
    change::record(connection, reporter, kind, &facts, is_first_load).await?;
    for (origin, list) in new.into_iter().skip(usize::from(is_new)) {
        let mut is_news = false;
        if !list.is_first_load && list.sighting_id.is_none() {
            let said = std::slice::from_ref(said);
            let new = news::new_in_source(connection, origin, said, since).await?;
            is_news = !new.is_empty();
        }
        let joined = [facts::joined(said, version, is_news)];
        change::record(connection, origin, kind, &joined, list.is_first_load).await?;
    }
    Ok(())
}

/// Whether a new version only completes the known revision: these are its first
/// details from JSON.
fn completes(detail: &Detail, stored: &StoredAdvisory, before: Option<&KnownDetails>) -> bool {
    before.is_none_or(|before| is_later(stored.modified_at, before.modified_at))
        && !is_later(detail.advisory.modified_at, stored.modified_at)
}

/// Removes the fetch queue entry that the response completes. If it is older than
/// what upstream listed, the entry stays for a retry. Returns the entry that was pending.
async fn complete(
    connection: &mut PgConnection,
    detail: &Detail,
    origin: ChunkOrigin,
) -> Result<Option<PendingDetail>, sqlx::Error> {
    let said = &detail.advisory.said;
    let has = (detail.advisory.modified_at, detail.whole_lists().is_some());
    let pending = queue::complete(connection, said, has, origin.at).await?;
    if pending.is_some_and(|pending| pending.lacks_lists) {
        let why = "the response does not say which watch lists contain the advisory \
                   (`custom_info.affected_asset_lists`)";
        queue::unavailable(connection, said, why, origin.at).await?;
    } else if pending.is_some_and(|pending| !pending.is_fulfilled) {
        let why = "upstream listed a newer version than it sent";
        queue::failed(connection, said, why, origin.at).await?;
    }
    Ok(pending)
}
