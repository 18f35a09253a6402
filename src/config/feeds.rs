//! `[feeds]`: feed window, advisory details, identifier pattern and field aliases.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use super::alias_field::AliasField;
use super::section::{Section, configured_value};
use super::setting_error::close_to;
use super::tree::SettingNode;
use super::values::{boolean, duration, number, text, texts};
use crate::config::advice::Advice;
use crate::model::DetailsMode;

/// A longer overlap would request the same advisories again for a month.
const MAX_OVERLAP: Duration = Duration::from_hours(30 * 24);
/// A century: longer than advisories have been published.
const MAX_DAYS: u32 = 36_500;
/// Additional names per field; a document uses one or two.
const MAX_ALIASES: usize = 32;
/// More details per day than the request limit of any account allows.
const MAX_DETAILS_PER_DAY: u32 = 1_000_000;
/// Size limit of a compiled pattern, in bytes, so that it cannot exhaust memory.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// `[feeds]`: how feeds are requested and parsed.
#[derive(Debug, Clone)]
pub struct Feeds {
    /// How far each sync reaches back beyond the previous one. Default: 6 h.
    pub overlap: Duration,
    /// Look-back of a list's first sync, in days. Default: 365.
    pub first_days: u32,
    /// Maximum number of days ever requested. Default: 3650.
    pub max_days: u32,
    /// Which advisories are also requested one by one as JSON. Default: auto.
    pub details: DetailsMode,
    /// Maximum number of those in any 24 hours; 0 = no limit. Default: 0.
    pub details_per_day: u32,
    /// Whether the modification times of all advisories are compared with what is
    /// stored. Default: yes.
    pub sweep: bool,
    /// Pattern of advisory identifiers. Default: `SA[0-9]{1,7}`.
    pub id_pattern: Regex,
    /// Additional element or attribute names, by the name of an [`AliasField`].
    pub aliases: BTreeMap<String, Vec<String>>,
}

impl Feeds {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let default_pattern = Regex::new("SA[0-9]{1,7}").ok()?;
        let feeds = Self {
            overlap: section.value(
                "overlap",
                Duration::from_hours(6),
                duration(Duration::ZERO..=MAX_OVERLAP),
            ),
            first_days: section.value("first_days", 365, number(1..=MAX_DAYS)),
            max_days: section.value("max_days", 3650, number(1..=MAX_DAYS)),
            details: section.value("details", DetailsMode::Auto, details),
            details_per_day: section.value("details_per_day", 0, number(0..=MAX_DETAILS_PER_DAY)),
            sweep: section.value("sweep", true, boolean),
            id_pattern: section.value("id_pattern", default_pattern, pattern),
            aliases: aliases(section.section("aliases")),
        };
        let Self {
            first_days,
            max_days,
            ..
        } = feeds;
        if first_days > max_days {
            let advice = format!("expected at most `max_days`, which is `{max_days}`");
            section.wrong("first_days", &first_days.to_string(), &advice);
        }
        section.close();
        Some(feeds)
    }
}

fn details(node: &SettingNode) -> Result<DetailsMode, Advice> {
    match text(node).unwrap_or_default().as_str() {
        "auto" => Ok(DetailsMode::Auto),
        "always" => Ok(DetailsMode::Always),
        "never" => Ok(DetailsMode::Never),
        other => Err(Advice::one_of(other, &["auto", "always", "never"])),
    }
}

fn pattern(node: &SettingNode) -> Result<Regex, Advice> {
    let text = text(node)?;
    let pattern = regex::RegexBuilder::new(&text)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default().trim();
            let last = last.trim_start_matches("error: ");
            format!("expected a regular expression such as `SA[0-9]{{1,7}}` ({last})")
        })?;
    if pattern.is_match("") {
        return Err("expected a pattern that does not match an empty string".into());
    }
    Ok(pattern)
}

fn aliases(mut section: Section<'_>) -> BTreeMap<String, Vec<String>> {
    let mut aliases = BTreeMap::new();
    for (field, node) in section.rest() {
        if AliasField::from_name(&field).is_none() {
            let known = AliasField::NAMES;
            let advice = match close_to(&field, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("expected one of {}", known.join(", ")),
            };
            section.unknown(&node, &field, &advice);
            continue;
        }
        match texts(&node) {
            Ok(names) if names.len() <= MAX_ALIASES => {
                aliases.insert(field, names);
            }
            Ok(_) => {
                let advice = format!("expected at most {MAX_ALIASES} names");
                section.wrong_at(
                    &node.origin,
                    &field,
                    &configured_value(&node),
                    &advice.into(),
                );
            }
            Err(advice) => {
                section.wrong_at(&node.origin, &field, &configured_value(&node), &advice);
            }
        }
    }
    section.close();
    aliases
}
