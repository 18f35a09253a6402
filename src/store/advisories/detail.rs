//! Advisory details from the JSON API: storing the raw response and merging it with
//! the feed record.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::advisory::stored_advisories;
use super::row::{self, DetailPart, RecordPart, Stored, Version};
use super::sighting::{Seen, Sighted};
use super::{facts, history};
use crate::model::{Advisory, Detail, Fingerprint, RecordKind, overlay};
use crate::store::change::{self, Fact};
use crate::store::ledger::unknown_field;
use crate::store::origin::Origin;
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
    /// Older than the known details, which stay current.
    Older,
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
pub struct Record {
    /// Raw text.
    pub raw: String,
    /// The parsed advisory; `None` if it no longer parses.
    pub advisory: Option<Advisory>,
}

/// Stores a response inside the caller's transaction, which holds the exclusive
/// write lock, and removes the fetch queue entry that it completes. `record` is
/// the advisory's parsed [`record`].
pub async fn store(
    connection: &mut PgConnection,
    origin: Origin,
    detail: &Detail,
    record: Option<&Record>,
) -> Result<DetailOutcome, sqlx::Error> {
    let said = &detail.advisory.said;
    let pending = complete(connection, detail, origin).await?;
    let since = pending.map_or(origin.at, |pending| pending.since);
    let mut stored = stored_advisories(connection, std::slice::from_ref(said)).await?;
    let stored = stored.remove(said);
    let before = known(connection, said).await?;
    if let Some(before) = &before
        && before.is_newer_than(detail, origin)
        && !before.is_taken_back_by(detail, pending, origin)
    {
        keep_former(connection, detail, origin).await?;
        return Ok(DetailOutcome::Older);
    }
    keep(connection, origin, detail, stored.is_some()).await?;
    unknown_field::record(connection, origin, [&detail.advisory]).await?;
    let lists = lists(connection, detail, since).await?;
    let laid = match &stored {
        Some(stored) => {
            let completes = completes(detail, stored, before.as_ref());
            lay_over(connection, origin, detail, (stored, record), completes).await?
        }
        None if detail.lists.is_none() || !lists.is_empty() => {
            let source_id = lists
                .first()
                .map_or(origin.source_id, |list| list.source_id);
            add(
                connection,
                Origin {
                    source_id,
                    ..origin
                },
                detail,
            )
            .await?
        }
        None => return Ok(DetailOutcome::Elsewhere),
    };
    let came = laid.came;
    tell(connection, origin, detail, laid, &lists).await?;
    Ok(came)
}

/// Result for an advisory.
struct Laid {
    came: DetailOutcome,
    /// The current version.
    version: i32,
    facts: Vec<Fact>,
}

/// The details that were known before.
struct Known {
    byte_hash: Vec<u8>,
    modified_at: Option<DateTime<Utc>>,
    /// Of the last response, if it was older.
    taken_back_hash: Option<Vec<u8>>,
}

impl Known {
    /// A stored time in the future is a mistake and wins over nothing.
    fn is_newer_than(&self, detail: &Detail, origin: Origin) -> bool {
        matches!(
            (self.modified_at, detail.advisory.modified_at),
            (Some(known), Some(theirs))
                if known > theirs
                    && !origin.precedes(known)
                    && self.byte_hash != detail.byte_hash
        )
    }

    /// Whether upstream takes back the modification time of the known details: it sends
    /// the same older ones for the second time, and lists no newer ones.
    fn is_taken_back_by(
        &self,
        detail: &Detail,
        pending: Option<PendingDetail>,
        origin: Origin,
    ) -> bool {
        let repeats = self.taken_back_hash.as_deref() == Some(&detail.byte_hash);
        let is_listed_newer = pending.is_some_and(|pending| pending.is_listed_newer);
        origin.is_live && repeats && !is_listed_newer
    }
}

async fn known(connection: &mut PgConnection, said: &str) -> Result<Option<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        "select byte_hash, modified_at, taken_back_hash
         from detail
         where said = $1
         for update",
        said
    )
    .fetch_optional(connection)
    .await
}

