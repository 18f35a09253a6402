//! `advisoryd alerts`: alerts, their deliveries, and resending them.

use std::collections::BTreeSet;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::alert_deliveries::has_delivery;
use super::alert_id::AlertId;
use super::alerts_dismiss::{Dismiss, dismiss};
use super::alerts_list::{AlertsListArgs, list};
use super::dead_letters::Which;
use super::output::{print_done, print_error, print_json, print_line};
use super::shared::GlobalArgs;
use super::times::Times;
use super::{alert_page, ask};
use crate::clock::Clock;
use crate::config::Config;
use crate::job::alerts::test_sink::{self, SinkTest};
use crate::model::{DeliveryState, counted};
use crate::startup::Opened;
use crate::store::alerts::outcome;
use crate::store::alerts::resend::{self, To};
use crate::store::database;
use crate::store::reports::named_list::named_lists;

#[derive(Debug, Args)]
pub(super) struct AlertsArgs {
    #[command(subcommand)]
    what: AlertsCommand,
}

#[derive(Debug, Subcommand)]
enum AlertsCommand {
    /// List alerts and their delivery state, newest first
    List(AlertsListArgs),
    /// Show one alert, its deliveries and every attempt
    Show {
        /// ID, as shown by `list`, or its beginning
        #[arg(value_parser = AlertId::parse)]
        id: AlertId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send again under the same ID, also if silenced or dead-lettered, to the sinks that have
    /// not accepted it
    Resend(Resend),
    /// Dismiss dead letters that need not be sent any more; `resend ID` can still send them
    Dismiss(Dismiss),
    /// Send a test message now and print the response of the receiver; needs no database
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
    #[command(flatten)]
    which: Which,
    /// With IDs: to all sinks, also those that have accepted the message
    #[arg(long, conflicts_with_all = ["sink", "state"])]
    all_sinks: bool,
    /// With IDs: create objects again whose ids are not known (`remember`); delete them in
    /// the other system first
    #[arg(long, conflicts_with = "state")]
    new_object: bool,
}

impl Resend {
    /// To which sinks of a message.
    fn to(&self) -> To<'_> {
        match &self.which.sink {
            Some(sink) => To::Sink(sink),
            None if self.all_sinks => To::All,
            None => To::Undelivered,
        }
    }
}

pub(super) async fn run(shared: GlobalArgs, wanted: AlertsArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let what = match wanted.what {
        AlertsCommand::Test { sink, json } => return test(&config, &sink, json).await,
        AlertsCommand::List(wanted) => {
            wanted.check()?;
            return ask::with_reader(&config, async |opened| {
                list(&config, opened, wanted, shared.times()).await
            })
            .await;
        }
        what => what,
    };
    ask::with_database(&config, async |opened| match what {
        AlertsCommand::List(wanted) => list(&config, opened, wanted, shared.times()).await,
        AlertsCommand::Show { id, json } => show(opened, &id, json, shared.times()).await,
        AlertsCommand::Resend(wanted) if wanted.which.is_all() => {
            dead_letters(opened, &wanted.which, shared.times()).await
        }
        AlertsCommand::Resend(wanted) => send_again(&config, opened, &wanted).await,
        AlertsCommand::Dismiss(wanted) => dismiss(opened, &wanted, shared.times()).await,
        AlertsCommand::Test { sink, json } => test(&config, &sink, json).await,
    })
    .await
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
        let lists = named_lists(&mut connection).await?;
        let list = document["watch_list_id"].as_i64();
        let list = list.and_then(|id| lists.iter().find(|list| list.id == id));
        let list = list.map(|list| list.name.as_str());
        print_line(alert_page::page(&document, list, times).trim_end());
    }
    Ok(true)
}

async fn send_again(config: &Config, opened: &Opened, wanted: &Resend) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let only = wanted.which.sink.as_deref();
    check_sink(config, only)?;
    let to = wanted.to();
    let mut good = true;
    let mut messages = BTreeSet::new();
    for id in &wanted.which.ids {
        let mut transaction = database::begin(&opened.pool).await?;
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
        if wanted.new_object && !resend::forget_nameless(&mut transaction, id, to).await? {
            print_error(&format!(
                "alert {id}: the ids of all its objects are known, so none is created again; see advisoryd_v1.remote_objects"
            ));
            good = false;
            continue;
        }
        let due = resend::resend(&mut transaction, id, to, &sinks, now).await?;
        transaction.commit().await?;
        if due == 0 && has_delivery(&document, DeliveryState::Waiting, only) {
            print_done(&format!("alert {id}: being delivered already"));
        } else if due == 0
            && only.is_none()
            && has_delivery(&document, DeliveryState::Delivered, None)
        {
            print_error(&format!(
                "alert {id}: all its sinks have accepted it; to send it again, use --all-sinks or --sink NAME"
            ));
            good = false;
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

async fn dead_letters(opened: &Opened, wanted: &Which, times: Times) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let now = Clock::system().now();
    let which = wanted.all(now, times);
    let mut transaction = database::begin(&opened.pool).await?;
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

/// Refuses the name of a sink that is not configured.
fn check_sink(config: &Config, named: Option<&str>) -> anyhow::Result<()> {
    let is_sink = |name: &&str| config.alerts.sinks.iter().any(|sink| sink.name == *name);
    match named.filter(|name| !is_sink(name)) {
        Some(sink) => anyhow::bail!("there is no sink `{sink}`; see `advisoryd sinks list`"),
        None => Ok(()),
    }
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
    let tried = test_sink::try_sink(settings, Clock::system().now()).await;
    let tried = tried.with_context(|| {
        let place = &settings.place;
        format!("{place}sink `{name}` cannot be used")
    })?;
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
    // Only what has a status is a request whose time says something.
    let in_time = status.map_or_else(String::new, |status| {
        format!(" in {seconds:.2} s ({status})")
    });
    let answer = answer.trim();
    let after = status.map_or_else(String::new, |status| format!(" with status {status}"));
    match &error {
        None => print_done(&format!(
            "sink `{name}` accepted message {message_id}{in_time}{}{answer}",
            if answer.is_empty() { "" } else { ": " }
        )),
        Some(error) => {
            print_error(&format!(
                "sink `{name}`: delivery of message {message_id} failed after {seconds:.2} s{after}: {error}"
            ));
            // The reason is often only there.
            if !answer.is_empty() && !error.contains(answer) {
                print_error(&format!("sink `{name}` answered: {answer}"));
            }
        }
    }
    Ok(error.is_none())
}
