//! Upsert of tickets, and marking deleted ones.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{facts, unversioned};
use crate::model::{
    Fingerprint, RecordKind, Ticket, TicketStatement, composed, fingerprint, is_composed,
};
use crate::store::advisories::comparison::RecordComparison;
use crate::store::advisories::history;
use crate::store::change::{self, Fact};
use crate::store::origin::ChunkOrigin;

/// Result of storing a page of tickets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergedTickets {
    /// New tickets.
    pub added: u64,
    /// Tickets with a new version.
    pub changed: u64,
    /// Unchanged tickets.
    pub unchanged: u64,
}

/// Stores a page of tickets inside the caller's transaction. What it holds is the current
/// state, whatever its `modified_at`; a ticket that was missing and exists again gets a new
/// version.
pub async fn merge(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    tickets: &[Ticket],
) -> Result<MergedTickets, sqlx::Error> {
    let tickets = newest(tickets);
    let ids: Vec<i64> = tickets.keys().copied().collect();
    let stored = stored(connection, &ids).await?;

    let other = tickets.values().filter(|ticket| {
        let stored = stored.get(&ticket.id).filter(|stored| !stored.deleted);
        stored.is_some_and(|stored| stored.content_hash != content_hash(&ticket.raw))
    });
    let other: Vec<_> = other.collect();
    let undated = other.iter().filter(|ticket| ticket.modified_at.is_none());
    let undated = undated.map(|ticket| (ticket.id, &ticket.raw)).collect();
    let alike = unversioned::alike(connection, &undated).await?;
    let other = other
        .iter()
        .filter(|ticket| ticket.modified_at.is_some() || alike.contains(&ticket.id))
        .map(|ticket| as_json(origin, ticket, &content_hash(&ticket.raw), 0));
    let unversioned = unversioned::replace_raw(connection, other.collect()).await?;

    let mut merged = MergedTickets::default();
    let (mut rows, mut versions, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
    for ticket in tickets.into_values() {
        let content_hash = content_hash(&ticket.raw);
        let version = match stored.get(&ticket.id) {
            None => {
                merged.added += 1;
                1
            }
            Some(_) if unversioned.contains(&ticket.id) => {
                merged.unchanged += 1;
                continue;
            }
            Some(stored) if stored.content_hash != content_hash || stored.deleted => {
                merged.changed += 1;
                replaced.push(ticket.id);
                stored.version + 1
            }
            Some(_) => {
                merged.unchanged += 1;
                continue;
            }
        };
        rows.push(as_json(origin, ticket, &content_hash, version));
        versions.push(ticket);
    }
    let former = history::keep_tickets(connection, &replaced, origin.at).await?;
    write(connection, rows).await?;
    let facts = versions.into_iter().flat_map(|ticket| {
        let now = TicketStatement::from(ticket);
        let former = former.get(&ticket.id);
        facts::of_version(ticket.id, former, &now, ticket.modified_at, origin)
    });
    let facts: Vec<Fact> = facts.collect();
    change::record(connection, origin, RecordKind::Ticket, &facts, false).await?;
    Ok(merged)
}

/// The tickets in the order of ids, each once as it is newest: pages may repeat a ticket
/// that moved.
fn newest(tickets: &[Ticket]) -> BTreeMap<i64, &Ticket> {
    let mut newest: BTreeMap<i64, &Ticket> = BTreeMap::new();
    for ticket in tickets {
        let known = newest.entry(ticket.id).or_insert(ticket);
        if known.modified_at <= ticket.modified_at {
            *known = ticket;
        }
    }
    newest
}

/// Compares a single ticket with the stored one.
pub async fn compare(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    ticket: &Ticket,
) -> Result<RecordComparison, sqlx::Error> {
    let Some(stored) = stored(connection, &[ticket.id]).await?.remove(&ticket.id) else {
        return Ok(RecordComparison::Unknown);
    };
    let same = stored.content_hash == content_hash(&ticket.raw);
    Ok(RecordComparison::judge(
        same,
        ticket.modified_at,
        (stored.modified_at, true),
        origin,
    ))
}

struct Stored {
    content_hash: Vec<u8>,
    modified_at: Option<DateTime<Utc>>,
    deleted: bool,
    version: i32,
}

async fn stored(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<HashMap<i64, Stored>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, content_hash, modified_at, deleted_at is not null as "deleted!", version
           from ticket
           where id = any($1)
           order by id
           for update"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let stored = Stored {
                content_hash: row.content_hash,
                modified_at: row.modified_at,
                deleted: row.deleted,
                version: row.version,
            };
            (row.id, stored)
        })
        .collect())
}

/// Fingerprint of a whole ticket, independent of the order of its keys (maps of
/// `serde_json` are sorted), and of whether letters with marks are one character or two.
pub fn content_hash(raw: &Value) -> Fingerprint {
    let text = raw.to_string();
    if is_composed(&text) {
        return fingerprint(text.as_bytes());
    }
    fingerprint(composed(raw.clone()).to_string().as_bytes())
}

