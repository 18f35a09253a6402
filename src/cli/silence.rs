//! `advisoryd silence`: what nobody wants to hear of for a while.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::ask;
use super::output::{complain, table, tell, tell_json};
use super::question::{Since, since};
use super::shared::Shared;
use crate::clock::Clock;
use crate::model::Silence as Compiled;
use crate::startup::Opened;
use crate::store::alerts::silence::{self, Line};

#[derive(Debug, Args)]
pub(super) struct Silence {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Record what fits all matchers, and send nothing of it
    Add(Add),
    /// Silences that hold, the one that ends first first
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End silences now
    Expire {
        /// As `list` tells them
        #[arg(required = true)]
        ids: Vec<i64>,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Such as `rule=soc`, `key=SA123*`, `title=*printer*`; fields: rule, what, kind, key, severity, title, cve, watch_list
    #[arg(required = true, value_name = "FIELD=PATTERN", value_parser = matcher)]
    matchers: Vec<(String, String)>,
    /// Why, for who asks later
    #[arg(long)]
    reason: String,
    /// Until when: a length from now such as `8h`, or a time such as 2026-12-01
    #[arg(long, value_name = "WHEN", value_parser = since)]
    until: Since,
}

fn matcher(text: &str) -> Result<(String, String), String> {
    let (field, pattern) = text
        .split_once('=')
        .filter(|(_, pattern)| !pattern.is_empty())
        .ok_or_else(|| "write a field, `=` and a pattern, such as `key=SA123*`".to_owned())?;
    Ok((field.trim().to_owned(), pattern.to_owned()))
}

pub(super) async fn run(shared: Shared, wanted: Silence) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    let now = Clock::system().now();
    ask::with_database(&config, async |opened| match wanted.what {
        What::Add(wanted) => add(opened, wanted, now).await,
        What::List { all, json } => list(opened, all, json, now).await,
        What::Expire { ids } => expire(opened, &ids, now).await,
    })
    .await
}

async fn add(opened: &Opened, wanted: Add, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let until = match wanted.until {
        Since::Ago(length) => now + TimeDelta::from_std(length)?,
        Since::At(at) => at,
    };
    anyhow::ensure!(
        until > now,
        "{until} is past; write a time to come, or a length such as 8h"
    );
    let matchers: BTreeMap<String, String> = wanted.matchers.into_iter().collect();
    Compiled::new(0, until, &matchers).map_err(anyhow::Error::msg)?;
    let mut connection = ask::up_to_date(opened).await?;
    let by = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    let by = by.unwrap_or_else(|_| "somebody".to_owned());
    let about = (wanted.reason.as_str(), by.as_str());
    let id = silence::add(&mut connection, &matchers, about, (now, until)).await?;
    tell(&format!(
        "silence {id} holds until {}; what it keeps from being sent is in `advisoryd alerts list --state silenced`",
        until.format("%Y-%m-%d %H:%M:%S UTC")
    ));
    Ok(true)
}

async fn list(opened: &Opened, all: bool, json: bool, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let mut lines = silence::list(&mut connection).await?;
    lines.retain(|line| all || line.until > now);
    if json {
        lines.iter().try_for_each(tell_json)?;
        return Ok(true);
    }
    if lines.is_empty() {
        tell("no silences");
        return Ok(true);
    }
    let rows: Vec<[String; 6]> = lines.iter().map(row).collect();
    let heading = ["id", "until", "alerts", "by", "what", "reason"];
    tell(&table(heading, &rows));
    Ok(true)
}

fn row(line: &Line) -> [String; 6] {
    let matchers = line.matchers.iter();
    let matchers = matchers.map(|(field, pattern)| format!("{field}={pattern}"));
    [
        line.id.to_string(),
        line.until.format("%Y-%m-%d %H:%M:%S").to_string(),
        line.alerts.to_string(),
        line.created_by.clone(),
        matchers.collect::<Vec<_>>().join(" "),
        line.reason.clone(),
    ]
}

async fn expire(opened: &Opened, ids: &[i64], now: DateTime<Utc>) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let mut good = true;
    for id in ids {
        if silence::expire(&mut connection, *id, now).await? {
            tell(&format!("silence {id} is over"));
        } else {
            complain(&format!(
                "there is no silence {id} that holds; see `advisoryd silence list`"
            ));
            good = false;
        }
    }
    Ok(good)
}
