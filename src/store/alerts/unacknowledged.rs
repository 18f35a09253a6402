//! Alerts that nobody has acknowledged: candidates for reminders and escalations.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::by_clock::CandidateFilter;
use crate::model::Overdue;

/// Advisories with an alert that nobody has acknowledged for so many seconds, in the order of
/// their identifiers. With `reminders` only the alerts of the rule itself count, and the
/// period begins anew after each so many seconds; otherwise those of all other rules. It also
/// begins anew when an acknowledgement has expired or was withdrawn, and when a rejected advisory
/// was reinstated. An alert counts from when
/// its message is due: a digest or a mute time may hold it for days, and a receiver that is
/// away is no reason to wait with the escalation.
#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub(crate) async fn unacknowledged(
    connection: &mut PgConnection,
    seconds: i64,
    reminders: bool,
    asked: CandidateFilter<'_>,
) -> Result<Vec<Overdue>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select o.key as "key!", o.since as "since!", o.due_at as "due_at!"
           from (
               select f.key,
                      case when $2 then f.since + f.times * make_interval(secs => $1::integer) else f.since end as since,
                      f.since + case when $2 then f.times else 1 end * make_interval(secs => $1::integer) as due_at
               from (
                   select s.key, s.since,
                          floor(extract(epoch from $3 - s.since) / $1::integer)::integer as times
                   from (
                       select a.key,
                              greatest(min(m.sealed_at),
                                       max(m.sealed_at) filter (where a.what = 'reinstated'),
                                       (select max(c.at) from change c where c.key = a.key and c.what = 'reinstated'),
                                       (select max(least(w.withdrawn_at, w.until)) from acknowledgement w where w.said = a.key)) as since
                       from alert a
                       join message m on m.id = a.message_id
                       join advisory v on v.said = a.key
                       where a.kind = 'advisory'
                         and m.sealed_at <= $3
                         and not a.is_resolved
                         and not v.is_rejected
                         and a.what not in ('reminder', 'unacknowledged')
                         and (a.rule = $5) = $2
                         and not is_acknowledged(a.key, $3)
                         -- What has not been sent yet begins no period, and moves none later.
                         and not exists (
                             select
                             from alert b
                             join message n on n.id = b.message_id
                             where b.kind = 'advisory'
                               and b.key = a.key
                               and b.what = 'reinstated'
                               and (b.rule = $5) = $2
                               and (n.sealed_at is null or n.sealed_at > $3))
                       group by a.key) as s) as f
               where f.times >= 1) as o
           where o.due_at <= $3
             and (o.due_at > $4 or $10::bigint is null
                  or exists (select from change c where c.key = o.key and c.seq > $10))
             and o.key > $6
             and ($8::text is null or o.key = $8)
             and ($9::boolean or not exists (
                 select
                 from clock_alert k
                 where k.rule = $5
                   and k.kind = 'advisory'
                   and k.key = o.key
                   and k.since = o.since))
           order by o.key
           limit $7"#,
        i32::try_from(seconds).unwrap_or(i32::MAX),
        reminders,
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

/// For alerts of a rule, or of all others, about an advisory: since when nobody has
/// acknowledged it. `None` if there is no such alert.
pub(crate) async fn unacknowledged_since(
    connection: &mut PgConnection,
    (rule, reminders): (&str, bool),
    said: &str,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select greatest(min(m.sealed_at),
                         max(m.sealed_at) filter (where a.what = 'reinstated'),
                         (select max(c.at) from change c where c.key = $3 and c.what = 'reinstated'),
                         (select max(least(w.withdrawn_at, w.until)) from acknowledgement w where w.said = $3))
         from alert a
         join message m on m.id = a.message_id
         where a.kind = 'advisory'
           and a.key = $3
           and m.sealed_at is not null
           and not a.is_resolved
           and a.what not in ('reminder', 'unacknowledged')
           and (a.rule = $1) = $2
         having count(*) > 0",
        rule,
        reminders,
        said
    )
    .fetch_optional(connection)
    .await
    .map(Option::flatten)
}

/// A time without reminders of an advisory, acknowledged or rejected: from when until when, if
/// it ends.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    pub(crate) said: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) until: Option<DateTime<Utc>>,
}

/// The acknowledgements and rejections of these advisories, in the order of time.
pub(crate) async fn acknowledged(
    connection: &mut PgConnection,
    saids: &[String],
) -> Result<Vec<Acknowledged>, sqlx::Error> {
    sqlx::query_as!(
        Acknowledged,
        r#"select said as "said!", at as "at!", until
           from (
               select said, at, least(withdrawn_at, until) as until
               from acknowledgement
               where said = any($1)
               union all
               select c.key, c.at,
                      (select min(b.at)
                       from change b
                       where b.key = c.key
                         and b.what = 'reinstated'
                         and b.seq > c.seq)
               from change c
               where c.key = any($1)
                 and c.what = 'rejected') as quiet
           order by at"#,
        saids
    )
    .fetch_all(connection)
    .await
}
