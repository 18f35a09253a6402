//! Data types and their rules: no I/O, no formats, no tables, no clock.

mod acknowledgement_state;
mod advisory;
mod alert_details;
mod appearance;
mod budget;
mod chain;
mod change;
mod change_kind;
mod changed_field;
mod composed;
mod condition;
mod condition_state;
mod date_filter;
mod delivery;
mod detail;
mod documented;
mod enrichment;
mod fact;
pub mod filter;
mod fingerprint;
mod glob;
mod holder;
mod joint;
mod link;
mod listing;
mod matcher;
mod message;
mod mirror;
mod outage;
mod outgoing;
mod overdue;
mod overlay;
mod quarantine_kind;
mod receipt;
mod record_kind;
mod redaction;
mod remote_object;
mod replaced;
mod rule;
mod run;
#[cfg(test)]
pub(crate) mod sample;
mod secret_parts;
mod severity;
mod silence;
mod source_key;
mod source_line;
mod spelled;
mod subject;
mod sum;
mod text;
mod text_view;
mod ticket;
mod time;
mod unescape;
mod verdict;
mod window;
pub(crate) mod words;

pub use acknowledgement_state::AcknowledgementState;
pub use advisory::{Advisory, AttackVector, Cvss, Product, Reference};
pub use alert_details::{AlertDetails, TicketDetails};
pub use budget::{
    BudgetAnswer, BudgetKind, BudgetRequest, BudgetState, MAX_LATE, MAX_PAUSE, Reserved, burst,
    interval, max_burst, reserve,
};
pub use chain::chain;
pub use change::{AdvisoryContent, TicketStatement, advisory_facts, ticket_facts};
pub use change_kind::ChangeKind;
pub use changed_field::ChangedField;
pub use composed::{composed, is_composed};
pub use condition::{Condition, Evidence, RunFailure};
pub use condition_state::{ConditionState, Finding, OWN_RULE, Transition, decide, heartbeat_id};
pub use date_filter::DateFilter;
pub use delivery::{AlertState, DeliveryState, Ending, FailureReason, PassedOverReason};
pub use detail::{Detail, DetailsMode, Forecast, IngestedVia, forecast};
pub use documented::is_documented;
pub use enrichment::{Catalogue, CveNumber, EpssScores, KevCatalogue, KevEntry};
pub use fact::{alert_id, alert_of, test_id};
pub use fingerprint::{
    Fingerprint, PARSER_VERSION, PlainFingerprint, fingerprint, plain_fingerprint,
    salted_fingerprint,
};
pub use glob::{Globs, LikePattern};
pub use holder::LeaseHolder;
pub use joint::joint;
pub use link::{LinkTemplate, LinkTemplates};
pub use listing::{ListChange, ListedList, compare, lost};
pub use matcher::Matcher;
pub use message::{Alert, MESSAGE_VERSION, Message, MessagePurpose};
pub use mirror::{ListItem, MirrorKey, MirrorKind, PendingApproval};
pub use outage::Outage;
pub use outgoing::{
    MAX_OUTGOING_CHARS, contains_secret, keep_login, keep_secret, keep_token, outgoing,
    outgoing_beginning, outgoing_page, outgoing_within, without_secrets,
};
pub use overdue::{ClockClauses, ClockKind, Overdue};
pub use overlay::{corrected_fields, differing_fields, is_same_revision, overlay};
pub use quarantine_kind::QuarantineKind;
pub use receipt::{PendingFetch, QuarantinedRecord, RecordReceipt, SourceCoverage};
pub use record_kind::RecordKind;
pub use redaction::Redaction;
pub use remote_object::{DeliveryOrder, RemoteObject, object_id};
pub use replaced::replace_decoded;
pub use rule::{Clause, Clauses, Missing, Rule, WorkState};
pub use run::{Mode, Outcome, Tally};
pub use severity::Severity;
pub use silence::{KnownNames, Silence, StoredPatterns, StoredTexts};
pub use source_key::{SourceKey, label_of};
pub use subject::{AdvisorySubject, SAME_EVENT, Subject, TicketSubject};
pub use sum::FingerprintSum;
pub use text::{beginning, counted, is_unsafe, legible, one_line, shortened, visible};
pub use ticket::{Named, Ticket};
pub use time::{
    is_implausible, is_later, is_local_time, moment_in, parse_local_time, parse_month, parse_time,
    parse_year,
};
pub use verdict::Verdict;
pub use window::{
    CoverageGap, FeedWindow, MAX_COVERAGE_AHEAD, feed_days, is_in_future, missing_from,
};
