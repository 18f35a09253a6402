//! `advisoryd alerts`: alerts, their deliveries, and resending them.

use std::collections::BTreeSet;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::alert_id::AlertId;
use super::output::{
    print_done, print_error, print_json, print_line, print_note, print_styled, table,
};
use super::shared::Shared;
use super::since::{Since, since};
use super::times::Times;
use super::{alert_page, ask};
use crate::clock::Clock;
use crate::config::Config;
use crate::job::alerts::test_sink::{self, SinkTest};
use crate::model::{AlertState, OWN_RULE, counted, shortened};
use crate::startup::Opened;
use crate::store::alerts::outcome::{self, AlertLine, AlertQuestion};
use crate::store::alerts::resend::{self, DeadLetters};

/// Summaries are cut here in tables; `show` and `--json` print them in full.
const SUMMARY_LETTERS: usize = 60;
/// Digits of an id in tables.
const SHORT_ID: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Alerts {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List alerts and their delivery state, newest first
    List(List),
    /// Show one alert, its deliveries and every attempt
    Show {
        /// ID, as shown by `list`, or its beginning
        #[arg(value_parser = AlertId::parse)]
        id: AlertId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send again under the same ID, also if silenced or dead-lettered
    Resend(Resend),
    /// Send a test message now and print the receiver's answer; needs no database
    Test {
        /// A configured sink
        sink: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Resend {
    /// IDs, as shown by `list`, or their beginnings
    #[arg(required_unless_present = "state", value_parser = AlertId::parse)]
    ids: Vec<AlertId>,
    /// Resend all dead letters instead of IDs; only failed deliveries are repeated
    #[arg(long, value_parser = ["dead_letter"], conflicts_with = "ids")]
    state: Option<String>,
    /// Only to this sink
    #[arg(long, value_name = "SINK")]
    sink: Option<String>,
    /// With --state: only messages of this rule
    #[arg(long, value_name = "NAME", requires = "state")]
    rule: Option<String>,
    /// With --state: only messages created since: a duration (`7d`) or a date or time
    #[arg(long, value_name = "WHEN", value_parser = since, requires = "state")]
    since: Option<Since>,
}

#[derive(Debug, Args)]
struct List {
    /// Only alerts of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only alerts about this advisory or ticket
    #[arg(long, value_name = "SAID|TICKET")]
    key: Option<String>,
    /// Only alerts in this state
    #[arg(long, value_parser = state())]
    state: Option<AlertState>,
    /// Created since: a duration (`7d`, `12h`) or a date or time (2026-11-01)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Maximum number of rows, 0 for all
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(0..=1_000_000))]
    limit: i64,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// A state by its name.
fn state() -> impl TypedValueParser<Value = AlertState> {
    PossibleValuesParser::new(AlertState::ALL.map(AlertState::name))
        .try_map(|name| AlertState::from_name(&name).ok_or("it is no state of alerts"))
}

pub(super) async fn run(shared: Shared, wanted: Alerts) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    let what = match wanted.what {
        What::Test { sink, json } => return test(&config, &sink, json).await,
        What::List(wanted) => {
            return ask::with_reader(&config, async |opened| {
                list(&config, opened, wanted, shared.times()).await
            })
            .await;
        }
        what => what,
    };
    ask::with_database(&config, async |opened| match what {
        What::List(wanted) => list(&config, opened, wanted, shared.times()).await,
        What::Show { id, json } => show(opened, &id, json, shared.times()).await,
        What::Resend(wanted) if wanted.state.is_some() => {
            dead_letters(opened, &wanted, shared.times()).await
        }
        What::Resend(wanted) => {
            send_again(&config, opened, &wanted.ids, wanted.sink.as_deref()).await
        }
        What::Test { sink, json } => test(&config, &sink, json).await,
    })
    .await
}

async fn list(
    config: &Config,
    opened: &Opened,
    wanted: List,
    times: Times,
) -> anyhow::Result<bool> {
    let is_rule = |name: &str| {
        let mut rules = config.alerts.rules.iter().map(crate::model::Matcher::rule);
        name == OWN_RULE || rules.any(|rule| rule.name == name)
    };
    let unknown = wanted.rule.clone().filter(|name| !is_rule(name));
    let mut connection = ask::up_to_date(opened).await?;
    let question = AlertQuestion {
        rule: wanted.rule,
        key: wanted.key,
        state: wanted.state,
        since: wanted
            .since
            .map(|since| since.time(Clock::system().now(), times)),
        limit: match wanted.limit {
            0 => i64::MAX,
            limit => limit,
        },
    };
    let lines = outcome::alerts(&mut connection, &question).await?;
    if wanted.json {
        lines.iter().try_for_each(print_json)?;
        return Ok(true);
    }
    if lines.is_empty() {
        print_line("no alerts");
        if let Some(rule) = unknown {
            print_note(&format!(
                "there is no rule `{rule}`; see `advisoryd rules list`"
            ));
        }
        return Ok(true);
    }
    let rows: Vec<[String; 7]> = lines.iter().map(|line| row(line, times)).collect();
    print_styled(&table(
        ["created", "rule", "key", "sink", "state", "id", "summary"],
        &rows,
    ));
    Ok(true)
}

fn row(line: &AlertLine, times: Times) -> [String; 7] {
    let summary = line.summary.as_deref().unwrap_or(&line.what);
    [
        times.exact(line.raised_at),
        line.rule.clone(),
        line.key.clone(),
        line.sinks.join(", "),
        line.state.clone(),
        line.id.to_string().chars().take(SHORT_ID).collect(),
        shortened(summary, SUMMARY_LETTERS),
    ]
}

async fn show(opened: &Opened, id: &AlertId, json: bool, times: Times) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let id = id.find(&mut connection).await?;
    let Some(document) = outcome::alert(&mut connection, id).await? else {
        anyhow::bail!("alert {id} not found; see `advisoryd alerts list`");
    };
    if json {
        print_json(&document)?;
    } else {
        print_line(alert_page::page(&document, times).trim_end());
    }
    Ok(true)
}

