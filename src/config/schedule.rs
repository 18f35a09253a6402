//! `[schedule]` and `[tickets]`: when sources are synced, and how tickets are synced.

use std::time::Duration;

use chrono_tz::Tz;

use super::cron::{CronExpression, expression, timezone};
use super::environment::Environment;
use super::section::Section;
use super::splay::{Splay, splay};
use super::tree::SettingNode;
use super::values::{boolean, duration, number, texts};
use crate::config::advice::Advice;
use crate::model::Globs;

/// A longer overlap would request the same tickets again for a week.
const MAX_TICKET_OVERLAP: Duration = Duration::from_hours(7 * 24);
/// Contract §4: 100 works; larger pages are not recommended, and upstream limits their size.
const MAX_PAGE_SIZE: u32 = 1000;

/// `[schedule]`: when each kind of source is synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Time zone of the cron expressions. Default: `UTC`.
    pub timezone: Tz,
    /// Feeds without their own schedule. Default: every 15 minutes.
    pub feeds: CronExpression,
    /// Full pulls of all feeds, with the look-back of the first pull. Default: at 02:30.
    pub full_feeds: CronExpression,
    /// What watch lists contain, and pending approvals. Default: 20 minutes past each hour.
    pub list_contents: CronExpression,
    /// Incremental ticket sync. Default: every 10 minutes.
    pub tickets: CronExpression,
    /// Full ticket sync, which finds tickets that are gone. Default: Sundays at 03:00.
    pub full_walk: CronExpression,
}

/// `[tickets]`: how tickets are synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketSettings {
    /// Default: `true`.
    pub enabled: bool,
    /// How far each incremental sync reaches back beyond the previous one. Default: 10 min.
    pub overlap: Duration,
    /// Tickets per page. Default: 100.
    pub page_size: u32,
    /// Patterns of the statuses that mean closed. Default: none.
    pub closed_statuses: Vec<String>,
}

impl Default for TicketSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            overlap: Duration::from_mins(10),
            page_size: 100,
            closed_statuses: Vec::new(),
        }
    }
}

impl Schedule {
    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Option<Self> {
        let zone = section.value("timezone", Tz::UTC, timezone);
        let splay = section.value("splay", Splay::Auto, splay);
        let mut schedule = |key, usual| {
            let usual = default(usual)?.later(splay.seconds(&env.installation, key));
            Some(section.value(key, usual, expression))
        };
        let feeds = schedule("feeds", "0 */15 * * * *")?;
        let full_feeds = schedule("full_feeds", "0 30 2 * * *")?;
        let list_contents = schedule("list_contents", "0 20 * * * *")?;
        let tickets = schedule("tickets", "0 */10 * * * *")?;
        let full_walk = schedule("full_walk", "0 0 3 * * Sun")?;
        section.close();
        Some(Self {
            timezone: zone,
            feeds,
            full_feeds,
            list_contents,
            tickets,
            full_walk,
        })
    }
}

impl Schedule {
    /// The same for all machines: without `splay`.
    #[must_use]
    pub(super) fn unmoved(&self) -> Self {
        let Self {
            timezone,
            feeds,
            full_feeds,
            list_contents,
            tickets,
            full_walk,
        } = self;
        Self {
            timezone: *timezone,
            feeds: feeds.unmoved(),
            full_feeds: full_feeds.unmoved(),
            list_contents: list_contents.unmoved(),
            tickets: tickets.unmoved(),
            full_walk: full_walk.unmoved(),
        }
    }
}

fn default(text: &str) -> Option<CronExpression> {
    CronExpression::parse(text).ok()
}

/// Patterns as in rules.
fn patterns(node: &SettingNode) -> Result<Vec<String>, Advice> {
    let patterns = texts(node)?;
    Globs::new(&patterns)?;
    Ok(patterns)
}

impl TicketSettings {
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
            closed_statuses: section.value("closed_statuses", default.closed_statuses, patterns),
        };
        section.close();
        tickets
    }
}
