//! Replay of details.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::{BYTES, ROWS};
use crate::model::Advisory;

/// Raw text of the details of an advisory.
#[derive(Debug, Clone)]
pub struct DetailText {
    /// The advisory's identifier.
    pub said: String,
    /// Raw text.
    pub raw: String,
}

/// The next details after an identifier.
pub async fn texts(
    connection: &mut PgConnection,
    after: &str,
) -> Result<Vec<DetailText>, sqlx::Error> {
    sqlx::query_as!(
        DetailText,
        "select said, raw
         from (
             select said, raw,
                    sum(octet_length(raw)) over (order by said) - octet_length(raw) as before
             from (
                 select said, raw
                 from detail
                 where said > $1
                 order by said
                 limit $2) as next) as counted
         where before < $3
         order by said",
        after,
        ROWS,
        BYTES
    )
    .fetch_all(connection)
    .await
}

/// Stores the newly parsed details; returns how many differed.
pub async fn correct(
    connection: &mut PgConnection,
    details: &[Advisory],
) -> Result<u64, sqlx::Error> {
    let said: Vec<String> = details.iter().map(|detail| detail.said.clone()).collect();
    let models: Vec<Json<&Advisory>> = details.iter().map(Json).collect();
    let modified: Vec<_> = details.iter().map(|detail| detail.modified_at).collect();
    let done = sqlx::query!(
        "update detail d
         set model = n.model,
             modified_at = n.modified_at
         from unnest($1::text[], $2::jsonb[], $3::timestamptz[]) as n (said, model, modified_at)
         where d.said = n.said
           and (d.model, d.modified_at) is distinct from (n.model, n.modified_at)",
        &said,
        &models as _,
        &modified as _
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
