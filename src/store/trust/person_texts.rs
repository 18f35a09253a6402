//! Texts that may name people, table by table: read all, write those that changed.
//!
//! Each row is read as a JSON object of its key and its texts, and written back from the
//! same shape, so that a column is named once per direction.

use futures_util::{Stream, TryStreamExt as _};
use serde_json::Value;
use sqlx::PgConnection;

use super::erasure::Erased;
use super::person_errors;

/// A table with texts that may name people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// Current versions of tickets.
    Tickets,
    /// Former versions of tickets.
    TicketVersions,
    /// Alerts.
    Alerts,
    /// Deliveries: the last error.
    Deliveries,
    /// Attempts to deliver: the receiver's response.
    Attempts,
    /// Quarantined records.
    Quarantine,
    /// Silences: reason and author.
    Silences,
    /// Samples of unknown fields.
    Samples,
    /// Records that left quarantine.
    Replaced,
    /// Pending approvals.
    Approvals,
    /// Acknowledgements: note and author.
    Acknowledgements,
    /// Assignments: assignee and author.
    Assignments,
    /// Last errors of sources, sinks and others, conditions.
    Errors,
}

impl Texts {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Tickets,
        Self::TicketVersions,
        Self::Alerts,
        Self::Deliveries,
        Self::Attempts,
        Self::Quarantine,
        Self::Replaced,
        Self::Silences,
        Self::Samples,
        Self::Approvals,
        Self::Acknowledgements,
        Self::Assignments,
        Self::Errors,
    ];

    /// `rows` changed rows of this table.
    pub fn count(self, rows: u64) -> Erased {
        let mut erased = Erased::default();
        let count = match self {
            Self::Tickets | Self::TicketVersions => &mut erased.versions,
            Self::Alerts => &mut erased.alerts,
            Self::Deliveries | Self::Attempts => &mut erased.deliveries,
            Self::Quarantine | Self::Replaced => &mut erased.quarantined,
            Self::Silences => &mut erased.silences,
            Self::Samples => &mut erased.samples,
            Self::Approvals => &mut erased.approvals,
            Self::Acknowledgements | Self::Assignments => &mut erased.acknowledgements,
            Self::Errors => &mut erased.errors,
        };
        *count = rows;
        erased
    }

    /// All rows: objects with `key` and `texts`.
    #[expect(clippy::too_many_lines, reason = "one SQL statement per table")]
    pub fn read(
        self,
        connection: &mut PgConnection,
    ) -> impl Stream<Item = Result<Value, sqlx::Error>> + '_ {
        let sql = match self {
            Self::Tickets => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'title', title, 'description', description, 'status', status,
                          'priority', priority, 'queue', queue, 'assignee', assignee, 'watch_list', watch_list,
                          'raw', raw) as "row!"
                   from ticket"#
            )
            .fetch(connection),
            Self::TicketVersions => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'version', version, 'title', title, 'description', description,
                          'status', status, 'priority', priority, 'queue', queue, 'assignee', assignee,
                          'watch_list', watch_list, 'raw', raw) as "row!"
                   from ticket_version"#
            )
            .fetch(connection),
            Self::Alerts => {
                sqlx::query_scalar!(r#"select jsonb_build_object('id', id, 'body', body) as "row!" from alert"#)
                    .fetch(connection)
            }
            Self::Deliveries => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'last_error', last_error,
                          'dismissed_by', dismissed_by, 'dismissed_note', dismissed_note) as "row!"
                   from delivery
                   where last_error is not null or dismissed_at is not null"#
            )
            .fetch(connection),
            Self::Attempts => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', delivery_id, 'attempt', attempt, 'answer', answer, 'error', error) as "row!"
                   from delivery_attempt"#
            )
            .fetch(connection),
            Self::Quarantine => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'key', key, 'reason', reason, 'raw', raw) as "row!" from quarantine"#
            )
            .fetch(connection),
            Self::Replaced => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'key', key, 'reason', reason, 'raw', raw) as "row!" from replaced_record"#
            )
            .fetch(connection),
            Self::Silences => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'matchers', matchers, 'reason', reason, 'created_by', created_by) as "row!"
                   from silence"#
            )
            .fetch(connection),
            Self::Samples => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', source_id, 'name', name, 'path', name, 'sample', sample) as "row!"
                   from unknown_field"#
            )
            .fetch(connection),
            Self::Approvals => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', upstream_id, 'watch_list', watch_list, 'title', title, 'raw', raw) as "row!"
                   from pending_approval"#
            )
            .fetch(connection),
            Self::Acknowledgements => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'created_by', created_by, 'note', note) as "row!"
                   from acknowledgement"#
            )
            .fetch(connection),
            Self::Assignments => sqlx::query_scalar!(
                r#"select jsonb_build_object('id', id, 'assignee', assignee, 'created_by', created_by) as "row!"
                   from assignment"#
            )
            .fetch(connection),
            Self::Errors => person_errors::read(connection),
        };
        sql.into_stream()
    }

    /// Writes rows that were read and changed; returns how many.
    #[expect(clippy::too_many_lines, reason = "one SQL statement per table")]
    pub async fn write(
        self,
        connection: &mut PgConnection,
        rows: &[Value],
        at: chrono::DateTime<chrono::Utc>,
    ) -> Result<u64, sqlx::Error> {
        let done = match self {
            Self::Tickets => sqlx::query!(
                "update ticket t
                 set title = n.title, description = n.description, status = n.status, priority = n.priority,
                     queue = n.queue, assignee = n.assignee, watch_list = n.watch_list, raw = n.raw, erased_at = $2
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_populate_record(null::ticket, one) as n
                 where t.id = n.id",
                rows,
                at
            )
            .execute(connection)
            .await?,
            Self::TicketVersions => sqlx::query!(
                "update ticket_version t
                 set title = n.title, description = n.description, status = n.status, priority = n.priority,
                     queue = n.queue, assignee = n.assignee, watch_list = n.watch_list,
                     raw = nullif(n.raw, 'null'), erased_at = $2
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_populate_record(null::ticket_version, one) as n
                 where t.id = n.id
                   and t.version = n.version",
                rows,
                at
            )
            .execute(connection)
            .await?,
            Self::Alerts => sqlx::query!(
                "update alert t
                 set body = n.body
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_populate_record(null::alert, one) as n
                 where t.id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            Self::Deliveries => sqlx::query!(
                "update delivery t
                 set last_error = n.last_error, dismissed_by = n.dismissed_by, dismissed_note = n.dismissed_note
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_populate_record(null::delivery, one) as n
                 where t.id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            Self::Attempts
            | Self::Quarantine
            | Self::Replaced
            | Self::Silences
            | Self::Samples
            | Self::Approvals
            | Self::Acknowledgements
            | Self::Assignments => {
                return self.write_notes(connection, rows).await;
            }
            Self::Errors => return person_errors::write(connection, rows).await,
        };
        Ok(done.rows_affected())
    }

    #[expect(clippy::too_many_lines, reason = "one SQL statement per table")]
    async fn write_notes(
        self,
        connection: &mut PgConnection,
        rows: &[Value],
    ) -> Result<u64, sqlx::Error> {
        let done = match self {
            Self::Attempts => sqlx::query!(
                "update delivery_attempt t
                 set answer = n.answer, error = n.error
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_to_record(one) as n (id bigint, attempt integer, answer text, error text)
                 where t.delivery_id = n.id
                   and t.attempt = n.attempt",
                rows
            )
            .execute(connection)
            .await?,
            Self::Quarantine => sqlx::query!(
                "update quarantine t
                 set key = n.key, reason = n.reason, raw = n.raw
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_to_record(one) as n (id bigint, key text, reason text, raw text)
                 where t.id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            Self::Replaced => sqlx::query!(
                "update replaced_record t
                 set key = n.key, reason = n.reason, raw = n.raw
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_to_record(one) as n (id bigint, key text, reason text, raw text)
                 where t.id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            Self::Silences => sqlx::query!(
                "update silence t
                 set matchers = n.matchers, reason = n.reason, created_by = n.created_by
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_populate_record(null::silence, one) as n
                 where t.id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            Self::Approvals => sqlx::query!(
                "update pending_approval t
                 set watch_list = n.watch_list, title = n.title, raw = n.raw
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_to_record(one) as n (id text, watch_list text, title text, raw text)
                 where t.upstream_id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            Self::Acknowledgements => sqlx::query!(
                "update acknowledgement t
                 set created_by = n.created_by, note = n.note
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_to_record(one) as n (id bigint, created_by text, note text)
                 where t.id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            Self::Assignments => sqlx::query!(
                "update assignment t
                 set assignee = n.assignee, created_by = n.created_by
                 from unnest($1::jsonb[]) as one
                 cross join lateral jsonb_to_record(one) as n (id bigint, assignee text, created_by text)
                 where t.id = n.id",
                rows
            )
            .execute(connection)
            .await?,
            _ => return write_samples(connection, rows).await,
        };
        Ok(done.rows_affected())
    }
}

/// Deletes those whose name was changed: it is part of the key. They are listed again when
/// upstream sends them again.
async fn write_samples(connection: &mut PgConnection, rows: &[Value]) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "delete from unknown_field t
         using unnest($1::jsonb[]) as one
         cross join lateral jsonb_to_record(one) as n (id integer, name text, path text)
         where t.source_id = n.id
           and t.name = n.name
           and n.path <> n.name",
        rows
    )
    .execute(&mut *connection)
    .await?;
    let changed = sqlx::query!(
        "update unknown_field t
         set sample = n.sample
         from unnest($1::jsonb[]) as one
         cross join lateral jsonb_to_record(one) as n (id integer, name text, sample text)
         where t.source_id = n.id
           and t.name = n.name",
        rows
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected() + changed.rows_affected())
}

/// The errors of the run log. It is chained by digests and cannot be changed; `[retention]
/// runs` removes it.
pub fn run_errors(
    connection: &mut PgConnection,
) -> impl Stream<Item = Result<String, sqlx::Error>> + '_ {
    sqlx::query_scalar!(
        r#"select error as "error!"
           from sync_run
           where error is not null"#
    )
    .fetch(connection)
    .into_stream()
}
