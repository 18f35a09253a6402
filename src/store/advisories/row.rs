//! Rows of advisories: model ⇄ columns.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::cell::{Bytes, Cell, Column, JsonRow};
use super::columns::{columns, with_column_names};
use super::copy::CopyRows;
use super::received::ReceivedAdvisory;
use super::same_time::SameTime;
use crate::model::{Advisory, Fingerprint};
use crate::store::origin::ChunkOrigin;

/// The part of a stored advisory that a merge needs.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about the stored record"
)]
pub(crate) struct StoredAdvisory {
    /// Of the feed's record; `None` if it is only known from JSON.
    pub byte_hash: Option<Vec<u8>>,
    pub content_hash: Option<Vec<u8>>,
    pub record_modified_at: Option<DateTime<Utc>>,
    /// Of record and details merged.
    pub modified_at: Option<DateTime<Utc>>,
    pub whole_hash: Vec<u8>,
    pub source_id: i32,
    pub source_configured: bool,
    /// Stored from a damaged record.
    pub is_repaired: bool,
    /// Fields that the feed has changed since it received the details.
    pub corrected: Vec<String>,
    pub version: i32,
    /// Only where a record with the same modification time and another content is compared
    /// with it.
    pub same_time: SameTime,
    /// Whether the record that is compared with it differs only because upstream's clocks were
    /// put forward or back.
    pub is_put_forward: bool,
    /// Whether the damaged record that is compared with it differs in more than the damage.
    pub differs_beyond_damage: bool,
}

impl StoredAdvisory {
    /// Whether the stored feed record has this content.
    pub(crate) fn says(&self, content_hash: &Fingerprint) -> bool {
        self.content_hash
            .as_ref()
            .is_some_and(|stored| stored == content_hash)
    }
}

impl StoredAdvisory {
    /// Whether the record changes the stored one without a new modification time: the same
    /// source corrects the same revision.
    pub(crate) fn is_corrected_by(
        &self,
        record: &ReceivedAdvisory,
        content_hash: &Fingerprint,
        origin: ChunkOrigin,
    ) -> bool {
        self.byte_hash.is_some()
            && self.source_id == origin.source_id
            && self.record_modified_at == record.advisory.modified_at
            && !self.says(content_hash)
            // What was damaged is no correction.
            && !self.is_repaired
            && (!record.advisory.is_repaired() || self.differs_beyond_damage)
    }
}

/// The details of an advisory, to be merged with records.
pub(crate) struct KnownDetail {
    pub byte_hash: Vec<u8>,
    pub advisory: Advisory,
    /// The stored feed record, if a record of the same source and revision replaces it.
    pub replaced_record: Option<Advisory>,
}

/// A version of an advisory, to be stored.
pub(crate) struct Version<'a> {
    /// Record and details merged.
    pub whole: Cow<'a, Advisory>,
    /// The feed's record, or the details if there is none.
    pub raw: &'a str,
    /// The feed's record; `None` if it is only known from JSON.
    pub record: Option<RecordPart>,
    /// The details.
    pub detail: Option<DetailPart>,
    pub source_id: i32,
    pub number: i32,
    /// Whether it only completes the revision of the previous version.
    pub completes: bool,
}

/// Columns of the feed's record besides its text.
#[derive(Clone, Copy)]
pub(crate) struct RecordPart {
    pub byte_hash: Fingerprint,
    pub content_hash: Fingerprint,
    pub modified_at: Option<DateTime<Utc>>,
}

/// Columns of the details.
#[derive(Clone)]
pub(crate) struct DetailPart {
    pub byte_hash: Vec<u8>,
    pub whole_hash: Fingerprint,
    /// Fields of the record that win over these details, see [`overlay`](crate::model::overlay).
    pub corrected: Vec<String>,
}

impl Version<'_> {
    fn row(&self, origin: ChunkOrigin) -> JsonRow<'_> {
        let ChunkOrigin { run_id, at, .. } = origin;
        let mut columns = columns(&self.whole);
        columns.extend(self.texts());
        columns.extend([
            ("run_id", Cell::Int8(Some(run_id))),
            ("version", Cell::Int4(Some(self.number))),
            ("first_seen_at", Cell::Timestamptz(Some(at))),
            ("changed_at", Cell::Timestamptz(Some(at))),
        ]);
        JsonRow(columns)
    }

    /// Key, raw texts, and the values that no column of its own holds: all that can differ
    /// where the content is the same.
    fn texts_row(&self) -> JsonRow<'_> {
        let said = ("said", Cell::Text(Some(&self.whole.said)));
        let mut row: Vec<Column<'_>> = columns(&self.whole);
        row.retain(|(name, _)| *name == "unrecognised");
        row.push(said);
        row.extend(self.texts());
        row.push(self.corrected());
        JsonRow(row)
    }

    /// A new advisory has none: its COPY leaves the column out.
    fn corrected(&self) -> Column<'_> {
        let detail = self.detail.as_ref();
        let fields = detail.map_or(&[][..], |part| &part.corrected[..]);
        ("corrected", Cell::TextArray(fields))
    }

    /// Columns of the raw texts: origin, fingerprints and times.
    fn texts(&self) -> [Column<'_>; 7] {
        let Self {
            whole: _,
            raw,
            record,
            detail,
            source_id,
            number: _,
            completes: _,
        } = self;
        let (record, detail) = (record.as_ref(), detail.as_ref());
        // The record's own time; the details may have a different one.
        let modified_at = detail.and(record).and_then(|part| part.modified_at);
        [
            ("raw", Cell::Text(Some(raw))),
            ("byte_hash", hash(record.map(|part| &part.byte_hash[..]))),
            (
                "content_hash",
                hash(record.map(|part| &part.content_hash[..])),
            ),
            ("record_modified_at", Cell::Timestamptz(modified_at)),
            ("detail_hash", hash(detail.map(|part| &part.byte_hash[..]))),
            ("whole_hash", hash(detail.map(|part| &part.whole_hash[..]))),
            ("source_id", Cell::Int4(Some(*source_id))),
        ]
    }
}

