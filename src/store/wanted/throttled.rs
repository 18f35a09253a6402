//! Details whose requests are throttled (429).

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::queue::{LONGEST_PAUSE, seconds};
use crate::model::outgoing;

/// How long details wait whose request was throttled (429). Doubles from the
/// [`OWN_THROTTLE`]th time on, up to [`LONGEST_PAUSE`].
const POSTPONED: TimeDelta = TimeDelta::hours(1);
/// How often a request for the same details is throttled until that is taken for a fault of
/// these details, and not for a limit of all requests.
const OWN_THROTTLE: i32 = 3;
/// Which of these details are throttled so often that this says nothing about others.
pub(crate) async fn alone(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<HashSet<String>, sqlx::Error> {
    let said = sqlx::query_scalar!(
        "select said
         from wanted_detail
         where said = any($1)
           and throttled >= $2",
        said,
        OWN_THROTTLE
    )
    .fetch_all(connection)
    .await?;
    Ok(said.into_iter().collect())
}

/// Records that a request was throttled, perhaps because of these details: others come
/// first. It is no failed attempt until that happens to these details again and again,
/// while a run that upstream answered came between: otherwise all requests are throttled.
pub(crate) async fn record(
    connection: &mut PgConnection,
    said: &str,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let error = outgoing(error);
    sqlx::query!(
        "update wanted_detail
         set throttled = least(throttled, 1000) + (
                 throttled = 0
                 or throttled >= $4
                 or exists (
                     select
                     from sync_run
                     where started_at > next_at - $5::float8 * interval '1 second'
                       and outcome = 'ok'
                       and requests > 0))::int,
             attempts = attempts + (throttled >= $4)::int,
             next_at = $3::timestamptz
                 + least($5::float8 * (1 << greatest(least(throttled, 20) - $4 + 1, 0)), $6::float8) * interval '1 second',
             last_error = $2
         where said = $1",
        said,
        error,
        now,
        OWN_THROTTLE,
        seconds(POSTPONED),
        seconds(LONGEST_PAUSE)
    )
    .execute(connection)
    .await?;
    Ok(())
}
