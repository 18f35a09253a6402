//! A batch of records to be stored in one transaction.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::{Fingerprint, QuarantineKind, plain_fingerprint};
use crate::source::xml::{self, ParserRules};
use crate::store::advisories::received::ReceivedAdvisory;
use crate::store::ledger::quarantine::QuarantineEntry;

/// Records in one transaction: enough to make its commit cheap, few enough to
/// keep it short.
const BATCH_RECORDS: usize = 500;
/// Bytes of records in one transaction; parsed they take several times as much
/// memory.
const BATCH_BYTES: usize = 1024 * 1024;
/// The raw text that is kept of a record that PostgreSQL refuses even in quarantine, in
/// bytes. Most errors are about a single value, which is far shorter.
const SHORTENED_BYTES: usize = 64 * 1024;

/// New records, to be stored in one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub received: Vec<ReceivedAdvisory>,
    pub unreadable: Vec<QuarantineEntry>,
    /// Elements that only name an advisory: quarantined unless that is stored.
    pub pointers: Vec<QuarantineEntry>,
    bytes: usize,
}

impl Batch {
    pub fn parse(&mut self, rules: &Arc<ParserRules>, record: &[u8], hash: Fingerprint) {
        self.bytes += record.len();
        match xml::read_records(rules, record) {
            Ok((advisory, within)) => {
                for other in within {
                    self.quarantine(within_record(&advisory.said, other));
                }
                self.received.push(ReceivedAdvisory {
                    advisory,
                    raw: xml::kept(record).into_owned(),
                    byte_hash: hash,
                });
            }
            Err(unreadable) if unreadable.is_pointer => {
                let pointers = quarantined(record, unreadable).into_iter();
                let known = |one: &QuarantineEntry| {
                    let mut pointers = self.pointers.iter();
                    pointers.any(|pointer| pointer.byte_hash == one.byte_hash)
                };
                let pointers: Vec<_> = pointers.filter(|one| !known(one)).collect();
                self.pointers.extend(pointers);
            }
            Err(unreadable) => {
                for one in quarantined(record, unreadable) {
                    self.quarantine(one);
                }
            }
        }
    }