async fn send_again(
    config: &Config,
    opened: &Opened,
    ids: &[AlertId],
    only: Option<&str>,
) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let mut good = true;
    let mut messages = BTreeSet::new();
    for id in ids {
        let mut transaction = opened.pool.begin().await?;
        let id = match id.find(&mut transaction).await {
            Ok(id) => id,
            Err(error) => {
                print_error(&format!("{error:#}"));
                good = false;
                continue;
            }
        };
        let document = outcome::alert(&mut transaction, id)
            .await?
            .unwrap_or_default();
        let message = document["message_id"].as_str().map(str::to_owned);
        if message.is_some_and(|message| !messages.insert(message)) {
            print_done(&format!("alert {id}: in a message that is queued already"));
            continue;
        }
        let sinks = sinks_of(config, document["rule"].as_str(), only);
        let now = Clock::system().now();
        let due = resend::resend(&mut transaction, id, only, &sinks, now).await?;
        transaction.commit().await?;
        if due == 0 && is_under_way(&document, only) {
            print_done(&format!("alert {id}: being delivered already"));
        } else if due == 0 {
            print_error(&format!(
                "alert {id}: no sink to send to; name one with --sink"
            ));
            good = false;
        } else {
            print_done(&format!(
                "alert {id}: {} queued; the daemon or the next `advisoryd sync` sends them",
                counted(due, "delivery")
            ));
        }
    }
    Ok(good)
}

/// Whether a delivery of the alert is waiting.
fn is_under_way(document: &serde_json::Value, only: Option<&str>) -> bool {
    let deliveries = document["deliveries"].as_array();
    deliveries.into_iter().flatten().any(|delivery| {
        let is_asked = only.is_none_or(|only| delivery["sink"] == only);
        is_asked && delivery["state"] == "waiting"
    })
}

async fn dead_letters(opened: &Opened, wanted: &Resend, times: Times) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let now = Clock::system().now();
    let which = DeadLetters {
        sink: wanted.sink.as_deref(),
        rule: wanted.rule.as_deref(),
        since: wanted.since.map(|since| since.time(now, times)),
    };
    let mut transaction = opened.pool.begin().await?;
    let due = resend::dead_letters(&mut transaction, which, now).await?;
    transaction.commit().await?;
    if due.is_empty() {
        print_done("no dead letters");
        return Ok(true);
    }
    let messages: BTreeSet<Uuid> = due.iter().copied().collect();
    print_done(&format!(
        "{} of {} queued; the daemon or the next `advisoryd sync` sends them",
        counted(due.len(), "delivery"),
        counted(messages.len(), "message")
    ));
    Ok(true)
}

/// The sinks of an alert that was not sent: the named one, else those of its rule.
fn sinks_of(config: &Config, rule: Option<&str>, only: Option<&str>) -> Vec<String> {
    if let Some(only) = only {
        return vec![only.to_owned()];
    }
    let mut rules = config.alerts.rules.iter().map(crate::model::Matcher::rule);
    rules
        .find(|one| Some(one.name.as_str()) == rule)
        .map_or_else(Vec::new, |rule| rule.sinks.clone())
}

async fn test(config: &Config, name: &str, json: bool) -> anyhow::Result<bool> {
    let found = config.alerts.sinks.iter().find(|sink| sink.name == name);
    let Some(settings) = found else {
        let known = config.alerts.sinks.iter().map(|sink| sink.name.as_str());
        let known = known.collect::<Vec<_>>().join(", ");
        anyhow::bail!("unknown sink `{name}`; configured sinks: {known}");
    };
    let tried = test_sink::try_sink(settings, Clock::system().now()).await?;
    if json {
        print_json(&tried)?;
        return Ok(tried.error.is_none());
    }
    let SinkTest {
        message_id,
        seconds,
        status,
        answer,
        error,
    } = tried;
    let status = status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
    match &error {
        None => print_done(&format!(
            "sink `{name}` accepted message {message_id} in {seconds:.2} s ({status}): {answer}"
        )),
        Some(error) => {
            print_error(&format!(
                "sink `{name}`: delivery of message {message_id} failed after {seconds:.2} s ({status}): {error}"
            ));
            // The reason is often only there.
            if !answer.is_empty() && !error.contains(&answer) {
                print_error(&format!("sink `{name}` answered: {answer}"));
            }
        }
    }
    Ok(error.is_none())
}
