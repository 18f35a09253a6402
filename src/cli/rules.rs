//! `advisoryd rules`: what they say, and what they would have sent.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::advisory_options::{Given, filter};
use super::level::print_critical_note;
use super::list::Shape;
use super::output::{print_json, print_line};
use super::rules_test::{self, PRINTED_MESSAGES};
use super::shared::GlobalArgs;
use super::since::{Since, since};
use super::table::{cut, limit};
use super::times::Times;
use super::{ask, chosen_list, rules_list};
use crate::clock::Clock;
use crate::config::{Config, rule_of_filter};
use crate::job::alerts::back_test::BackTest;
use crate::job::alerts::published::PublishedSample;
use crate::model::{Matcher, counted, legible};
use crate::sink::as_text;

/// Alerts of a message that are printed.
const PRINTED_ALERTS: usize = 5;

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    what: RulesCommand,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// List the configured rules
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// Dry-run the configured rules against stored history; sends nothing
    Test(Test),
}

#[derive(Debug, Args)]
struct Test {
    /// Only this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Changes since: a duration (`180d`, `12h`) or a date or time (2026-11-01)
    #[arg(long, value_name = "WHEN", value_parser = since, default_value = "30d")]
    since: Since,
    /// Only whether this advisory would be reported, with its present content
    #[arg(long, value_name = "SAID", conflicts_with_all = ["since", "diff"])]
    advisory: Option<String>,
    /// Test this filter instead of the configured rules, as the `where` of a rule that has
    /// defaults otherwise
    #[arg(long = "where", value_name = "FILTER", value_parser = filter, conflicts_with_all = ["rule", "diff"])]
    filter: Option<Given>,
    /// Compare with the rules of another configuration file: what they would have sent and
    /// these would not, and the reverse
    #[arg(long, value_name = "OLD.toml", conflicts_with = "rule")]
    diff: Option<PathBuf>,
    /// Print one JSON object per rule
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: RulesArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    match wanted.what {
        RulesCommand::List { shape } => rules_list::list(&config, &shape, shared.times()),
        RulesCommand::Test(wanted) => {
            let given = wanted.filter.as_ref();
            if given.is_some_and(|given| given.says_critical) {
                print_critical_note();
            }
            let own = given.map(|given| given_rule(&config, given)).transpose()?;
            let rules = match &own {
                Some(rule) => vec![rule],
                None => chosen(&config, wanted.rule.as_deref())?,
            };
            let times = shared.times();
            match &wanted.advisory {
                Some(said) => rules_test::one(&config, rules, said, (wanted.json, times)).await,
                None => test(&config, &rules, &wanted, times).await,
            }
        }
    }
}

async fn test(
    config: &Config,
    chosen: &[&Matcher],
    wanted: &Test,
    times: Times,
) -> anyhow::Result<bool> {
    let now = Clock::system().now();
    let since = wanted.since.time(now, times);
    let old = wanted
        .diff
        .as_deref()
        .map(rules_test::old_config)
        .transpose()?;
    let (all, before) = ask::with_connection(config, async |connection| {
        if let Some(given) = &wanted.filter {
            chosen_list::check_filter(connection, &given.filter).await?;
        }
        let all = rules_test::replay(connection, config, chosen, (since, now)).await?;
        let before = match &old {
            Some(old) => {
                let rules: Vec<&Matcher> = old.alerts.rules.iter().collect();
                Some(rules_test::replay(connection, old, &rules, (since, now)).await?)
            }
            None => None,
        };
        Ok((all, before))
    })
    .await?;
    if let Some(before) = before {
        return rules_test::difference((&before, &all), wanted.json, times);
    }
    for tried in &all {
        if wanted.json {
            print_json(tried)?;
        } else {
            print_line(&page(tried, config, (since, times)));
        }
    }
    Ok(true)
}

/// A rule that is not in the configuration.
fn given_rule(config: &Config, given: &Given) -> anyhow::Result<Matcher> {
    let rule = rule_of_filter("--where", &given.text).map_err(anyhow::Error::msg)?;
    let rule = rule.in_zone(config.schedule.timezone);
    Ok(rule.without_closed(&config.tickets.closed_statuses))
}