/// Stores the response. The replaced one is kept for the versions that were
/// created with it.
async fn keep(
    connection: &mut PgConnection,
    origin: Origin,
    detail: &Detail,
    has_versions: bool,
) -> Result<(), sqlx::Error> {
    let Detail {
        advisory,
        raw,
        byte_hash,
        custom_info,
        lists,
    } = detail;
    if has_versions {
        sqlx::query!(
            "insert into former_detail (said, byte_hash, raw)
             select said, byte_hash, raw
             from detail
             where said = $1
               and byte_hash <> $2
             on conflict do nothing",
            advisory.said,
            byte_hash
        )
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query!(
        "insert into detail (said, raw, byte_hash, model, modified_at, custom_info, lists, fetched_at, run_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (said) do update
         set raw = excluded.raw,
             byte_hash = excluded.byte_hash,
             model = excluded.model,
             modified_at = excluded.modified_at,
             custom_info = excluded.custom_info,
             lists = excluded.lists,
             fetched_at = excluded.fetched_at,
             run_id = excluded.run_id,
             taken_back_hash = null",
        advisory.said,
        raw,
        byte_hash,
        Json(advisory) as _,
        advisory.modified_at,
        custom_info.as_ref(),
        lists.as_deref(),
        origin.at,
        origin.run_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores a response that is older than the known one, so that it is not lost.
async fn keep_former(
    connection: &mut PgConnection,
    detail: &Detail,
    origin: Origin,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update detail
         set taken_back_hash = $2
         where said = $1
           and $3
           and taken_back_hash is distinct from $2",
        detail.advisory.said,
        &detail.byte_hash,
        origin.is_live
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into former_detail (said, byte_hash, raw)
         values ($1, $2, $3)
         on conflict do nothing",
        detail.advisory.said,
        &detail.byte_hash,
        detail.raw
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A watch list that is read from JSON and is named in the response.
struct List {
    source_id: i32,
    /// The advisory's row of `sighting`, if it was ever in it.
    sighting_id: Option<i64>,
    /// Whether the advisory is in it according to that row.
    is_member: bool,
    /// Whether the details were enqueued by its first load.
    is_first_load: bool,
}

async fn lists(
    connection: &mut PgConnection,
    detail: &Detail,
    since: DateTime<Utc>,
) -> Result<Vec<List>, sqlx::Error> {
    sqlx::query_as!(
        List,
        r#"select s.id as source_id,
                  g.id as "sighting_id?",
                  g.id is not null and g.left_at is null as "is_member!",
                  s.baseline_seq is null
                  or coalesce($3 <= s.baseline_at, false) as "is_first_load!"
           from source s
           left join sighting g on g.said = $2 and g.source_id = s.id
           where s.served_by = 'json'
             and s.watch_list_id = any($1)
           order by s.watch_list_id"#,
        detail.lists.as_deref().unwrap_or_default(),
        detail.advisory.said,
        since
    )
    .fetch_all(connection)
    .await
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
        }),
        source_id,
        number,
        completes: false,
    }
}

async fn add(
    connection: &mut PgConnection,
    origin: Origin,
    detail: &Detail,
) -> Result<Laid, sqlx::Error> {
    let version = alone(detail, origin.source_id, 1);
    let facts = facts::appeared(&version, origin);
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
    origin: Origin,
    detail: &Detail,
    (stored, record): (&Stored, Option<&Record>),
    completes: bool,
) -> Result<Laid, sqlx::Error> {
    let mut version = alone(detail, stored.source_id, stored.version + 1);
    version.completes = completes;
    if let Some(Record { raw, advisory }) = record {
        version.raw = raw;
        version.record = record_part(stored);
        if let Some(advisory) = advisory {
            version.whole = Cow::Owned(overlay(advisory, &detail.advisory, origin.at));
        }
    }
    let whole_hash = version.whole.content_hash();
    if let Some(part) = &mut version.detail {
        part.whole_hash = whole_hash;
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

fn record_part(stored: &Stored) -> Option<RecordPart> {
    let hash = |bytes: &Option<Vec<u8>>| Fingerprint::try_from(bytes.clone()?).ok();
    Some(RecordPart {
        byte_hash: hash(&stored.byte_hash)?,
        content_hash: hash(&stored.content_hash)?,
        modified_at: stored.record_modified_at,
    })
}

/// Writes the sightings and the changes.
async fn tell(
    connection: &mut PgConnection,
    origin: Origin,
    detail: &Detail,
    laid: Laid,
    lists: &[List],
) -> Result<(), sqlx::Error> {
    let said = &detail.advisory.said;
    let seen = Seen {
        said,
        byte_hash: detail.byte_hash,
        content_hash: detail.advisory.content_hash(),
        dissent: None,
        is_taken_back: false,
    };
    let mut new: Vec<(Origin, bool)> = Vec::new();
    for list in lists.iter().filter(|list| !list.is_member) {
        let list_origin = Origin {
            source_id: list.source_id,
            ..origin
        };
        let known = list.sighting_id.map(|id| {
            let sighted = Sighted {
                id,
                has_left: true,
                taken_back: None,
            };
            (said.clone(), sighted)
        });
        let known = known.into_iter().collect();
        let seen = std::slice::from_ref(&seen);
        crate::store::advisories::sighting::write(connection, list_origin, seen, &known).await?;
        new.push((list_origin, list.is_first_load));
    }
    let Laid {
        came,
        version,
        facts,
    } = laid;
    let is_new = came == DetailOutcome::Added;
    let teller = new.first().copied().filter(|_| is_new);
    let (teller, is_first_load) = teller.unwrap_or((origin, false));
    let kind = RecordKind::Advisory;
    change::record(connection, teller, kind, &facts, is_first_load).await?;
    for (list, is_first_load) in new.into_iter().skip(usize::from(is_new)) {
        let joined = [facts::joined(said, version)];
        change::record(connection, list, kind, &joined, is_first_load).await?;
    }
    Ok(())
}

/// Whether a new version only completes the known revision: these are its first
/// details from JSON.
fn completes(detail: &Detail, stored: &Stored, before: Option<&Known>) -> bool {
    before.is_none_or(|before| before.modified_at < stored.modified_at)
        && detail.advisory.modified_at <= stored.modified_at
}

/// Removes the fetch queue entry that the response completes. If it is older than
/// what upstream listed, the entry stays for a retry. Returns the entry that was pending.
async fn complete(
    connection: &mut PgConnection,
    detail: &Detail,
    origin: Origin,
) -> Result<Option<PendingDetail>, sqlx::Error> {
    let said = &detail.advisory.said;
    let modified_at = detail.advisory.modified_at;
    let pending = queue::complete(connection, said, modified_at, origin.at).await?;
    if pending.is_some_and(|pending| !pending.is_fulfilled) {
        let why = "upstream listed a newer version than it sent";
        queue::failed(connection, said, why, origin.at).await?;
    }
    Ok(pending)
}
