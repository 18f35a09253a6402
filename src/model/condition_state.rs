//! Condition state: when a health condition is reported and when it counts as resolved.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::fact::NAMESPACE;
use super::{Alert, Condition, Evidence};

/// Rule name of advisoryd's own alerts.
pub const OWN_RULE: &str = "advisoryd";

/// A condition that returns within this time after it was resolved is flapping.
const FLAPPING: TimeDelta = TimeDelta::hours(6);
/// A flapping condition is resolved only after this time without it.
const QUIET: TimeDelta = TimeDelta::hours(1);
/// A growing condition is reported again when its value has grown by this factor.
const GROWN: i64 = 2;

/// The result of one check of one condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The condition.
    pub condition: Condition,
    /// The affected source or sink.
    pub key: String,
    /// Whether the condition is active.
    pub evidence: Evidence,
    /// The value that was measured.
    pub value: i64,
    /// One sentence with the numbers and what to do.
    pub summary: String,
}

/// A condition as it was last reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionState {
    /// The condition.
    pub condition: Condition,
    /// The affected source or sink.
    pub key: String,
    /// How often it was reported as active.
    pub occurrence: i32,
    /// Whether it was last reported as active.
    pub is_raised: bool,
    /// When it last became active.
    pub since: DateTime<Utc>,
    /// Since when it is no longer found, while that is still watched.
    pub quiet_since: Option<DateTime<Utc>>,
    /// When it was last resolved.
    pub over_at: Option<DateTime<Utc>>,
    /// The value when it was last reported.
    pub value: i64,
    /// The sentence that was last reported.
    pub summary: String,
}

/// The result of [`decide`]: the new state, and whether to send an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The new state.
    pub state: ConditionState,
    /// Whether an alert is sent.
    pub is_notified: bool,
}

impl ConditionState {
    fn begun(finding: &Finding, former: Option<&Self>, now: DateTime<Utc>) -> Self {
        Self {
            condition: finding.condition,
            key: finding.key.clone(),
            occurrence: former.map_or(0, |former| former.occurrence) + 1,
            is_raised: true,
            since: now,
            quiet_since: None,
            over_at: former.and_then(|former| former.over_at),
            value: finding.value,
            summary: finding.summary.clone(),
        }
    }

    fn over(&self, finding: &Finding, now: DateTime<Utc>) -> Self {
        Self {
            is_raised: false,
            quiet_since: None,
            over_at: Some(now),
            value: finding.value,
            summary: finding.summary.clone(),
            ..self.clone()
        }
    }

    /// Whether it returned soon after it was resolved.
    fn is_flapping(&self) -> bool {
        self.over_at.is_some_and(|at| self.since - at < FLAPPING)
    }

    /// Whether it was found by the last check that could find it. One that flaps is not resolved
    /// at once, but it is no problem while nothing shows it.
    pub fn is_found(&self) -> bool {
        self.is_raised && self.quiet_since.is_none()
    }

    /// The alert for this state. Its id is derived, so that two daemons send one alert.
    pub fn alert(&self, now: DateTime<Utc>) -> Alert {
        let (what, edge) = (
            self.condition.name(),
            if self.is_raised { "begun" } else { "over" },
        );
        // No part can contain the separator.
        let name = format!(
            "{OWN_RULE}\n{}\n{}\n{what}\n{edge}",
            self.key, self.occurrence
        );
        Alert {
            id: Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string(),
            what: what.to_owned(),
            kind: OWN_RULE.to_owned(),
            key: self.key.clone(),
            version: self.occurrence,
            at: now,
            resolved: !self.is_raised,
            title: self.condition.title(self.is_raised).to_owned(),
            summary: self.summary.clone(),
            ..Alert::default()
        }
    }
}

/// Decides what a finding changes, if anything. A condition is reported when it
/// becomes active and when it is resolved. One that returns within six hours after
/// it was resolved counts as resolved only after an hour without it: a condition
/// that flaps faster is reported twice in total, however long it flaps.
pub fn decide(
    former: Option<&ConditionState>,
    finding: &Finding,
    now: DateTime<Utc>,
) -> Option<Transition> {
    let transition = |state, is_notified| Some(Transition { state, is_notified });
    let raised = former.filter(|former| former.is_raised);
    match (raised, finding.evidence) {
        (None, Evidence::For) => transition(ConditionState::begun(finding, former, now), true),
        (None, _) | (Some(_), Evidence::None) => None,
        (Some(raised), Evidence::Gone) => transition(raised.over(finding, now), true),
        (Some(raised), Evidence::For) if has_grown(raised, finding) => {
            let mut again = ConditionState::begun(finding, former, now);
            again.since = raised.since;
            transition(again, true)
        }
        (Some(raised), Evidence::For) => {
            raised.quiet_since?;
            let mut back = raised.clone();
            back.quiet_since = None;
            transition(back, false)
        }
        (Some(raised), Evidence::Against) if !raised.is_flapping() => {
            transition(raised.over(finding, now), true)
        }
        (Some(raised), Evidence::Against) => match raised.quiet_since {
            Some(since) if now - since >= QUIET => transition(raised.over(finding, now), true),
            Some(_) => None,
            None => {
                let mut quiet = raised.clone();
                quiet.quiet_since = Some(now);
                transition(quiet, false)
            }
        },
    }
}

