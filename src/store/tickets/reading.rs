//! Ticket cursor, and the date filter that upstream supports.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::DateFilter;

/// The row of `ticket_reading`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TicketReading {
    /// `None` until it is detected.
    pub filter: Option<DateFilter>,
    /// When it was last detected.
    pub filter_checked_at: Option<DateTime<Utc>>,
    /// Cursor: all that the filter shows before this time is stored, by upstream's clock.
    pub cursor_at: Option<DateTime<Utc>>,
    /// All changes of older tickets before this time are stored. It is before the cursor
    /// where windows have shown new tickets only.
    pub changes_until: Option<DateTime<Utc>>,
    /// When the last complete full scan began, by upstream's clock.
    pub full_walk_at: Option<DateTime<Utc>>,
}

/// Reads it.
pub async fn get(connection: &mut PgConnection) -> Result<TicketReading, sqlx::Error> {
    let row = sqlx::query!(
        "select filter, filter_checked_at, cursor_at, changes_until, full_walk_at
         from ticket_reading"
    )
    .fetch_one(connection)
    .await?;
    Ok(TicketReading {
        filter: row.filter.as_deref().and_then(DateFilter::from_name),
        filter_checked_at: row.filter_checked_at,
        cursor_at: row.cursor_at,
        changes_until: row.changes_until,
        full_walk_at: row.full_walk_at,
    })
}

/// Stores which filter works; `None` if it could not be detected.
pub async fn remember_filter(
    connection: &mut PgConnection,
    filter: Option<DateFilter>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ticket_reading
         set filter = $1,
             filter_checked_at = $2",
        filter.map(DateFilter::name),
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the tickets before `before`, by the time that the filter compares, in
/// pages of `limit`, and returns the times of the first and last ticket of one
/// page, selected by `chance`. `None` if there is no such ticket.
pub async fn some_old(
    connection: &mut PgConnection,
    filter: DateFilter,
    before: DateTime<Utc>,
    limit: i64,
    chance: u64,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, sqlx::Error> {
    let by_creation = filter == DateFilter::Created;
    let row = sqlx::query!(
        r#"with old as (
               select case when $1 then created_at else modified_at end as at
               from ticket
               where deleted_at is null),
           chosen as (
               select at
               from old
               where at < $2
               order by at
               offset $3 * (select $4::bigint % greatest((count(*) + $3 - 1) / $3, 1) from old where at < $2)
               limit $3)
           select min(at) as first, max(at) as last
           from chosen"#,
        by_creation,
        before,
        limit,
        i64::try_from(chance >> 1).unwrap_or(0)
    )
    .fetch_one(connection)
    .await?;
    Ok(row.first.zip(row.last))
}

/// Moves the cursor forward, never back; `has_changes` says whether changes of older
/// tickets were read as well.
pub async fn advance(
    connection: &mut PgConnection,
    cursor_at: DateTime<Utc>,
    has_changes: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ticket_reading
         set cursor_at = greatest(cursor_at, $1),
             changes_until = case when $2 then greatest(changes_until, $1) else changes_until end",
        cursor_at,
        has_changes
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a cursor that is after `latest` back to the end of the covered time, which was
/// cut back before, and forgets a full scan that began after it. Without covered time the
/// tickets are read in full again.
pub async fn cut_back(
    connection: &mut PgConnection,
    latest: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ticket_reading
         set cursor_at = case when cursor_at > $1 then (select upper(covered) from source where kind = 'tickets') else cursor_at end,
             changes_until = case when changes_until > $1 then (select upper(covered) from source where kind = 'tickets') else changes_until end,
             full_walk_at = case when full_walk_at <= $1 then full_walk_at end
         where cursor_at > $1
            or full_walk_at > $1",
        latest
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from ticket_walk where began_at > $1", latest)
        .execute(connection)
        .await?;
    Ok(())
}

/// Records a complete full scan.
pub async fn record_full_scan(
    connection: &mut PgConnection,
    began_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ticket_reading
         set full_walk_at = greatest(full_walk_at, $1)",
        began_at
    )
    .execute(connection)
    .await?;
    Ok(())
}
