//! Members of a watch list: which of them a complete full pull did not contain, and
//! which have left it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::facts;
use crate::model::RecordKind;
use crate::store::change::{self, Fact};
use crate::store::ledger::cursor::ranges;
use crate::store::origin::ChunkOrigin;

/// What a complete full pull of a feed contained.
#[derive(Debug, Clone, Copy)]
pub struct PulledMembers<'a> {
    /// Ids of its records in `sighting`.
    pub seen: &'a [i64],
    /// Members that are dated at or after this time must be in it.
    pub from: DateTime<Utc>,
    /// Whether `days` of the feed is known to select by modification date. Otherwise
    /// only members are judged that were also released in the window.
    pub by_modification: bool,
    /// Before when it was made, if it is an older copy: it shows nothing about what was
    /// released, modified or received later.
    pub made_before: Option<DateTime<Utc>>,
}

/// A member that should have been in a full pull.
#[derive(Debug, Clone)]
pub struct Member {
    /// Row of `sighting`.
    pub id: i64,
    /// Released upstream.
    pub released_at: Option<DateTime<Utc>>,
    /// Modified upstream.
    pub modified_at: Option<DateTime<Utc>>,
    /// Whether the full pull contained it.
    pub is_seen: bool,
}

/// The dates of what a pull contained.
#[derive(Debug, Clone, Copy)]
pub struct Dates {
    /// How many records were modified within its window.
    pub records: i64,
    /// When the oldest of them was.
    pub oldest_at: Option<DateTime<Utc>>,
}

/// The dates of these rows of `sighting` since `from`. Where `days` counts releases, no
/// record was modified before it was released either. One that says that it is older than
/// the window has a wrong date.
pub async fn dates(
    connection: &mut PgConnection,
    source_id: i32,
    seen: &[i64],
    from: DateTime<Utc>,
) -> Result<Dates, sqlx::Error> {
    let (first, last) = ranges(seen);
    sqlx::query_as!(
        Dates,
        r#"with seen as (
               select coalesce(range_agg(int8range(r.first, r.last, '[]')), '{}') as ids
               from unnest($2::bigint[], $3::bigint[]) as r (first, last))
           select count(*) as "records!", min(coalesce(a.modified_at, a.released_at)) as oldest_at
           from sighting g
           join advisory a on a.said = g.said
           cross join seen
           where g.source_id = $1
             and seen.ids @> g.id
             and coalesce(a.modified_at, a.released_at) >= $4"#,
        source_id,
        &first,
        &last,
        from
    )
    .fetch_one(connection)
    .await
}

/// Whether the last full pull of another feed had a record of this time.
pub async fn is_reached_by_others(
    connection: &mut PgConnection,
    source_id: i32,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from source s
               join sighting g on g.source_id = s.id
               join advisory a on a.said = g.said
               where s.id <> $1
                 and s.configured
                 and s.served_by = 'feed'
                 and s.full_seen @> g.id
                 and coalesce(a.modified_at, a.released_at) >= $2
                 and coalesce(a.modified_at, a.released_at) < $3) as "exists!""#,
        source_id,
        from,
        to
    )
    .fetch_one(connection)
    .await
}

/// The members that a full pull of a feed must contain. Left out is what it cannot
/// contain (dated before the window), what another transaction stored while it ran, and
/// what it contained in a form that could not be parsed.
pub async fn expected(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    pulled: PulledMembers<'_>,
) -> Result<Vec<Member>, sqlx::Error> {
    let (first, last) = ranges(pulled.seen);
    sqlx::query_as!(
        Member,
        r#"with seen as (
               select coalesce(range_agg(int8range(r.first, r.last, '[]')), '{}') as ids
               from unnest($3::bigint[], $4::bigint[]) as r (first, last))
           select g.id, a.released_at, a.modified_at, seen.ids @> g.id as "is_seen!"
           from sighting g
           join advisory a on a.said = g.said
           join source s on s.id = g.source_id
           cross join seen
           where g.source_id = $1
             and g.left_at is null
             and case when $6 then a.modified_at else a.released_at end >= $5
             and (seen.ids @> g.id or g.last_seen_at < $7)
             and (seen.ids @> g.id
                  or $8::timestamptz is null
                  or greatest(
                         a.released_at, a.modified_at, g.first_seen_at, g.last_seen_at,
                         case when s.seen @> g.id then s.seen_at end,
                         case when s.full_seen @> g.id then s.full_seen_at end) < $8)
             and not exists (
                 select
                 from quarantine q
                 where q.source_id = g.source_id
                   and q.last_run_id = $2
                   and (q.key is null or q.key = g.said))"#,
        origin.source_id,
        origin.run_id,
        &first,
        &last,
        pulled.from,
        pulled.by_modification,
        origin.at,
        pulled.made_before
    )
    .fetch_all(connection)
    .await
}

