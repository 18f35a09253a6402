//! Tickets that differ from the stored ones, but not in anything that makes a version.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::PgConnection;

/// Replaces the raw text of those tickets in which only values have changed that no column is
/// read from, although the time of modification is the same: a value that is computed at each
/// request, such as `generated_at`, would make a version at each scan. `rows` are those of
/// tickets with such a time, or that are [`alike`]; returns the ids of what was replaced.
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
           and t.modified_at is not distinct from n.modified_at
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

/// Those of these raw tickets, by id, whose values are the stored ones, if each is taken as text.
pub(super) async fn alike(
    connection: &mut PgConnection,
    undated: &HashMap<i64, &Value>,
) -> Result<HashSet<i64>, sqlx::Error> {
    if undated.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<i64> = undated.keys().copied().collect();
    let stored = sqlx::query!("select id, raw from ticket where id = any($1)", &ids)
        .fetch_all(connection)
        .await?;
    let is_alike = |(id, raw): &(i64, Value)| {
        undated
            .get(id)
            .is_some_and(|new| as_texts(new) == as_texts(raw))
    };
    let stored = stored.into_iter().map(|row| (row.id, row.raw));
    Ok(stored.filter(is_alike).map(|(id, _)| id).collect())
}

/// A value whose numbers and truth values are texts: upstream may write an id as a number
/// and later as a text.
pub(super) fn as_texts(value: &Value) -> Value {
    match value {
        Value::Bool(value) => Value::String(value.to_string()),
        Value::Number(number) => {
            let text = number.to_string();
            Value::String(text.strip_suffix(".0").unwrap_or(&text).to_owned())
        }
        Value::Array(items) => items.iter().map(as_texts).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), as_texts(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}
