//! Messages that are not due yet, and when they will be.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::MessagePurpose;

/// A message that is not due yet.
#[derive(Debug, Clone)]
pub(crate) struct PendingMessage {
    /// Its id.
    pub(crate) id: Uuid,
    /// The rule.
    pub(crate) rule: String,
    /// When its first alert was created.
    pub(crate) opened_at: DateTime<Utc>,
    /// When it is due.
    pub(crate) closes_at: DateTime<Utc>,
    /// Whether it waits for a digest or the end of a mute time.
    pub(crate) is_held: bool,
    /// For which, in words.
    pub(crate) held_by: Option<String>,
}

/// The messages of rules that are not due yet. The caller holds the lock of the evaluation, so
/// that none gets another alert meanwhile.
pub(crate) async fn pending(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<PendingMessage>, sqlx::Error> {
    sqlx::query_as!(
        PendingMessage,
        "select id, rule, opened_at, closes_at, is_held, held_by
         from message
         where purpose = $2
           and closes_at > $1
           and (sealed_at is null or sealed_at > $1)
         order by id
         for update",
        now,
        MessagePurpose::Alert.name()
    )
    .fetch_all(connection)
    .await
}

/// Changes when a message is due, and for what it waits.
pub(crate) async fn postpone(
    connection: &mut PgConnection,
    message: &PendingMessage,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update message
         set closes_at = $2::timestamptz,
             sealed_at = case when sealed_at is not null then $2::timestamptz end,
             is_held = $3,
             held_by = $4
         where id = $1",
        message.id,
        message.closes_at,
        message.is_held,
        message.held_by
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update delivery
         set due_at = $2
         where message_id = $1
           and state = 'waiting'
           and failures = 0",
        message.id,
        message.closes_at
    )
    .execute(connection)
    .await?;
    Ok(())
}
