//! State of the sinks: configured or not, last success, failed attempts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Stores the configured sinks; all others stay and become not configured.
pub async fn configure(
    connection: &mut PgConnection,
    sinks: &[(String, String)],
) -> Result<(), sqlx::Error> {
    let (names, kinds): (Vec<String>, Vec<String>) = sinks.iter().cloned().unzip();
    sqlx::query!(
        "insert into sink (name, kind)
         select n.name, n.kind
         from unnest($1::text[], $2::text[]) as n (name, kind)
         on conflict (name) do update
         set kind = excluded.kind,
             configured = true
         where sink.kind <> excluded.kind
            or not sink.configured",
        &names,
        &kinds
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update sink
         set configured = false
         where configured
           and name <> all($1)",
        &names
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that a sink accepted a message.
pub async fn record_success(
    connection: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sink
         set failures = 0,
             failing_since = null,
             last_error = null,
             last_success_at = $2
         where name = $1",
        name,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that a delivery to a sink failed.
pub async fn record_failure(
    connection: &mut PgConnection,
    name: &str,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sink
         set failures = failures + 1,
             failing_since = coalesce(failing_since, $3),
             last_error = $2
         where name = $1",
        name,
        error,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Failed attempts since the last success, over all processes.
pub async fn failures(connection: &mut PgConnection, name: &str) -> Result<i32, sqlx::Error> {
    let found = sqlx::query_scalar!("select failures from sink where name = $1", name)
        .fetch_optional(connection)
        .await?;
    Ok(found.unwrap_or_default())
}