    /// One statement cannot keep the same bytes twice.
    fn quarantine(&mut self, record: QuarantineEntry) {
        let mut known = self.unreadable.iter();
        if known.all(|known| known.byte_hash != record.byte_hash) {
            self.unreadable.push(record);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_full(&self) -> bool {
        self.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    fn len(&self) -> usize {
        self.received.len() + self.unreadable.len() + self.pointers.len()
    }

    /// What remains of a batch that PostgreSQL refused because of a value in it: its two
    /// halves; of a single record its quarantine row, with the reason. `None` if that was
    /// refused too.
    pub fn without_refused(self, refused: &str) -> Option<Vec<Self>> {
        if self.len() > 1 {
            return Some(self.halves());
        }
        let Self {
            mut received,
            mut unreadable,
            pointers,
            ..
        } = self;
        unreadable.extend(pointers);
        if let Some(record) = received.pop() {
            return Some(vec![Self::of(refused_record(&record, refused))]);
        }
        let record = unreadable.pop()?;
        (record.raw.len() > SHORTENED_BYTES).then(|| vec![Self::of(shortened(record, refused))])
    }

    fn of(unreadable: QuarantineEntry) -> Self {
        Self {
            unreadable: vec![unreadable],
            ..Self::default()
        }
    }

    /// The second half first, so that the first one is the next of a stack.
    fn halves(mut self) -> Vec<Self> {
        let half = self.len() / 2;
        let received = self.received.split_off(half.min(self.received.len()));
        let before = half.saturating_sub(self.received.len());
        let unreadable = self.unreadable.split_off(before.min(self.unreadable.len()));
        let before = half.saturating_sub(self.received.len() + self.unreadable.len());
        let pointers = self.pointers.split_off(before);
        let second = Self {
            received,
            unreadable,
            pointers,
            bytes: 0,
        };
        vec![second, self]
    }
}

/// The quarantine rows of a record that cannot be parsed: the whole record under its own
/// identifier, and the text around identifiers of other advisories that it contains.
fn quarantined(record: &[u8], unreadable: xml::UnreadableRecord) -> Vec<QuarantineEntry> {
    let xml::UnreadableRecord {
        key,
        reason,
        hints,
        others,
        is_beginning,
        is_pointer: _,
    } = unreadable;
    let kind = QuarantineKind::FeedRecord;
    let kind = if is_beginning { kind.beginning() } else { kind };
    let others = others.into_iter().map(|other| QuarantineEntry {
        kind: QuarantineKind::FeedRecord,
        byte_hash: plain_fingerprint(&[record, other.key.as_bytes()].concat()),
        key: Some(other.key),
        hints: Vec::new(),
        reason: reason.clone(),
        raw: xml::printable(other.raw.as_bytes()),
    });
    let others: Vec<QuarantineEntry> = others.collect();
    let own = QuarantineEntry {
        kind,
        key,
        hints,
        reason,
        byte_hash: plain_fingerprint(record),
        raw: xml::printable(record),
    };
    std::iter::once(own).chain(others).collect()
}

/// A whole record of another advisory within the record of `said`.
fn within_record(said: &str, other: xml::Other) -> QuarantineEntry {
    QuarantineEntry {
        kind: QuarantineKind::FeedRecord,
        key: Some(other.key),
        hints: Vec::new(),
        reason: format!("it is inside the record of {said}, where only references are expected"),
        byte_hash: plain_fingerprint(other.raw.as_bytes()),
        raw: xml::printable(other.raw.as_bytes()),
    }
}

/// A record that can be parsed, and that PostgreSQL refuses.
fn refused_record(record: &ReceivedAdvisory, refused: &str) -> QuarantineEntry {
    QuarantineEntry {
        kind: QuarantineKind::FeedRecord,
        key: Some(record.advisory.said.clone()),
        hints: Vec::new(),
        reason: refused.to_owned(),
        byte_hash: plain_fingerprint(record.raw.as_bytes()),
        raw: xml::printable(record.raw.as_bytes()),
    }
}

/// The beginning of a record that PostgreSQL refuses even as a text.
fn shortened(record: QuarantineEntry, refused: &str) -> QuarantineEntry {
    let end = record.raw.floor_char_boundary(SHORTENED_BYTES);
    QuarantineEntry {
        kind: record.kind.beginning(),
        reason: format!("{}; only its beginning is kept: {refused}", record.reason),
        raw: record.raw[..end].to_owned(),
        ..record
    }
}

/// A record whose modification time is earlier than that of the stored version of the same
/// source, with other content.
pub(super) fn taken_back(
    record: &ReceivedAdvisory,
    known: Option<DateTime<Utc>>,
) -> QuarantineEntry {
    let words = |at: Option<DateTime<Utc>>| {
        at.map_or_else(
            || "none".to_owned(),
            |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        )
    };
    QuarantineEntry {
        kind: QuarantineKind::FeedRecord,
        key: Some(record.advisory.said.clone()),
        hints: Vec::new(),
        reason: format!(
            "its modification time, {}, is earlier than that of the stored version, {}, and its content differs; it becomes the next version if the next complete run receives it again",
            words(record.advisory.modified_at),
            words(known)
        ),
        byte_hash: plain_fingerprint(record.raw.as_bytes()),
        raw: xml::printable(record.raw.as_bytes()),
    }
}

/// A record of a known advisory that says nothing of what the stored record says.
pub(super) fn blank(record: &ReceivedAdvisory) -> QuarantineEntry {
    QuarantineEntry {
        kind: QuarantineKind::FeedRecord,
        key: Some(record.advisory.said.clone()),
        hints: Vec::new(),
        reason: "it has only the identifier, title or dates of an advisory that was received completely before; the stored version is kept".to_owned(),
        byte_hash: plain_fingerprint(record.raw.as_bytes()),
        raw: xml::printable(record.raw.as_bytes()),
    }
}

/// A record that is quarantined although it can be parsed.
pub(super) fn conflicting_duplicate(record: &ReceivedAdvisory) -> QuarantineEntry {
    QuarantineEntry {
        kind: QuarantineKind::FeedRecord,
        key: Some(record.advisory.said.clone()),
        hints: Vec::new(),
        reason: "conflicting duplicate: the same document contains a different record of this advisory that is as new or newer; that one was stored".to_owned(),
        byte_hash: plain_fingerprint(record.raw.as_bytes()),
        raw: xml::printable(record.raw.as_bytes()),
    }
}
