//! Unknown fields: elements, attributes and JSON keys that no column is read from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::model::{Advisory, shortened};
use crate::store::origin::ChunkOrigin;

/// Names that are stored of one source. A document whose names never repeat must not
/// fill the table.
const MOST_NAMES: i64 = 1000;

/// Maximum length of a name, in characters: index rows hold 2.7 kB.
const MAX_NAME_CHARS: usize = 500;

/// Stores the names of unknown fields that were never received from this source before,
/// each with its first value.
pub async fn record<'a>(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    advisories: impl IntoIterator<Item = &'a Advisory>,
) -> Result<(), sqlx::Error> {
    let mut fields = BTreeMap::new();
    for advisory in advisories {
        for (name, value) in advisory.unknown_fields() {
            fields.entry(name).or_insert(value);
        }
    }
    record_names(connection, origin, fields).await
}

/// The same for names and values that are not of a record.
pub async fn record_pairs(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    pairs: &[(String, String)],
) -> Result<(), sqlx::Error> {
    let pairs = pairs.iter();
    let fields = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
    record_names(connection, origin, fields.collect()).await
}

/// The same for names and values of fields.
pub async fn record_names(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    // In the order of names, so that transactions that store the same ones cannot deadlock.
    fields: BTreeMap<&str, &str>,
) -> Result<(), sqlx::Error> {
    if fields.is_empty() {
        return Ok(());
    }
    let (names, samples): (Vec<String>, Vec<String>) = fields
        .into_iter()
        .map(|(name, value)| (shortened(name, MAX_NAME_CHARS), value.to_owned()))
        .unzip();
    sqlx::query!(
        "insert into unknown_field (source_id, name, first_seen_at, sample)
         select $1, n.name, $2, n.sample
         from unnest($3::text[], $4::text[]) as n (name, sample)
         where not exists (
             select
             from unknown_field f
             where f.source_id = $1
               and f.name = n.name)
         order by n.name
         limit greatest($5 - (select count(*) from unknown_field where source_id = $1), 0)
         on conflict do nothing",
        origin.source_id,
        origin.at,
        &names,
        &samples,
        MOST_NAMES
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An unknown field.
#[derive(Debug, Clone, Serialize)]
pub struct UnknownField {
    /// The source that sent it, in words.
    pub source: String,
    /// Path from the record.
    pub name: String,
    /// When it was first received.
    pub first_seen_at: DateTime<Utc>,
    /// The first value.
    pub sample: String,
}

/// All unknown fields, the newest first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<UnknownField>, sqlx::Error> {
    sqlx::query_as!(
        UnknownField,
        r#"select f.source as "source!", f.name as "name!", f.first_seen_at as "first_seen_at!", f.sample as "sample!"
           from advisoryd_v1.unknown_fields f
           order by f.first_seen_at desc, f.source, f.name"#
    )
    .fetch_all(connection)
    .await
}
