//! Upstream's names of watch lists that the configuration names by id only.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// Those of the followed watch lists `ids` whose name was not asked for within `longest`. A
/// time in the future was set by a clock that was wrong.
pub async fn due(
    connection: &mut PgConnection,
    ids: &[i64],
    now: DateTime<Utc>,
    longest: TimeDelta,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select watch_list_id as "id!"
           from source
           where watch_list_id = any($1)
             and configured
             and (listed_at is null or listed_at <= $2 or listed_at > $3)
           order by watch_list_id"#,
        ids,
        now - longest,
        now
    )
    .fetch_all(connection)
    .await
}

/// Stores the names that upstream gave lists without a name in the configuration; without one
/// the former stays.
pub async fn set(
    connection: &mut PgConnection,
    ids: &[i64],
    names: &[Option<String>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source s
         set listed_name = coalesce(n.name, s.listed_name),
             listed_at = $3,
             name = coalesce(n.name, s.name)
         from unnest($1::bigint[], $2::text[]) as n (id, name)
         where s.watch_list_id = n.id",
        ids,
        names as &[Option<String>],
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
