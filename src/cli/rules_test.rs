//! `advisoryd rules test`: for one advisory, and compared with other rules.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::ask;
use super::output::{print_json, print_line};
use super::table::{cut, limit};
use super::times::Times;
use crate::clock::Clock;
use crate::config::{Config, process_environment};
use crate::job::alerts::back_test::{self, BackTest, BackTestPeriod};
use crate::job::alerts::difference::{self, Only};
use crate::job::alerts::published::published;
use crate::job::alerts::silenced::Silenced;
use crate::job::alerts::try_one::try_advisory;
use crate::job::alerts::unknown::Unknown;
use crate::model::{Matcher, counted, legible};
use crate::sink::as_text;

/// Messages of a rule, and alerts of a comparison, that are printed; `--json` has all.
pub(super) const PRINTED_MESSAGES: usize = 20;

/// The configuration to compare with, with the variables of this process.
pub(super) fn old_config(path: &Path) -> anyhow::Result<Config> {
    let named = || format!("--diff {}", path.display());
    let config = Config::load(Some(path), process_environment()).with_context(named)?;
    anyhow::ensure!(!config.alerts.rules.is_empty(), "{}: no rules", named());
    Ok(config)
}

/// Replays rules: changes, the clock, and what is stored by publication date.
pub(super) async fn replay(
    connection: &mut PgConnection,
    config: &Config,
    rules: &[&Matcher],
    (since, now): (DateTime<Utc>, DateTime<Utc>),
) -> anyhow::Result<Vec<BackTest>> {
    let replay = BackTestPeriod {
        since,
        now,
        mute_times: &config.alerts.mute_times,
        zone: config.schedule.timezone,
    };
    let mut all = back_test::back_test(connection, rules, replay).await?;
    let links = &config.upstream.links;
    for (matcher, tried) in rules.iter().zip(&mut all) {
        tried.published = published(connection, matcher, (since, now), links).await?;
    }
    Ok(all)
}

/// Prints what only one of the two sets of rules would have sent.
pub(super) fn difference(
    (old, new): (&[BackTest], &[BackTest]),
    json: bool,
    times: Times,
) -> anyhow::Result<bool> {
    let found = difference::difference(old, new);
    if json {
        print_json(&found)?;
        return Ok(true);
    }
    let mut lines = Vec::new();
    for (what, all) in [
        ("only by the old rules", &found.removed),
        ("only by the new rules", &found.added),
    ] {
        lines.push(format!("{what}: {}", counted(all.len(), "alert")));
        lines.extend(
            all.iter()
                .take(limit(PRINTED_MESSAGES))
                .map(|one| line(one, times)),
        );
        if all.len() > limit(PRINTED_MESSAGES) {
            let more = all.len() - PRINTED_MESSAGES;
            lines.push(format!("  and {more} more (--json prints all)"));
        }
    }
    lines.push(format!("by both: {}", counted(found.both, "alert")));
    print_line(&legible(&lines.join("\n")));
    Ok(true)
}

fn line(only: &Only, times: Times) -> String {
    let at = times.exact(only.alert.at);
    let (key, title) = (&only.alert.key, &only.alert.title);
    let rules = only.rules.join(", ");
    let sink = only.sink.as_deref();
    let sink = sink.map_or_else(String::new, |sink| format!(" to {sink}"));
    cut(&format!(
        "  {at}  {key}  {title} ({}) by {rules}{sink}",
        only.alert.summary
    ))
}

/// How many of the alerts there are only because a value is unknown, and what changes that.
pub(super) fn unknown(unknown: &Unknown, config: &Config) -> Option<String> {
    let values = unknown.values.iter();
    let values: Vec<String> = values
        .map(|(value, count)| format!("{value} {count}"))
        .collect();
    (unknown.alerts > 0).then(|| {
        format!(
            "{} of them only because a value is unknown ({}); {}",
            unknown.alerts,
            values.join(", "),
            advice(unknown.values.keys().copied(), config)
        )
    })
}

/// What makes the values known, where that is up to the configuration, and how a rule
/// excludes what lacks them.
fn advice(values: impl Iterator<Item = &'static str>, config: &Config) -> String {
    const SKIP: &str = "with `missing = \"skip\"`, the rule does not match without the value";
    let enrichment = &config.enrichment;
    let lacking = values.filter_map(|value| match value {
        "kev" | "ransomware" => enrichment.kev.is_none().then_some("kev"),
        "epss" => enrichment.epss.is_none().then_some("epss"),
        _ => None,
    });
    let lacking: BTreeSet<&str> = lacking.collect();
    let mut advice: Vec<String> = lacking
        .into_iter()
        .map(|key| format!("[enrichment] {key} is not set"))
        .collect();
    advice.push(SKIP.to_owned());
    advice.join("; ")
}

/// The silences that match some of the alerts.
pub(super) fn silenced(all: &[Silenced], times: Times) -> Vec<String> {
    let line = |one: &Silenced| {
        let alerts = counted(one.alerts, "alert");
        let until = times.exact(one.until);
        format!("silence #{}, until {until}, matches {alerts}", one.id)
    };
    all.iter().map(line).collect()
}

/// Whether an advisory would be reported, rule by rule.
pub(super) async fn one(
    config: &Config,
    chosen: Vec<&Matcher>,
    said: &str,
    (json, times): (bool, Times),
) -> anyhow::Result<bool> {
    let said = said.trim().to_uppercase();
    let now = Clock::system().now();
    let with = (&config.upstream.links, now);
    let tried = ask::with_connection(config, async |connection| {
        Ok(try_advisory(connection, &chosen, &said, with).await?)
    })
    .await?;
    let Some(tried) = tried else {
        anyhow::bail!("{said} is not stored; `advisoryd explain {said}` says why");
    };
    for one in &tried {
        if json {
            print_json(one)?;
            continue;
        }
        let text = times.in_sentence(&one.text);
        print_line(&legible(&format!("rule `{}` {text}", one.rule)));
        if !one.unknown.is_empty() {
            let values = one.unknown.join(", ");
            let advice = advice(one.unknown.iter().copied(), config);
            print_line(&format!(
                "    it matches only because a value is unknown ({values}); {advice}"
            ));
        }
        if let Some(Ok(text)) = one.sample.as_ref().map(as_text) {
            let text = legible(text.trim_end());
            for line in text.lines() {
                print_line(format!("    {line}").trim_end());
            }
        }
    }
    Ok(true)
}
