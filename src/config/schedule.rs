use std::time::Duration;

use chrono_tz::Tz;

use super::cron::{CronExpression, expression, timezone};
use super::section::Section;
use super::values::{boolean, duration, number};

/// A longer overlap asks for the same rows for a week, again and again.
const MAX_TICKET_OVERLAP: Duration = Duration::from_hours(7 * 24);
/// Contract §4: 100 works, more is not recommended and is clamped somewhere.
const MAX_PAGE_SIZE: u32 = 1000;

/// `[schedule]`: when what is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// In which the expressions are meant. Default: `UTC`.
    pub timezone: Tz,
    /// Feeds without a schedule of their own. Default: every 15 minutes.
    pub feeds: CronExpression,
    /// Differences of the tickets. Default: every 10 minutes.
    pub tickets: CronExpression,
    /// All tickets, only where upstream offers no date filter. Default: Sundays at 03:00.
    pub full_walk: CronExpression,
}

/// `[tickets]`: how tickets are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tickets {
    /// Default: `true`.
    pub enabled: bool,
    /// How far each difference reaches back behind the last one. Default: 10 min.
    pub overlap: Duration,
    /// Tickets a page. Default: 100.
    pub page_size: u32,
}

impl Default for Tickets {
    fn default() -> Self {
        Self {
            enabled: true,
            overlap: Duration::from_mins(10),
            page_size: 100,
        }
    }
}

impl Schedule {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let zone = section.value("timezone", Tz::UTC, timezone);
        let feeds = section.value("feeds", default("0 */15 * * * *")?, expression);
        let tickets = section.value("tickets", default("0 */10 * * * *")?, expression);
        let full_walk = section.value("full_walk", default("0 0 3 * * Sun")?, expression);
        section.close();
        Some(Self {
            timezone: zone,
            feeds,
            tickets,
            full_walk,
        })
    }
}

fn default(text: &str) -> Option<CronExpression> {
    CronExpression::parse(text).ok()
}

impl Tickets {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let tickets = Self {
            enabled: section.value("enabled", default.enabled, boolean),
            overlap: section.value(
                "overlap",
                default.overlap,
                duration(Duration::ZERO..=MAX_TICKET_OVERLAP),
            ),
            page_size: section.value("page_size", default.page_size, number(1..=MAX_PAGE_SIZE)),
        };
        section.close();
        tickets
    }
}
