//! The values whose lack lets a rule match: what is unknown counts as a match, unless the
//! rule has `missing = "skip"`.

use super::{Conditions, Matcher, Truth};
use crate::model::filter::unknown_fields;
use crate::model::{Clause, Subject, Verdict};

impl Matcher {
    /// The clauses and fields that are unknown for a subject that the rule matches: known, they
    /// might not match. Empty if it matches whatever they are, or does not match.
    pub fn unknown_values(&self, subject: &Subject) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.clauses(subject) != Verdict::Matched {
            return names;
        }
        let excluding = self.not.iter();
        let excluding =
            excluding.filter(|conditions| conditions.together(subject) == Truth::Unknown);
        for conditions in std::iter::once(&self.all).chain(excluding) {
            let unknown = conditions
                .each(subject)
                .filter(|(_, truth)| *truth == Truth::Unknown);
            for (clause, _) in unknown {
                names.extend(conditions.unknown_of(clause, subject));
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Conditions {
    /// The values that a clause lacks.
    fn unknown_of(&self, clause: Clause, subject: &Subject) -> Vec<&'static str> {
        match (clause, &self.filter) {
            (Clause::Where, Some(filter)) => unknown_fields(filter, subject),
            _ => vec![clause.name()],
        }
    }
}
