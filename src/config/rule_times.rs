//! Rules of alerts: what they say about time, and facts that nothing brings.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::enrichment::EnrichmentSettings;
use super::mute::{MuteTime, leave_no_gap};
use super::section::Section;
use super::values::duration;
use crate::config::advice::did_you_mean;
use crate::model::{ChangeKind, ClockClauses, Matcher, Missing, Rule};

/// Rules are evaluated by the clock every ten minutes.
const SHORTEST_PERIOD: Duration = Duration::from_hours(1);
/// Ten years: nobody waits longer.
const LONGEST_PERIOD: Duration = Duration::from_hours(24 * 3650);
/// Lengths of the periods of a rule.
pub(super) const PERIODS: RangeInclusive<Duration> = SHORTEST_PERIOD..=LONGEST_PERIOD;

/// Rules about facts that nothing brings. Where nothing is requested (`[upstream] offline`),
/// bundles bring the files, and the configuration does not say whether they have them.
pub(super) fn unknown_facts(
    rules: &[Matcher],
    enrichment: &EnrichmentSettings,
    is_offline: bool,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in rules {
        let name = &rule.rule().name;
        let on = &rule.rule().on;
        let is_kev = rule.compares_kev() || on.contains(&ChangeKind::KevAdded);
        let is_epss = rule.compares_epss() || on.contains(&ChangeKind::EpssCrossed);
        for (key, is_asked, is_there) in [
            ("kev", is_kev, enrichment.kev.is_some()),
            ("epss", is_epss, enrichment.epss.is_some()),
        ] {
            if is_asked && !is_there && !is_offline {
                let effect = match rule.rule().missing {
                    Missing::Match => {
                        "unknown values match, so it may send more alerts than intended"
                    }
                    Missing::Skip => {
                        "with `missing = \"skip\"`, unknown values do not match, so it may send no alert at all"
                    }
                };
                warnings.push(format!(
                    "rule `{name}` needs `{key}`, but `[enrichment] {key}` is not set: until a file is read, all values are unknown; {effect}; set it, or run `advisoryd enrich FILE` regularly"
                ));
            }
        }
        if on.contains(&ChangeKind::EpssCrossed) && enrichment.epss_threshold.is_none() {
            warnings.push(format!(
                "rule `{name}` lists `epss_crossed`, which needs `[enrichment] epss_threshold`"
            ));
        }
    }
    warnings
}

/// Clauses about what has not happened for some time.
pub(super) fn clock(section: &mut Section<'_>) -> ClockClauses {
    let mut length = |key| {
        let length = section.optional(key, duration(PERIODS));
        length.and_then(|length| i64::try_from(length.as_secs()).ok())
    };
    ClockClauses {
        ticket_open_for: length("ticket_open_for"),
        without_ticket_for: length("without_ticket_for"),
        no_solution_for: length("no_solution_for"),
        unacknowledged_for: length("unacknowledged_for"),
    }
}

pub(super) fn check_clock(section: &mut Section<'_>, clock: &ClockClauses, has_on: bool) {
    if has_on {
        let why = "is not used: a rule with `ticket_open_for`, `without_ticket_for`, `no_solution_for` or `unacknowledged_for` is evaluated by the clock; remove it";
        section.unusable("on", why);
    }
    let is_of_advisories = clock.without_ticket_for.is_some() || clock.no_solution_for.is_some();
    let groups = [
        clock.ticket_open_for.is_some(),
        clock.unacknowledged_for.is_some(),
        is_of_advisories,
    ];
    if groups.into_iter().filter(|is_set| *is_set).count() > 1 {
        let key = if clock.ticket_open_for.is_some() {
            "ticket_open_for"
        } else {
            "unacknowledged_for"
        };
        let why = "cannot be combined with the other clauses that are evaluated by the clock; make two rules";
        section.unusable(key, why);
    }
}

pub(super) fn check_times(section: &mut Section<'_>, rule: &Rule, mutes: &[MuteTime]) {
    if rule.digest.is_some() && rule.group_seconds > 0 {
        let why = "contradicts `group`; remove one of them";
        section.unusable("digest", why);
    }
    let is_known = |name: &String| mutes.iter().any(|mute| mute.name == *name);
    let own = mutes
        .iter()
        .filter(|mute| rule.mute_times.contains(&mute.name));
    let own: Vec<&MuteTime> = own.collect();
    if own.len() > 1 && leave_no_gap(&own) {
        let why = "leaves no time in which messages are sent";
        section.unusable("mute_times", why);
    }
    for name in rule.mute_times.iter().filter(|name| !is_known(name)) {
        let known: Vec<&str> = mutes.iter().map(|mute| mute.name.as_str()).collect();
        let close = did_you_mean(name, &known);
        let advice = format!("unknown mute time; add it under [[alerts.mute_times]]{close}");
        section.wrong("mute_times", name, &advice);
    }
}
