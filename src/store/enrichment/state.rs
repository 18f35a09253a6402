//! How far each published file is read.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::Catalogue;

/// State of a published file.
#[derive(Debug, Clone)]
pub struct EnrichmentState {
    /// Which.
    pub catalogue: Catalogue,
    /// Where it is according to the configuration; `None` if it is not configured.
    pub origin: Option<String>,
    /// Since when it is configured without interruption.
    pub followed_since: Option<DateTime<Utc>>,
    /// When it was last requested or read from a file.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When it was last read completely.
    pub read_at: Option<DateTime<Utc>>,
    /// When its content was last found changed.
    pub changed_at: Option<DateTime<Utc>>,
    /// Its date according to its publisher.
    pub released_at: Option<DateTime<Utc>>,
    /// Version of the catalogue or the model.
    pub release: Option<String>,
    /// Number of CVEs in it.
    pub entries: Option<i64>,
    /// SHA-256 of its content.
    pub digest: Option<Vec<u8>>,
    /// `ETag` of the last response.
    pub entity_tag: Option<String>,
    /// `Last-Modified` of the last response.
    pub last_modified: Option<String>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it failed.
    pub last_error_at: Option<DateTime<Utc>>,
}

impl EnrichmentState {
    /// Whether the last attempt has not ended: it is under way, or its process has died.
    pub fn is_unfinished(&self) -> bool {
        self.attempted_at > self.read_at.max(self.last_error_at)
    }

    /// Since when its data ages.
    pub fn data_from(&self) -> Option<DateTime<Utc>> {
        self.read_at.or(self.followed_since)
    }
}

/// A file that was read completely.
#[derive(Debug, Clone)]
pub(crate) struct Release<'a> {
    pub released_at: DateTime<Utc>,
    pub version: Option<&'a str>,
    pub entries: i64,
    pub digest: &'a [u8],
    pub entity_tag: Option<&'a str>,
    pub last_modified: Option<&'a str>,
}

/// The states of all files.
pub async fn states(connection: &mut PgConnection) -> Result<Vec<EnrichmentState>, sqlx::Error> {
    let rows = sqlx::query!(
        "select kind, origin, followed_since, attempted_at, read_at, changed_at, released_at,
                release, entries, digest, entity_tag, last_modified, last_error, last_error_at
         from enrichment
         order by kind desc"
    )
    .fetch_all(connection)
    .await?;
    let states = rows.into_iter().filter_map(|row| {
        Some(EnrichmentState {
            catalogue: Catalogue::from_name(&row.kind)?,
            origin: row.origin,
            followed_since: row.followed_since,
            attempted_at: row.attempted_at,
            read_at: row.read_at,
            changed_at: row.changed_at,
            released_at: row.released_at,
            release: row.release,
            entries: row.entries,
            digest: row.digest,
            entity_tag: row.entity_tag,
            last_modified: row.last_modified,
            last_error: row.last_error,
            last_error_at: row.last_error_at,
        })
    });
    Ok(states.collect())
}

/// The state of one file, locked until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    catalogue: Catalogue,
) -> Result<EnrichmentState, sqlx::Error> {
    sqlx::query!(
        "select kind from enrichment where kind = $1 for update",
        catalogue.name()
    )
    .fetch_one(&mut *connection)
    .await?;
    let states = states(connection).await?;
    let found = states.into_iter().find(|one| one.catalogue == catalogue);
    found.ok_or(sqlx::Error::RowNotFound)
}

/// Stores where each file is according to the configuration. Another place has other
/// headers.
pub async fn configure(
    connection: &mut PgConnection,
    catalogue: Catalogue,
    origin: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update enrichment
         set origin = $2,
             followed_since = case when $2::text is null then null else coalesce(followed_since, $3) end,
             entity_tag = null,
             last_modified = null,
             last_error = null
         where kind = $1
           and origin is distinct from $2",
        catalogue.name(),
        origin,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the beginning of an attempt; false if another process began one after `unless`.
pub(crate) async fn attempt(
    connection: &mut PgConnection,
    catalogue: Catalogue,
    now: DateTime<Utc>,
    unless: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let begun = sqlx::query!(
        "update enrichment
         set attempted_at = $2
         where kind = $1
           and coalesce(attempted_at not between $3 and $2, true)",
        catalogue.name(),
        now,
        unless
    )
    .execute(connection)
    .await?;
    Ok(begun.rows_affected() > 0)
}

/// Records that it was read completely and has not changed.
pub(crate) async fn unchanged(
    connection: &mut PgConnection,
    catalogue: Catalogue,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update enrichment
         set attempted_at = $2,
             read_at = $2,
             last_error = null
         where kind = $1",
        catalogue.name(),
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that it was read completely.
pub(crate) async fn read(
    connection: &mut PgConnection,
    catalogue: Catalogue,
    release: &Release<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update enrichment
         set attempted_at = $2,
             read_at = $2,
             changed_at = case when digest is distinct from $6 then $2 else changed_at end,
             released_at = $3,
             release = $4,
             entries = $5,
             digest = $6,
             entity_tag = $7,
             last_modified = $8,
             last_error = null
         where kind = $1",
        catalogue.name(),
        now,
        release.released_at,
        release.version,
        release.entries,
        release.digest,
        release.entity_tag,
        release.last_modified
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that an attempt failed.
pub(crate) async fn failed(
    connection: &mut PgConnection,
    catalogue: Catalogue,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update enrichment
         set attempted_at = $2,
             last_error = $3,
             last_error_at = $2
         where kind = $1",
        catalogue.name(),
        now,
        error
    )
    .execute(connection)
    .await?;
    Ok(())
}
