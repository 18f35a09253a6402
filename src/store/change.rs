//! Changes as facts. Each statement takes its numbers from the one counter row,
//! whose lock lasts until the commit: numbers have no holes and grow in the
//! order of commits. So it is the last thing that a transaction does.

use sqlx::PgConnection;

use crate::store::origin::Origin;

/// What listeners wait for.
pub const CHANNEL: &str = "advisoryd_changes";

/// What a chunk did to advisories.
#[derive(Debug, Default)]
pub(crate) struct AdvisoryChanges {
    /// Whether a detail brought them that a list's first load had asked for: the list
    /// itself names its members later than its run ends.
    pub is_first_load: bool,
    /// Advisories that were not known before.
    pub fresh: Vec<String>,
    /// Advisories whose former version was just kept.
    pub replaced: Vec<String>,
    /// Those of the replaced whose new version only says more of the statement that
    /// the former one told of.
    pub completed: Vec<String>,
    /// Known advisories that this source had not sent before.
    pub joined: Vec<String>,
}

/// Writes down what happened to advisories. What a completing version newly says
/// is no news by itself: feed and JSON are heard one after the other. Its facts
/// are those against the statement before, which the version it completes had not
/// told yet.
pub(crate) async fn record_advisories(
    connection: &mut PgConnection,
    origin: Origin,
    changes: &AdvisoryChanges,
) -> Result<(), sqlx::Error> {
    let AdvisoryChanges {
        fresh,
        replaced,
        joined,
        ..
    } = changes;
    if fresh.is_empty() && replaced.is_empty() && joined.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with fact as (
             select a.said as key, a.version, 'appeared' as what, 0 as place
             from advisory a
             where a.said = any($1)
             union all
             select a.said, a.version, 'joined_watch_list', 1
             from advisory a
             join source s on s.id = $4
             where a.said = any($3)
               and s.kind = 'watch_list'
             union all
             select a.said, a.version, 'drifted', 10
             from advisory a
             where a.said = any($1 || $2)
               and a.modified_at < $7
             union all
             select n.said, n.version, w.what, w.place
             from advisory n
             join advisory_version o on o.said = n.said and o.version = n.version - 1
             cross join lateral (
                 values
                     ('revised', 2, true),
                     ('escalated', 3, n.severity_rank > coalesce(o.severity_rank, 0) and not o.is_rejected),
                     ('deescalated', 4, n.severity_rank < o.severity_rank and not n.is_rejected),
                     ('became_zero_day', 5, n.is_zero_day and not coalesce(o.is_zero_day, false)),
                     ('solution_available', 6, is_fixed(n.solution_status) and not is_fixed(o.solution_status)),
                     ('cves_added', 7, not n.cves <@ o.cves),
                     ('rejected', 8, n.is_rejected and not o.is_rejected),
                     ('reinstated', 9, o.is_rejected and not n.is_rejected)
             ) as w (what, place, holds)
             where n.said = any($2)
               and n.said <> all($8)
               and w.holds
             union all
             select n.said, n.version, w.what, w.place
             from advisory n
             join advisory_version o on o.said = n.said and o.version = n.version - 1
             left join lateral (
                 select *
                 from advisory_version b
                 where b.said = n.said
                   and b.modified_at < n.modified_at
                 order by b.version desc
                 limit 1) as b on true
             cross join lateral (
                 values
                     ('completed', 2, true),
                     ('escalated', 3, n.severity_rank > greatest(b.severity_rank, o.severity_rank)
                                      and not b.is_rejected and not o.is_rejected),
                     ('deescalated', 4, n.severity_rank < least(b.severity_rank, o.severity_rank)
                                        and not n.is_rejected),
                     ('became_zero_day', 5, n.is_zero_day and not coalesce(b.is_zero_day, false)
                                            and not coalesce(o.is_zero_day, false)),
                     ('solution_available', 6, is_fixed(n.solution_status)
                                               and not is_fixed(b.solution_status)
                                               and not is_fixed(o.solution_status)),
                     ('cves_added', 7, not n.cves <@ (b.cves || o.cves)),
                     ('rejected', 8, n.is_rejected and not b.is_rejected and not o.is_rejected),
                     ('reinstated', 9, b.is_rejected and o.is_rejected and not n.is_rejected)
             ) as w (what, place, holds)
             where n.said = any($8)
               and w.holds
               and (w.what = 'completed' or b.said is not null)),
         numbered as (
             select key, version, what, row_number() over (order by key, place) as number
             from fact),
         counter as (
             update change_counter
             set last = last + (select count(*) from fact)
             returning last - (select count(*) from fact) as base)
         insert into change (seq, at, kind, key, version, what, watch_list_id, run_id, is_first_load)
         select c.base + f.number, $6, 'advisory', f.key, f.version, f.what, s.watch_list_id, $5, $9
         from counter c
         cross join numbered f
         join source s on s.id = $4",
        fresh,
        replaced,
        joined,
        origin.source_id,
        origin.run_id,
        origin.at,
        origin.settled_before,
        &changes.completed,
        changes.is_first_load
    )
    .execute(&mut *connection)
    .await?;
    wake(connection).await
}

