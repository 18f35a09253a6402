//! Replay of advisories.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{BYTES, FieldDifference, ROWS, Versions};
use crate::model::{Advisory, Fingerprint, Severity};
use crate::store::advisories::cell::{Bytes, Cell, JsonRow};
use crate::store::advisories::columns::{columns, with_column_names};

/// An advisory's raw text, to be parsed again.
#[derive(Debug, Clone)]
pub struct AdvisoryText {
    /// Its identifier.
    pub said: String,
    /// The version.
    pub version: i32,
    /// Raw text: the feed's record, or the details if there is none.
    pub raw: String,
    /// Whether `raw` is a feed's record.
    pub has_record: bool,
    /// Whether details are merged with the record.
    pub has_detail: bool,
    /// Raw text of these details.
    pub detail: Option<String>,
    /// Fields of the record that win over these details.
    pub corrected: Option<Vec<String>>,
    /// When the version was stored.
    pub changed_at: DateTime<Utc>,
}

/// An advisory that was parsed again.
#[derive(Debug, Clone)]
pub struct Reread {
    /// The version.
    pub version: i32,
    /// Record and details merged.
    pub advisory: Advisory,
    /// The parsed feed record, and the current fingerprint of its bytes.
    pub record: Option<(Advisory, Fingerprint)>,
    /// Whether there are details.
    pub has_detail: bool,
}

