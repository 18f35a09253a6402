//! What a rule says of a change today.

use crate::model::{Clause, Matcher, Rule, Subject, Verdict, words as of_rules};

/// What a clause requires, and the actual value.
pub(super) fn falsehood(rule: &Rule, subject: &Subject, clause: Clause) -> (String, String) {
    match Matcher::new(rule.clone()) {
        Ok(matcher) => of_rules::falsehood(&matcher, subject, clause),
        // A rule that was loaded before compiles.
        Err(_) => (
            of_rules::requirement(&rule.clauses, clause),
            of_rules::actual_value(&rule.clauses, subject, clause),
        ),
    }
}

/// The verdict today, if the former one is no longer stored.
pub(super) fn judge(rule: &Rule, subject: &Subject) -> Verdict {
    // A rule that was loaded before compiles.
    Matcher::new(rule.clone()).map_or(Verdict::NotAsked, |matcher| matcher.judge(subject))
}