/// Writes down what happened to tickets: those that are new, and those whose
/// former version was just kept.
pub(crate) async fn record_tickets(
    connection: &mut PgConnection,
    origin: Origin,
    fresh: &[i64],
    replaced: &[i64],
) -> Result<(), sqlx::Error> {
    if fresh.is_empty() && replaced.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with fact as (
             select t.id, t.version, 'ticket_opened' as what, 0 as place
             from ticket t
             where t.id = any($1)
             union all
             select t.id, t.version, 'drifted', 7
             from ticket t
             where t.id = any($1 || $2)
               and t.modified_at < $5
             union all
             select n.id, n.version, w.what, w.place
             from ticket n
             join ticket_version o on o.id = n.id and o.version = n.version - 1
             cross join lateral (
                 values
                     ('ticket_revised', 1, true),
                     ('ticket_status', 2, (n.status_id, n.status) is distinct from (o.status_id, o.status)),
                     ('ticket_priority', 3, (n.priority_id, n.priority) is distinct from (o.priority_id, o.priority)),
                     ('ticket_assigned', 4, (n.assignee_id, n.assignee) is distinct from (o.assignee_id, o.assignee)),
                     ('ticket_gone', 5, n.deleted_at is not null and o.deleted_at is null),
                     ('ticket_returned', 6, n.deleted_at is null and o.deleted_at is not null)
             ) as w (what, place, holds)
             where n.id = any($2)
               and w.holds),
         numbered as (
             select id, version, what, row_number() over (order by id, place) as number
             from fact),
         counter as (
             update change_counter
             set last = last + (select count(*) from fact)
             returning last - (select count(*) from fact) as base)
         insert into change (seq, at, kind, key, version, what, run_id)
         select c.base + f.number, $4, 'ticket', f.id::text, f.version, f.what, $3
         from counter c
         cross join numbered f",
        fresh,
        replaced,
        origin.run_id,
        origin.at,
        origin.settled_before
    )
    .execute(&mut *connection)
    .await?;
    wake(connection).await
}

/// Of how many advisories and tickets a run that began at `since` found that
/// they had drifted.
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

/// Writes down that a replay has changed columns of these current versions,
/// though upstream said nothing new.
pub async fn record_corrected(
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
    wake(connection).await
}

/// Listeners hear of it when the transaction commits; several in one
/// transaction fold into one.
async fn wake(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_notify($1, '')", CHANNEL)
        .execute(connection)
        .await?;
    Ok(())
}

/// One fact, as the view `changes` tells it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Without holes, in the order of commits.
    pub seq: i64,
    /// When we learned it.
    pub at: chrono::DateTime<chrono::Utc>,
    /// `advisory` or `ticket`.
    pub kind: String,
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// The version that it made, or that was current.
    pub version: i32,
    /// One of the closed set documented on the view.
    pub what: String,
    /// The watch list it came through.
    pub watch_list_id: Option<i64>,
    /// The run that found it.
    pub run_id: i64,
    /// Title of the advisory or ticket as it is now.
    pub title: Option<String>,
}

/// The newest number that was given; 0 before the first.
pub async fn newest(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select coalesce(max(seq), 0) as "newest!" from change"#)
        .fetch_one(connection)
        .await
}

/// The changes after `seq`, oldest first, at most `limit`.
pub async fn since(
    connection: &mut PgConnection,
    seq: i64,
    limit: i64,
) -> Result<Vec<Change>, sqlx::Error> {
    sqlx::query_as!(
        Change,
        r#"select c.seq, c.at, c.kind, c.key, c.version, c.what, c.watch_list_id, c.run_id,
                  coalesce(
                      (select a.title from advisory a where c.kind = 'advisory' and a.said = c.key),
                      (select t.title from ticket t where t.id = case when c.kind = 'ticket' then c.key::bigint end)
                  ) as title
           from change c
           where c.seq > $1
           order by c.seq
           limit $2"#,
        seq,
        limit
    )
    .fetch_all(connection)
    .await
}
