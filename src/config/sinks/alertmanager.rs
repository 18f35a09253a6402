//! Alertmanager sink settings.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::environment::Environment;
use super::super::section::Section;
use super::super::values::duration;
use super::target::{PostTarget, pairs};
use crate::config::advice::Advice;

/// A shorter time would end an alert before anybody sees it; a longer one means forever.
const ACTIVE_FOR: RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(365 * 24);
/// Labels that advisoryd sets.
const RESERVED_LABELS: [&str; 6] = ["alertname", "key", "kind", "purpose", "rule", "severity"];

/// `kind = "alertmanager"`: Prometheus Alertmanager, API version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerSettings {
    /// URL of Alertmanager, without `/api/v2/alerts`.
    pub target: PostTarget,
    /// Additional labels of every alert.
    pub labels: BTreeMap<String, String>,
    /// How long an alert stays active if it is not resolved. Default: 24 h.
    pub active_for: Duration,
}

impl AlertmanagerSettings {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let target = PostTarget::read(section, env);
        if let Some(target) = &target {
            target.refuse_templates(section);
        }
        let labels = pairs(section.section("labels"), label);
        let day = Duration::from_hours(24);
        let active_for = section.value("active_for", day, duration(ACTIVE_FOR));
        Some(Self {
            target: target?,
            labels,
            active_for,
        })
    }
}

fn label(name: &str, _: &str) -> Result<String, Advice> {
    if RESERVED_LABELS.contains(&name) {
        return Err("remove it; advisoryd sets it".into());
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let is_label =
        name.chars().all(fits) && !name.starts_with(|first: char| first.is_ascii_digit());
    is_label
        .then(|| name.to_owned())
        .ok_or_else(|| "expected letters, digits and `_`, not starting with a digit".into())
}
