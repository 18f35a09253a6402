//! `advisoryd status`: whether a daemon runs, what needs attention, and how fresh
//! everything is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::ask;
use super::output::{print_json, print_line, print_styled};
use super::shared::GlobalArgs;
use super::since::length_of_time;
use super::status_check::Check;
use super::status_daemon::Daemons;
use super::status_details::DetailsStatus;
use super::status_discovery;
use super::status_enrichment::EnrichmentStatus;
use super::status_mirror::MirrorStatus;
use super::status_page::{self, Status};
use super::status_pause::Pause;
use super::status_psql::connect;
use super::status_source::{self, SourceSchedule};
use super::table::width;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::lists::discover;
use crate::model::{ConditionState, counted};
use crate::startup::Opened;
use crate::store::alerts::outcome::{self, SinkLine};
use crate::store::alerts::silence;
use crate::store::bundle;
use crate::store::health::condition;
use crate::store::ledger::account;
use crate::store::ledger::unknown_field;
use crate::store::lists::discovery;
use crate::store::reports::report;
use crate::store::tickets::reading;
use crate::store::wanted::feed_days;

/// How it is printed.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print one line for Nagios and CI. Exit status: 0 all data is fresh, 1 a warning
    /// (something fails, the data is still fresh), 2 data is stale, a list is missing or the coverage ends in the future,
    /// 3 unknown (no database or configuration)
    #[arg(long)]
    check: bool,
    /// With --check: data older than this is stale [default: the limits of `[freshness]`]
    #[arg(long, value_name = "DURATION", requires = "check", value_parser = length_of_time)]
    max_age: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    /// What `--check` asks, if it was given.
    pub(super) fn check(&self) -> Option<Check> {
        let (max_age, json) = (self.max_age, self.json);
        self.check.then_some(Check { max_age, json })
    }
}

pub(super) async fn run(shared: GlobalArgs, wanted: &StatusArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let now = Clock::system().now();
    ask::with_reader(&config, async |opened| {
        show(&config, opened, &shared, (wanted.json, now)).await
    })
    .await
}

async fn show(
    config: &Config,
    opened: &Opened,
    shared: &GlobalArgs,
    (as_json, now): (bool, DateTime<Utc>),
) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let config = &discover::followed(&mut connection, config).await?;
    let mut status = read(config, &mut connection, now).await?;
    status.not_writable = ask::not_writable(opened, &mut connection).await?;
    let schedule = &config.schedule;
    let plan = SourceSchedule {
        config,
        filter: status.filter,
        full: schedule.full_feeds.next_after(now, schedule.timezone),
        is_running: status.daemons.is_running(),
        now,
    };
    if as_json {
        print_json(&status.as_value(opened, &plan))?;
    } else {
        let page = status_page::page(&status, &plan, shared.times(), shared.verbose > 0);
        print_styled(&page);
        let head = format!("\n{}. Connect", counted(status.advisories, "advisory"));
        print_line(&connect(&head, &opened.psql, width()));
        if let (Some(group), Some(psql)) = (&config.database.share_with, &opened.psql_of_group) {
            let head = format!("Members of the group {group} connect");
            print_line(&connect(&head, psql, width()));
        }
    }
    Ok(true)
}

async fn read(
    config: &Config,
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> anyhow::Result<Status> {
    let discovery = discovery::state(connection).await?;
    Ok(Status {
        not_writable: None,
        daemons: Daemons::query(connection).await?,
        unread: account::unread(connection).await?,
        discovery: status_discovery::of(config, discovery),
        sources: report::sources(connection).await?,
        filter: reading::get(connection).await?.filter,
        advisories: report::advisories(connection).await?,
        sizes: report::table_sizes(connection).await?,
        sinks: sinks(connection).await?,
        silences: silence::active_totals(connection, now).await?,
        details: DetailsStatus::query(config, connection, now).await?,
        mirror: MirrorStatus::query(config, connection, now).await?,
        enrichment: EnrichmentStatus::query(config, connection, now).await?,
        bundle: bundle::last(connection).await?,
        feed_days: feed_days::get(connection).await?,
        conditions: condition::states(connection).await?,
        unknown_fields: unknown_field::list(connection).await?,
        pauses: Pause::query(connection).await?,
    })
}

impl Status {
    fn as_value(&self, opened: &Opened, plan: &SourceSchedule) -> Value {
        let sources = self.sources.iter();
        let sources: Vec<Value> = sources
            .map(|source| status_source::as_value(source, plan))
            .collect();
        json!({
            "at": plan.now,
            "daemons": self.daemons.all(),
            "advisories": self.advisories,
            "sources": sources,
            "conditions": conditions(&self.conditions),
            "unknown_fields": self.unknown_fields,
            "discovery": self.discovery,
            "details": self.details.as_value(),
            "mirrors": self.mirror.as_value(),
            "enrichment": self.enrichment.as_value(),
            "bundle": self.bundle,
            "feed_days": self.feed_days,
            "sinks": self.sinks,
            "silences": self.silences,
            "tables": self.sizes,
            "psql": opened.psql,
            "psql_of_group": opened.psql_of_group,
        })
    }
}

/// The configured sinks, and those with pending deliveries that are no longer configured.
async fn sinks(connection: &mut PgConnection) -> Result<Vec<SinkLine>, sqlx::Error> {
    let mut sinks = outcome::sinks(connection).await?;
    sinks.retain(|sink| sink.configured || sink.waiting > 0);
    Ok(sinks)
}

/// What is or was wrong with the program itself.
fn conditions(states: &[ConditionState]) -> Vec<Value> {
    states
        .iter()
        .map(|state| {
            json!({
                "what": state.condition.name(),
                "key": state.key,
                "holds": state.is_raised,
                "since": state.since,
                "over_at": state.over_at.filter(|_| !state.is_raised),
                "occurrence": state.occurrence,
                "value": state.value,
                "summary": state.summary,
            })
        })
        .collect()
}
