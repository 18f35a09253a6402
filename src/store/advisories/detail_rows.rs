//! Rows of details from the JSON API: the current response, former ones, and the watch
//! lists that a response names.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::same_time::{SETTLED_AFTER, SameTime};
use crate::model::{Advisory, Detail, Fingerprint, differing_fields, is_later};
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::queue::PendingDetail;

/// The details that were known before.
pub(super) struct KnownDetails {
    byte_hash: Vec<u8>,
    advisory: Json<Advisory>,
    pub(super) modified_at: Option<DateTime<Utc>>,
    /// Of the last response, if it was older or came in turn with this one.
    taken_back_hash: Option<Vec<u8>>,
    /// Since when nothing else was received.
    taken_back_at: Option<DateTime<Utc>>,
    fetched_at: DateTime<Utc>,
}

impl KnownDetails {
    /// A stored time in the future is an error and wins over nothing.
    pub(super) fn is_newer_than(&self, detail: &Detail, origin: ChunkOrigin) -> bool {
        matches!(
            (self.modified_at, detail.advisory.modified_at),
            (Some(known), Some(theirs))
                if known > theirs
                    && !origin.precedes(known)
                    && self.byte_hash != detail.byte_hash
        )
    }

    /// Whether a response is a copy that a cache made before these details were fetched, and
    /// has no newer revision: it says nothing about what upstream has now.
    pub(super) fn is_later_than_copy(
        &self,
        detail: &Detail,
        made_before: Option<DateTime<Utc>>,
    ) -> bool {
        made_before.is_some_and(|made| made <= self.fetched_at)
            && !is_later(detail.advisory.modified_at, self.modified_at)
    }

    /// Whether upstream sends a content of the same revision that was replaced before, several
    /// times already: `contents` are those of its former versions. Of them the newest stays,
    /// unless nothing else was received for days.
    pub(super) fn takes_turns_with(
        &self,
        detail: &Detail,
        contents: Vec<Fingerprint>,
        origin: ChunkOrigin,
    ) -> bool {
        let is_last = self.taken_back_hash.as_deref() == Some(&detail.byte_hash);
        let since = self.taken_back_at.filter(|_| is_last);
        let current = Fingerprint::try_from(self.byte_hash.as_slice()).ok();
        let contents = SameTime::of(contents.into_iter().chain(current));
        origin.is_live
            && self.modified_at == detail.advisory.modified_at
            && contents.returns_to(&detail.byte_hash)
            && since.is_none_or(|since| origin.at - since < SETTLED_AFTER)
    }

    /// What is left of the fields that the feed has changed since these details, now that
    /// others were received: what changed last wins.
    pub(super) fn left_of(&self, corrected: &[String], detail: &Detail) -> Vec<String> {
        let mut left = corrected.to_vec();
        if !left.is_empty() && self.byte_hash != detail.byte_hash {
            let changed = differing_fields(&self.advisory, &detail.advisory);
            left.retain(|field| !changed.contains(field));
        }
        left
    }

    /// Whether upstream takes back the modification time of the known details: it sends
    /// the same older ones for the second time, and lists no newer ones.
    pub(super) fn is_taken_back_by(
        &self,
        detail: &Detail,
        pending: Option<PendingDetail>,
        origin: ChunkOrigin,
    ) -> bool {
        let repeats = self.taken_back_hash.as_deref() == Some(&detail.byte_hash);
        let is_listed_newer = pending.is_some_and(|pending| pending.is_listed_newer);
        origin.is_live && repeats && !is_listed_newer
    }
}

pub(super) async fn known(
    connection: &mut PgConnection,
    said: &str,
) -> Result<Option<KnownDetails>, sqlx::Error> {
    sqlx::query_as!(
        KnownDetails,
        r#"select byte_hash, model as "advisory: Json<Advisory>", modified_at, taken_back_hash,
                  taken_back_at, fetched_at
           from detail
           where said = $1
           for update"#,
        said
    )
    .fetch_optional(connection)
    .await
}

/// Stores the response. The replaced one is kept for the versions that were
/// created with it.
pub(super) async fn keep(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    detail: &Detail,
    has_versions: bool,
) -> Result<(), sqlx::Error> {
    let Detail {
        advisory,
        raw,
        byte_hash,
        custom_info,
        lists: _,
        are_lists_whole: _,
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
             taken_back_hash = null,
             taken_back_at = null",
        advisory.said,
        raw,
        byte_hash,
        Json(advisory) as _,
        advisory.modified_at,
        custom_info.as_ref(),
        detail.whole_lists(),
        origin.at,
        origin.run_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Why a response is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnusedReason {
    /// It is a copy of some age.
    Copy,
    /// Its modification time is earlier.
    Older,
    /// Upstream sends it in turn with the stored one.
    Alternating,
}

/// Stores a response that is not used, so that it is not lost.
pub(super) async fn keep_former(
    connection: &mut PgConnection,
    detail: &Detail,
    origin: ChunkOrigin,
    former: UnusedReason,
) -> Result<(), sqlx::Error> {
    if origin.is_live && former != UnusedReason::Copy {
        sqlx::query!(
            "update detail
             set taken_back_hash = $2,
                 taken_back_at = case
                     when taken_back_hash = $2 then coalesce(taken_back_at, $3)
                     else $3
                 end,
                 alternates_at = case when $4 then $3 else alternates_at end
             where said = $1",
            detail.advisory.said,
            &detail.byte_hash,
            origin.at,
            former == UnusedReason::Alternating
        )
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query!(
        "insert into former_detail (said, byte_hash, raw)
         select $1, $2, $3
         where not exists (select from detail where said = $1 and byte_hash = $2)
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
pub(super) struct NamedWatchList {
    pub source_id: i32,
    /// The advisory's row of `sighting`, if it was ever in it.
    pub sighting_id: Option<i64>,
    /// Whether the advisory is in it according to that row.
    pub is_member: bool,
    /// Whether the details were enqueued by its first load.
    pub is_first_load: bool,
}

/// The lists from JSON that a response names; first those to which it is news.
pub(super) async fn lists(
    connection: &mut PgConnection,
    detail: &Detail,
    since: DateTime<Utc>,
) -> Result<Vec<NamedWatchList>, sqlx::Error> {
    sqlx::query_as!(
        NamedWatchList,
        r#"select s.id as source_id,
                  g.id as "sighting_id?",
                  g.id is not null and g.left_at is null as "is_member!",
                  s.baseline_seq is null
                  or s.last_success_at is null
                  or coalesce($3 <= s.baseline_at, false) as "is_first_load!"
           from source s
           left join sighting g on g.said = $2 and g.source_id = s.id
           where s.served_by = 'json'
             and s.watch_list_id = any($1)
           order by "is_first_load!", s.watch_list_id"#,
        detail.lists.as_deref().unwrap_or_default(),
        detail.advisory.said,
        since
    )
    .fetch_all(connection)
    .await
}
