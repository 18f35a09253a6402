//! Replay of tickets.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{FieldDifference, ROWS, Versions, insert};
use crate::model::Ticket;
use crate::store::tickets::ticket;

/// A ticket's raw text, to be parsed again.
#[derive(Debug, Clone)]
pub struct TicketText {
    /// Id of the ticket.
    pub id: i64,
    /// The version.
    pub version: i32,
    /// Raw text.
    pub raw: Value,
}

/// The next raw texts of tickets after `(id, version)`.
pub async fn texts(
    connection: &mut PgConnection,
    versions: Versions,
    after: (i64, i32),
    since: Option<DateTime<Utc>>,
) -> Result<Vec<TicketText>, sqlx::Error> {
    let (id, version) = after;
    match versions {
        Versions::Current => {
            sqlx::query_as!(
                TicketText,
                "select id, version, raw
                 from ticket
                 where id > $1
                   and erased_at is null
                   and ($2::timestamptz is null or changed_at >= $2)
                 order by id
                 limit $3",
                id,
                since,
                ROWS
            )
            .fetch_all(connection)
            .await
        }
        Versions::Former => {
            sqlx::query_as!(
                TicketText,
                r#"select id, version, raw as "raw!"
                   from ticket_version
                   where (id, version) > ($1, $2)
                     and raw is not null
                     and erased_at is null
                     and ($3::timestamptz is null or changed_at >= $3)
                   order by id, version
                   limit $4"#,
                id,
                version,
                since,
                ROWS
            )
            .fetch_all(connection)
            .await
        }
    }
}

fn rows(reread: &[(i32, Ticket)]) -> Value {
    let row = |(version, ticket): &(i32, Ticket)| {
        let mut row = ticket::columns(ticket, &ticket::content_hash(&ticket.raw));
        insert(&mut row, "version", Value::from(*version));
        Value::Object(row)
    };
    reread.iter().map(row).collect()
}

/// Fields of tickets whose stored values differ from the parsed ones.
pub async fn differences(
    connection: &mut PgConnection,
    versions: Versions,
    reread: &[(i32, Ticket)],
) -> Result<Vec<FieldDifference>, sqlx::Error> {
    sqlx::query_as!(
        FieldDifference,
        r#"with stored as (
               select * from every_ticket_version where $2 and replaced_at is null
               union all
               select * from every_ticket_version where not $2 and replaced_at is not null)
           select n.id::text as "key!", n.version as "version!", f.key as "field!",
                  nullif(f.value, 'null') as old, nullif(f.new, 'null') as new
           from jsonb_populate_recordset(null::ticket, $1) as n
           join stored o on o.id = n.id and o.version = n.version
           cross join lateral (
               values
                   ('pretty_id', to_jsonb(o.pretty_id), to_jsonb(n.pretty_id)),
                   ('title', to_jsonb(o.title), to_jsonb(n.title)),
                   ('description', to_jsonb(o.description), to_jsonb(n.description)),
                   ('status_id', to_jsonb(o.status_id), to_jsonb(n.status_id)),
                   ('status', to_jsonb(o.status), to_jsonb(n.status)),
                   ('priority_id', to_jsonb(o.priority_id), to_jsonb(n.priority_id)),
                   ('priority', to_jsonb(o.priority), to_jsonb(n.priority)),
                   ('queue_id', to_jsonb(o.queue_id), to_jsonb(n.queue_id)),
                   ('queue', to_jsonb(o.queue), to_jsonb(n.queue)),
                   ('assignee_id', to_jsonb(o.assignee_id), to_jsonb(n.assignee_id)),
                   ('assignee', to_jsonb(o.assignee), to_jsonb(n.assignee)),
                   ('watch_list_id', to_jsonb(o.watch_list_id), to_jsonb(n.watch_list_id)),
                   ('watch_list', to_jsonb(o.watch_list), to_jsonb(n.watch_list)),
                   ('said', to_jsonb(o.said), to_jsonb(n.said)),
                   ('created_at', to_jsonb(o.created_at), to_jsonb(n.created_at)),
                   ('modified_at', to_jsonb(o.modified_at), to_jsonb(n.modified_at))
           ) as f (key, value, new)
           where f.value is distinct from f.new
           order by n.id, n.version, f.key"#,
        rows(reread),
        versions == Versions::Current
    )
    .fetch_all(connection)
    .await
}

/// Corrects the columns of tickets; returns the number of updated rows.
pub async fn correct(
    connection: &mut PgConnection,
    versions: Versions,
    reread: &[(i32, Ticket)],
) -> Result<u64, sqlx::Error> {
    let rows = rows(reread);
    let done = match versions {
        Versions::Current => {
            sqlx::query!(
                "update ticket t
                 set (pretty_id, title, description, status_id, status, priority_id, priority, queue_id, queue,
                      assignee_id, assignee, watch_list_id, watch_list, said, created_at, modified_at, content_hash)
                   = (n.pretty_id, n.title, n.description, n.status_id, n.status, n.priority_id, n.priority, n.queue_id, n.queue,
                      n.assignee_id, n.assignee, n.watch_list_id, n.watch_list, n.said, n.created_at, n.modified_at, n.content_hash)
                 from jsonb_populate_recordset(null::ticket, $1) as n
                 where t.id = n.id
                   and t.version = n.version
                   and (t.pretty_id, t.title, t.description, t.status_id, t.status, t.priority_id, t.priority, t.queue_id, t.queue,
                      t.assignee_id, t.assignee, t.watch_list_id, t.watch_list, t.said, t.created_at, t.modified_at, t.content_hash)
                   is distinct from
                     (n.pretty_id, n.title, n.description, n.status_id, n.status, n.priority_id, n.priority, n.queue_id, n.queue,
                      n.assignee_id, n.assignee, n.watch_list_id, n.watch_list, n.said, n.created_at, n.modified_at, n.content_hash)",
                rows
            )
            .execute(connection)
            .await?
        }
        Versions::Former => {
            sqlx::query!(
                "update ticket_version t
                 set (pretty_id, title, description, status_id, status, priority_id, priority, queue_id, queue,
                      assignee_id, assignee, watch_list_id, watch_list, said, created_at, modified_at, content_hash)
                   = (n.pretty_id, n.title, n.description, n.status_id, n.status, n.priority_id, n.priority, n.queue_id, n.queue,
                      n.assignee_id, n.assignee, n.watch_list_id, n.watch_list, n.said, n.created_at, n.modified_at, n.content_hash)
                 from jsonb_populate_recordset(null::ticket, $1) as n
                 where t.id = n.id
                   and t.version = n.version
                   and (t.pretty_id, t.title, t.description, t.status_id, t.status, t.priority_id, t.priority, t.queue_id, t.queue,
                      t.assignee_id, t.assignee, t.watch_list_id, t.watch_list, t.said, t.created_at, t.modified_at, t.content_hash)
                   is distinct from
                     (n.pretty_id, n.title, n.description, n.status_id, n.status, n.priority_id, n.priority, n.queue_id, n.queue,
                      n.assignee_id, n.assignee, n.watch_list_id, n.watch_list, n.said, n.created_at, n.modified_at, n.content_hash)",
                rows
            )
            .execute(connection)
            .await?
        }
    };
    Ok(done.rows_affected())
}
