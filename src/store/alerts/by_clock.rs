//! What has not happened for some time: candidates for rules that are evaluated by the clock.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Overdue, RecordKind};

/// Which candidates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CandidateFilter<'a> {
    /// The rule; what it has found already is no candidate.
    pub rule: &'a str,
    /// Since when the rule exists. Of what was overdue before…
    pub after: DateTime<Utc>,
    /// …only what has changed after this one; `None` = all of it.
    pub changed_after: Option<i64>,
    /// The time.
    pub now: DateTime<Utc>,
    /// After this key.
    pub after_key: &'a str,
    /// Maximum number.
    pub limit: i64,
    /// Only this key.
    pub only: Option<&'a str>,
    /// Also what the rule has found already.
    pub also_found: bool,
}

impl<'a> CandidateFilter<'a> {
    /// Everything that was due after `after`, found or not; writes nothing.
    pub(crate) fn again(rule: &'a str, (after, now): (DateTime<Utc>, DateTime<Utc>)) -> Self {
        Self {
            rule,
            after,
            changed_after: Some(i64::MAX),
            now,
            after_key: "",
            limit: 1000,
            only: None,
            also_found: true,
        }
    }
}

/// Advisories without a ticket for so many seconds, and without a solution for so many
/// seconds, as far as they are asked for, in the order of their identifiers.
///
/// What came with the first load of a source counts from its publication, everything else
/// from when it was stored, at the earliest.
#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub(crate) async fn advisories(
    connection: &mut PgConnection,
    without_ticket: Option<i64>,
    no_solution: Option<i64>,
    asked: CandidateFilter<'_>,
) -> Result<Vec<Overdue>, sqlx::Error> {
    let seconds = |wanted: Option<i64>| wanted.and_then(|seconds| i32::try_from(seconds).ok());
    let rows = sqlx::query!(
        r#"select o.said as "key!", o.since as "since!", o.due_at as "due_at!"
           from (
               select a.said,
                      greatest(w.since, n.since) as since,
                      greatest(w.since + make_interval(secs => $1::integer),
                               n.since + make_interval(secs => $2::integer),
                               case when not b.is_baseline then a.first_seen_at end) as due_at
               from advisory a
               cross join lateral (
                   select coalesce(bool_or(case when c.what = 'joined_watch_list' then false
                                                when s.kind = 'details' then c.is_first_load
                                                else s.baseline_seq is null or c.seq <= s.baseline_seq end)
                                   and not bool_or(c.is_news), false) as is_baseline
                   from change c
                   join sync_run r on r.id = c.run_id
                   join source s on s.id = r.source_id
                   where c.key = a.said
                     and c.what in ('appeared', 'joined_watch_list')) as b
               cross join lateral (
                   select case when $1::integer is not null then
                              greatest(case when b.is_baseline then coalesce(a.released_at, a.first_seen_at)
                                            else a.first_seen_at end,
                                       max(t.deleted_at)) end as since,
                          count(*) filter (where t.deleted_at is null) as tickets
                   from ticket t
                   where t.said = a.said) as w
               cross join lateral (
                   select case when $2::integer is not null then
                              greatest(coalesce(a.released_at, a.first_seen_at), max(v.replaced_at)) end as since
                   from advisory_version v
                   where v.said = a.said
                     and v.solution_status not in ('None', 'No Fix')) as n
               where not a.is_rejected
                 and a.said > $6
                 and ($1::integer is null or w.tickets = 0)
                 and ($2::integer is null or a.solution_status in ('None', 'No Fix'))) as o
           where o.due_at <= $3
             and (o.due_at > $4 or $10::bigint is null
                  or exists (select from change c where c.key = o.said and c.seq > $10))
             and ($8::text is null or o.said = $8)
             and ($9::boolean or not exists (
                 select
                 from clock_alert k
                 where k.rule = $5
                   and k.kind = 'advisory'
                   and k.key = o.said
                   and k.since = o.since))
           order by o.said
           limit $7"#,
        seconds(without_ticket),
        seconds(no_solution),
        asked.now,
        asked.after,
        asked.rule,
        asked.after_key,
        asked.limit,
        asked.only,
        asked.also_found,
        asked.changed_after
    )
    .fetch_all(connection)
    .await?;
    let overdue = rows.into_iter().map(|row| Overdue {
        key: row.key,
        since: row.since,
        due_at: row.due_at,
    });
    Ok(overdue.collect())
}

