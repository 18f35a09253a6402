//! Replay of conflicting copies: records stored besides the current versions.

use sqlx::PgConnection;

use super::{BYTES, ROWS};
use crate::model::Fingerprint;

/// A record that a source sends and that is not the current version.
#[derive(Debug, Clone)]
pub struct ConflictingCopy {
    /// Row in `sighting`.
    pub id: i64,
    /// The advisory's identifier.
    pub said: String,
    /// Raw text.
    pub raw: String,
    /// Row in `source`.
    pub source_id: i32,
    /// The newest run of that source.
    pub run_id: i64,
    /// The raw text of the current version.
    pub current: String,
}

/// The next conflicting copies after a row of `sighting`.
pub async fn texts(
    connection: &mut PgConnection,
    after: i64,
) -> Result<Vec<ConflictingCopy>, sqlx::Error> {
    sqlx::query_as!(
        ConflictingCopy,
        r#"select n.id, n.said, n.dissent as "raw!", n.source_id, a.raw as current,
                  coalesce((select max(r.id) from sync_run r where r.source_id = n.source_id), a.run_id) as "run_id!"
           from (
               select id, said, dissent, source_id,
                      sum(octet_length(dissent)) over (order by id) - octet_length(dissent) as before
               from (
                   select id, said, dissent, source_id
                   from sighting
                   where id > $1
                     and dissent is not null
                   order by id
                   limit $2) as next) as n
           join advisory a on a.said = n.said
           where n.before < $3
           order by n.id"#,
        after,
        ROWS,
        BYTES
    )
    .fetch_all(connection)
    .await
}

/// Stores the current fingerprints of conflicting copies; returns how many differed.
pub async fn correct(
    connection: &mut PgConnection,
    dissents: &[(i64, Fingerprint, Fingerprint)],
) -> Result<u64, sqlx::Error> {
    let ids: Vec<i64> = dissents.iter().map(|(id, ..)| *id).collect();
    let byte_hashes: Vec<Vec<u8>> = dissents.iter().map(|(_, hash, _)| hash.to_vec()).collect();
    let content_hashes: Vec<Vec<u8>> = dissents.iter().map(|(.., hash)| hash.to_vec()).collect();
    let done = sqlx::query!(
        "update sighting g
         set byte_hash = n.byte_hash,
             content_hash = n.content_hash
         from unnest($1::bigint[], $2::bytea[], $3::bytea[]) as n (id, byte_hash, content_hash)
         where g.id = n.id
           and (g.byte_hash, g.content_hash) is distinct from (n.byte_hash, n.content_hash)",
        &ids,
        &byte_hashes,
        &content_hashes
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
