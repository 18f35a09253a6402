//! `advisoryd sync`: one pass over feeds, details and tickets, then the alerts.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::exit::WrongUsage;
use super::output::{print_done, print_error, print_json};
use super::report::{LOG_OF_RUNS, not_followed, print_batches, print_run};
use super::shared::Shared;
use super::stop::stop_on_signals;
use super::{ask, chosen_list, progress, sync_contents, sync_enrich};
use crate::clock::Clock;
use crate::config::Config;
use crate::job::account::bind;
use crate::job::alerts::deliver::Delivered;
use crate::job::alerts::evaluate::Rules;
use crate::job::alerts::{by_clock, pass};
use crate::job::context::Context;
use crate::job::details::fetch::{self, Fetched};
use crate::job::details::revision_scan;
use crate::job::feeds::feed::{Feed, LookBack, feeds};
use crate::job::feeds::{full, pull};
use crate::job::health::check;
use crate::job::lists::discover;
use crate::job::run::Ran;
use crate::job::tickets::sync::{self, TicketSync};
use crate::model::{Outcome, SourceKey, chain, counted};
use crate::sink::Sink;
use crate::startup::{self, Opened};
use crate::store::ledger::quarantine;
use crate::store::wanted::backlog;

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct Sync {
    /// What to sync
    #[arg(value_enum, default_value = "all")]
    pub what: What,
    /// Only this watch list: its ID or its name; may be repeated
    #[arg(long, value_name = "ID|NAME")]
    pub watch_list: Vec<String>,
    /// Request this many days instead of what is missing
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "full")]
    pub days: Option<u32>,
    /// Feeds: repeat the initial look-back. Tickets: full scan
    #[arg(long)]
    pub full: bool,
    /// Also alert on existing advisories (first load, new rule)
    #[arg(long)]
    pub alert_backlog: bool,
    /// Accept that over 20 % of a list's members or of the tickets are gone
    #[arg(long, requires = "full")]
    pub accept_removals: bool,
    /// Print one JSON object per run
    #[arg(long)]
    pub json: bool,
}

/// What `sync` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// The feeds of watch lists and extra feeds
    Feeds,
    /// The tickets
    Tickets,
    /// Feeds and tickets
    All,
}

pub(super) async fn run(shared: Shared, wanted: Sync) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some(LOG_OF_RUNS))?;
    let token = config.upstream.token()?;
    refuse_what_belongs_to_feeds(&wanted)?;
    let (sinks, usable) = usable_sinks(&config);
    let is_offline = config.upstream.offline;
    if is_offline {
        print_error(
            "[upstream] offline = true: nothing is requested; `advisoryd import BUNDLE` brings data",
        );
    }
    let work = async |opened: &Opened| {
        let stop = stop_on_signals()?;
        ask::migrate(&config, opened).await?;
        let (config, pool) = (config.clone(), opened.pool.clone());
        bind(&pool, &config.upstream, &token, Clock::system().now()).await?;
        let mut context = startup::context(config, token, pool, Clock::system(), stop).await?;
        if is_offline {
            return Ok(alert(&context, &sinks, &wanted).await? && usable);
        }
        // What this pass brings is news for a new rule.
        by_clock::take_baselines(&context, &Rules::of(&context, false)).await?;
        let discovered = discovered(&mut context, &wanted).await?;
        let lists = chosen_list::ids(&opened.pool, &wanted.watch_list).await?;
        let chosen = chosen_feeds(&context.config, &wanted, &lists)?;
        let read = pass(&context, &wanted, chosen).await;
        context.budget.give_back().await;
        let read = read?;
        Ok(alert(&context, &sinks, &wanted).await? && read && discovered && usable)
    };
    ask::with_database(&config, work).await
}

/// The sinks that can be used, and whether all can. One that cannot keeps nobody
/// from reading; what it is owed waits.
fn usable_sinks(config: &Config) -> (Vec<Sink>, bool) {
    let mut sinks = Vec::new();
    for settings in &config.alerts.sinks {
        match Sink::open(settings) {
            Ok(sink) => sinks.push(sink),
            Err(error) => print_error(&format!(
                "sink `{}` cannot be used; its deliveries wait: {}",
                settings.name,
                chain(&error)
            )),
        }
    }
    let all = sinks.len() == config.alerts.sinks.len();
    (sinks, all)
}

fn refuse_what_belongs_to_feeds(wanted: &Sync) -> anyhow::Result<()> {
    let refused = [
        ("--watch-list", !wanted.watch_list.is_empty()),
        ("--days", wanted.days.is_some()),
    ];
    let refused = refused.into_iter().find(|(_, is_given)| *is_given);
    match refused.filter(|_| wanted.what == What::Tickets) {
        Some((option, _)) => {
            Err(WrongUsage(format!("{option} applies to feeds, not to tickets")).into())
        }
        None => Ok(()),
    }
}

