//! Advisories whose raw texts are read again.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{BYTES, Difference, ROWS, Versions, insert};
use crate::model::{Advisory, Fingerprint};
use crate::store::advisories::row;

/// An advisory's raw text, to be read again.
#[derive(Debug, Clone)]
pub struct Text {
    /// Its identifier.
    pub said: String,
    /// Which version.
    pub version: i32,
    /// As it came: the feed's record, or the detail where there is none.
    pub raw: String,
    /// Whether `raw` is a feed's record.
    pub has_record: bool,
    /// Whether a detail is laid over the record.
    pub has_detail: bool,
    /// That detail as it came.
    pub detail: Option<String>,
}

/// An advisory as it was read again.
#[derive(Debug, Clone)]
pub struct Reread {
    /// Which version.
    pub version: i32,
    /// What record and detail say together.
    pub advisory: Advisory,
    /// What the feed's record says, and today's fingerprint of its bytes.
    pub record: Option<(Advisory, Fingerprint)>,
    /// Whether there is a detail.
    pub has_detail: bool,
}

/// The next raw texts of advisories after `(said, version)`.
pub async fn texts(
    connection: &mut PgConnection,
    versions: Versions,
    after: (&str, i32),
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Text>, sqlx::Error> {
    let (said, version) = after;
    match versions {
        Versions::Current => {
            sqlx::query_as!(
                Text,
                r#"select c.said, c.version, c.raw, c.byte_hash is not null as "has_record!",
                          c.detail_hash is not null as "has_detail!", coalesce(d.raw, f.raw) as detail
                   from (
                       select said, version, raw, byte_hash, detail_hash,
                              sum(octet_length(raw)) over (order by said) - octet_length(raw) as before
                       from (
                           select said, version, raw, byte_hash, detail_hash
                           from advisory
                           where said > $1
                             and ($2::timestamptz is null or changed_at >= $2)
                           order by said
                           limit $3) as next) as c
                   left join detail d on d.said = c.said and d.byte_hash = c.detail_hash
                   left join former_detail f on f.said = c.said and f.byte_hash = c.detail_hash
                   where before < $4
                   order by c.said"#,
                said,
                since,
                ROWS,
                BYTES
            )
            .fetch_all(connection)
            .await
        }
        Versions::Former => {
            sqlx::query_as!(
                Text,
                r#"select c.said, c.version, c.raw as "raw!", c.byte_hash is not null as "has_record!",
                          c.detail_hash is not null as "has_detail!", coalesce(d.raw, f.raw) as detail
                   from (
                       select said, version, raw, byte_hash, detail_hash,
                              sum(octet_length(raw)) over (order by said, version) - octet_length(raw) as before
                       from (
                           select said, version, raw, byte_hash, detail_hash
                           from advisory_version
                           where (said, version) > ($1, $2)
                             and raw is not null
                             and ($3::timestamptz is null or changed_at >= $3)
                           order by said, version
                           limit $4) as next) as c
                   left join detail d on d.said = c.said and d.byte_hash = c.detail_hash
                   left join former_detail f on f.said = c.said and f.byte_hash = c.detail_hash
                   where before < $5
                   order by c.said, c.version"#,
                said,
                version,
                since,
                ROWS,
                BYTES
            )
            .fetch_all(connection)
            .await
        }
    }
}

fn rows(reread: &[Reread]) -> Value {
    let row = |reread: &Reread| {
        let Reread {
            version,
            advisory,
            record,
            has_detail,
        } = reread;
        let hash = |hash: Option<&Fingerprint>| hash.map(|hash| row::hex(hash)).into();
        let part = record.as_ref();
        let content_hash = part.map(|(record, _)| record.content_hash());
        let whole_hash = has_detail.then(|| advisory.content_hash());
        let modified_at = part.filter(|_| *has_detail);
        let modified_at = modified_at.and_then(|(record, _)| record.modified_at);
        let mut row = row::columns(advisory);
        insert(&mut row, "version", Value::from(*version));
        insert(&mut row, "byte_hash", hash(part.map(|(_, hash)| hash)));
        insert(&mut row, "content_hash", hash(content_hash.as_ref()));
        insert(&mut row, "whole_hash", hash(whole_hash.as_ref()));
        insert(&mut row, "record_modified_at", json!(modified_at));
        Value::Object(row)
    };
    reread.iter().map(row).collect()
}

/// What is stored otherwise than it reads today.
pub async fn differences(
    connection: &mut PgConnection,
    versions: Versions,
    reread: &[Reread],
) -> Result<Vec<Difference>, sqlx::Error> {
    sqlx::query_as!(
        Difference,
        r#"with stored as (
               select * from every_advisory_version where $2 and replaced_at is null
               union all
               select * from every_advisory_version where not $2 and replaced_at is not null)
           select n.said as "key!", n.version as "version!", f.key as "field!",
                  nullif(f.value, 'null') as old, nullif(f.new, 'null') as new
           from jsonb_populate_recordset(null::advisory, $1) as n
           join stored o on o.said = n.said and o.version = n.version
           cross join lateral (
               values
                   ('upstream_id', to_jsonb(o.upstream_id), to_jsonb(n.upstream_id)),
                   ('title', to_jsonb(o.title), to_jsonb(n.title)),
                   ('criticality', to_jsonb(o.criticality), to_jsonb(n.criticality)),
                   ('is_rejected', to_jsonb(o.is_rejected), to_jsonb(n.is_rejected)),
                   ('released_at', to_jsonb(o.released_at), to_jsonb(n.released_at)),
                   ('modified_at', to_jsonb(o.modified_at), to_jsonb(n.modified_at)),
                   ('attack_vector', to_jsonb(o.attack_vector), to_jsonb(n.attack_vector)),
                   ('solution_status', to_jsonb(o.solution_status), to_jsonb(n.solution_status)),
                   ('impacts', to_jsonb(o.impacts), to_jsonb(n.impacts)),
                   ('cves', to_jsonb(o.cves), to_jsonb(n.cves)),
                   ('cvss2_score', to_jsonb(o.cvss2_score), to_jsonb(n.cvss2_score)),
                   ('cvss2_vector', to_jsonb(o.cvss2_vector), to_jsonb(n.cvss2_vector)),
                   ('cvss3_score', to_jsonb(o.cvss3_score), to_jsonb(n.cvss3_score)),
                   ('cvss3_vector', to_jsonb(o.cvss3_vector), to_jsonb(n.cvss3_vector)),
                   ('cvss4_score', to_jsonb(o.cvss4_score), to_jsonb(n.cvss4_score)),
                   ('cvss4_vector', to_jsonb(o.cvss4_vector), to_jsonb(n.cvss4_vector)),
                   ('threat_score', to_jsonb(o.threat_score), to_jsonb(n.threat_score)),
                   ('is_zero_day', to_jsonb(o.is_zero_day), to_jsonb(n.is_zero_day)),
                   ('description', to_jsonb(o.description), to_jsonb(n.description)),
                   ('solution', to_jsonb(o.solution), to_jsonb(n.solution)),
                   ('products', o.products, n.products),
                   ('references', o.refs, n.refs),
                   ('unrecognised', o.unrecognised, n.unrecognised)
           ) as f (key, value, new)
           where f.value is distinct from f.new
           order by n.said, n.version, f.key"#,
        rows(reread),
        versions == Versions::Current
    )
    .fetch_all(connection)
    .await
}

