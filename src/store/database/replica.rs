//! Whether a server is a read replica, and how far it is behind its primary.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::session::name;

/// What a server of `[database] read_url` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaState {
    /// Its time.
    pub now: DateTime<Utc>,
    /// Whether it is a standby. What is none has no lag.
    pub is_standby: bool,
    /// When the last transaction that it has was committed on the primary; `None` if it has
    /// none since its start.
    pub replayed_at: Option<DateTime<Utc>>,
}

/// Asks a server.
pub async fn replica_state(connection: &mut PgConnection) -> Result<ReplicaState, sqlx::Error> {
    sqlx::query_as!(
        ReplicaState,
        r#"select clock_timestamp() as "now!",
                  pg_is_in_recovery() as "is_standby!",
                  pg_last_xact_replay_timestamp() as replayed_at"#
    )
    .fetch_one(connection)
    .await
}

/// Address and port of the server that a pool uses.
pub fn server_name(pool: &sqlx::PgPool) -> String {
    name(&pool.connect_options())
}