/// Asks which lists there are before all feeds are pulled, where `[discovery]`
/// wants it. One that fails is told; the lists known so far are pulled.
async fn discovered(context: &mut Context, wanted: &Sync) -> anyhow::Result<bool> {
    let feeds = wanted.what != What::Tickets && wanted.watch_list.is_empty();
    if !feeds || !context.config.discovery.watch_lists {
        return Ok(true);
    }
    let told = discover::discover(context).await?;
    let mut connection = context.pool.acquire().await?;
    context.config = Arc::new(discover::followed(&mut connection, &context.config).await?);
    drop(connection);
    let Ok(told) = told else {
        return Ok(true); // another process has just found out
    };
    if wanted.json {
        print_json(&told)?;
    } else {
        print_done(&format!(
            "discovery: {}, {} upstream, {} followed, {}, {}",
            told.outcome.name(),
            counted(told.listed, "watch list"),
            told.followed,
            counted(told.changed, "change"),
            counted(told.requests, "request")
        ));
    }
    if let Some(error) = told.outcome.error() {
        print_error(&format!("discovery: {error}"));
    }
    Ok(told.outcome == Outcome::Ok)
}

/// The feeds to pull; a watch list that is not followed is a mistake of the caller.
fn chosen_feeds(config: &Config, wanted: &Sync, lists: &[i64]) -> anyhow::Result<Vec<Feed>> {
    if wanted.what == What::Tickets {
        return Ok(Vec::new());
    }
    let all: Vec<Feed> = feeds(config).into_iter().map(|(feed, _)| feed).collect();
    if lists.is_empty() {
        return Ok(all);
    }
    lists
        .iter()
        .map(|id| {
            let key = SourceKey::WatchList(*id);
            all.iter()
                .find(|feed| feed.key == key)
                .cloned()
                .ok_or_else(|| not_followed(config, *id))
        })
        .collect()
}

async fn pass(context: &Context, wanted: &Sync, feeds: Vec<Feed>) -> anyhow::Result<bool> {
    let look_back = match (wanted.days, wanted.full) {
        (Some(days), _) => LookBack::Days(days),
        (None, true) if wanted.accept_removals => LookBack::FullAccepted,
        (None, true) => LookBack::Full,
        (None, false) => LookBack::Missing,
    };
    let mut good = true;
    if wanted.what != What::Tickets && wanted.watch_list.is_empty() {
        good &= sync_contents::mirror(context, wanted.json).await?;
    }
    for feed in feeds {
        let bar = progress::Bar::start(context, &feed.key.to_string());
        let ran = match look_back {
            LookBack::Missing => full::pull_due(context, &feed).await,
            _ => pull::pull(context, &feed, look_back)
                .await
                .map(|ran| vec![ran]),
        };
        bar.finish();
        let ran = match ran {
            Ok(all) => all.into_iter().map(Ok).collect(),
            Err(failure) => vec![Err(failure.chain())],
        };
        for ran in ran {
            good &= quarantined_nothing_new(context, &feed.key, &ran).await?;
            good &= print_run(&feed.key, ran, wanted.json)?;
        }
    }
    let sweeps = context.config.feeds.sweep && wanted.watch_list.is_empty();
    if wanted.what != What::Tickets && sweeps {
        good &= scan_revisions(context, wanted.json).await?;
    }
    let tickets = wanted.what != What::Feeds && wanted.watch_list.is_empty();
    if tickets && (context.config.tickets.enabled || wanted.what == What::Tickets) {
        good &= sync_tickets(context, wanted).await?;
    }
    // One request each: what takes hours comes last.
    if wanted.what != What::Tickets && context.config.fetches_details() {
        good &= fetch_details(context, wanted.json).await?;
        good &= sync_contents::lists_are_complete(context).await?;
    }
    // Scores are stored for the CVEs that are known by then, also from details.
    if wanted.what == What::All && wanted.watch_list.is_empty() {
        good &= sync_enrich::enrich(context, wanted.json).await?;
    }
    Ok(good && !context.stop.is_cancelled())
}