/// Tickets that exist for so many seconds, in the order of their ids as text. One that does
/// not come with the first load is due when it was stored, at the earliest.
pub(crate) async fn tickets(
    connection: &mut PgConnection,
    open_for: i64,
    asked: CandidateFilter<'_>,
) -> Result<Vec<Overdue>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select o.key as "key!", o.since as "since!", o.due_at as "due_at!"
           from (
               select t.id::text as key, t.said, s.since,
                      greatest(s.since + make_interval(secs => $1::integer),
                               case when not b.is_baseline then t.first_seen_at end) as due_at
               from ticket t
               cross join lateral (select coalesce(t.created_at, t.first_seen_at) as since) as s
               cross join lateral (
                   select coalesce(bool_or(q.baseline_seq is null or c.seq <= q.baseline_seq), false) as is_baseline
                   from change c
                   join sync_run r on r.id = c.run_id
                   join source q on q.id = r.source_id
                   where c.kind = 'ticket'
                     and c.key = t.id::text
                     and c.what = 'ticket_opened') as b
               where t.deleted_at is null) as o
           where o.due_at <= $2
             and (o.due_at > $3 or $9::bigint is null
                  or exists (select from change c where c.key in (o.key, o.said) and c.seq > $9))
             and o.key > $5
             and ($7::text is null or o.key = $7)
             and ($8::boolean or not exists (
                 select
                 from clock_alert k
                 where k.rule = $4
                   and k.kind = 'ticket'
                   and k.key = o.key
                   and k.since = o.since))
           order by o.key
           limit $6"#,
        i32::try_from(open_for).unwrap_or(i32::MAX),
        asked.now,
        asked.after,
        asked.rule,
        asked.after_key,
        asked.limit,
        asked.only,
        asked.also_found,
        asked.changed_after
    )
    .fetch_all(connection)
    .await?;
    let overdue = rows.into_iter().map(|row| Overdue {
        key: row.key,
        since: row.since,
        due_at: row.due_at,
    });
    Ok(overdue.collect())
}

/// The number of the last change of each of these tickets.
pub(crate) async fn last_changes(
    connection: &mut PgConnection,
    tickets: &[String],
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select max(seq) as "seq!"
           from change
           where kind = 'ticket'
             and key = any($1)
           group by key
           order by key"#,
        tickets
    )
    .fetch_all(connection)
    .await
}

/// The alerts of rules that are evaluated by the clock about a key: rule, kind of alert,
/// when it was found, and the alert.
pub(crate) async fn found_of(
    connection: &mut PgConnection,
    key: &str,
) -> Result<Vec<(String, String, DateTime<Utc>, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.rule, coalesce(a.what, 'reminder') as "what!", k.at, k.alert_id
           from clock_alert k
           left join alert a on a.id = k.alert_id
           where k.key = $1
           order by k.at, k.rule"#,
        key
    )
    .fetch_all(connection)
    .await?;
    let found = rows.into_iter();
    Ok(found
        .map(|row| (row.rule, row.what, row.at, row.alert_id))
        .collect())
}

/// Records what a rule found: the key, the beginning of the period, and the alert.
pub(crate) async fn found(
    connection: &mut PgConnection,
    rule: &str,
    kind: RecordKind,
    found: &[(String, DateTime<Utc>, Uuid)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let keys: Vec<&str> = found.iter().map(|(key, ..)| key.as_str()).collect();
    let since: Vec<DateTime<Utc>> = found.iter().map(|(_, since, _)| *since).collect();
    let ids: Vec<Uuid> = found.iter().map(|(.., id)| *id).collect();
    sqlx::query!(
        "insert into clock_alert (rule, kind, key, since, at, alert_id)
         select $1, $2, n.key, n.since, $6, n.id
         from unnest($3::text[], $4::timestamptz[], $5::uuid[]) as n (key, since, id)
         on conflict do nothing",
        rule,
        kind.name(),
        &keys as &[&str],
        &since,
        &ids,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
