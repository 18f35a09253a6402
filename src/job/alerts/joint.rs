//! What happened at once: alerts about one version, joined, and the verdicts of its changes.

use crate::model::{Matcher, Subject, Verdict, joint, words as of_rules};
use crate::store::alerts::evaluation::ChangeVerdicts;
use crate::store::alerts::raised::Raised;

/// The alerts of a rule about what happened at once, by their places in the event: those that
/// are left after one of them reports what others would have, and the places of the others.
pub(super) fn join(event: &[Subject], matched: Vec<(usize, Raised)>) -> (Vec<Raised>, Vec<usize>) {
    let kind = |(place, _): &(usize, Raised)| event.get(*place).map(|subject| subject.what);
    let whats: Vec<_> = matched.iter().filter_map(kind).collect();
    let Some(places) = joint(&whats) else {
        return (
            matched.into_iter().map(|(_, raised)| raised).collect(),
            Vec::new(),
        );
    };
    let mut matched: Vec<Option<(usize, Raised)>> = matched.into_iter().map(Some).collect();
    let mut joined = places
        .into_iter()
        .filter_map(|place| matched.get_mut(place).and_then(Option::take));
    let first = joined.next();
    let (reported, others): (Vec<usize>, Vec<Raised>) = joined.unzip();
    let first = first.map(|(_, mut first)| {
        first.alert.report(others.into_iter().map(|one| one.alert));
        first
    });
    let rest = matched.into_iter().flatten().map(|(_, raised)| raised);
    (rest.chain(first).collect(), reported)
}

/// No verdict yet.
pub(super) fn found_nothing(subject: &Subject) -> ChangeVerdicts {
    ChangeVerdicts {
        seq: subject.seq.unwrap_or_default(),
        verdicts: Vec::new(),
        actual: Vec::new(),
    }
}

/// Adds the verdict of a rule, and the value that it was made with.
pub(super) fn add_verdict(
    found: &mut ChangeVerdicts,
    (rule, matcher): (i32, &Matcher),
    subject: &Subject,
    verdict: Verdict,
) {
    if verdict != Verdict::NotAsked {
        found.verdicts.push((rule, verdict));
        let value = of_rules::judged_value(matcher, subject, verdict);
        found.actual.extend(value.map(|value| (rule, value)));
    }
}
