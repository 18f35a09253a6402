//! Acknowledgements of advisories.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::model::AcknowledgementState;

/// An acknowledgement that is in force.
#[derive(Debug, Clone, Serialize)]
pub struct Acknowledgement {
    /// Login name of who acknowledged.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When it expires; `None` = never.
    pub until: Option<DateTime<Utc>>,
    /// The reason.
    pub note: Option<String>,
}

/// The acknowledgement of an advisory that is in force at this time.
pub(crate) async fn in_force(
    connection: &mut PgConnection,
    said: &str,
    now: DateTime<Utc>,
) -> Result<Option<Acknowledgement>, sqlx::Error> {
    sqlx::query_as!(
        Acknowledgement,
        "select created_by as by, at, until, note
         from acknowledgement
         where said = $1
           and withdrawn_at is null
           and (until is null or until > $2)",
        said,
        now
    )
    .fetch_optional(connection)
    .await
}

/// Adds an acknowledgement and withdraws the one before.
pub(crate) async fn add(
    connection: &mut PgConnection,
    said: &str,
    new: &Acknowledgement,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acknowledgement
         set withdrawn_at = $2
         where said = $1
           and withdrawn_at is null",
        said,
        new.at
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into acknowledgement (said, created_by, at, until, note)
         values ($1, $2, $3, $4, $5)",
        said,
        new.by,
        new.at,
        new.until,
        new.note
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Withdraws the acknowledgement that is in force; false if there is none.
pub(crate) async fn withdraw(
    connection: &mut PgConnection,
    said: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update acknowledgement
         set withdrawn_at = $2
         where said = $1
           and withdrawn_at is null
           and (until is null or until > $2)",
        said,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Which acknowledgements.
#[derive(Debug, Clone)]
pub struct AckQuestion {
    /// Of this advisory.
    pub said: Option<String>,
    /// Also those that have expired or were withdrawn.
    pub all: bool,
    /// The present.
    pub now: DateTime<Utc>,
    /// Maximum number.
    pub limit: i64,
}

/// An acknowledgement in a list.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AckLine {
    /// Identifier of the advisory.
    pub said: String,
    /// Whether it is in force, has expired or was withdrawn; `Assigned` for an advisory that
    /// is assigned and not acknowledged.
    pub state: AcknowledgementState,
    /// Login name of who acknowledged, or assigned.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When it expires; `None` = never.
    pub until: Option<DateTime<Utc>>,
    /// When it was withdrawn, or replaced by the next one.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// The reason.
    pub note: Option<String>,
    /// Title of the advisory as it is now.
    pub title: Option<String>,
    /// To whom the advisory is assigned now; `None` = to nobody.
    pub assigned_to: Option<String>,
}

/// Acknowledgements, and assignments of advisories that are not acknowledged, the newest
/// first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    question: &AckQuestion,
) -> Result<Vec<AckLine>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.said as "said!", k.is_assignment as "is_assignment!", k.created_by as "by!", k.at as "at!", k.until,
                  k.withdrawn_at, k.note, a.title as "title?", n.assignee as "assigned_to?"
           from (
               select said, id, created_by, at, until, withdrawn_at, note, false as is_assignment
               from acknowledgement
               union all
               select said, id, created_by, at, null, null, null, true
               from assignment
               where ended_at is null
                 and not is_acknowledged(said, $3)) as k
           left join advisory a using (said)
           left join assignment n on n.said = k.said and n.ended_at is null
           where ($1::text is null or k.said = $1)
             and ($2 or k.withdrawn_at is null and (k.until is null or k.until > $3))
           order by k.at desc, k.id desc
           limit $4"#,
        question.said,
        question.all,
        question.now,
        question.limit
    )
    .fetch_all(connection)
    .await?;
    let lines = rows.into_iter().map(|row| AckLine {
        state: if row.is_assignment {
            AcknowledgementState::Assigned
        } else {
            AcknowledgementState::of(row.withdrawn_at, row.until, question.now)
        },
        said: row.said,
        by: row.by,
        at: row.at,
        until: row.until,
        withdrawn_at: row.withdrawn_at,
        note: row.note,
        title: row.title,
        assigned_to: row.assigned_to,
    });
    Ok(lines.collect())
}