/// The members of a list that is read by JSON, where the detail names the lists of an
/// advisory. One that was fetched since the advisory was last seen in the list, and does
/// not name the list, shows that it has left.
pub async fn expected_by_json(
    connection: &mut PgConnection,
    source_id: i32,
) -> Result<Vec<Member>, sqlx::Error> {
    sqlx::query_as!(
        Member,
        r#"select g.id, null::timestamptz as released_at, null::timestamptz as modified_at,
                  not coalesce(d.fetched_at > g.last_seen_at
                               and not s.watch_list_id = any(d.lists), false) as "is_seen!"
           from sighting g
           join source s on s.id = g.source_id
           left join detail d on d.said = g.said
           where g.source_id = $1
             and g.left_at is null"#,
        source_id
    )
    .fetch_all(connection)
    .await
}

/// Ends the membership of these rows, with a change for each; returns their number.
pub async fn leave(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    ids: &[i64],
) -> Result<u64, sqlx::Error> {
    let left = sqlx::query!(
        r#"with gone as (
               update sighting g
               set left_at = greatest($2, g.first_seen_at + interval '1 microsecond'),
                   last_seen_at = greatest(
                       g.last_seen_at,
                       case when s.seen @> g.id then s.seen_at end,
                       case when s.full_seen @> g.id then s.full_seen_at end)
               from source s
               where s.id = g.source_id
                 and g.id = any($1)
                 and g.left_at is null
               returning g.said)
           select gone.said as "said!", a.version
           from gone
           join advisory a on a.said = gone.said
           order by gone.said"#,
        ids,
        origin.at
    )
    .fetch_all(&mut *connection)
    .await?;
    let facts: Vec<Fact> = left
        .into_iter()
        .map(|row| facts::left(row.said, row.version))
        .collect();
    change::record(connection, origin, RecordKind::Advisory, &facts, false).await?;
    Ok(facts.len() as u64)
}

/// Members that a full pull did not contain, while that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnconfirmedRemovals {
    /// Start of the first full pull without them.
    pub since: DateTime<Utc>,
    /// Whether all of them are missing again.
    pub is_repeated: bool,
}

/// The doubt about earlier full pulls; `missing` are the members missing now.
pub async fn doubt(
    connection: &mut PgConnection,
    source_id: i32,
    missing: &[i64],
) -> Result<Option<UnconfirmedRemovals>, sqlx::Error> {
    let (first, last) = ranges(missing);
    let row = sqlx::query!(
        r#"select doubted_at,
                  doubted <@ (
                      select coalesce(range_agg(int8range(r.first, r.last, '[]')), '{}')
                      from unnest($2::bigint[], $3::bigint[]) as r (first, last)) as "is_repeated!"
           from source
           where id = $1"#,
        source_id,
        &first,
        &last
    )
    .fetch_one(connection)
    .await?;
    let is_repeated = row.is_repeated;
    Ok(row
        .doubted_at
        .map(|since| UnconfirmedRemovals { since, is_repeated }))
}

/// Records that these members, of `known`, are missing since then and still count as
/// members; without any, that there is no doubt.
pub async fn set_doubt(
    connection: &mut PgConnection,
    source_id: i32,
    (missing, known): (&[i64], usize),
    since: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    let (first, last) = ranges(missing);
    sqlx::query!(
        "update source
         set doubted = n.doubted,
             doubted_at = $4,
             doubted_known = $5
         from (
             select coalesce(range_agg(int8range(r.first, r.last, '[]')), '{}') as doubted
             from unnest($2::bigint[], $3::bigint[]) as r (first, last)) as n
         where id = $1
           and (source.doubted <> n.doubted or source.doubted_at is distinct from $4)",
        source_id,
        &first,
        &last,
        since,
        since.map(|_| i64::try_from(known).unwrap_or(i64::MAX))
    )
    .execute(connection)
    .await?;
    Ok(())
}
