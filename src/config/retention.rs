//! `[retention]`: how long old versions, raw data, runs and alerts are kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::section::Section;
use super::tree::SettingNode;
use super::values::any_text;
use crate::config::advice::Advice;

const DAY: Duration = Duration::from_hours(24);
/// A shorter time would delete data that somebody is still looking at.
const SHORTEST: Duration = DAY;
/// The limits of the last day are counted from the runs of the last 36 hours.
const SHORTEST_RUNS: Duration = Duration::from_hours(48);
/// Beyond this, use `forever`.
const LONGEST: Duration = Duration::from_hours(24 * 36_500);

/// `[retention]`: how long data that is no longer current is kept; `None` = forever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Superseded versions. Default: forever.
    pub versions: Option<Duration>,
    /// Raw data of superseded versions. Default: forever.
    pub raw: Option<Duration>,
    /// Run log. Default: 365 days.
    pub runs: Option<Duration>,
    /// Quarantined records that upstream no longer sends. Default: forever.
    pub quarantine: Option<Duration>,
    /// Texts of tickets that were deleted upstream. Default: forever.
    pub gone_tickets: Option<Duration>,
    /// Results of rule evaluations. Default: 90 days.
    pub evaluations: Option<Duration>,
    /// Alerts that are not pending, with their deliveries. Default: 365 days.
    pub alerts: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            versions: None,
            raw: None,
            runs: Some(DAY * 365),
            quarantine: None,
            gone_tickets: None,
            evaluations: Some(DAY * 90),
            alerts: Some(DAY * 365),
        }
    }
}

impl Retention {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let retention = Self {
            versions: section.value("versions", default.versions, lasting(SHORTEST..=LONGEST)),
            raw: section.value("raw", default.raw, lasting(SHORTEST..=LONGEST)),
            runs: section.value("runs", default.runs, lasting(SHORTEST_RUNS..=LONGEST)),
            quarantine: section.value(
                "quarantine",
                default.quarantine,
                lasting(SHORTEST..=LONGEST),
            ),
            gone_tickets: section.value(
                "gone_tickets",
                default.gone_tickets,
                lasting(SHORTEST..=LONGEST),
            ),
            evaluations: section.value(
                "evaluations",
                default.evaluations,
                lasting(SHORTEST..=LONGEST),
            ),
            alerts: section.value("alerts", default.alerts, lasting(SHORTEST..=LONGEST)),
        };
        section.close();
        retention
    }
}

/// A duration such as `365d`, or `forever`.
fn lasting(
    limits: RangeInclusive<Duration>,
) -> impl FnOnce(&SettingNode) -> Result<Option<Duration>, Advice> {
    move |node| {
        let text = any_text(node).unwrap_or_default();
        if text == "forever" {
            return Ok(None);
        }
        match humantime::parse_duration(&text) {
            Ok(time) if limits.contains(&time) => Ok(Some(time)),
            _ => {
                let low = limits.start().as_secs() / DAY.as_secs();
                let high = limits.end().as_secs() / DAY.as_secs();
                Err(Advice::choice(format!(
                    "expected `forever` or a duration from `{low}d` to `{high}d`, such as `90d` or `365d`"
                )))
            }
        }
    }
}
