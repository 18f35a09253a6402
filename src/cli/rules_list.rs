//! `advisoryd rules list`: the configured rules, in words and as they are stored.

use serde::Serialize;
use serde_json::Value;

use super::list::{Shape, print_all};
use super::output::print_line;
use super::table::with_text;
use super::times::Times;
use crate::config::Config;
use crate::model::{Rule, words};

/// A rule as it is printed. The names are those of `advisoryd_v1.alert_rules`.
#[derive(Debug, Default, Serialize)]
struct RuleLine {
    name: String,
    sinks: Vec<String>,
    shadow: bool,
    /// Its clauses in words.
    definition: String,
    on: Vec<&'static str>,
    group_seconds: u64,
    digest: Option<String>,
    repeat_seconds: u64,
    mute_times: Vec<String>,
    missing: Value,
    clauses: Value,
    not: Value,
    clock: Value,
}

impl RuleLine {
    fn of(rule: &Rule) -> serde_json::Result<Self> {
        Ok(Self {
            name: rule.name.clone(),
            sinks: rule.sinks.clone(),
            shadow: rule.shadow,
            definition: words::described(rule),
            on: rule.on.iter().map(|kind| kind.name()).collect(),
            group_seconds: rule.group_seconds,
            digest: rule.digest.clone(),
            repeat_seconds: rule.repeat_seconds,
            mute_times: rule.mute_times.clone(),
            missing: serde_json::to_value(rule.missing)?,
            clauses: serde_json::to_value(&rule.clauses)?,
            not: serde_json::to_value(&rule.not)?,
            clock: serde_json::to_value(rule.clock)?,
        })
    }
}

/// Needs no database.
pub(super) fn list(config: &Config, shape: &Shape, times: Times) -> anyhow::Result<bool> {
    shape.check::<RuleLine>()?;
    let rules = config.alerts.rules.iter();
    let lines = rules.map(|rule| RuleLine::of(rule.rule()));
    let lines = lines.collect::<Result<Vec<RuleLine>, _>>()?;
    if lines.is_empty() && !shape.is_for_programs() {
        print_line("no rules; add [[alerts.rules]] to the configuration");
        return Ok(true);
    }
    print_all(shape, &lines, times, as_table)?;
    Ok(true)
}

fn as_table(lines: &[RuleLine]) -> String {
    let row = |line: &RuleLine| {
        let sinks = if line.shadow {
            "(shadow)".to_owned()
        } else {
            line.sinks.join(", ")
        };
        [line.name.clone(), sinks, line.definition.clone()]
    };
    let rows: Vec<[String; 3]> = lines.iter().map(row).collect();
    with_text(["rule", "sinks", "definition"], &rows)
}
