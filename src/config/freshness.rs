//! `[freshness]`: the age from which data is reported as stale.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::section::Section;
use super::tree::SettingNode;
use super::values::any_text;
use crate::config::advice::Advice;

/// With a shorter limit, one slow response would raise an alert.
const SHORTEST: Duration = Duration::from_mins(1);
/// Beyond this, use `off`.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// How old data may be before it is reported as stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allowed {
    /// Until two scheduled times and one hour have passed without a
    /// complete run: a single failure is repaired by the next run.
    #[default]
    BySchedule,
    /// At most this old.
    Age(Duration),
    /// No limit.
    Off,
}

/// `[freshness]`: the age from which data is reported as stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freshness {
    /// Watch lists and extra feeds. Default: by schedule.
    pub feeds: Allowed,
    /// Tickets. Default: by schedule.
    pub tickets: Allowed,
}

impl Freshness {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let freshness = Self {
            feeds: section.value("feeds", Allowed::default(), allowed(SHORTEST..=LONGEST)),
            tickets: section.value("tickets", Allowed::default(), allowed(SHORTEST..=LONGEST)),
        };
        section.close();
        freshness
    }
}

/// A duration such as `2h`, `auto` or `off`.
fn allowed(
    limits: RangeInclusive<Duration>,
) -> impl FnOnce(&SettingNode) -> Result<Allowed, Advice> {
    move |node| {
        let text = any_text(node).unwrap_or_default();
        match text.as_str() {
            "auto" => return Ok(Allowed::BySchedule),
            "off" => return Ok(Allowed::Off),
            _ => {}
        }
        match humantime::parse_duration(&text) {
            Ok(age) if limits.contains(&age) => Ok(Allowed::Age(age)),
            _ => Err(Advice::choice(
                "expected `auto`, `off` or a duration from `1m` to `366d`, such as `2h`",
            )),
        }
    }
}
