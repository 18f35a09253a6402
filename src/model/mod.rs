//! What things are: no I/O, no format, no table, no clock.

mod advisory;
mod change_kind;
mod condition;
mod date_filter;
mod delivery;
mod detail;
mod fact;
mod glob;
mod listing;
mod matcher;
mod message;
mod overlay;
mod record_kind;
mod rule;
mod run;
mod severity;
mod silence;
mod source_key;
mod standing;
mod subject;
mod sum;
mod ticket;
mod time;
mod verdict;
mod window;
pub mod words;

pub use advisory::{Advisory, AttackVector, Cvss, Product, Reference};
pub use change_kind::ChangeKind;
pub use condition::{Condition, Evidence, RunFailure};
pub use date_filter::DateFilter;
pub use delivery::{AlertState, DeliveryState, Ending};
pub use detail::{Detail, Details, Forecast, ServedBy, forecast};
pub use fact::{alert_id, alert_of, test_id};
pub use glob::Globs;
pub use listing::{ListChange, ListedList, compare, lost};
pub use matcher::Matcher;
pub use message::{Alert, MESSAGE_VERSION, Message, Purpose};
pub use overlay::overlay;
pub use record_kind::RecordKind;
pub use rule::{Clause, Clauses, Missing, Rule};
pub use run::{Mode, Outcome, Tally};
pub use severity::Severity;
pub use silence::Silence;
pub use source_key::SourceKey;
pub use standing::{Finding, Standing, Step, decide, heartbeat_id};
pub use subject::{AdvisorySubject, Subject, TicketSubject};
pub use sum::FingerprintSum;
pub use ticket::{Named, Ticket};
pub use time::parse_time;
pub use verdict::Verdict;
pub use window::{CoverageGap, FeedWindow, feed_days, missing_from};

/// What the program's own alerts are filed under.
pub const OWN_RULE: &str = "advisoryd";

/// A 128-bit fingerprint, as stored in `bytea` columns (16 bytes, big endian).
pub type Fingerprint = [u8; 16];

/// Salts every fingerprint. Raise it whenever the mapping from upstream's bytes
/// to the model changes: every record is then read again by itself.
pub const PARSER_VERSION: u64 = 1;

/// Fingerprint of bytes as upstream sent them.
pub fn fingerprint(bytes: &[u8]) -> Fingerprint {
    salted_fingerprint(bytes, 0)
}

/// Fingerprint of bytes whatever version reads them, for what was not understood.
pub fn plain_fingerprint(bytes: &[u8]) -> Fingerprint {
    xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes()
}

/// Fingerprint of bytes whose reading depends on more than the parser: another
/// `salt` makes other fingerprints of all of them.
pub fn salted_fingerprint(bytes: &[u8], salt: u64) -> Fingerprint {
    xxhash_rust::xxh3::xxh3_128_with_seed(bytes, PARSER_VERSION.wrapping_add(salt)).to_be_bytes()
}
