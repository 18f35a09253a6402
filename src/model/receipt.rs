//! Receipt: what was received of one advisory or ticket besides its stored version:
//! records in quarantine, an entry in the fetch queue, or nothing at all.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::source_key::label_of;
use super::text::counted;

/// Sources that a sentence names; more would hide the rest.
const MOST_SOURCES: usize = 5;

/// What is known of one advisory or ticket besides its stored version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordReceipt {
    /// Whether a version of it is stored.
    pub is_stored: bool,
    /// Its records in quarantine that no later version has replaced, oldest first.
    pub quarantined: Vec<QuarantinedRecord>,
    /// Its entry in the fetch queue.
    pub pending: Option<PendingFetch>,
    /// When its details were received, if it is stored only because no followed list
    /// contains it.
    pub unlisted_at: Option<DateTime<Utc>>,
    /// The configured sources that would contain it.
    pub sources: Vec<SourceCoverage>,
}

/// A record in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantinedRecord {
    /// Row in `quarantine`.
    pub id: i64,
    /// When it was first received.
    pub at: DateTime<Utc>,
    /// Its source, as text.
    pub source: String,
    /// Its identifier, if one was found.
    pub key: Option<String>,
    /// Why it could not be parsed.
    pub reason: String,
}

/// An entry in the fetch queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingFetch {
    /// When it was enqueued.
    pub since: DateTime<Utc>,
    /// Not requested before this time.
    pub due_at: DateTime<Utc>,
    /// Failed attempts.
    pub attempts: i32,
    /// Error of the last failed attempt.
    pub last_error: Option<String>,
}

/// How far a source was read completely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceCoverage {
    /// The source, as text.
    pub source: String,
    /// End of the covered time, by upstream's clock; `None` if it was never read
    /// completely.
    pub complete_to: Option<DateTime<Utc>>,
}

impl RecordReceipt {
    /// One sentence for each thing that is known, without a final period. Empty if
    /// the stored version is all there is.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self
            .quarantined
            .iter()
            .map(QuarantinedRecord::sentence)
            .collect();
        sentences.extend(self.pending.as_ref().map(PendingFetch::sentence));
        if sentences.is_empty() && !self.is_stored {
            sentences.push(self.absence());
        }
        sentences
    }

    /// Why nothing is stored, if nothing of it waits either.
    fn absence(&self) -> String {
        match self.unlisted_at {
            Some(received) => format!(
                "received as JSON at {}, but in no followed watch list",
                time(received)
            ),
            None => format!("never received; {}", self.coverage()),
        }
    }

    fn coverage(&self) -> String {
        if self.sources.is_empty() {
            return "no configured source would contain it".to_owned();
        }
        let mut parts: Vec<String> = self
            .sources
            .iter()
            .take(MOST_SOURCES)
            .map(|one| match one.complete_to {
                Some(to) => format!("{} is complete to {}", one.source, time(to)),
                None => format!("{} was never read completely", one.source),
            })
            .collect();
        if self.sources.len() > MOST_SOURCES {
            parts.push(counted(self.sources.len() - MOST_SOURCES, "more source"));
        }
        parts.join(", ")
    }
}

impl QuarantinedRecord {
    /// For people, with the command that shows the raw text.
    pub fn sentence(&self) -> String {
        let Self {
            id,
            at,
            source,
            reason,
            ..
        } = self;
        let (at, source) = (time(*at), label_of(source));
        format!(
            "in quarantine since {at}: {reason} (from {source}; see `advisoryd quarantine show {id}`)"
        )
    }
}

impl PendingFetch {
    /// For people.
    pub fn sentence(&self) -> String {
        let due = time(self.due_at);
        match &self.last_error {
            Some(error) => format!(
                "queued to be fetched as JSON, not before {due}; attempt {} failed: {error}",
                self.attempts
            ),
            None => format!("queued to be fetched as JSON, not before {due}"),
        }
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{PendingFetch, RecordReceipt, SourceCoverage};

    #[test]
    fn an_absence_names_how_far_each_source_was_read() {
        let source = |number: u8, complete_to| SourceCoverage {
            source: format!("watch list {number}"),
            complete_to,
        };
        let mut receipt = RecordReceipt::default();
        assert_eq!(
            receipt.sentences(),
            ["never received; no configured source would contain it"]
        );
        receipt.sources = vec![source(4, Some(DateTime::UNIX_EPOCH)), source(5, None)];
        assert_eq!(
            receipt.sentences(),
            [
                "never received; watch list 4 is complete to 1970-01-01 00:00:00 UTC, watch list 5 was never read completely"
            ]
        );
        receipt.sources = (0..8).map(|number| source(number, None)).collect();
        assert!(
            receipt.sentences()[0]
                .ends_with("watch list 4 was never read completely, 3 more sources")
        );
    }

    #[test]
    fn what_waits_is_shown_instead_of_an_absence() {
        let pending = PendingFetch {
            since: DateTime::UNIX_EPOCH,
            due_at: DateTime::UNIX_EPOCH,
            attempts: 2,
            last_error: Some("status 500".to_owned()),
        };
        let receipt = RecordReceipt {
            pending: Some(pending),
            ..RecordReceipt::default()
        };
        assert_eq!(
            receipt.sentences(),
            [
                "queued to be fetched as JSON, not before 1970-01-01 00:00:00 UTC; attempt 2 failed: status 500"
            ]
        );
        let stored = RecordReceipt {
            is_stored: true,
            ..RecordReceipt::default()
        };
        assert!(stored.sentences().is_empty());
    }
}
