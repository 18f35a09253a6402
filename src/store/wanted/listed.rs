//! Elements of the JSON API's list of advisories, compared with the stored ones.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::queue::{self, QueueEntry, Reason};
use crate::store::origin::ChunkOrigin;

/// An element of the list.
#[derive(Debug, Clone)]
pub struct ListedAdvisory {
    /// The advisory's identifier.
    pub said: String,
    /// When upstream last modified it.
    pub modified_at: Option<DateTime<Utc>>,
    /// When upstream released it.
    pub released_at: Option<DateTime<Utc>>,
    /// The raw element.
    pub raw: Value,
}

/// The newest modification time of a stored advisory before `at`.
pub async fn newest_before(
    connection: &mut PgConnection,
    at: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select max(modified_at) from advisory where modified_at < $1",
        at
    )
    .fetch_one(connection)
    .await
}

/// The stored advisory that was modified last in a period.
pub async fn newest_within(
    connection: &mut PgConnection,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select said
         from advisory
         where modified_at >= $1
           and modified_at < $2
         order by modified_at desc, said
         limit 1",
        from,
        to
    )
    .fetch_optional(connection)
    .await
}

/// Details fetched before these times are fetched again.
#[derive(Debug, Clone, Copy)]
pub struct OlderThan {
    /// All of them.
    pub any: Option<DateTime<Utc>>,
    /// Those of elements without a readable modification time, which cannot be compared.
    pub undated: DateTime<Utc>,
}

/// Enqueues the details of advisories that are not stored in this state, of new
/// members of the list, and details that are too old. Only the details contain the lists
/// of an advisory. What is listed again with a newer revision stays pending since it was
/// listed first: whether it is news in a list is judged by that time.
pub async fn enqueue_for_list(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    rows: &[ListedAdvisory],
    older_than: OlderThan,
) -> Result<(), sqlx::Error> {
    let said: Vec<String> = rows.iter().map(|row| row.said.clone()).collect();
    let modified: Vec<Option<DateTime<Utc>>> = rows.iter().map(|row| row.modified_at).collect();
    let elements: Vec<Value> = rows.iter().map(|row| row.raw.clone()).collect();
    sqlx::query!(
        "insert into wanted_detail (said, wanted_since, reason, modified_at, next_at, listed)
         select n.said, $5, 'json', n.modified_at, $5, n.listed
         from unnest($1::text[], $2::timestamptz[], $3::jsonb[]) as n (said, modified_at, listed)
         join source s on s.id = $4
         left join detail d on d.said = n.said
         where d.fetched_at < $6
            or d.said is null
            or is_later(n.modified_at, d.modified_at)
            or (n.modified_at is null and d.fetched_at < $7)
            or (d.modified_at > $5::timestamptz + interval '1 day'
                and d.modified_at <> n.modified_at)
            or (s.watch_list_id = any(d.lists)
                and not exists (
                    select
                    from sighting g
                    where g.said = n.said
                      and g.source_id = s.id
                      and g.left_at is null))
         order by n.said
         on conflict (said) do update
         set wanted_since = case
                 when wanted_detail.reason = 'json' then wanted_detail.wanted_since
                 else excluded.wanted_since
             end,
             reason = excluded.reason,
             modified_at = case
                 when wanted_detail.modified_at > $5::timestamptz + interval '1 day' then excluded.modified_at
                 else greatest(excluded.modified_at, wanted_detail.modified_at)
             end,
             attempts = 0,
             next_at = excluded.next_at,
             last_error = null,
             listed = excluded.listed
         where excluded.modified_at > wanted_detail.modified_at
            or (wanted_detail.modified_at > $5::timestamptz + interval '1 day'
                and excluded.modified_at <> wanted_detail.modified_at)
            or (wanted_detail.modified_at is null and excluded.modified_at is not null)
            or wanted_detail.reason <> 'json'",
        &said,
        &modified as _,
        &elements,
        origin.source_id,
        origin.at,
        older_than.any,
        older_than.undated
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Rows of `sighting` of a source for these elements.
pub async fn sightings(
    connection: &mut PgConnection,
    source_id: i32,
    rows: &[ListedAdvisory],
) -> Result<Vec<i64>, sqlx::Error> {
    let said: Vec<String> = rows.iter().map(|row| row.said.clone()).collect();
    sqlx::query_scalar!(
        "select id
         from sighting
         where source_id = $1
           and said = any($2)
           and left_at is null",
        source_id,
        &said
    )
    .fetch_all(connection)
    .await
}

/// Enqueues the details of stored advisories that are newer upstream, and of those without
/// a readable time whose details were fetched before `undated`; returns their number. A
/// time in the future is a mistake: a stored one is newer than nothing, and
/// one that is listed counts once.
pub async fn enqueue_newer(
    connection: &mut PgConnection,
    rows: &[ListedAdvisory],
    (now, undated): (DateTime<Utc>, DateTime<Utc>),
) -> Result<u64, sqlx::Error> {
    let said: Vec<String> = rows.iter().map(|row| row.said.clone()).collect();
    let modified: Vec<Option<DateTime<Utc>>> = rows.iter().map(|row| row.modified_at).collect();
    let newer = sqlx::query!(
        r#"select n.said as "said!", n.modified_at
           from unnest($1::text[], $2::timestamptz[]) as n (said, modified_at)
           join advisory a on a.said = n.said
           left join detail f on f.said = n.said
           where (is_later(n.modified_at, a.modified_at)
                  or (n.modified_at is null and (f.fetched_at is null or f.fetched_at < $4))
                  or (a.modified_at is null and n.modified_at is not null)
                  or (a.modified_at > $3::timestamptz + interval '1 day'
                      and n.modified_at <> a.modified_at))
             and not (n.modified_at > $3::timestamptz + interval '1 day'
                      and exists (
                          select
                          from detail d
                          where d.said = n.said
                            and d.modified_at = n.modified_at))"#,
        &said,
        &modified as _,
        now,
        undated
    )
    .fetch_all(&mut *connection)
    .await?;
    let wants: Vec<QueueEntry> = newer
        .into_iter()
        .map(|row| QueueEntry {
            said: row.said,
            reason: Reason::RevisionScan,
            modified_at: row.modified_at,
        })
        .collect();
    queue::enqueue(connection, &wants, now).await
}

/// How many of these advisories have details in the queue because upstream listed them.
pub async fn pending_among(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from wanted_detail
           where said = any($1)
             and reason in ('json', 'sweep')"#,
        said
    )
    .fetch_one(connection)
    .await
}
