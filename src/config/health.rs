//! `[alerts.health]` and `[alerts.heartbeat]`: self-monitoring and the dead man's switch.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cron::{CronExpression, expression};
use super::section::Section;
use super::setting_error::{close_to, quoted};
use super::values::{boolean, duration, text, texts};

/// A restart of the database takes as long.
const SHORTEST: Duration = Duration::from_secs(1);
/// After a day, nobody would call it an outage of today.
const LONGEST: Duration = Duration::from_hours(24);

/// `[alerts.health]`: who is notified of problems of advisoryd itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthSettings {
    /// Whether notifications are sent; problems are recorded in any case. Default: `true`.
    pub enabled: bool,
    /// Names of sinks. Default: all sinks.
    pub sinks: Vec<String>,
    /// The sink that is notified while the database is unavailable. Default: none.
    pub fallback: Option<String>,
    /// How long the database must be unavailable before. Default: 1 min.
    pub fallback_after: Duration,
}

/// `[alerts.heartbeat]`: periodic messages, so that their absence raises an alarm at the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// When a heartbeat is sent.
    pub schedule: CronExpression,
    /// Names of sinks. Default: all sinks.
    pub sinks: Vec<String>,
}

impl HealthSettings {
    pub(super) fn read(mut section: Section<'_>, known: &BTreeSet<String>) -> Self {
        let health = Self {
            enabled: section.value("enabled", true, boolean),
            sinks: sinks(&mut section, known),
            fallback: section.optional("fallback", text),
            fallback_after: section.value(
                "fallback_after",
                Duration::from_mins(1),
                duration(SHORTEST..=LONGEST),
            ),
        };
        if let Some(name) = health
            .fallback
            .as_ref()
            .filter(|name| !known.contains(*name))
        {
            section.wrong("fallback", name, &advice(name, known));
        }
        section.close();
        health
    }
}

impl Heartbeat {
    /// `None` without a schedule: the heartbeat is off.
    pub(super) fn read(mut section: Section<'_>, known: &BTreeSet<String>) -> Option<Self> {
        let has_schedule = section.has("schedule");
        let has_sinks = section.has("sinks");
        let schedule = section.optional("schedule", expression);
        let sinks = sinks(&mut section, known);
        if has_sinks && !has_schedule {
            let advice = "add one, such as `schedule = \"0 0 8 * * *\"`";
            section.missing("schedule", advice);
        } else if has_schedule && sinks.is_empty() {
            let advice = "add one under [[alerts.sinks]]; a heartbeat needs a receiver";
            section.missing("sinks", advice);
        }
        section.close();
        Some(Self {
            schedule: schedule?,
            sinks,
        })
    }
}

/// The named sinks, without duplicates; if omitted, all sinks.
fn sinks(section: &mut Section<'_>, known: &BTreeSet<String>) -> Vec<String> {
    let Some(named) = section.optional("sinks", texts) else {
        return known.iter().cloned().collect();
    };
    for name in named.iter().filter(|name| !known.contains(*name)) {
        section.wrong("sinks", name, &advice(name, known));
    }
    let named: BTreeSet<String> = named.into_iter().collect();
    named.into_iter().collect()
}

/// What an unknown sink name was expected to be.
pub(super) fn advice(name: &str, known: &BTreeSet<String>) -> String {
    match close_to(name, known.iter().map(String::as_str)) {
        Some(close) => format!("unknown sink; did you mean `{}`?", quoted(close)),
        None if known.is_empty() => "unknown sink; add it under [[alerts.sinks]]".to_owned(),
        None => {
            let known: Vec<String> = known.iter().map(|name| quoted(name)).collect();
            format!("unknown sink; expected one of {}", known.join(", "))
        }
    }
}