/// Makes the columns what they read today; returns how many rows it wrote.
/// `source_id`, `run_id`, version and times stay: they tell of upstream and us,
/// not of the parser.
pub async fn correct(
    connection: &mut PgConnection,
    versions: Versions,
    reread: &[Reread],
) -> Result<u64, sqlx::Error> {
    let rows = rows(reread);
    let done = match versions {
        Versions::Current => {
            renew_sightings(connection, &rows).await?;
            sqlx::query!(
                "update advisory a
                 set (upstream_id, title, criticality, is_rejected, released_at, modified_at,
                      attack_vector, solution_status, impacts, cves, cvss2_score, cvss2_vector,
                      cvss3_score, cvss3_vector, cvss4_score, cvss4_vector, threat_score, is_zero_day,
                      description, solution, products, refs, unrecognised, byte_hash, content_hash,
                      record_modified_at, whole_hash)
                   = (n.upstream_id, n.title, n.criticality, n.is_rejected, n.released_at, n.modified_at,
                      n.attack_vector, n.solution_status, n.impacts, n.cves, n.cvss2_score, n.cvss2_vector,
                      n.cvss3_score, n.cvss3_vector, n.cvss4_score, n.cvss4_vector, n.threat_score, n.is_zero_day,
                      n.description, n.solution, n.products, n.refs, n.unrecognised, n.byte_hash, n.content_hash,
                      n.record_modified_at, n.whole_hash)
                 from jsonb_populate_recordset(null::advisory, $1) as n
                 where a.said = n.said
                   and a.version = n.version
                   and (a.upstream_id, a.title, a.criticality, a.is_rejected, a.released_at, a.modified_at,
                      a.attack_vector, a.solution_status, a.impacts, a.cves, a.cvss2_score, a.cvss2_vector,
                      a.cvss3_score, a.cvss3_vector, a.cvss4_score, a.cvss4_vector, a.threat_score, a.is_zero_day,
                      a.description, a.solution, a.products, a.refs, a.unrecognised, a.byte_hash, a.content_hash,
                      a.record_modified_at, a.whole_hash)
                   is distinct from
                     (n.upstream_id, n.title, n.criticality, n.is_rejected, n.released_at, n.modified_at,
                      n.attack_vector, n.solution_status, n.impacts, n.cves, n.cvss2_score, n.cvss2_vector,
                      n.cvss3_score, n.cvss3_vector, n.cvss4_score, n.cvss4_vector, n.threat_score, n.is_zero_day,
                      n.description, n.solution, n.products, n.refs, n.unrecognised, n.byte_hash, n.content_hash,
                      n.record_modified_at, n.whole_hash)",
                rows
            )
            .execute(connection)
            .await?
        }
        Versions::Former => {
            sqlx::query!(
                "update advisory_version a
                 set (upstream_id, title, criticality, is_rejected, released_at, modified_at,
                      attack_vector, solution_status, impacts, cves, cvss2_score, cvss2_vector,
                      cvss3_score, cvss3_vector, cvss4_score, cvss4_vector, threat_score, is_zero_day,
                      description, solution, products, refs, unrecognised, byte_hash, content_hash,
                      record_modified_at, whole_hash, severity_rank)
                   = (n.upstream_id, n.title, n.criticality, n.is_rejected, n.released_at, n.modified_at,
                      n.attack_vector, n.solution_status, n.impacts, n.cves, n.cvss2_score, n.cvss2_vector,
                      n.cvss3_score, n.cvss3_vector, n.cvss4_score, n.cvss4_vector, n.threat_score, n.is_zero_day,
                      n.description, n.solution, n.products, n.refs, n.unrecognised, n.byte_hash, n.content_hash,
                      n.record_modified_at, n.whole_hash,
                      case
                          when n.is_rejected then 0
                          when n.criticality between 0 and 5 then (6 - n.criticality) % 6
                      end)
                 from jsonb_populate_recordset(null::advisory, $1) as n
                 where a.said = n.said
                   and a.version = n.version
                   and (a.upstream_id, a.title, a.criticality, a.is_rejected, a.released_at, a.modified_at,
                      a.attack_vector, a.solution_status, a.impacts, a.cves, a.cvss2_score, a.cvss2_vector,
                      a.cvss3_score, a.cvss3_vector, a.cvss4_score, a.cvss4_vector, a.threat_score, a.is_zero_day,
                      a.description, a.solution, a.products, a.refs, a.unrecognised, a.byte_hash, a.content_hash,
                      a.record_modified_at, a.whole_hash)
                   is distinct from
                     (n.upstream_id, n.title, n.criticality, n.is_rejected, n.released_at, n.modified_at,
                      n.attack_vector, n.solution_status, n.impacts, n.cves, n.cvss2_score, n.cvss2_vector,
                      n.cvss3_score, n.cvss3_vector, n.cvss4_score, n.cvss4_vector, n.threat_score, n.is_zero_day,
                      n.description, n.solution, n.products, n.refs, n.unrecognised, n.byte_hash, n.content_hash,
                      n.record_modified_at, n.whole_hash)",
                rows
            )
            .execute(connection)
            .await?
        }
    };
    Ok(done.rows_affected())
}

/// The sightings of the very bytes that the current versions have get the new
/// fingerprints with them, so that the next pull knows the records.
async fn renew_sightings(connection: &mut PgConnection, rows: &Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sighting g
         set byte_hash = n.byte_hash,
             content_hash = n.content_hash
         from jsonb_populate_recordset(null::advisory, $1) as n
         join advisory a on a.said = n.said
         where g.said = n.said
           and g.dissent is null
           and g.byte_hash = a.byte_hash
           and (g.byte_hash, g.content_hash) is distinct from (n.byte_hash, n.content_hash)",
        rows
    )
    .execute(connection)
    .await?;
    Ok(())
}
