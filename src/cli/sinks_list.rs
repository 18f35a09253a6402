//! `advisoryd sinks list`: where alerts are sent to, and what waits there.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::ask;
use super::list::{Shape, print_all};
use super::output::{print_line, print_note};
use super::shared::GlobalArgs;
use super::table::with_text;
use super::times::Times;
use crate::config::{Config, SinkSettings};
use crate::model::{Matcher, counted};
use crate::store::alerts::outcome::{self, SinkLine};

/// A sink as it is printed: the configured one, and its state in the database.
#[derive(Debug, Default, Serialize)]
struct Line {
    name: String,
    kind: String,
    /// Where it sends to, without secrets; null if it is no longer configured.
    to: Option<String>,
    configured: bool,
    /// The rules that name it.
    rules: Vec<String>,
    /// What else is sent to it: `health`, `heartbeat`, `fallback`.
    other_uses: Vec<&'static str>,
    last_success_at: Option<DateTime<Utc>>,
    waiting: i64,
    dead_letters: i64,
    failures: i32,
    failing_since: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

impl Line {
    /// `state` is `None` before a daemon or command has recorded the sink.
    fn configured(config: &Config, sink: &SinkSettings, state: Option<&SinkLine>) -> Self {
        let name = sink.name.clone();
        let rules = config.alerts.rules.iter().map(Matcher::rule);
        let rules = rules.filter(|rule| rule.sinks.contains(&name));
        let rules = rules.map(|rule| rule.name.clone()).collect();
        Self {
            kind: sink.kind.name().to_owned(),
            to: Some(sink.destination()),
            configured: true,
            rules,
            other_uses: other_uses(config, &name),
            name,
            ..state.map(Self::stored).unwrap_or_default()
        }
    }

    fn stored(state: &SinkLine) -> Self {
        let state = state.clone();
        Self {
            name: state.name,
            kind: state.kind,
            last_success_at: state.last_success_at,
            waiting: state.waiting,
            dead_letters: state.dead_letters,
            failures: state.failures,
            failing_since: state.failing_since,
            last_error: state.last_error,
            ..Self::default()
        }
    }

    fn row(&self, times: Times) -> [String; 7] {
        let uses = self.rules.iter().map(String::as_str);
        let others = self.other_uses.iter().map(|one| match *one {
            "health" => "(problems of advisoryd)",
            "heartbeat" => "(heartbeat)",
            _ => "(while the database is unavailable)",
        });
        let uses: Vec<&str> = uses.chain(others).collect();
        let used_by = match (self.configured, uses.is_empty()) {
            (false, _) => "no longer configured".to_owned(),
            (true, true) => "nothing".to_owned(),
            (true, false) => uses.join(", "),
        };
        let last = match (self.failing_since, self.last_success_at) {
            (Some(since), _) => format!("failing since {}", times.full(since)),
            (None, Some(at)) => times.full(at),
            (None, None) => "never".to_owned(),
        };
        [
            self.name.clone(),
            self.kind.clone(),
            self.waiting.to_string(),
            self.dead_letters.to_string(),
            last,
            self.to.clone().unwrap_or_default(),
            used_by,
        ]
    }
}

/// What is sent to a sink besides the alerts of rules.
fn other_uses(config: &Config, name: &String) -> Vec<&'static str> {
    let alerts = &config.alerts;
    let heartbeat = alerts.heartbeat.as_ref();
    let uses = [
        (
            alerts.health.enabled && alerts.health.sinks.contains(name),
            "health",
        ),
        (
            heartbeat.is_some_and(|one| one.sinks.contains(name)),
            "heartbeat",
        ),
        (alerts.health.fallback.as_ref() == Some(name), "fallback"),
    ];
    let uses = uses.into_iter().filter(|(is_used, _)| *is_used);
    uses.map(|(_, what)| what).collect()
}

pub(super) async fn run(shared: GlobalArgs, shape: &Shape) -> anyhow::Result<bool> {
    shape.check::<Line>()?;
    let config = shared.load_and_note()?;
    let times = shared.times();
    let states =
        async |connection: &mut PgConnection| anyhow::Ok(outcome::sinks(connection).await?);
    let states = ask::with_connection(&config, states).await?;
    let lines = lines(&config, &states);
    if lines.is_empty() && !shape.is_for_programs() {
        print_line(
            "no sinks; add [[alerts.sinks]] to the configuration (`advisoryd sinks presets`)",
        );
        return Ok(true);
    }
    print_all(shape, &lines, times, |lines| {
        let rows: Vec<[String; 7]> = lines.iter().map(|line| line.row(times)).collect();
        let heading = [
            "sink",
            "kind",
            "waiting",
            "dead",
            "last delivery",
            "to",
            "used by",
        ];
        with_text(heading, &rows)
    })?;
    let dead: i64 = lines.iter().map(|line| line.dead_letters).sum();
    if dead > 0 && !shape.is_for_programs() {
        print_note(&format!(
            "{}. To list them: `advisoryd alerts list --state dead_letter`; to send all of them again: `advisoryd alerts resend --state dead_letter`; to give all of them up: `advisoryd alerts dismiss --state dead_letter`; `--sink NAME` limits that to one sink",
            counted(dead, "dead letter")
        ));
    }
    Ok(true)
}

/// The configured sinks in their order, then former ones that still have deliveries.
fn lines(config: &Config, states: &[SinkLine]) -> Vec<Line> {
    let sinks = &config.alerts.sinks;
    let configured = sinks.iter().map(|sink| {
        let state = states.iter().find(|state| state.name == sink.name);
        Line::configured(config, sink, state)
    });
    let is_former = |state: &&SinkLine| {
        let is_configured = sinks.iter().any(|sink| sink.name == state.name);
        !is_configured && (state.waiting > 0 || state.dead_letters > 0)
    };
    let former = states.iter().filter(is_former).map(Line::stored);
    configured.chain(former).collect()
}
