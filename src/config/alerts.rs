//! `[alerts]`: sinks, rules, health messages and the heartbeat.

use chrono_tz::Tz;

use super::environment::Environment;
use super::health::{HealthSettings, Heartbeat};
use super::mute::{MuteTime, mute_times};
use super::rules::rules;
use super::section::Section;
use super::sinks::{SinkKind, SinkSettings, sinks};
use crate::model::Matcher;

/// `[alerts]`: which alerts are sent, and to which sinks.
#[derive(Debug, Clone, Default)]
pub struct AlertSettings {
    /// `[[alerts.sinks]]`, with unique names.
    pub sinks: Vec<SinkSettings>,
    /// `[[alerts.rules]]`, compiled, with unique names.
    pub rules: Vec<Matcher>,
    /// `[[alerts.mute_times]]`, with unique names.
    pub mute_times: Vec<MuteTime>,
    /// `[alerts.health]`
    pub health: HealthSettings,
    /// `[alerts.heartbeat]`; `None` = off.
    pub heartbeat: Option<Heartbeat>,
}

impl AlertSettings {
    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        let (sinks, names) = sinks(&mut section, env);
        let mute_times = mute_times(&mut section);
        let rules = rules(&mut section, &names, &mute_times);
        let health = HealthSettings::read(section.section("health"), &names);
        let heartbeat = Heartbeat::read(section.section("heartbeat"), &names);
        section.close();
        Self {
            sinks,
            rules,
            mute_times,
            health,
            heartbeat,
        }
    }

    /// What rules take from other sections: the time zone of days and times in filters, and
    /// which tickets are closed.
    pub(super) fn with(mut self, zone: Tz, closed_statuses: &[String]) -> Self {
        let rules = self.rules.into_iter();
        let rules = rules.map(|rule| rule.in_zone(zone).without_closed(closed_statuses));
        self.rules = rules.collect();
        self
    }

    /// Names of the sinks that keep an alert active until they are notified that it is resolved.
    pub fn resolving_sinks(&self) -> impl Iterator<Item = &str> {
        self.sinks
            .iter()
            .filter(|sink| match &sink.kind {
                SinkKind::Alertmanager(_) => true,
                SinkKind::Hook(hook) => hook.resolve.is_some(),
                _ => false,
            })
            .map(|sink| sink.name.as_str())
    }
}
