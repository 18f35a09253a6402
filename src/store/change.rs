//! Change log. Each statement takes its numbers from the one counter row, whose
//! lock lasts until the commit: numbers have no gaps and grow in the order of
//! commits. So writing changes is the last thing that a transaction does.

use sqlx::PgConnection;

use crate::model::{ChangeKind, RecordKind};
use crate::store::notify::notify;
use crate::store::origin::ChunkOrigin;

/// Notification channel.
pub(crate) const CHANNEL: &str = "advisoryd_changes";

/// A change of an advisory or ticket, to be inserted.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// The version that it created, or that is current.
    pub version: i32,
    /// The event.
    pub what: ChangeKind,
    /// Whether it is news in its source, which was read before.
    pub is_news: bool,
}

/// Inserts changes, numbered in this order. Only a watch list has members, so
/// there is no `joined_watch_list` for any other source.
///
/// `is_first_load` is set for details that a list's first load has enqueued: such
/// a list gets its members after its run has ended.
pub(crate) async fn record(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    kind: RecordKind,
    facts: &[Fact],
    is_first_load: bool,
) -> Result<(), sqlx::Error> {
    if facts.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = facts.iter().map(|fact| fact.key.as_str()).collect();
    let versions: Vec<i32> = facts.iter().map(|fact| fact.version).collect();
    let whats: Vec<&str> = facts.iter().map(|fact| fact.what.name()).collect();
    let news: Vec<bool> = facts.iter().map(|fact| fact.is_news).collect();
    sqlx::query!(
        "with fact as (
             select n.key, n.version, n.what, n.is_news, s.watch_list_id,
                    row_number() over (order by n.place) as number
             from unnest($2::text[], $3::integer[], $4::text[], $10::boolean[])
                  with ordinality as n (key, version, what, is_news, place)
             left join source s on s.id = $5
             where n.what <> $9
                or s.watch_list_id is not null),
         counter as (
             update change_counter
             set last = last + (select count(*) from fact)
             returning last - (select count(*) from fact) as base)
         insert into change (seq, at, kind, key, version, what, watch_list_id, run_id, is_first_load, is_news)
         select c.base + f.number, $7, $1, f.key, f.version, f.what, f.watch_list_id, $6, $8, f.is_news
         from counter c
         cross join fact f",
        kind.name(),
        &keys as &[&str],
        &versions,
        &whats as &[&str],
        origin.source_id,
        origin.run_id,
        origin.at,
        is_first_load,
        ChangeKind::JoinedWatchList.name(),
        &news
    )
    .execute(&mut *connection)
    .await?;
    notify(connection, CHANNEL).await
}

/// How many advisories and tickets a run that began at `since` found to have
/// drifted.
pub async fn drifted(
    connection: &mut PgConnection,
    run_id: i64,
    since: chrono::DateTime<chrono::Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from change
           where run_id = $1
             and at >= $2
             and what = 'drifted'"#,
        run_id,
        since
    )
    .fetch_one(connection)
    .await
}

/// Records that a replay has changed columns of these current versions without
/// new data from upstream.
pub(crate) async fn record_corrected(
    connection: &mut PgConnection,
    saids: &[String],
    tickets: &[i64],
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(), sqlx::Error> {
    if saids.is_empty() && tickets.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with fact as (
             select 'advisory' as kind, a.said as key, a.version, a.run_id
             from advisory a
             where a.said = any($1)
             union all
             select 'ticket', t.id::text, t.version, t.run_id
             from ticket t
             where t.id = any($2)),
         numbered as (
             select kind, key, version, run_id, row_number() over (order by kind, key) as number
             from fact),
         counter as (
             update change_counter
             set last = last + (select count(*) from fact)
             returning last - (select count(*) from fact) as base)
         insert into change (seq, at, kind, key, version, what, run_id)
         select c.base + f.number, $3, f.kind, f.key, f.version, 'corrected', f.run_id
         from counter c
         cross join numbered f",
        saids,
        tickets,
        at
    )
    .execute(&mut *connection)
    .await?;
    notify(connection, CHANNEL).await
}

