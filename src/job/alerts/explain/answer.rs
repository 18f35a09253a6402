//! The closed set of answers.

use crate::model::Clause;
use crate::store::alerts::outcome::AlertOutcome;

/// Every answer there is.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It was in no source that is followed.
    NotFollowed,
    /// The rule does not ask for changes of this kind.
    NotAsked {
        /// The kind.
        what: &'static str,
    },
    /// A clause does not hold.
    ClauseFalse {
        /// Which.
        clause: Clause,
        /// What it asks for.
        asked: String,
        /// What it was shown.
        shown: String,
    },
    /// A value is missing, and the rule says to skip then.
    ValueMissing {
        /// For which clause.
        clause: Clause,
    },
    /// It came with a first load.
    Baseline {
        /// Through this list.
        list: Option<i64>,
    },
    /// It happened while the rule was not there.
    BeforeRule,
    /// The daemon has not looked at it yet.
    NotEvaluated,
    /// It matched: what became of the alert.
    Raised(Vec<AlertOutcome>),
    /// It matched, and its alert is no longer kept.
    NoLongerKept,
}
