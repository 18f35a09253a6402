//! What a rule says of a change today.

use crate::model::words::{self as of_rules, JudgedValue};
use crate::model::{Clause, Matcher, Rule, Subject, Verdict};

/// The values of a verdict that are not kept.
const MATCHED: &str = "a match at that time";

/// What a clause requires, and the actual value. `judged` is what is stored of the verdict.
pub(super) fn falsehood(
    rule: &Rule,
    subject: &Subject,
    (clause, judged): (Clause, Option<&JudgedValue>),
) -> (String, String) {
    let actual = judged.map(|judged| judged.actual.clone());
    if let Some(required) = judged.and_then(|judged| judged.required.clone()) {
        return (required, actual.unwrap_or_default());
    }
    let matcher = Matcher::new(rule.clone()).ok();
    let table = matcher.as_ref().map(|matcher| matcher.excluding(subject));
    // The table matched then.
    if let (Clause::Not, Some(None)) = (clause, table) {
        let required = of_rules::former_exclusion(&rule.not, actual.as_deref());
        return (required, actual.unwrap_or_else(|| MATCHED.to_owned()));
    }
    let (required, today) = today(matcher.as_ref(), rule, (subject, clause));
    (required, actual.unwrap_or(today))
}

fn today(
    matcher: Option<&Matcher>,
    rule: &Rule,
    (subject, clause): (&Subject, Clause),
) -> (String, String) {
    match matcher {
        Some(matcher) => of_rules::falsehood(matcher, subject, clause),
        // A rule that was loaded before compiles.
        None => (
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
