//! When messages are sent: at once, after `group`, at the times of `digest`, and not within
//! `mute_times`.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::config::{CronExpression, MuteTime, end_of_mute};
use crate::model::Rule;
use crate::store::alerts::held::PendingMessage;
use crate::store::alerts::raised::Raised;

/// The mute times of the configuration, at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Timing<'a> {
    pub(crate) mute_times: &'a [MuteTime],
    /// Time zone of schedules.
    pub(crate) zone: Tz,
    pub(crate) now: DateTime<Utc>,
}

impl Timing<'_> {
    /// Lets an alert wait for the digest of its rule and the end of a mute time.
    pub(crate) fn delay(&self, rule: &Rule, raised: &mut Raised) {
        let (at, held_by) = self.sent_at(rule);
        raised.held_by = held_by;
        raised.group = at - self.now;
    }

    /// When an alert of a rule that is raised now is sent, and the digest or the mute times
    /// that decide that.
    pub(crate) fn sent_at(&self, rule: &Rule) -> (DateTime<Utc>, Option<String>) {
        self.held(rule, self.now + group_of(rule))
    }

    /// The same for a message that is not due yet.
    pub(super) fn due_again(
        &self,
        rule: &Rule,
        message: &PendingMessage,
    ) -> (DateTime<Utc>, Option<String>) {
        let planned = if message.is_held {
            (message.opened_at + group_of(rule)).max(self.now)
        } else {
            message.closes_at
        };
        self.held(rule, planned)
    }

    /// When what is due at `due` is sent.
    fn held(&self, rule: &Rule, due: DateTime<Utc>) -> (DateTime<Utc>, Option<String>) {
        let digest = rule.digest.as_deref();
        let digest = digest.and_then(|text| CronExpression::parse(text).ok());
        let scheduled = digest.and_then(|schedule| schedule.next_once_after(self.now, self.zone));
        let planned = scheduled.unwrap_or(due);
        let mutes = self.mute_times.iter();
        let mutes: Vec<&MuteTime> = mutes
            .filter(|mute| rule.mute_times.contains(&mute.name))
            .collect();
        let at = end_of_mute(&mutes, planned, self.zone);
        let digest = scheduled.and(rule.digest.as_deref());
        let mut held_by: Vec<String> = digest
            .map(|digest| format!("digest `{digest}`"))
            .into_iter()
            .collect();
        let last = at - TimeDelta::seconds(1);
        held_by.extend(
            mutes
                .iter()
                .filter(|mute| {
                    at > planned
                        && [planned, last]
                            .iter()
                            .any(|at| mute.contains(*at, self.zone))
                })
                .map(|mute| format!("mute time `{}`", mute.name)),
        );
        (at, (!held_by.is_empty()).then(|| held_by.join(", ")))
    }
}

fn group_of(rule: &Rule) -> TimeDelta {
    TimeDelta::seconds(i64::try_from(rule.group_seconds).unwrap_or(0))
}