/// Fingerprint of what makes a version of a ticket: the values that columns are read from. Only
/// where no time of modification shows that it changed, that is the whole ticket.
pub(crate) fn version_hash(ticket: &Ticket) -> Fingerprint {
    if ticket.modified_at.is_none() {
        return content_hash(&unversioned::as_texts(&ticket.raw));
    }
    let columns = columns(ticket, &Fingerprint::default());
    content_hash(&Value::Object(columns))
}

fn as_json(
    origin: ChunkOrigin,
    ticket: &Ticket,
    content_hash: &Fingerprint,
    version: i32,
) -> Value {
    let mut row = columns(ticket, content_hash);
    row.insert("raw".to_owned(), ticket.raw.clone());
    row.insert("run_id".to_owned(), json!(origin.run_id));
    row.insert("version".to_owned(), json!(version));
    row.insert("first_seen_at".to_owned(), json!(origin.at));
    row.insert("changed_at".to_owned(), json!(origin.at));
    Value::Object(row)
}

/// The columns that are parsed from the raw text alone.
pub(crate) fn columns(ticket: &Ticket, content_hash: &Fingerprint) -> Map<String, Value> {
    let Ticket {
        id,
        pretty_id,
        title,
        description,
        status,
        priority,
        queue,
        assignee,
        watch_list,
        said,
        created_at,
        modified_at,
        raw: _,
    } = ticket;
    let columns = [
        ("id", json!(id)),
        ("pretty_id", json!(pretty_id)),
        ("title", json!(title)),
        ("description", json!(description)),
        ("status_id", json!(status.id)),
        ("status", json!(status.name)),
        ("priority_id", json!(priority.id)),
        ("priority", json!(priority.name)),
        ("queue_id", json!(queue.id)),
        ("queue", json!(queue.name)),
        ("assignee_id", json!(assignee.id)),
        ("assignee", json!(assignee.name)),
        ("watch_list_id", json!(watch_list.id)),
        ("watch_list", json!(watch_list.name)),
        ("said", json!(said)),
        ("created_at", json!(created_at)),
        ("modified_at", json!(modified_at)),
        (
            "content_hash",
            json!(crate::store::advisories::cell::hex(content_hash)),
        ),
    ];
    columns
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

async fn write(connection: &mut PgConnection, rows: Vec<Value>) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into ticket
         select *
         from jsonb_populate_recordset(null::ticket, $1)
         on conflict (id) do update
         set pretty_id = excluded.pretty_id,
             title = excluded.title,
             description = excluded.description,
             status_id = excluded.status_id,
             status = excluded.status,
             priority_id = excluded.priority_id,
             priority = excluded.priority,
             queue_id = excluded.queue_id,
             queue = excluded.queue,
             assignee_id = excluded.assignee_id,
             assignee = excluded.assignee,
             watch_list_id = excluded.watch_list_id,
             watch_list = excluded.watch_list,
             said = excluded.said,
             created_at = excluded.created_at,
             modified_at = excluded.modified_at,
             deleted_at = null,
             erased_at = null,
             raw = excluded.raw,
             content_hash = excluded.content_hash,
             run_id = excluded.run_id,
             version = excluded.version,
             changed_at = greatest(excluded.changed_at, ticket.changed_at)",
        Value::Array(rows)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Number of tickets that exist upstream, according to the stored data.
pub(crate) async fn present(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from ticket where deleted_at is null"#)
        .fetch_one(connection)
        .await
}

/// The tickets that were stored before a complete scan began and that it did not
/// find.
pub(crate) async fn missing_from_scan(
    connection: &mut PgConnection,
    walk_id: i64,
    began_at: DateTime<Utc>,
    made_before: Option<DateTime<Utc>>,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select t.id
         from ticket t
         where t.deleted_at is null
           and t.first_seen_at < $2
           and ($3::timestamptz is null
                or greatest(t.first_seen_at, t.changed_at, t.created_at, t.modified_at) < $3)
           and not exists (
               select
               from ticket_walk_page p
               cross join lateral unnest(p.ids) as i (id)
               where p.walk_id = $1
                 and i.id = t.id)
         order by t.id",
        walk_id,
        began_at,
        made_before
    )
    .fetch_all(connection)
    .await
}

/// Marks tickets as deleted; their rows stay.
pub async fn mark_gone(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    ids: &[i64],
) -> Result<u64, sqlx::Error> {
    let former = history::keep_tickets(connection, ids, origin.at).await?;
    let done = sqlx::query!(
        "update ticket
         set deleted_at = $2,
             changed_at = greatest($2, changed_at),
             run_id = $3,
             version = version + 1
         where id = any($1)
           and deleted_at is null",
        ids,
        origin.at,
        origin.run_id
    )
    .execute(&mut *connection)
    .await?;
    let facts = ids.iter().filter_map(|id| {
        let former = former.get(id)?;
        let now = TicketStatement {
            is_gone: true,
            ..former.statement.clone()
        };
        Some(facts::of_version(
            *id,
            Some(former),
            &now,
            former.modified_at,
            origin,
        ))
    });
    let facts: Vec<Fact> = facts.flatten().collect();
    change::record(connection, origin, RecordKind::Ticket, &facts, false).await?;
    Ok(done.rows_affected())
}
