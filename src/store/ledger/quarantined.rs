//! Records in quarantine, for reading.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{QuarantineKind, SourceKey};

/// A record in a list of records.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct ListedQuarantine {
    /// Row in `quarantine`.
    pub id: i64,
    /// Its identifier, if one was found.
    pub key: Option<String>,
    /// Its source, as text.
    pub source: String,
    /// When it was first received.
    pub at: DateTime<Utc>,
    /// Why it could not be parsed.
    pub reason: String,
    /// Length of the raw text.
    pub bytes: i32,
}

/// A whole record.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Kept {
    /// Row in `quarantine`.
    pub id: i64,
    /// The run that first received it.
    pub run_id: i64,
    /// The run that last received it in these bytes.
    pub last_run_id: i64,
    /// Row in `source`.
    #[serde(skip)]
    pub source_id: i32,
    /// Its source.
    #[serde(skip)]
    pub source_key: SourceKey,
    /// Its source, as text.
    pub source: String,
    /// What is kept of it.
    #[serde(skip)]
    pub kind: QuarantineKind,
    /// When it was first received.
    pub at: DateTime<Utc>,
    /// Its identifier, if one was found.
    pub key: Option<String>,
    /// Why it could not be parsed.
    pub reason: String,
    /// Fingerprint of its bytes.
    #[serde(skip)]
    pub byte_hash: Vec<u8>,
    /// The raw record, in a form that a text column can store.
    pub raw: String,
}

/// All records, oldest first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<ListedQuarantine>, sqlx::Error> {
    sqlx::query_as!(
        ListedQuarantine,
        r#"select v.id as "id!", v.at as "at!", v.source as "source!", v.key, v.reason as "reason!",
                  octet_length(v.raw) as "bytes!"
           from advisoryd_v1.quarantine v
           order by v.id"#
    )
    .fetch_all(connection)
    .await
}

/// The format of a quarantined record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// An advisory of a feed, in XML.
    Record,
    /// An element of the JSON API's collection of advisories.
    Listed,
    /// Details of an advisory from the JSON API.
    Detail,
    /// A ticket.
    Ticket,
}

impl Kept {
    /// The format of the record. A record of a watch list is XML if its feed was read,
    /// and JSON if the JSON API was used instead.
    pub fn form(&self) -> RecordFormat {
        match self.source_key {
            SourceKey::Tickets => RecordFormat::Ticket,
            SourceKey::Details => RecordFormat::Detail,
            SourceKey::WatchList(_) | SourceKey::ExtraFeed(_) if self.kind.is_xml() => {
                RecordFormat::Record
            }
            SourceKey::WatchList(_) | SourceKey::ExtraFeed(_) | SourceKey::RevisionScan => {
                RecordFormat::Listed
            }
        }
    }
}

/// One record; locked until the transaction ends.
pub async fn get(connection: &mut PgConnection, id: i64) -> Result<Option<Kept>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select q.id, q.run_id, q.last_run_id, q.source_id, q.at, q.key, q.reason, q.byte_hash, q.raw,
                  q.kind as quarantine_kind,
                  source_in_words(s.kind, s.watch_list_id, s.extra_feed) as "source!",
                  s.kind, s.watch_list_id, s.extra_feed
           from quarantine q
           join source s on s.id = q.source_id
           where q.id = $1
           for update of q"#,
        id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Kept {
        id: row.id,
        run_id: row.run_id,
        last_run_id: row.last_run_id,
        source_id: row.source_id,
        source_key: SourceKey::of_columns(&row.kind, row.watch_list_id, row.extra_feed),
        source: row.source,
        kind: QuarantineKind::from_name(&row.quarantine_kind),
        at: row.at,
        key: row.key,
        reason: row.reason,
        byte_hash: row.byte_hash,
        raw: row.raw,
    }))
}
