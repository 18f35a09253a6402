//! The row of an advisory: model ⇄ columns.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::advisory::Origin;
use super::copy::CopyRows;
use crate::model::{Advisory, Fingerprint};

/// What a merge must know of an advisory that is stored.
pub(crate) struct Stored {
    /// Of the feed's record; `None` where only JSON has told of it.
    pub byte_hash: Option<Vec<u8>>,
    pub content_hash: Option<Vec<u8>>,
    pub record_modified_at: Option<DateTime<Utc>>,
    /// Of record and detail together.
    pub modified_at: Option<DateTime<Utc>>,
    pub whole_hash: Vec<u8>,
    pub source_id: i32,
    pub source_configured: bool,
    pub version: i32,
}

impl Stored {
    /// Whether the feed's record that is stored says this.
    pub(crate) fn says(&self, content_hash: &Fingerprint) -> bool {
        self.content_hash
            .as_ref()
            .is_some_and(|stored| stored == content_hash)
    }
}

/// The detail of an advisory that records are laid under.
pub(crate) struct KnownDetail {
    pub byte_hash: Vec<u8>,
    pub advisory: Advisory,
}

/// One version of an advisory, about to be stored.
pub(crate) struct Version<'a> {
    /// What record and detail say together.
    pub whole: Cow<'a, Advisory>,
    /// The feed's record; the detail where there is none.
    pub raw: &'a str,
    /// The feed's record; `None` where only JSON has told of it.
    pub record: Option<RecordPart>,
    /// The detail.
    pub detail: Option<DetailPart>,
    pub source_id: i32,
    pub number: i32,
}

/// What is kept of the feed's record besides its text.
#[derive(Clone, Copy)]
pub(crate) struct RecordPart {
    pub byte_hash: Fingerprint,
    pub content_hash: Fingerprint,
    pub modified_at: Option<DateTime<Utc>>,
}

/// What is kept of the detail.
#[derive(Clone)]
pub(crate) struct DetailPart {
    pub byte_hash: Vec<u8>,
    pub whole_hash: Fingerprint,
}

impl Version<'_> {
    /// The record's own time, where a detail may say another.
    fn record_modified_at(&self) -> Option<DateTime<Utc>> {
        self.detail.as_ref().and(self.record.as_ref())?.modified_at
    }

    /// Fingerprints and times of its parts, by column.
    pub(crate) fn parts(&self) -> [(&'static str, Value); 5] {
        let record = self.record.as_ref();
        let detail = self.detail.as_ref();
        [
            ("byte_hash", json!(record.map(|part| hex(&part.byte_hash)))),
            (
                "content_hash",
                json!(record.map(|part| hex(&part.content_hash))),
            ),
            ("record_modified_at", json!(self.record_modified_at())),
            (
                "detail_hash",
                json!(detail.map(|part| hex(&part.byte_hash))),
            ),
            (
                "whole_hash",
                json!(detail.map(|part| hex(&part.whole_hash))),
            ),
        ]
    }
}

const COPY: &str = "copy advisory (
        said, upstream_id, title, criticality, is_rejected, released_at, modified_at,
        attack_vector, solution_status, impacts, cves, cvss2_score, cvss2_vector,
        cvss3_score, cvss3_vector, cvss4_score, cvss4_vector, threat_score, is_zero_day,
        description, solution, products, refs, unrecognised,
        raw, byte_hash, content_hash, record_modified_at, detail_hash, whole_hash,
        source_id, run_id, version, first_seen_at, changed_at)
    from stdin (format binary)";
const COPY_FIELDS: i16 = 35;

/// Stores advisories that are not stored yet.
pub(crate) async fn insert(
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
        .map(|version| version.raw.len() * 2 + 512)
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
    let advisory = &version.whole;
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
    rows.text(Some(version.raw));
    put_parts(rows, version);
    rows.int4(Some(version.source_id));
    rows.int8(Some(origin.run_id));
    rows.int4(Some(version.number));
    rows.timestamptz(Some(origin.at));
    rows.timestamptz(Some(origin.at));
    Ok(())
}

fn put_parts(rows: &mut CopyRows, version: &Version<'_>) {
    let Version { record, detail, .. } = version;
    put_hash(rows, record.as_ref().map(|part| &part.byte_hash[..]));
    put_hash(rows, record.as_ref().map(|part| &part.content_hash[..]));
    rows.timestamptz(version.record_modified_at());
    put_hash(rows, detail.as_ref().map(|part| &part.byte_hash[..]));
    put_hash(rows, detail.as_ref().map(|part| &part.whole_hash[..]));
}

fn put_hash(rows: &mut CopyRows, hash: Option<&[u8]>) {
    if let Some(hash) = hash {
        rows.raw(hash);
    } else {
        rows.null();
    }
}

fn json_bytes(value: &impl serde::Serialize) -> Result<Vec<u8>, sqlx::Error> {
    serde_json::to_vec(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// Replaces advisories by their next version.
pub(crate) async fn update(
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
             record_modified_at = n.record_modified_at,
             detail_hash = n.detail_hash,
             whole_hash = n.whole_hash,
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
    let mut row = columns(&version.whole);
    let about = [
        ("raw", json!(version.raw)),
        ("source_id", json!(version.source_id)),
        ("run_id", json!(origin.run_id)),
        ("version", json!(version.number)),
        ("changed_at", json!(origin.at)),
    ];
    let all = about.into_iter().chain(version.parts());
    row.extend(all.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(row)
}

/// The columns that the raw text alone decides, less fingerprints.
pub(crate) fn columns(advisory: &Advisory) -> Map<String, Value> {
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

/// Bytes as PostgreSQL writes a `bytea`.
pub(crate) fn hex(hash: &[u8]) -> String {
    format!("\\x{}", hex::encode(hash))
}

/// Keeps the newest record and detail of advisories that say the same in other
/// words: no new version, but nothing that was received is lost.
pub(crate) async fn replace_record(
    connection: &mut PgConnection,
    versions: &[Version<'_>],
) -> Result<(), sqlx::Error> {
    if versions.is_empty() {
        return Ok(());
    }
    let row = |version: &Version<'_>| {
        let mut row = Map::new();
        let about = [
            ("said", json!(version.whole.said)),
            ("raw", json!(version.raw)),
            ("source_id", json!(version.source_id)),
        ];
        let all = about.into_iter().chain(version.parts());
        row.extend(all.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(row)
    };
    sqlx::query!(
        "update advisory a
         set raw = n.raw,
             byte_hash = n.byte_hash,
             content_hash = n.content_hash,
             record_modified_at = n.record_modified_at,
             detail_hash = n.detail_hash,
             whole_hash = n.whole_hash,
             source_id = n.source_id
         from jsonb_populate_recordset(null::advisory, $1) as n
         where a.said = n.said",
        versions.iter().map(row).collect::<Value>()
    )
    .execute(connection)
    .await?;
    Ok(())
}
