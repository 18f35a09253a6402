//! Tickets that differ from the stored ones, but not in anything that makes a version.

use std::collections::HashSet;

use serde_json::Value;
use sqlx::PgConnection;

/// Replaces the raw text of those tickets in which only values have changed that no column is
/// read from, although the time of modification is the same: a value that is computed at each
/// request, such as `generated_at`, would make a version at each scan. `rows` are those of
/// tickets; returns the ids of what was replaced.
pub(super) async fn replace_raw(
    connection: &mut PgConnection,
    rows: Vec<Value>,
) -> Result<HashSet<i64>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let ids = sqlx::query_scalar!(
        "update ticket t
         set raw = n.raw,
             content_hash = n.content_hash
         from jsonb_populate_recordset(null::ticket, $1) n
         where t.id = n.id
           and t.deleted_at is null
           and t.erased_at is null
           and t.modified_at = n.modified_at
           and (t.pretty_id, t.title, t.description, t.status_id, t.status, t.priority_id,
                t.priority, t.queue_id, t.queue, t.assignee_id, t.assignee, t.watch_list_id,
                t.watch_list, t.said, t.created_at)
               is not distinct from
               (n.pretty_id, n.title, n.description, n.status_id, n.status, n.priority_id,
                n.priority, n.queue_id, n.queue, n.assignee_id, n.assignee, n.watch_list_id,
                n.watch_list, n.said, n.created_at)
         returning t.id",
        Value::Array(rows)
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().collect())
}
