//! What watch lists contain and pending approvals: how far each collection is read.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use crate::model::{LeaseHolder, MirrorKey, MirrorKind};
use crate::store::ledger::lease::LeaseName;
use crate::store::ledger::lock::SourceLock;

/// State of a collection.
#[derive(Debug, Clone)]
pub struct MirrorState {
    /// The collection.
    pub key: MirrorKey,
    /// When it was last requested.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When it was last read completely.
    pub read_at: Option<DateTime<Utc>>,
    /// When something last came or left after the first complete read.
    pub changed_at: Option<DateTime<Utc>>,
    /// Rows of the last read without an id.
    pub unreadable: i64,
    /// When a complete read first lacked so much that it is not believed yet.
    pub doubted_at: Option<DateTime<Utc>>,
    /// Since when upstream refuses it.
    pub refused_since: Option<DateTime<Utc>>,
    /// It is not requested before this time.
    pub retry_at: Option<DateTime<Utc>>,
    /// Why the last read failed.
    pub last_error: Option<String>,
}

impl MirrorState {
    /// A collection that was never requested.
    pub fn new(key: MirrorKey) -> Self {
        Self {
            key,
            attempted_at: None,
            read_at: None,
            changed_at: None,
            unreadable: 0,
            doubted_at: None,
            refused_since: None,
            retry_at: None,
            last_error: None,
        }
    }
}

/// Locks all of them against other processes; the process if another one is reading them.
pub async fn lock(pool: &PgPool) -> Result<Result<SourceLock, LeaseHolder>, sqlx::Error> {
    SourceLock::take_lease(pool, LeaseName::ListContents).await
}

/// The states of all collections that were ever requested.
pub async fn states(connection: &mut PgConnection) -> Result<Vec<MirrorState>, sqlx::Error> {
    let rows = sqlx::query!(
        "select watch_list_id, kind, attempted_at, read_at, changed_at, unreadable, doubted_at,
                refused_since, retry_at, last_error
         from mirror
         order by watch_list_id, kind"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| MirrorState {
            key: MirrorKey {
                watch_list_id: row.watch_list_id,
                kind: MirrorKind::from_name(&row.kind),
            },
            attempted_at: row.attempted_at,
            read_at: row.read_at,
            changed_at: row.changed_at,
            unreadable: row.unreadable,
            doubted_at: row.doubted_at,
            refused_since: row.refused_since,
            retry_at: row.retry_at,
            last_error: row.last_error,
        })
        .collect())
}

/// Stores the state of a collection. The caller holds the lock.
pub async fn set(connection: &mut PgConnection, state: &MirrorState) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into mirror (watch_list_id, kind, attempted_at, read_at, changed_at, unreadable,
                             doubted_at, refused_since, retry_at, last_error)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (watch_list_id, kind) do update
         set attempted_at = excluded.attempted_at,
             read_at = excluded.read_at,
             changed_at = excluded.changed_at,
             unreadable = excluded.unreadable,
             doubted_at = excluded.doubted_at,
             refused_since = excluded.refused_since,
             retry_at = excluded.retry_at,
             last_error = excluded.last_error",
        state.key.watch_list_id,
        state.key.kind.name(),
        state.attempted_at,
        state.read_at,
        state.changed_at,
        state.unreadable,
        state.doubted_at,
        state.refused_since,
        state.retry_at,
        state.last_error
    )
    .execute(connection)
    .await?;
    Ok(())
}
