//! What the stored tickets have: a row of upstream that lacks it may be only a part of one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::model::QuarantineKind;

/// Tickets that show which fields a ticket has.
const SAMPLE: i64 = 100;

/// The columns of these tickets that have a value. Those that are marked as deleted, and those
/// that were erased, have none to keep.
pub async fn columns(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<String>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, array_remove(array[
                  case when pretty_id is not null then 'pretty_id' end,
                  case when title is not null then 'title' end,
                  case when description is not null then 'description' end,
                  case when coalesce(status_id::text, status) is not null then 'status' end,
                  case when coalesce(priority_id::text, priority) is not null then 'priority' end,
                  case when coalesce(queue_id::text, queue) is not null then 'queue' end,
                  case when coalesce(assignee_id::text, assignee) is not null then 'assignee' end,
                  case when coalesce(watch_list_id::text, watch_list) is not null then 'watch_list' end,
                  case when said is not null then 'said' end,
                  case when created_at is not null then 'created_at' end,
                  case when modified_at is not null then 'modified_at' end], null) as "columns!"
           from ticket
           where id = any($1)
             and deleted_at is null
             and erased_at is null"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.columns)).collect())
}

/// The newest tickets, as they came.
pub async fn sample(connection: &mut PgConnection) -> Result<Vec<Value>, sqlx::Error> {
    sqlx::query_scalar!(
        "select raw
         from ticket
         where deleted_at is null
           and erased_at is null
         order by id desc
         limit $1",
        SAMPLE
    )
    .fetch_all(connection)
    .await
}

/// Tickets of which a part is in quarantine, and since when.
pub async fn parts(
    connection: &mut PgConnection,
    source_id: i32,
) -> Result<HashMap<i64, DateTime<Utc>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select key as "key!", min(at) as "at!"
           from quarantine
           where source_id = $1
             and key is not null
             and kind = $2
           group by key"#,
        source_id,
        QuarantineKind::PartOfTicket.name()
    )
    .fetch_all(connection)
    .await?;
    let since = rows.into_iter();
    let since = since.filter_map(|row| Some((row.key.parse().ok()?, row.at)));
    Ok(since.collect())
}
