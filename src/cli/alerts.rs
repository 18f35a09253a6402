//! `advisoryd alerts`: what was told, to whom, and telling it once more.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::output::{print_error, print_json, print_line, table};
use super::shared::Shared;
use super::since::{Since, since};
use super::times::Times;
use super::{alert_page, ask};
use crate::clock::Clock;
use crate::config::Config;
use crate::job::alerts::test_sink::{self, SinkTest};
use crate::model::{AlertState, shortened};
use crate::startup::Opened;
use crate::store::alerts::outcome::{self, AlertLine, AlertQuestion};
use crate::store::alerts::resend;

/// Summaries are cut here in tables; `show` and `--json` print them in full.
const SUMMARY_LETTERS: usize = 60;

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
        /// ID, as shown by `list`
        id: Uuid,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send again under the same ID, also if silenced or dead-lettered
    Resend {
        /// IDs, as shown by `list`
        #[arg(required = true)]
        ids: Vec<Uuid>,
        /// Only to this sink
        #[arg(long, value_name = "SINK")]
        sink: Option<String>,
    },
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
    /// Maximum number of rows
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
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
        what => what,
    };
    ask::with_database(&config, async |opened| match what {
        What::List(wanted) => list(opened, wanted, shared.times()).await,
        What::Show { id, json } => show(opened, id, json).await,
        What::Resend { ids, sink } => send_again(&config, opened, &ids, sink.as_deref()).await,
        What::Test { sink, json } => test(&config, &sink, json).await,
    })
    .await
}

async fn list(opened: &Opened, wanted: List, times: Times) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let question = AlertQuestion {
        rule: wanted.rule,
        key: wanted.key,
        state: wanted.state,
        since: wanted
            .since
            .map(|since| since.time(Clock::system().now(), times)),
        limit: wanted.limit,
    };
    let lines = outcome::alerts(&mut connection, &question).await?;
    if wanted.json {
        lines.iter().try_for_each(print_json)?;
        return Ok(true);
    }
    if lines.is_empty() {
        print_line("no alerts");
        return Ok(true);
    }
    let rows: Vec<[String; 6]> = lines.iter().map(row).collect();
    print_line(&table(
        ["id", "created", "rule", "state", "key", "summary"],
        &rows,
    ));
    Ok(true)
}

fn row(line: &AlertLine) -> [String; 6] {
    let summary = line.summary.as_deref().unwrap_or(&line.what);
    [
        line.id.to_string(),
        line.raised_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        line.rule.clone(),
        line.state.clone(),
        line.key.clone(),
        shortened(summary, SUMMARY_LETTERS),
    ]
}

async fn show(opened: &Opened, id: Uuid, json: bool) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let Some(document) = outcome::alert(&mut connection, id).await? else {
        anyhow::bail!("alert {id} not found; see `advisoryd alerts list`");
    };
    if json {
        print_json(&document)?;
    } else {
        print_line(alert_page::page(&document).trim_end());
    }
    Ok(true)
}

async fn send_again(
    config: &Config,
    opened: &Opened,
    ids: &[Uuid],
    only: Option<&str>,
) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let mut good = true;
    for id in ids {
        let mut transaction = opened.pool.begin().await?;
        let Some(document) = outcome::alert(&mut transaction, *id).await? else {
            print_error(&format!(
                "alert {id} not found; see `advisoryd alerts list`"
            ));
            good = false;
            continue;
        };
        let sinks = sinks_of(config, document["rule"].as_str(), only);
        let now = Clock::system().now();
        let due = resend::resend(&mut transaction, *id, only, &sinks, now).await?;
        transaction.commit().await?;
        if due == 0 {
            print_error(&format!(
                "alert {id}: no sink to send to; name one with --sink, or wait until the delivery in progress has ended"
            ));
            good = false;
        } else {
            print_line(&format!(
                "alert {id}: {due} deliveries queued; the daemon or the next `advisoryd sync` sends them"
            ));
        }
    }
    Ok(good)
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
        None => print_line(&format!(
            "sink `{name}` accepted message {message_id} in {seconds:.2} s ({status}): {answer}"
        )),
        Some(error) => print_error(&format!(
            "sink `{name}`: delivery of message {message_id} failed after {seconds:.2} s ({status}): {error}"
        )),
    }
    Ok(error.is_none())
}
