//! `advisoryd sync`: one pass now.

use tokio_util::sync::CancellationToken;

use super::args::{Sync, What};
use super::output::{complain, tell, tell_json};
use super::{Shared, ask, progress};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::lanes::feeds;
use crate::job::context::Context;
use crate::job::details::{self, Fetched};
use crate::job::pull_feed::{self, Feed, LookBack};
use crate::job::run::{Ran, Report};
use crate::job::sweep;
use crate::job::sync_tickets::{self, Ask};
use crate::startup;
use crate::store::source::SourceKey;

pub(super) async fn run(shared: Shared, wanted: Sync) -> anyhow::Result<bool> {
    // The summary lines are the output; the log would say the same again.
    let config = shared.load_and_log(Some("warn"))?;
    let token = config.upstream.token()?;
    let chosen = chosen_feeds(&config, &wanted)?;
    let opened = ask::open(&config).await?;
    let stop = stop_on_signals()?;
    let result = async {
        ask::migrate(&config, &opened).await?;
        let context =
            startup::context(config, token, opened.pool.clone(), Clock::system(), stop).await?;
        pass(&context, &wanted, chosen).await
    }
    .await;
    opened.close().await;
    result
}

/// The feeds to pull; a watch list that is not configured is a mistake of the caller.
fn chosen_feeds(config: &Config, wanted: &Sync) -> anyhow::Result<Vec<Feed>> {
    if wanted.what == What::Tickets {
        anyhow::ensure!(
            wanted.watch_list.is_empty(),
            "--watch-list belongs to feeds, not to tickets"
        );
        anyhow::ensure!(
            wanted.days.is_none(),
            "--days belongs to feeds, not to tickets"
        );
        return Ok(Vec::new());
    }
    let all = feeds(config).into_iter().map(|(feed, _)| feed);
    if wanted.watch_list.is_empty() {
        return Ok(all.collect());
    }
    let all: Vec<Feed> = all.collect();
    wanted
        .watch_list
        .iter()
        .map(|id| {
            let key = SourceKey::WatchList(*id);
            all.iter()
                .find(|feed| feed.key == key)
                .cloned()
                .ok_or_else(|| {
                    anyhow::anyhow!(
                        "watch list {id} is not configured; add it under [[watch_lists]]"
                    )
                })
        })
        .collect()
}

async fn pass(context: &Context, wanted: &Sync, feeds: Vec<Feed>) -> anyhow::Result<bool> {
    let look_back = match (wanted.days, wanted.full) {
        (Some(days), _) => LookBack::Days(days),
        (None, true) => LookBack::Full,
        (None, false) => LookBack::Missing,
    };
    let mut good = true;
    for feed in feeds {
        let bar = progress::Bar::start(context, &feed.key.to_string());
        let ran = pull_feed::pull(context, &feed, look_back).await;
        bar.finish();
        good &= tell_run(
            &feed.key,
            ran.map_err(|failure| failure.chain()),
            wanted.json,
        )?;
    }
    let sweeps = context.config.feeds.sweep && wanted.watch_list.is_empty();
    if wanted.what != What::Tickets && sweeps {
        good &= sweep_once(context, wanted.json).await?;
    }
    if wanted.what != What::Tickets && context.config.fetches_details() {
        good &= fetch_details(context, wanted.json).await?;
    }
    let tickets = wanted.what != What::Feeds && wanted.watch_list.is_empty();
    if tickets && (context.config.tickets.enabled || wanted.what == What::Tickets) {
        good &= sync_tickets(context, wanted).await?;
    }
    Ok(good && !context.stop.is_cancelled())
}

/// One sweep; nothing while upstream refuses it.
async fn sweep_once(context: &Context, json: bool) -> anyhow::Result<bool> {
    let bar = progress::Bar::start(context, "sweep");
    let swept = sweep::sweep(context).await;
    bar.finish();
    match swept {
        Ok(None) => Ok(true),
        Ok(Some(ran)) => tell_run(&SourceKey::Sweep, Ok(ran), json),
        Err(failure) => tell_run(&SourceKey::Sweep, Err(failure.chain()), json),
    }
}

/// Fetches the details that are due, batch by batch; one summary line each.
async fn fetch_details(context: &Context, json: bool) -> anyhow::Result<bool> {
    while !context.stop.is_cancelled() {
        let bar = progress::Bar::start(context, "details");
        let fetched = details::fetch(context).await;
        bar.finish();
        let ran = match fetched {
            Ok(Fetched::Ended(report)) => Ok(Ran::Ended(report)),
            Ok(Fetched::Busy | Fetched::Nothing(_) | Fetched::Rests(_)) => return Ok(true),
            Err(failure) => Err(failure.chain()),
        };
        if !tell_run(&SourceKey::Details, ran, json)? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn sync_tickets(context: &Context, wanted: &Sync) -> anyhow::Result<bool> {
    let ask = if wanted.full {
        Ask::Full {
            accept_removals: wanted.accept_removals,
        }
    } else {
        Ask::Now
    };
    let bar = progress::Bar::start(context, "tickets");
    let ran = sync_tickets::sync(context, ask).await;
    bar.finish();
    let mut good = true;
    match ran {
        Ok(all) => {
            for ran in all {
                good &= tell_run(&SourceKey::Tickets, Ok(ran), wanted.json)?;
            }
        }
        Err(failure) => good = tell_run(&SourceKey::Tickets, Err(failure.chain()), wanted.json)?,
    }
    Ok(good)
}

/// One summary line per run.
pub(super) fn tell_run(
    key: &SourceKey,
    ran: Result<Ran, String>,
    json: bool,
) -> anyhow::Result<bool> {
    match ran {
        Ok(Ran::Ended(report)) => {
            if json {
                tell_json(&report)?;
            } else {
                tell(&summary(&report));
            }
            if let Some(error) = &report.error {
                complain(&format!("{key}: {error}"));
            }
            Ok(report.error.is_none())
        }
        Ok(Ran::Busy) => {
            complain(&format!(
                "{key}: another run is under way; nothing was done"
            ));
            Ok(false)
        }
        Err(error) => {
            complain(&format!("{key}: {error}"));
            Ok(false)
        }
    }
}

fn summary(report: &Report) -> String {
    let tally = report.tally;
    format!(
        "{}: {} ({}), {} new, {} changed, {} unchanged, {} quarantined, {} requests, {}, {:.1} s",
        report.source,
        report.outcome,
        report.mode,
        tally.added,
        tally.changed,
        tally.unchanged,
        tally.quarantined,
        tally.requests,
        bytesize::ByteSize(tally.bytes),
        report.seconds,
    )
}

/// Ctrl-C and SIGTERM end the pass at its next safe point.
pub(super) fn stop_on_signals() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let asked = super::asked_to_stop()?;
    tokio::spawn(async move {
        asked.await;
        token.cancel();
    });
    Ok(stop)
}