/// The next raw texts of advisories after `(said, version)`.
#[expect(clippy::too_many_lines, reason = "two SQL statements")]
pub async fn texts(
    connection: &mut PgConnection,
    versions: Versions,
    after: (&str, i32),
    since: Option<DateTime<Utc>>,
) -> Result<Vec<AdvisoryText>, sqlx::Error> {
    let (said, version) = after;
    match versions {
        Versions::Current => {
            sqlx::query_as!(
                AdvisoryText,
                r#"select c.said, c.version, c.raw, c.byte_hash is not null as "has_record!",
                          c.detail_hash is not null as "has_detail!", coalesce(d.raw, f.raw) as detail,
                          c.corrected, c.changed_at
                   from (
                       select said, version, raw, byte_hash, detail_hash, corrected, changed_at,
                              sum(octet_length(raw)) over (order by said) - octet_length(raw) as before
                       from (
                           select said, version, raw, byte_hash, detail_hash, corrected, changed_at
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
                AdvisoryText,
                r#"select c.said, c.version, c.raw as "raw!", c.byte_hash is not null as "has_record!",
                          c.detail_hash is not null as "has_detail!", coalesce(d.raw, f.raw) as detail,
                          c.corrected, c.changed_at
                   from (
                       select said, version, raw, byte_hash, detail_hash, corrected, changed_at,
                              sum(octet_length(raw)) over (order by said, version) - octet_length(raw) as before
                       from (
                           select said, version, raw, byte_hash, detail_hash, corrected, changed_at
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

/// The columns that a replay corrects: those parsed from the raw texts, and the
/// fingerprints of these texts.
fn rows(reread: &[Reread]) -> Json<Vec<JsonRow<'_>>> {
    Json(reread.iter().map(row).collect())
}

fn row(reread: &Reread) -> JsonRow<'_> {
    let Reread {
        version,
        advisory,
        record,
        has_detail,
    } = reread;
    let bytes = |hash: Fingerprint| Bytes(Cow::Owned(hash.to_vec()));
    let hash = |hash: Option<Fingerprint>| Cell::Bytea(hash.map(bytes));
    let record = record.as_ref();
    let content_hash = record.map(|(record, _)| record.content_hash());
    let whole_hash = has_detail.then(|| advisory.content_hash());
    let modified_at = record.filter(|_| *has_detail);
    let modified_at = modified_at.and_then(|(record, _)| record.modified_at);
    let rank = advisory.severity().map(Severity::rank).map(i32::from);
    let mut columns = columns(advisory);
    columns.extend([
        ("version", Cell::Int4(Some(*version))),
        ("severity_rank", Cell::Int4(rank)),
        ("byte_hash", hash(record.map(|(_, hash)| *hash))),
        ("content_hash", hash(content_hash)),
        ("whole_hash", hash(whole_hash)),
        ("record_modified_at", Cell::Timestamptz(modified_at)),
    ]);
    JsonRow(columns)
}

macro_rules! differences {
    (($versions:ident, $rows:ident) $($name:literal)*) => {
        sqlx::query_as!(
            FieldDifference,
            r#"with stored as (
                   select * from every_advisory_version where $2 and replaced_at is null
                   union all
                   select * from every_advisory_version where not $2 and replaced_at is not null)
               select n.said as "key!", n.version as "version!",
                      case f.key when 'refs' then 'references' else f.key end as "field!",
                      nullif(f.value, 'null') as old, nullif(f.new, 'null') as new
               from jsonb_populate_recordset(null::advisory, $1) as n
               join stored o on o.said = n.said and o.version = n.version
               cross join lateral (
                   values
                       ('said', to_jsonb(o.said), to_jsonb(n.said))"#
                $(+ ", ('" + $name + "', to_jsonb(o." + $name + "), to_jsonb(n." + $name + "))")*
                + ") as f (key, value, new)
               where f.value is distinct from f.new
               order by n.said, n.version, f.key",
            $rows as _,
            $versions == Versions::Current
        )
    };
}

/// Fields whose stored values differ from the parsed ones.
pub async fn differences(
    connection: &mut PgConnection,
    versions: Versions,
    reread: &[Reread],
) -> Result<Vec<FieldDifference>, sqlx::Error> {
    let rows = rows(reread);
    with_column_names!(differences(versions, rows))
        .fetch_all(connection)
        .await
}

macro_rules! correct {
    (($table:literal, $rows:ident $(, $also:literal)*) $($name:literal)*) => {
        sqlx::query!(
            "update " + $table + " a
             set (byte_hash, content_hash, record_modified_at, whole_hash"
                $(+ ", " + $also)* $(+ ", " + $name)*
                + ")
               = (n.byte_hash, n.content_hash, n.record_modified_at, n.whole_hash"
                $(+ ", n." + $also)* $(+ ", n." + $name)*
                + ")
             from jsonb_populate_recordset(null::advisory, $1) as n
             where a.said = n.said
               and a.version = n.version
               and (a.byte_hash, a.content_hash, a.record_modified_at, a.whole_hash"
                $(+ ", a." + $also)* $(+ ", a." + $name)*
                + ")
               is distinct from
                   (n.byte_hash, n.content_hash, n.record_modified_at, n.whole_hash"
                $(+ ", n." + $also)* $(+ ", n." + $name)*
                + ")",
            $rows as _
        )
    };
}

/// Corrects the columns; returns the number of updated rows. `source_id`, `run_id`,
/// version and times stay: they do not depend on the parser.
pub async fn correct(
    connection: &mut PgConnection,
    versions: Versions,
    reread: &[Reread],
) -> Result<u64, sqlx::Error> {
    let rows = rows(reread);
    let done = match versions {
        Versions::Current => {
            renew_sightings(connection, &rows).await?;
            with_column_names!(correct("advisory", rows))
                .execute(connection)
                .await?
        }
        // In this table the rank is not a generated column.
        Versions::Former => {
            with_column_names!(correct("advisory_version", rows, "severity_rank"))
                .execute(connection)
                .await?
        }
    };
    Ok(done.rows_affected())
}

/// Sightings with the same bytes as the current versions get the new fingerprints,
/// too, so that the next pull recognises the records.
async fn renew_sightings(
    connection: &mut PgConnection,
    rows: &Json<Vec<JsonRow<'_>>>,
) -> Result<(), sqlx::Error> {
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
        rows as _
    )
    .execute(connection)
    .await?;
    Ok(())
}
