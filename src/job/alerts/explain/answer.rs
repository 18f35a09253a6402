//! The fixed set of explanations.

use crate::model::{Clause, PendingFetch, QuarantinedRecord};
use crate::store::alerts::outcome::AlertOutcome;

/// Why a rule did or did not create an alert for a change.
#[derive(Debug, Clone)]
pub enum RuleAnswer {
    /// It was in no followed source.
    NotFollowed,
    /// Nothing of it was received, or no followed source contains it: the reason, in
    /// words.
    NotStored(String),
    /// A record of it is in quarantine, and no later version has replaced it.
    Quarantined(QuarantinedRecord),
    /// Its details are in the fetch queue.
    Pending(PendingFetch),
    /// The event type is not in the `on` of the rule.
    NotAsked {
        /// The event type.
        what: &'static str,
    },
    /// A clause is false.
    ClauseFalse {
        /// The clause.
        clause: Clause,
        /// The required value, in words.
        required: String,
        /// The actual value, in words.
        actual: String,
    },
    /// A value is missing, and the rule skips such events.
    ValueMissing {
        /// The clause.
        clause: Clause,
        /// For a filter: its comparisons, in words.
        actual: Option<String>,
    },
    /// It was part of a first load.
    Baseline {
        /// The list.
        list: Option<i64>,
    },
    /// It matched, and an alert that was just raised reports the advisory.
    Reported,
    /// The rule did not exist at the time of the change.
    BeforeRule,
    /// It is not evaluated yet.
    NotEvaluated,
    /// It matched: the outcome of the alert.
    Raised(Vec<AlertOutcome>),
    /// It matched, but the alert is no longer stored.
    NoLongerKept,
}

impl RuleAnswer {
    /// Whether it does not say if the rule matches.
    pub(crate) fn is_without_verdict(&self) -> bool {
        matches!(
            self,
            Self::Baseline { .. } | Self::BeforeRule | Self::NotEvaluated
        )
    }
}
