//! Imported bundles.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

/// When the newest bundle was begun whose import has begun.
pub async fn newest(connection: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select max(created_at) from bundle")
        .fetch_one(connection)
        .await
}

/// A bundle whose import has begun.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "times end in `_at`")]
pub struct BundleImport {
    /// When it was begun outside.
    pub created_at: DateTime<Utc>,
    /// When its import began.
    pub began_at: DateTime<Utc>,
    /// When all of it was imported; `None` if that has not ended, or something failed.
    pub imported_at: Option<DateTime<Utc>>,
}

/// The newest bundle.
pub async fn last(connection: &mut PgConnection) -> Result<Option<BundleImport>, sqlx::Error> {
    sqlx::query_as!(
        BundleImport,
        "select created_at, began_at, imported_at
         from bundle
         order by created_at desc
         limit 1"
    )
    .fetch_optional(connection)
    .await
}

/// Records that the import of a bundle begins, also again.
pub async fn begin(
    connection: &mut PgConnection,
    (created_at, digest): (DateTime<Utc>, &[u8]),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into bundle (created_at, digest, began_at)
         values ($1, $2, $3)
         on conflict (created_at) do update set began_at = excluded.began_at",
        created_at,
        digest,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that all of a bundle is imported.
pub async fn complete(
    connection: &mut PgConnection,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update bundle set imported_at = $2 where created_at = $1",
        created_at,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
