//! `advisoryd sync`: one pass over feeds, details and tickets, then the alerts.

use clap::{Args, ValueEnum};

use super::exit::WrongUsage;
use super::output::{print_error, print_note};
use super::shared::GlobalArgs;
use super::stop::stop_on_signals;
use super::sync_alerts::{AlertOutput, alert, usable_sinks};
use super::sync_details::{fetch_details, scan_revisions};
use super::sync_feeds::{chosen_feeds, discover, pull_feed};
use super::sync_tickets::sync_tickets;
use super::{ask, chosen_list, sync_contents, sync_enrich};
use crate::clock::Clock;
use crate::job::account::bind;
use crate::job::alerts::by_clock;
use crate::job::alerts::evaluate::RuleSet;
use crate::job::context::Context;
use crate::job::feeds::feed::{Feed, LookBack};
use crate::job::tickets::sync::TicketSync;
use crate::model::counted;
use crate::startup::{self, Opened};

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct Sync {
    /// What to sync
    #[arg(value_enum, default_value = "all")]
    pub what: SyncPart,
    /// Only this watch list: its ID or its name; may be repeated
    #[arg(long, visible_alias = "list", value_name = "ID|NAME")]
    pub watch_list: Vec<String>,
    /// Request this many days instead of what is missing
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "full")]
    pub days: Option<u32>,
    /// Feeds: full pull, with the look-back of the first pull. Tickets: full scan
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
pub(super) enum SyncPart {
    /// The feeds of watch lists and extra feeds
    Feeds,
    /// The tickets
    Tickets,
    /// Feeds and tickets
    All,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Sync) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let token = config.upstream.token()?;
    refuse_what_belongs_to_feeds(&wanted)?;
    let (sinks, usable) = usable_sinks(&config);
    let is_offline = config.upstream.offline;
    if is_offline {
        print_error(
            "[upstream] offline = true: nothing is requested; `advisoryd import BUNDLE` brings data",
        );
    }
    let most = config.feeds.max_days;
    if let Some(days) = wanted.days.filter(|days| *days > most) {
        print_note(&format!(
            "--days {days} is more than [feeds] max_days; {} are requested",
            counted(most, "day")
        ));
    }
    let alert_output = AlertOutput {
        backlog: wanted.alert_backlog,
        json: wanted.json,
    };
    let work = async |opened: &Opened| {
        let stop = stop_on_signals()?;
        ask::migrate(&config, opened).await?;
        let (config, pool) = (config.clone(), opened.pool.clone());
        bind(&pool, &config.upstream, &token, Clock::system().now()).await?;
        let mut context = startup::context(config, token, pool, Clock::system(), stop).await?;
        if is_offline {
            return Ok(alert(&context, &sinks, alert_output).await? && usable);
        }
        // What this pass brings is news for a new rule.
        by_clock::take_baselines(&context, &RuleSet::of(&context, false)).await?;
        let all_feeds = wanted.what != SyncPart::Tickets && wanted.watch_list.is_empty();
        let discovered = !all_feeds || discover(&mut context, wanted.json).await?;
        let lists = chosen_list::ids(&opened.pool, &wanted.watch_list).await?;
        let chosen = match wanted.what {
            SyncPart::Tickets => Vec::new(),
            SyncPart::Feeds | SyncPart::All => chosen_feeds(&context.config, &lists)?,
        };
        let read = pass(&context, &wanted, chosen).await;
        context.budget.give_back().await;
        let read = read?;
        Ok(alert(&context, &sinks, alert_output).await? && read && discovered && usable)
    };
    ask::with_new_database(&config, work).await
}

fn refuse_what_belongs_to_feeds(wanted: &Sync) -> anyhow::Result<()> {
    let refused = [
        ("--watch-list", !wanted.watch_list.is_empty()),
        ("--days", wanted.days.is_some()),
    ];
    let refused = refused.into_iter().find(|(_, is_given)| *is_given);
    match refused.filter(|_| wanted.what == SyncPart::Tickets) {
        Some((option, _)) => {
            Err(WrongUsage(format!("{option} applies to feeds, not to tickets")).into())
        }
        None => Ok(()),
    }
}

async fn pass(context: &Context, wanted: &Sync, feeds: Vec<Feed>) -> anyhow::Result<bool> {
    let look_back = match (wanted.days, wanted.full) {
        (Some(days), _) => LookBack::Days(days),
        (None, true) if wanted.accept_removals => LookBack::FullAccepted,
        (None, true) => LookBack::Full,
        (None, false) => LookBack::Missing,
    };
    let mut good = true;
    if wanted.what != SyncPart::Tickets && wanted.watch_list.is_empty() {
        good &= sync_contents::mirror(context, wanted.json).await?;
    }
    for feed in feeds {
        good &= pull_feed(context, &feed, look_back, wanted.json).await?;
    }
    let sweeps = context.config.feeds.sweep && wanted.watch_list.is_empty();
    if wanted.what != SyncPart::Tickets && sweeps {
        good &= scan_revisions(context, wanted.json).await?;
    }
    let tickets = wanted.what != SyncPart::Feeds && wanted.watch_list.is_empty();
    if tickets && (context.config.tickets.enabled || wanted.what == SyncPart::Tickets) {
        let ask = if wanted.full {
            TicketSync::Full {
                accept_removals: wanted.accept_removals,
            }
        } else {
            TicketSync::Now
        };
        good &= sync_tickets(context, ask, wanted.json).await?;
    }
    // One request each: what takes hours comes last.
    if wanted.what != SyncPart::Tickets && context.config.fetches_details() {
        good &= fetch_details(context, sweeps, wanted.json).await?;
        good &= sync_contents::lists_are_complete(context).await?;
    }
    // Scores are stored for the CVEs that are known by then, also from details.
    if wanted.what == SyncPart::All && wanted.watch_list.is_empty() {
        good &= sync_enrich::enrich(context, wanted.json).await?;
    }
    Ok(good && !context.stop.is_cancelled())
}