/// Tells the sinks of what the pass brought.
async fn alert(context: &Context, sinks: &[Sink], wanted: &Sync) -> anyhow::Result<bool> {
    if context.stop.is_cancelled() {
        return Ok(true);
    }
    if context.config.alerts.rules.is_empty() && sinks.is_empty() {
        // `status` shows them; what is new is told above.
        let silent = NoSubscriber::default();
        check::check_health(context).with_subscriber(silent).await?;
        return Ok(true);
    }
    let passed = pass::pass_with_health(context, sinks, wanted.alert_backlog).await?;
    let Delivered {
        delivered,
        postponed,
        abandoned,
    } = passed.delivered;
    let raised = passed.evaluated.raised;
    if raised + delivered > 0 && !wanted.json {
        print_done(&format!(
            "alerts: {raised} created, {} delivered",
            counted(delivered, "message")
        ));
    }
    if postponed > 0 {
        print_error(&format!(
            "alerts: {} failed and will be retried by the next `sync` or the daemon; see `advisoryd alerts list`",
            counted(postponed, "delivery")
        ));
    }
    if abandoned > 0 {
        print_error(&format!(
            "alerts: {} became dead letters; see `advisoryd alerts list --state dead_letter`",
            counted(abandoned, "message")
        ));
    }
    Ok(postponed + abandoned == 0)
}

/// One sweep; nothing while upstream refuses it.
async fn scan_revisions(context: &Context, json: bool) -> anyhow::Result<bool> {
    let bar = progress::Bar::start(context, "revision scan");
    let swept = revision_scan::scan_revisions(context).await;
    bar.finish();
    let ran = match swept {
        Ok(None) => return Ok(true),
        Ok(Some(ran)) => Ok(ran),
        Err(failure) => Err(failure.chain()),
    };
    let nothing_new = quarantined_nothing_new(context, &SourceKey::RevisionScan, &ran).await?;
    Ok(print_run(&SourceKey::RevisionScan, ran, json)? && nothing_new)
}

/// Fetches the details that are due, batch by batch: one summary line for all of them, or
/// one JSON object each.
async fn fetch_details(context: &Context, json: bool) -> anyhow::Result<bool> {
    let mut connection = context.pool.acquire().await?;
    let (details, now) = (context.config.feeds.details, context.clock.now());
    let pending = backlog::backlog(&mut connection, details, now).await?;
    drop(connection);
    let bar = progress::Bar::start(context, "details");
    context
        .progress
        .expect_records(u64::try_from(pending.wanted).unwrap_or(0));
    let mut reports = Vec::new();
    let mut failure = None;
    while !context.stop.is_cancelled() {
        match fetch::fetch(context).await {
            Ok(Fetched::Ended(report)) => {
                let is_last = report.outcome != Outcome::Ok;
                if json {
                    print_json(&report)?;
                }
                reports.push(report);
                if is_last {
                    break;
                }
            }
            Ok(Fetched::Busy(_) | Fetched::Nothing(_) | Fetched::Paused(_)) => break,
            Err(failed) => {
                failure = Some(failed.chain());
                break;
            }
        }
    }
    bar.finish();
    let mut good = true;
    for report in &reports {
        let ran = Ok(Ran::Ended(report.clone()));
        good &= quarantined_nothing_new(context, &SourceKey::Details, &ran).await?;
    }
    good &= print_batches(&SourceKey::Details, reports, json);
    if let Some(error) = failure {
        good &= print_run(&SourceKey::Details, Err(error), json)?;
    }
    Ok(good)
}

/// Whether a run put nothing into quarantine that was not there before. What it did is
/// a failure of `sync`: no rule sees such a record.
async fn quarantined_nothing_new(
    context: &Context,
    key: &SourceKey,
    ran: &Result<Ran, String>,
) -> anyhow::Result<bool> {
    let Ok(Ran::Ended(report)) = ran else {
        return Ok(true);
    };
    if report.tally.quarantined == 0 {
        return Ok(true);
    }
    let mut connection = context.pool.acquire().await?;
    let new = quarantine::first_received(&mut connection, report.run_id).await?;
    if new > 0 {
        print_error(&format!(
            "{key}: {} in quarantine; see `advisoryd quarantine list`",
            counted(new, "new record")
        ));
    }
    Ok(new == 0)
}

async fn sync_tickets(context: &Context, wanted: &Sync) -> anyhow::Result<bool> {
    let ask = if wanted.full {
        TicketSync::Full {
            accept_removals: wanted.accept_removals,
        }
    } else {
        TicketSync::Now
    };
    let bar = progress::Bar::start(context, "tickets");
    let ran = sync::sync(context, ask).await;
    bar.finish();
    let mut good = true;
    match ran {
        Ok(all) => {
            for ran in all {
                let ran = Ok(ran);
                good &= quarantined_nothing_new(context, &SourceKey::Tickets, &ran).await?;
                good &= print_run(&SourceKey::Tickets, ran, wanted.json)?;
            }
        }
        Err(failure) => good = print_run(&SourceKey::Tickets, Err(failure.chain()), wanted.json)?,
    }
    Ok(good)
}
