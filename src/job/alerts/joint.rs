//! What happened at once: what a rule makes of it. The daemon and the dry run ask the same
//! function.

use super::arrivals::Arrivals;
use crate::model::{Matcher, Subject, Verdict, joint, words as of_rules};
use crate::store::alerts::evaluation::ChangeVerdicts;
use crate::store::alerts::raised::Raised;

/// What a rule makes of what happened to an advisory or ticket at once.
#[derive(Debug, Default)]
pub(super) struct JudgedEvent {
    /// The verdicts, with the places of their changes in the event.
    pub(super) verdicts: Vec<(usize, Verdict)>,
    /// The alerts in the order in which they are created, with the places of their changes.
    /// Silenced ones are among them.
    pub(super) raised: Vec<(usize, Raised)>,
}

/// Judges what happened at once: one version, one alert. `judge` gives the verdict of a change,
/// `None` if the rule does not see it; `raise` makes the alert for a verdict. `arrivals` are the
/// alerts that reported the advisory before.
pub(super) fn judge_event(
    (matcher, event): (&Matcher, &[Subject]),
    arrivals: &mut Arrivals,
    judge: impl Fn(&Subject) -> Option<Verdict>,
    mut raise: impl FnMut(&Subject, Verdict) -> Option<Raised>,
) -> JudgedEvent {
    let mut judged = JudgedEvent::default();
    let (mut sent, mut alone) = (Vec::new(), Vec::new());
    for (place, subject) in event.iter().enumerate() {
        let Some(verdict) = judge(subject) else {
            continue;
        };
        let verdict = arrivals.settle(verdict, matcher, subject);
        judged.verdicts.push((place, verdict));
        let Some(raised) = raise(subject, verdict) else {
            continue;
        };
        if !raised.silences.is_empty() {
            arrivals.forget(&raised);
        }
        // What is silenced, or goes only to sinks that keep alerts, is an alert of its own.
        let goes_to_all = raised.sinks == matcher.rule().sinks;
        if verdict == Verdict::Matched && raised.silences.is_empty() && goes_to_all {
            sent.push((place, raised));
        } else {
            alone.push((place, raised));
        }
    }
    // Any other alert reopens what the withdrawal has resolved.
    if !sent.is_empty() {
        alone.retain(|(place, raised)| {
            let is_selected =
                |(at, verdict): &(usize, Verdict)| at == place && *verdict == Verdict::Matched;
            raised.alert.resolved || judged.verdicts.iter().any(is_selected)
        });
    }
    let (mut raised, reported) = join(event, sent);
    raised.extend(alone);
    // What resolves an object ends it: nothing about the same version comes after it.
    raised.sort_by_key(|(_, one)| one.alert.resolved);
    judged.raised = raised;
    for (place, verdict) in &mut judged.verdicts {
        if reported.contains(place) {
            *verdict = Verdict::Reported;
        }
    }
    judged
}

/// The alerts that are left after one of them reports what others would have, and the places of
/// the others.
fn join(event: &[Subject], matched: Vec<(usize, Raised)>) -> (Vec<(usize, Raised)>, Vec<usize>) {
    let kind = |(place, _): &(usize, Raised)| event.get(*place).map(|subject| subject.what);
    let whats: Vec<_> = matched.iter().filter_map(kind).collect();
    let Some(places) = joint(&whats) else {
        return (matched, Vec::new());
    };
    let mut matched: Vec<Option<(usize, Raised)>> = matched.into_iter().map(Some).collect();
    let mut joined = places
        .into_iter()
        .filter_map(|place| matched.get_mut(place).and_then(Option::take));
    let first = joined.next();
    let (reported, others): (Vec<usize>, Vec<Raised>) = joined.unzip();
    let first = first.map(|(place, mut first)| {
        first.alert.report(others.into_iter().map(|one| one.alert));
        (place, first)
    });
    (
        matched.into_iter().flatten().chain(first).collect(),
        reported,
    )
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
