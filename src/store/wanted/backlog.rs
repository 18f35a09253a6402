//! Backlog of the fetch queue, and the remaining daily requests for details.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::queue::{LONGEST_PAUSE, seconds};
use crate::model::DetailsMode;

/// Backlog of details.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Backlog {
    /// Pending, including those with failed attempts.
    pub wanted: i64,
    /// Since when the oldest of them is pending.
    #[serde(skip)]
    pub oldest_since: Option<DateTime<Utc>>,
    /// Unavailable: upstream has none, or they cannot be parsed.
    pub unavailable: i64,
    /// Error of the last failed attempt.
    pub last_error: Option<String>,
    /// Fetched in the last ten minutes.
    #[serde(skip)]
    pub lately: i64,
    /// When the first of these was fetched.
    #[serde(skip)]
    pub lately_since: Option<DateTime<Utc>>,
    /// Requests in the last 24 hours, if they are counted.
    pub requests_of_day: i64,
    /// Fetched in total.
    pub fetched: i64,
}

/// Reads the backlog; with [`DetailsMode::Never`] incomplete feed records do not count.
pub async fn backlog(
    connection: &mut PgConnection,
    details: DetailsMode,
    now: DateTime<Utc>,
) -> Result<Backlog, sqlx::Error> {
    sqlx::query_as!(
        Backlog,
        r#"select count(*) filter (where next_at <= $1::timestamptz + $2 * interval '1 second') as "wanted!",
                  min(wanted_since) filter (where next_at <= $1::timestamptz + $2 * interval '1 second') as oldest_since,
                  count(*) filter (where next_at > $1::timestamptz + $2 * interval '1 second') as "unavailable!",
                  (select last_error
                   from wanted_detail
                   where last_error is not null
                   order by attempts desc, said
                   limit 1) as last_error,
                  (select count(*)
                   from detail
                   where fetched_at > $1::timestamptz - interval '10 minutes') as "lately!",
                  (select min(fetched_at)
                   from detail
                   where fetched_at > $1::timestamptz - interval '10 minutes') as lately_since,
                  (select count(*)
                   from detail_request
                   where at > $1::timestamptz - interval '24 hours') as "requests_of_day!",
                  (select count(*) from detail) as "fetched!"
           from wanted_detail
           where $3 or reason in ('sweep', 'json')"#,
        now,
        seconds(LONGEST_PAUSE),
        details != DetailsMode::Never
    )
    .fetch_one(connection)
    .await
}

/// How many of `limit` requests in any 24 hours are left (`None`: unlimited), or
/// when the next one is allowed.
pub async fn left(
    connection: &mut PgConnection,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Result<Option<i64>, DateTime<Utc>>, sqlx::Error> {
    if limit == 0 {
        return Ok(Ok(None));
    }
    let limit = i64::from(limit);
    let row = sqlx::query!(
        r#"select count(*) as "used!",
                  (array_agg(least(at, $1) order by at desc))[$2] as frees
           from detail_request
           where at > $1::timestamptz - interval '24 hours'"#,
        now,
        i32::try_from(limit).unwrap_or(i32::MAX)
    )
    .fetch_one(connection)
    .await?;
    Ok(match row.frees {
        Some(frees) => Err(frees + TimeDelta::hours(24)),
        None => Ok(Some(limit - row.used)),
    })
}

/// Requests that were counted by a clock that was ahead count as of now: they would count for
/// longer than a day.
pub async fn correct(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update detail_request
         set at = $1
         where at > $1",
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts a request before it is sent: a crash may waste a request, but never exceeds the limit.
pub async fn spend(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with old as (
             delete from detail_request
             where at <= $1::timestamptz - interval '24 hours')
         insert into detail_request (at)
         values ($1)",
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
