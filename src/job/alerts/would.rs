//! Whether a rule would create an alert, whatever the baseline says: one of a fixed set of
//! sentences.

use chrono::{DateTime, Utc};

use crate::model::{Clause, Matcher, Rule, Subject, Verdict, words as of_rules};

/// Why a rule that is evaluated by the clock sends nothing for what is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// It was overdue before the rule existed.
    Baseline,
    /// Its alert was sent.
    Sent,
}

impl Quiet {
    fn sentence(self) -> &'static str {
        match self {
            Self::Baseline => {
                "; baseline: it was already overdue when the rule was added or changed, or when it arrived with a first load; no alert is sent"
            }
            Self::Sent => "; the alert of this period was created",
        }
    }
}

/// Whether a rule would create an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum WouldAlert {
    /// It would.
    Match,
    /// It would, because something has not happened since then.
    MatchByClock {
        /// The clause about time, as configured.
        clause: String,
        /// Beginning of the period.
        since: DateTime<Utc>,
        /// Why it sends nothing for it now.
        quiet: Option<Quiet>,
    },
    /// Its clauses match; it waits for one of these events.
    MatchAt {
        /// The events.
        on: Vec<&'static str>,
    },
    /// It is evaluated by the clock, and nothing is overdue.
    NotDue {
        /// The clauses about time, as configured.
        clauses: String,
        /// When that will be, or why it will not, in words.
        why: String,
    },
    /// The event type is not in the `on` of the rule.
    NotAsked {
        /// The event type.
        what: &'static str,
    },
    /// It is in no followed source.
    NotFollowed,
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
    },
}

impl WouldAlert {
    /// For a change; `None` if the rule does not compile.
    pub fn of_rule(rule: &Rule, subject: &Subject) -> Option<Self> {
        let matcher = Matcher::new(rule.clone()).ok()?;
        Some(Self::of(&matcher, subject))
    }

    /// For a change.
    pub fn of(matcher: &Matcher, subject: &Subject) -> Self {
        if matcher.rule().sees(subject).is_none() {
            let what = subject.what.name();
            return Self::NotAsked { what };
        }
        Self::of_clauses(matcher, subject)
    }

    /// By its clauses alone, for any kind of change.
    pub fn of_clauses(matcher: &Matcher, subject: &Subject) -> Self {
        match matcher.clauses(subject) {
            Verdict::False(clause) => {
                let (required, actual) = of_rules::falsehood(matcher, subject, clause);
                Self::ClauseFalse {
                    clause,
                    required,
                    actual,
                }
            }
            Verdict::Missing(clause) => Self::ValueMissing { clause },
            _ if !subject.is_followed => Self::NotFollowed,
            _ => Self::Match,
        }
    }

    /// Whether it would.
    pub fn is_match(&self) -> bool {
        matches!(self, Self::Match | Self::MatchByClock { .. })
    }

    /// As a sentence without its subject, the rule.
    pub fn sentence(&self) -> String {
        match self {
            Self::Match => "would match".to_owned(),
            Self::MatchByClock {
                clause,
                since,
                quiet,
            } => format!(
                "would match: {clause} has elapsed (started at {}){}",
                at(*since),
                quiet.map_or("", Quiet::sentence)
            ),
            Self::MatchAt { on } => format!(
                "would match one of these events, none of which occurred here: {}",
                on.join(", ")
            ),
            Self::NotDue { clauses, why } => {
                format!("would not match now: {clauses} {why}")
            }
            Self::NotAsked { what } => {
                format!("would not match: event type `{what}` is not in `on`")
            }
            Self::NotFollowed => "would not match: not in a followed list".to_owned(),
            Self::ClauseFalse {
                clause,
                required,
                actual,
            } => {
                let clause = clause.name();
                format!("would not match: `{clause}` requires {required}, got {actual}")
            }
            Self::ValueMissing { clause } => format!(
                "would not match: no value for `{}`, and the rule has missing = \"skip\"",
                clause.name()
            ),
        }
    }
}

fn at(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
