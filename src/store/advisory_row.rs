//! The row of an advisory: model ⇄ columns.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::advisory::{Origin, Received};
use super::copy::CopyRows;
use crate::model::{Advisory, Fingerprint};

/// What a merge must know of an advisory that is stored.
pub(super) struct Stored {
    pub byte_hash: Vec<u8>,
    pub content_hash: Vec<u8>,
    pub modified_at: Option<DateTime<Utc>>,
    pub source_id: i32,
    pub source_configured: bool,
    pub version: i32,
}

/// One version of an advisory, about to be stored.
pub(super) struct Version<'a> {
    pub record: &'a Received,
    pub content_hash: Fingerprint,
    pub number: i32,
}

const COPY: &str = "copy advisory (
        said, upstream_id, title, criticality, is_rejected, released_at, modified_at,
        attack_vector, solution_status, impacts, cves, cvss2_score, cvss2_vector,
        cvss3_score, cvss3_vector, cvss4_score, cvss4_vector, threat_score, is_zero_day,
        description, solution, products, refs, unrecognised,
        raw, byte_hash, content_hash, source_id, run_id, version, first_seen_at, changed_at)
    from stdin (format binary)";
const COPY_FIELDS: i16 = 32;

/// Stores advisories that are not stored yet.
pub(super) async fn insert(
    connection: &mut PgConnection,
    origin: Origin,
    versions: &[Version<'_>],
) -> Result<(), sqlx::Error> {
    if versions.is_empty() {
        return Ok(());
    }
    // The raw text and its mapped form together are about twice the raw text.
    let capacity = versions
        .iter()
        .map(|version| version.record.raw.len() * 2 + 512)
        .sum();
    let mut rows = CopyRows::with_capacity(capacity);
    for version in versions {
        put(&mut rows, origin, version)?;
    }
    let mut copy = connection.copy_in_raw(COPY).await?;
    rows.send(&mut copy).await?;
    copy.finish().await?;
    Ok(())
}

fn put(rows: &mut CopyRows, origin: Origin, version: &Version<'_>) -> Result<(), sqlx::Error> {
    let advisory = &version.record.advisory;
    rows.row(COPY_FIELDS);
    rows.text(Some(&advisory.said));
    rows.int8(advisory.upstream_id);
    rows.text(advisory.title.as_deref());
    rows.int4(advisory.criticality);
    rows.bool(Some(advisory.is_rejected));
    rows.timestamptz(advisory.released_at);
    rows.timestamptz(advisory.modified_at);
    rows.text(advisory.attack_vector.map(crate::model::AttackVector::name));
    rows.text(advisory.solution_status.as_deref());
    rows.text_array(&advisory.impacts);
    rows.text_array(&advisory.cves);
    for cvss in [&advisory.cvss2, &advisory.cvss3, &advisory.cvss4] {
        rows.float8(cvss.score);
        rows.text(cvss.vector.as_deref());
    }
    rows.float8(advisory.threat_score);
    rows.bool(advisory.is_zero_day);
    rows.text(advisory.description.as_deref());
    rows.text(advisory.solution.as_deref());
    rows.jsonb(&json_bytes(&advisory.products)?);
    rows.jsonb(&json_bytes(&advisory.references)?);
    if advisory.unrecognised.is_empty() {
        rows.null();
    } else {
        rows.jsonb(&json_bytes(&advisory.unrecognised)?);
    }
    rows.text(Some(&version.record.raw));
    rows.raw(&version.record.byte_hash);
    rows.raw(&version.content_hash);
    rows.int4(Some(origin.source_id));
    rows.int8(Some(origin.run_id));
    rows.int4(Some(version.number));
    rows.timestamptz(Some(origin.at));
    rows.timestamptz(Some(origin.at));
    Ok(())
}

fn json_bytes(value: &impl serde::Serialize) -> Result<Vec<u8>, sqlx::Error> {
    serde_json::to_vec(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// Replaces advisories by their next version.
pub(super) async fn update(
    connection: &mut PgConnection,
    origin: Origin,
    versions: &[Version<'_>],
) -> Result<(), sqlx::Error> {
    if versions.is_empty() {
        return Ok(());
    }
    let rows = versions
        .iter()
        .map(|version| as_json(origin, version))
        .collect();
    sqlx::query!(
        "update advisory a
         set upstream_id = n.upstream_id,
             title = n.title,
             criticality = n.criticality,
             is_rejected = n.is_rejected,
             released_at = n.released_at,
             modified_at = n.modified_at,
             attack_vector = n.attack_vector,
             solution_status = n.solution_status,
             impacts = n.impacts,
             cves = n.cves,
             cvss2_score = n.cvss2_score,
             cvss2_vector = n.cvss2_vector,
             cvss3_score = n.cvss3_score,
             cvss3_vector = n.cvss3_vector,
             cvss4_score = n.cvss4_score,
             cvss4_vector = n.cvss4_vector,
             threat_score = n.threat_score,
             is_zero_day = n.is_zero_day,
             description = n.description,
             solution = n.solution,
             products = n.products,
             refs = n.refs,
             unrecognised = n.unrecognised,
             raw = n.raw,
             byte_hash = n.byte_hash,
             content_hash = n.content_hash,
             source_id = n.source_id,
             run_id = n.run_id,
             version = n.version,
             changed_at = greatest(n.changed_at, a.changed_at)
         from jsonb_populate_recordset(null::advisory, $1) as n
         where a.said = n.said",
        Value::Array(rows)
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn as_json(origin: Origin, version: &Version<'_>) -> Value {
    let mut row = columns(&version.record.advisory);
    let about = [
        ("raw", json!(version.record.raw)),
        ("byte_hash", json!(hex(&version.record.byte_hash))),
        ("content_hash", json!(hex(&version.content_hash))),
        ("source_id", json!(origin.source_id)),
        ("run_id", json!(origin.run_id)),
        ("version", json!(version.number)),
        ("changed_at", json!(origin.at)),
    ];
    row.extend(about.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(row)
}

/// The columns that the raw text alone decides, less fingerprints.
pub(super) fn columns(advisory: &Advisory) -> Map<String, Value> {
    let columns = [
        ("said", json!(advisory.said)),
        ("upstream_id", json!(advisory.upstream_id)),
        ("title", json!(advisory.title)),
        ("criticality", json!(advisory.criticality)),
        ("is_rejected", json!(advisory.is_rejected)),
        ("released_at", json!(advisory.released_at)),
        ("modified_at", json!(advisory.modified_at)),
        ("attack_vector", json!(advisory.attack_vector)),
        ("solution_status", json!(advisory.solution_status)),
        ("impacts", json!(advisory.impacts)),
        ("cves", json!(advisory.cves)),
        ("cvss2_score", json!(advisory.cvss2.score)),
        ("cvss2_vector", json!(advisory.cvss2.vector)),
        ("cvss3_score", json!(advisory.cvss3.score)),
        ("cvss3_vector", json!(advisory.cvss3.vector)),
        ("cvss4_score", json!(advisory.cvss4.score)),
        ("cvss4_vector", json!(advisory.cvss4.vector)),
        ("threat_score", json!(advisory.threat_score)),
        ("is_zero_day", json!(advisory.is_zero_day)),
        ("description", json!(advisory.description)),
        ("solution", json!(advisory.solution)),
        ("products", json!(advisory.products)),
        ("refs", json!(advisory.references)),
        (
            "unrecognised",
            json!((!advisory.unrecognised.is_empty()).then_some(&advisory.unrecognised)),
        ),
    ];
    columns
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(super) fn hex(hash: &Fingerprint) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::from("\\x"), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Keeps the newest bytes of advisories that say the same in other bytes: no
/// new version, but nothing that was received is lost.
pub(super) async fn replace_raw(
    connection: &mut PgConnection,
    records: &[&Received],
) -> Result<(), sqlx::Error> {
    if records.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = records
        .iter()
        .map(|record| record.advisory.said.clone())
        .collect();
    let raw: Vec<String> = records.iter().map(|record| record.raw.clone()).collect();
    let hashes: Vec<Vec<u8>> = records
        .iter()
        .map(|record| record.byte_hash.to_vec())
        .collect();
    sqlx::query!(
        "update advisory a
         set raw = n.raw,
             byte_hash = n.byte_hash
         from unnest($1::text[], $2::text[], $3::bytea[]) as n (said, raw, byte_hash)
         where a.said = n.said",
        &said,
        &raw,
        &hashes
    )
    .execute(connection)
    .await?;
    Ok(())
}
