//! `advisoryd sync`: one pass now.

use tokio_util::sync::CancellationToken;

use super::args::{Sync, What};
use super::output::{complain, tell, tell_json};
use super::{Shared, ask, progress};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::lanes::feeds;
use crate::job::alert_pass;
use crate::job::context::Context;
use crate::job::deliver::Delivered;
use crate::job::pull_feed::{self, Feed, LookBack};
use crate::job::run::{Ran, Report};
use crate::job::sync_tickets::{self, Ask};
use crate::sink::Sink;
use crate::startup;
use crate::store::source::SourceKey;

pub(super) async fn run(shared: Shared, wanted: Sync) -> anyhow::Result<bool> {
    // The summary lines are the output; the log would say the same again.
    let config = shared.load_and_log(Some("warn"))?;
    let token = config.upstream.token()?;
    let chosen = chosen_feeds(&config, &wanted)?;
    let sinks = startup::open_sinks(&config)?;
    let opened = ask::open(&config).await?;
    let stop = stop_on_signals()?;
    let result = async {
        ask::migrate(&config, &opened).await?;
        let context =
            startup::context(config, token, opened.pool.clone(), Clock::system(), stop).await?;
        let read = pass(&context, &wanted, chosen).await?;
        Ok(alert(&context, &sinks, &wanted).await? && read)
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
    let tickets = wanted.what != What::Feeds && wanted.watch_list.is_empty();
    if tickets && (context.config.tickets.enabled || wanted.what == What::Tickets) {
        good &= sync_tickets(context, wanted).await?;
    }
    Ok(good && !context.stop.is_cancelled())
}

/// Tells the sinks of what the pass brought.
async fn alert(context: &Context, sinks: &[Sink], wanted: &Sync) -> anyhow::Result<bool> {
    let alerts = &context.config.alerts;
    if (alerts.rules.is_empty() && sinks.is_empty()) || context.stop.is_cancelled() {
        return Ok(true);
    }
    let passed = alert_pass::pass_with_health(context, sinks, wanted.alert_backlog).await?;
    let Delivered {
        delivered,
        postponed,
        abandoned,
    } = passed.delivered;
    let raised = passed.evaluated.raised;
    if raised + delivered > 0 && !wanted.json {
        tell(&format!(
            "alerts: {raised} raised, {delivered} messages delivered"
        ));
    }
    if postponed > 0 {
        complain(&format!(
            "alerts: {postponed} messages were not taken and are tried again by the next `sync` or the daemon; see `advisoryd alerts list`"
        ));
    }
    if abandoned > 0 {
        complain(&format!(
            "alerts: {abandoned} messages were refused for good; see `advisoryd alerts list --state dead_letter`"
        ));
    }
    Ok(postponed + abandoned == 0)
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
