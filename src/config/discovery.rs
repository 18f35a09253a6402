//! `[discovery]`: watch-list discovery.

use super::cron::{CronExpression, expression};
use super::section::Section;
use super::values::boolean;

/// `[discovery]`: following the watch lists that exist upstream instead of configuring each one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// Whether every watch list that is enabled upstream is followed. Default: `false`.
    pub watch_lists: bool,
    /// When the watch lists are requested from upstream. Default: once an hour.
    pub schedule: CronExpression,
}

impl DiscoverySettings {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let hourly = CronExpression::parse("0 0 * * * *").ok()?;
        let watch_lists = section.value("watch_lists", false, boolean);
        let schedule = section.value("schedule", hourly, expression);
        section.close();
        Some(Self {
            watch_lists,
            schedule,
        })
    }
}
