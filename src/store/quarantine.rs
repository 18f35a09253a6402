//! Records that were received and could not be understood.

use sqlx::PgConnection;

use super::advisory::Origin;
use crate::model::Fingerprint;

/// A record that could not be understood.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Its identifier, where one could be found.
    pub key: Option<String>,
    /// Why it could not be understood.
    pub reason: String,
    /// Fingerprint of its bytes, whoever reads them.
    pub byte_hash: Fingerprint,
    /// As it came, in a form that text can hold.
    pub raw: String,
}

/// Keeps records; one that is already there in the same bytes is only noted as
/// seen again.
pub async fn keep(
    connection: &mut PgConnection,
    origin: Origin,
    records: &[Unreadable],
) -> Result<(), sqlx::Error> {
    if records.is_empty() {
        return Ok(());
    }
    let keys: Vec<Option<String>> = records.iter().map(|record| record.key.clone()).collect();
    let reasons: Vec<String> = records.iter().map(|record| record.reason.clone()).collect();
    let hashes: Vec<Vec<u8>> = records
        .iter()
        .map(|record| record.byte_hash.to_vec())
        .collect();
    let raws: Vec<String> = records.iter().map(|record| record.raw.clone()).collect();
    sqlx::query!(
        "insert into quarantine (run_id, last_run_id, source_id, at, key, reason, byte_hash, raw)
         select $1, $1, $2, $3, n.key, n.reason, n.byte_hash, n.raw
         from unnest($4::text[], $5::text[], $6::bytea[], $7::text[])
              as n (key, reason, byte_hash, raw)
         on conflict (source_id, byte_hash) do update
         set last_run_id = excluded.last_run_id",
        origin.run_id,
        origin.source_id,
        origin.at,
        &keys as &[Option<String>],
        &reasons,
        &hashes,
        &raws
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a source has anything here: where it has nothing, nothing can leave.
pub async fn is_empty(connection: &mut PgConnection, source_id: i32) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select not exists (select from quarantine where source_id = $1) as "empty!""#,
        source_id
    )
    .fetch_one(connection)
    .await
}

/// Lets the advisories leave that the run just completed read well and did not
/// receive in broken bytes again; returns how many left. Call it after the run
/// is written into its source.
pub async fn release_advisories(
    connection: &mut PgConnection,
    source_id: i32,
    run_id: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from quarantine q
         using source s, sighting g
         where q.source_id = $1
           and q.last_run_id <> $2
           and s.id = q.source_id
           and g.source_id = q.source_id
           and g.said = q.key
           and s.seen @> g.id",
        source_id,
        run_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Lets the records leave whose very bytes are understood by now, because the
/// rules or the parser have changed; returns how many left.
pub async fn release_bytes(
    connection: &mut PgConnection,
    source_id: i32,
    hashes: &[Fingerprint],
) -> Result<u64, sqlx::Error> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    let done = sqlx::query!(
        "delete from quarantine
         where source_id = $1
           and byte_hash = any($2)",
        source_id,
        &hashes
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Lets the tickets leave whose ids were now read well; returns how many left.
pub async fn release_tickets(
    connection: &mut PgConnection,
    source_id: i32,
    ids: &[i64],
) -> Result<u64, sqlx::Error> {
    let keys: Vec<String> = ids.iter().map(i64::to_string).collect();
    let done = sqlx::query!(
        "delete from quarantine
         where source_id = $1
           and key = any($2)",
        source_id,
        &keys
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
