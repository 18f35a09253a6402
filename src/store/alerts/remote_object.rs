//! Objects in other systems that alerts created.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::RemoteObject;

/// The object of a rule and key at a sink.
pub async fn find(
    connection: &mut PgConnection,
    sink: &str,
    (rule, key): (&str, &str),
) -> Result<Option<RemoteObject>, sqlx::Error> {
    sqlx::query_as!(
        RemoteObject,
        "select id, is_resolved
         from remote_object
         where sink = $1
           and rule = $2
           and key = $3",
        sink,
        rule,
        key
    )
    .fetch_optional(connection)
    .await
}

/// Stores the object. Who has lost its claim (not `ours`) does not replace what another
/// process stored meanwhile.
pub async fn remember(
    connection: &mut PgConnection,
    sink: &str,
    (rule, key): (&str, &str),
    (object, ours): (&RemoteObject, bool),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into remote_object as o (sink, rule, key, id, is_resolved, created_at, changed_at)
         values ($1, $2, $3, $4, $5, $7, $7)
         on conflict (sink, rule, key) do update
         set id = excluded.id,
             is_resolved = excluded.is_resolved,
             changed_at = excluded.changed_at
         where $6",
        sink,
        rule,
        key,
        object.id,
        object.is_resolved,
        ours,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
