//! Notifications to listening sessions. They only save waiting: whoever listens also polls.

use sqlx::PgConnection;

/// Notifies the listeners of a channel when the transaction commits; several notifications in
/// one transaction become one.
///
/// None is sent while the queue of notifications is half full. Every session of the server can
/// fill it, also one that may only read, and a transaction that notifies cannot commit when it
/// is full.
pub(crate) async fn notify(
    connection: &mut PgConnection,
    channel: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select pg_notify($1, '') where pg_notification_queue_usage() < 0.5",
        channel
    )
    .execute(connection)
    .await?;
    Ok(())
}