fn chosen<'a>(config: &'a Config, only: Option<&str>) -> anyhow::Result<Vec<&'a Matcher>> {
    let rules = &config.alerts.rules;
    anyhow::ensure!(
        !rules.is_empty(),
        "no rules; add [[alerts.rules]] to the configuration, or try one with --where FILTER"
    );
    let found: Vec<&Matcher> = rules
        .iter()
        .filter(|one| only.is_none_or(|only| one.rule().name == only))
        .collect();
    if found.is_empty() {
        let known = rules.iter().map(|one| one.rule().name.as_str());
        let known = known.collect::<Vec<_>>().join(", ");
        anyhow::bail!(
            "unknown rule `{}`; configured rules: {known}",
            only.unwrap_or_default()
        );
    }
    Ok(found)
}

/// The result of one rule as text.
fn page(tried: &BackTest, config: &Config, (since, times): (DateTime<Utc>, Times)) -> String {
    let mut lines = vec![format!(
        "rule `{}` would have sent since {}: {} in {}",
        tried.rule,
        times.exact(since),
        counted(tried.alerts(), "alert"),
        counted(tried.messages.len(), "message")
    )];
    let verdicts: Vec<String> = tried
        .verdicts
        .iter()
        .map(|(verdict, count)| format!("{verdict}: {count}"))
        .collect();
    if !verdicts.is_empty() {
        lines.push(format!(
            "  changes stored since then: {}",
            verdicts.join("; ")
        ));
    }
    let notes = rules_test::unknown(&tried.unknown, config).into_iter();
    let notes = notes.chain(rules_test::silenced(&tried.silenced, times));
    lines.extend(notes.map(|note| format!("  {note}")));
    for message in tried
        .messages
        .iter()
        .rev()
        .take(limit(PRINTED_MESSAGES))
        .rev()
    {
        let at = times.exact(message.at);
        lines.push(format!(
            "  {at}  {}",
            counted(message.alerts.len(), "alert")
        ));
        for one in message.alerts.iter().take(limit(PRINTED_ALERTS)) {
            let line = format!("    {}  {} ({})", one.key, one.title, one.summary);
            lines.push(cut(&line));
        }
        if message.alerts.len() > limit(PRINTED_ALERTS) {
            let more = message.alerts.len() - PRINTED_ALERTS;
            lines.push(format!("    and {more} more"));
        }
    }
    if tried.messages.len() > limit(PRINTED_MESSAGES) {
        lines.push(format!(
            "  (the last {PRINTED_MESSAGES} messages; --json prints all)"
        ));
    }
    let published = tried.published.iter();
    lines.extend(published.flat_map(|published| by_publication(published, config)));
    lines.join("\n")
}

/// How often alerts come, in words.
fn often(per_week: f64) -> String {
    /// Less than one in 30 days.
    const RARE: f64 = 7.0 / 30.0;
    match per_week {
        0.0 => "none a week".to_owned(),
        ..RARE => "less than one a month".to_owned(),
        ..1.0 => format!("{per_week:.2} a week"),
        _ => format!("{per_week:.1} a week"),
    }
}

/// What the rule would have sent about the stored advisories, and a sample.
fn by_publication(published: &PublishedSample, config: &Config) -> Vec<String> {
    let biggest = published.biggest_day.map_or_else(String::new, |day| {
        format!(", at most {} on one day ({day})", published.biggest)
    });
    let mut lines = vec![format!(
        "  if each advisory published since then had just appeared, without silences: {} in {}, {}{biggest}",
        counted(published.alerts, "alert"),
        counted(published.days, "day"),
        often(published.per_week)
    )];
    let unknown = rules_test::unknown(&published.unknown, config);
    lines.extend(unknown.map(|note| format!("    {note}")));
    if let Some(Ok(text)) = published.sample.as_ref().map(as_text) {
        lines.push("  sample message:".to_owned());
        let text = legible(text.trim_end());
        lines.extend(
            text.lines()
                .map(|line| format!("    {line}").trim_end().to_owned()),
        );
    }
    lines
}
