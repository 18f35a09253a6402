//! Activity of a source: how often its advisories are released or modified, to notice a
//! list that has become quiet.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Computes again what is usual for the source, as of `now` by upstream's clock. It
/// follows from the dates of its current members, so it is known after the first pull.
pub async fn refresh(
    connection: &mut PgConnection,
    source_id: i32,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with member as (
             select a.released_at, a.modified_at
             from sighting g
             join advisory a on a.said = g.said
             where g.source_id = $1
               and g.left_at is null),
         event as (
             select distinct e.at
             from member m
             cross join lateral (values (m.released_at), (m.modified_at)) as e (at)
             where e.at > $2::timestamptz - interval '365 days'
               and e.at <= $2),
         gap as (
             select at, at - lag(at) over (order by at) as gap
             from event),
         span as (
             select greatest(lower(covered), $2 - interval '365 days') as begin_at,
                    $2 - interval '14 days' as end_at
             from source
             where id = $1),
         usual as (
             select (select max(at) from gap) as news_at,
                    (select case when count(*) >= 10 then max(gap) end from gap) as gap,
                    (select count(*) from member m where m.released_at > s.end_at and m.released_at <= $2) as recent,
                    case
                        when s.end_at - s.begin_at >= interval '14 days'
                        then (select count(*) from member m where m.released_at > s.begin_at and m.released_at <= s.end_at)
                             * 14 * 86400.0 / extract(epoch from s.end_at - s.begin_at)
                    end as count
             from span s)
         update source
         set news_at = u.news_at,
             usual_gap = u.gap,
             usual_count = u.count,
             recent_count = u.recent
         from usual u
         where id = $1",
        source_id,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records how many members the last full pull lacked because it did not go back as
/// far as requested, and the date of its oldest record.
pub async fn set_cut_off(
    connection: &mut PgConnection,
    source_id: i32,
    members: usize,
    oldest_at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set cut_off = $2,
             oldest_at = $3
         where id = $1
           and (cut_off, oldest_at) is distinct from ($2, $3)",
        source_id,
        i64::try_from(members).unwrap_or(i64::MAX),
        oldest_at
    )
    .execute(connection)
    .await?;
    Ok(())
}