/// The id of the heartbeat for a time of its schedule, so that two daemons send one.
pub fn heartbeat_id(scheduled_at: DateTime<Utc>) -> Uuid {
    let name = format!("{OWN_RULE}\nheartbeat\n{}", scheduled_at.timestamp());
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

fn has_grown(raised: &ConditionState, finding: &Finding) -> bool {
    finding.condition == Condition::QuarantineGrew
        && finding.value >= raised.value.max(1).saturating_mul(GROWN)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::super::{Condition, Evidence};
    use super::{ConditionState, Finding, decide};

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn found(condition: Condition, evidence: Evidence, value: i64) -> Finding {
        Finding {
            condition,
            key: "tickets".to_owned(),
            evidence,
            value,
            summary: format!("{value}"),
        }
    }

    /// The reports for a condition that is active (`value` > 0) or not at these minutes.
    fn reported(condition: Condition, samples: &[(i64, i64)]) -> Vec<(i64, i32, bool)> {
        let mut state: Option<ConditionState> = None;
        let mut reported = Vec::new();
        for (minute, value) in samples {
            let evidence = if *value > 0 {
                Evidence::For
            } else {
                Evidence::Against
            };
            let finding = found(condition, evidence, *value);
            let Some(step) = decide(state.as_ref(), &finding, at(*minute)) else {
                continue;
            };
            if step.is_notified {
                let now = &step.state;
                reported.push((*minute, now.occurrence, now.is_raised));
            }
            state = Some(step.state);
        }
        reported
    }

    #[test]
    fn a_condition_is_reported_once_when_it_begins_and_once_when_it_is_over() {
        let samples = [(0, 0), (1, 1), (2, 1), (3, 1), (4, 0), (5, 0)];
        assert_eq!(
            reported(Condition::DataStale, &samples),
            [(1, 1, true), (4, 1, false)]
        );
    }

    #[test]
    fn one_that_flaps_is_over_only_after_an_hour_of_quiet() {
        let mut samples: Vec<(i64, i64)> = (0..600).map(|n| (n, (n / 10) % 2)).collect();
        samples.extend((600..720).map(|n| (n, 0)));
        assert_eq!(
            reported(Condition::TokenRejected, &samples),
            [
                (10, 1, true),
                (20, 1, false),
                (30, 2, true),
                (660, 2, false)
            ]
        );
    }

    #[test]
    fn one_of_what_is_no_longer_configured_is_over_at_once_although_it_flaps() {
        let decided = [
            (0, Evidence::For),
            (1, Evidence::Against),
            (2, Evidence::For),
            (3, Evidence::Gone),
        ];
        let mut state: Option<ConditionState> = None;
        for (minute, evidence) in decided {
            let finding = found(Condition::SinkFailing, evidence, 1);
            let step = decide(state.as_ref(), &finding, at(minute));
            state = step.map(|step| step.state);
        }
        assert_eq!(
            state.map(|state| (state.is_raised, state.occurrence)),
            Some((false, 2))
        );
    }

    #[test]
    fn one_that_comes_back_after_a_day_is_reported_like_the_first_time() {
        let samples = [(0, 1), (10, 0), (1450, 1), (1460, 0)];
        assert_eq!(reported(Condition::SinkFailing, &samples).len(), 4);
    }

    #[test]
    fn a_quarantine_is_reported_again_when_it_has_doubled() {
        let samples: Vec<(i64, i64)> = (1..=9).map(|n| (n, n)).collect();
        let minutes: Vec<i64> = reported(Condition::QuarantineGrew, &samples)
            .into_iter()
            .map(|(minute, ..)| minute)
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8]);
        assert_eq!(reported(Condition::CoverageHole, &samples).len(), 1);
    }

    #[test]
    fn what_says_nothing_changes_nothing() {
        let begun = decide(
            None,
            &found(Condition::TokenRejected, Evidence::For, 1),
            at(0),
        )
        .map(|step| step.state);
        let none = found(Condition::TokenRejected, Evidence::None, 0);
        assert_eq!(decide(begun.as_ref(), &none, at(1)), None);
        assert_eq!(decide(None, &none, at(1)), None);
    }
}