/// One row of the view `changes`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Without gaps, in the order of commits.
    pub seq: i64,
    /// When it was detected.
    pub at: chrono::DateTime<chrono::Utc>,
    /// `advisory` or `ticket`.
    pub kind: String,
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// The version that it created, or that was current.
    pub version: i32,
    /// One of the fixed set that is documented on the view.
    pub what: String,
    /// The watch list it came through.
    pub watch_list_id: Option<i64>,
    /// The run that found it.
    pub run_id: i64,
    /// Title of the advisory or ticket as it is now.
    pub title: Option<String>,
    /// Name of that watch list.
    pub watch_list: Option<String>,
    /// The ticket's number for people.
    pub pretty_id: Option<i64>,
}

/// The newest number; 0 before the first.
pub async fn newest(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select coalesce(max(seq), 0) as "newest!" from change"#)
        .fetch_one(connection)
        .await
}

/// The last number before a time; 0 before the first change.
pub async fn before(
    connection: &mut PgConnection,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select coalesce(
               (select min(seq) - 1 from change where at >= $1),
               (select last from change_counter)) as "seq!""#,
        at
    )
    .fetch_one(connection)
    .await
}

/// Which changes; `None` or empty matches all. Severity, product and watch list are those
/// of the advisory as it is now, a ticket's those of its advisory.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names of events.
    pub what: Vec<String>,
    /// Minimum severity, by rank.
    pub rank_from: Option<i16>,
    /// Maximum severity, by rank.
    pub rank_to: Option<i16>,
    /// A watch list that it joined or left with this change, or that contains it.
    pub watch_list_id: Option<i64>,
    /// Words of a product's name or CPE.
    pub product: Option<String>,
    /// These advisories, with their tickets, and the tickets below; empty matches all.
    pub saids: Vec<String>,
    /// Ids of tickets.
    pub tickets: Vec<i64>,
}

/// The selected changes after `after` and up to `through`, oldest first, at most `limit`.
pub async fn selected(
    connection: &mut PgConnection,
    selection: &Selection,
    (after, through): (i64, i64),
    limit: i64,
) -> Result<Vec<Change>, sqlx::Error> {
    sqlx::query_as!(
        Change,
        r#"select c.seq, c.at, c.kind, c.key, c.version, c.what, c.watch_list_id, c.run_id,
                  coalesce(a.title, t.title) as title,
                  (select s.name from source s where s.watch_list_id = c.watch_list_id) as watch_list,
                  t.pretty_id as "pretty_id?"
           from change c
           left join ticket t on c.kind = 'ticket' and t.id = case when c.kind = 'ticket' then c.key::bigint end
           left join advisory a on c.kind = 'advisory' and a.said = c.key
           where c.seq > $1
             and c.seq <= $2
             and (cardinality($3::text[]) = 0 or c.what = any($3))
             and ((cardinality($9::text[]) = 0 and cardinality($10::bigint[]) = 0)
                  or case c.kind when 'advisory' then c.key else t.said end = any($9)
                  or t.id = any($10))
             and (($4::smallint is null and $5::bigint is null and $6::text is null) or exists (
                     select
                     from advisoryd_v1.advisories v
                     where v.said = case c.kind when 'advisory' then c.key else t.said end
                       and ($4::smallint is null or v.severity_rank between $4 and $8)
                       and ($5::bigint is null
                            or case
                                   when c.what in ('joined_watch_list', 'left_watch_list') then c.watch_list_id = $5
                                   else exists (
                                       select
                                       from advisoryd_v1.advisory_watch_lists w
                                       where w.said = v.said
                                         and w.watch_list_id = $5
                                         and w.left_at is null)
                               end)
                       and ($6::text is null or v.product_search @@ plainto_tsquery('pg_catalog.simple', $6))))
           order by c.seq
           limit $7"#,
        after,
        through,
        &selection.what,
        selection.rank_from,
        selection.watch_list_id,
        selection.product,
        limit,
        selection.rank_to,
        &selection.saids,
        &selection.tickets
    )
    .fetch_all(connection)
    .await
}
