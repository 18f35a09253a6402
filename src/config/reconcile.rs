//! `[reconcile]`: re-reading past windows to detect changes without a new modification date.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::section::Section;
use super::tree::{SettingNode, SettingValue};
use super::upstream::Upstream;
use crate::config::advice::Advice;

/// A larger share would leave too few requests for feeds and tickets.
const SHARES: RangeInclusive<f64> = 0.0..=0.5;
const DAY: Duration = Duration::from_hours(24);
const MINUTES_OF_A_DAY: f64 = 24.0 * 60.0;
/// A feed of many days is a large document, regardless of the request limit.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// `[reconcile]`: re-reading past windows, to detect advisories that upstream changed
/// without a new modification date.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reconcile {
    /// Fraction of the request limit that may be used. Default: 0 (off).
    pub share: f64,
}

impl Reconcile {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let reconcile = Self {
            share: section.value("share", 0.0, share),
        };
        section.close();
        reconcile
    }

    /// The average interval between requests; `None` if off.
    pub fn pause(&self, upstream: &Upstream) -> Option<Duration> {
        let by_minute = f64::from(upstream.requests_per_minute) * MINUTES_OF_A_DAY;
        let a_day = match upstream.requests_per_day {
            0 => by_minute,
            limit => f64::from(limit).min(by_minute),
        };
        let requests = a_day * self.share;
        (requests > 0.0).then(|| {
            let pause = DAY.as_secs_f64() / requests;
            Duration::try_from_secs_f64(pause)
                .unwrap_or(Duration::MAX)
                .max(SHORTEST_PAUSE)
        })
    }
}

fn share(node: &SettingNode) -> Result<f64, Advice> {
    let value = match &node.value {
        SettingValue::Plain(toml::Value::Float(value)) => Some(*value),
        SettingValue::Plain(toml::Value::Integer(0)) => Some(0.0),
        SettingValue::Raw(text) => text.trim().parse().ok(),
        _ => None,
    };
    value.filter(|value| SHARES.contains(value)).ok_or_else(|| {
        Advice::bare(format!(
            "expected a fraction of the request limit from `{:?}` (off) to `{:?}`, such as `0.001`",
            SHARES.start(),
            SHARES.end()
        ))
    })
}