fn hash(hash: Option<&[u8]>) -> Cell<'_> {
    Cell::Bytea(hash.map(|hash| Bytes(Cow::Borrowed(hash))))
}

macro_rules! copy {
    (() $($name:literal)*) => {
        concat!(
            "copy advisory (said", $(", ", $name,)*
            ", raw, byte_hash, content_hash, record_modified_at, detail_hash, whole_hash, source_id, \
             run_id, version, first_seen_at, changed_at) from stdin (format binary)"
        )
    };
}
/// In the order of [`Version::row`].
const COPY: &str = with_column_names!(copy());

/// Inserts new advisories.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
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
        rows.put(version.row(origin))?;
    }
    let mut copy = connection.copy_in_raw(COPY).await?;
    rows.send(&mut copy).await?;
    copy.finish().await?;
    Ok(())
}

macro_rules! update {
    (($rows:ident) $($name:literal)*) => {
        sqlx::query!(
            "update advisory a
             set (raw, byte_hash, content_hash, record_modified_at, detail_hash, whole_hash, source_id, \
                  run_id, version, changed_at, corrected"
                $(+ ", " + $name)*
                + ") = (n.raw, n.byte_hash, n.content_hash, n.record_modified_at, n.detail_hash, n.whole_hash, n.source_id, \
                  n.run_id, n.version, greatest(n.changed_at, a.changed_at), nullif(n.corrected, '{}')"
                $(+ ", n." + $name)*
                + ")
             from jsonb_populate_recordset(null::advisory, $1) as n
             where a.said = n.said",
            Json($rows) as _
        )
    };
}

/// Replaces advisories with their next version.
pub(crate) async fn update(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    versions: &[Version<'_>],
) -> Result<(), sqlx::Error> {
    if versions.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<JsonRow<'_>> = versions.iter().map(|version| version.row(origin)).collect();
    for (row, version) in rows.iter_mut().zip(versions) {
        row.0.push(version.corrected());
    }
    with_column_names!(update(rows)).execute(connection).await?;
    Ok(())
}

/// Stores the newest record and details of advisories with unchanged content: no
/// new version, but no received data is lost.
pub(crate) async fn replace_record(
    connection: &mut PgConnection,
    versions: &[Version<'_>],
) -> Result<(), sqlx::Error> {
    if versions.is_empty() {
        return Ok(());
    }
    let rows: Vec<JsonRow<'_>> = versions.iter().map(Version::texts_row).collect();
    sqlx::query!(
        "update advisory a
         set raw = n.raw,
             byte_hash = n.byte_hash,
             content_hash = n.content_hash,
             record_modified_at = n.record_modified_at,
             detail_hash = n.detail_hash,
             whole_hash = n.whole_hash,
             unrecognised = n.unrecognised,
             source_id = n.source_id,
             corrected = nullif(n.corrected, '{}')
         from jsonb_populate_recordset(null::advisory, $1) as n
         where a.said = n.said",
        Json(rows) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use chrono::DateTime;

    use super::{COPY, Version};
    use crate::model::{DetailsMode, sample};
    use crate::store::origin::ChunkOrigin;

    #[test]
    fn a_row_has_the_columns_of_the_copy_in_their_order() {
        let version = Version {
            whole: Cow::Owned(sample::full()),
            raw: "",
            record: None,
            detail: None,
            source_id: 1,
            number: 1,
            completes: false,
        };
        let origin = ChunkOrigin {
            source_id: 1,
            run_id: 1,
            at: DateTime::UNIX_EPOCH,
            settled_before: None,
            is_live: true,
            details: DetailsMode::Auto,
        };
        let row = version.row(origin);
        let names: Vec<&str> = row.0.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        assert_eq!(
            COPY,
            format!("copy advisory ({names}) from stdin (format binary)")
        );
    }
}
