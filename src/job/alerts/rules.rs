//! The rules of the configuration and of the database.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::timing::Timing;
use crate::config::MuteTime;
use crate::job::context::Context;
use crate::model::{LinkTemplates, Matcher};
use crate::store::alerts::rule::Current;

/// The rules, and how they are evaluated.
pub struct RuleSet<'a> {
    /// From the configuration.
    pub matchers: &'a [Matcher],
    /// Sinks that keep alerts until they are resolved.
    pub resolving: BTreeSet<String>,
    /// Whether first loads create alerts too.
    pub backlog: bool,
    /// The links of alerts.
    pub links: LinkTemplates,
    /// When messages are held back.
    pub mute_times: &'a [MuteTime],
    /// Time zone of schedules.
    pub zone: Tz,
}

impl<'a> RuleSet<'a> {
    /// The rules of the configuration.
    pub fn of(context: &'a Context, backlog: bool) -> Self {
        let alerts = &context.config.alerts;
        Self {
            matchers: &alerts.rules,
            resolving: alerts.resolving_sinks().map(str::to_owned).collect(),
            backlog,
            links: context.config.upstream.links.clone(),
            mute_times: &alerts.mute_times,
            zone: context.config.schedule.timezone,
        }
    }

    /// When messages are sent, seen from `now`.
    pub(super) fn timing(&self, now: DateTime<Utc>) -> Timing<'_> {
        Timing {
            mute_times: self.mute_times,
            zone: self.zone,
            now,
        }
    }

    /// The matcher of a rule as stored in the database. All daemons that share the
    /// database use that definition, also one with an older configuration. `None` if
    /// only a newer version of advisoryd can read it.
    pub(crate) fn matcher(&self, current: &Current) -> Option<Cow<'a, Matcher>> {
        let definition = current.definition.as_ref()?;
        let ours = self.matchers.iter().find(|one| one.rule() == definition);
        match ours {
            Some(ours) => Some(Cow::Borrowed(ours)),
            None => Matcher::new(definition.clone()).ok().map(Cow::Owned),
        }
    }
}
