//! `advisoryd import BUNDLE`: a bundle of `mirror`, where nothing can be requested, then the
//! alerts.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::ask;
use super::import_unread::UnreadLine;
use super::output::{print_done, print_error, print_json};
use super::report::print_run;
use super::shared::GlobalArgs;
use super::status_daemon::Daemons;
use super::stop::stop_on_signals;
use super::sync_alerts::{AlertOutput, alert, usable_sinks};
use super::sync_report::nothing_new_of;
use crate::clock::Clock;
use crate::config::{ApiToken, Config};
use crate::job::alerts::by_clock;
use crate::job::alerts::evaluate::RuleSet;
use crate::job::bundle::{self, ImportedItem, Key, VerifiedBundle};
use crate::job::run::Ran;
use crate::model::counted;
use crate::sink::Sink;
use crate::startup::{self, Opened};
use crate::store::reports::unread;

/// Whether this is a bundle, not a directory of feed documents.
pub(super) fn is_bundle(path: &Path) -> bool {
    let has = |name: &str| path.join(name).is_file();
    has("manifest.json") || has("unfinished.jsonl") || has("manifest.hmac-sha256")
}

/// Verifies a bundle, then imports all of it.
pub(super) async fn run(
    shared: GlobalArgs,
    path: &Path,
    key: &Path,
    (accept_removals, json): (bool, bool),
) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    anyhow::ensure!(
        config.upstream.offline,
        "`import BUNDLE` requires [upstream] offline = true, because advisoryd would otherwise also request the data from upstream; set it in the configuration"
    );
    let (sinks, usable) = usable_sinks(&config);
    let clock = Clock::system();
    let bundle = bundle::open(path, &Key::read(key)?, clock.now())?;
    ask::with_new_database(&config, async |opened| {
        let stop = stop_on_signals()?;
        ask::migrate(&config, opened).await?;
        let from = (bundle.saved(), bundle.base_url.clone());
        let pool = opened.pool.clone();
        let context =
            startup::bundle_context(&config, from, pool, clock.clone(), stop.clone()).await?;
        // What the bundle brings is news for a new rule.
        by_clock::take_baselines(&context, &RuleSet::of(&context, false)).await?;
        let mut good = true;
        let mut runs = Vec::new();
        let mut on_item = |taken: ImportedItem| {
            if let ImportedItem::Run(key, Ok(Ran::Ended(report))) = &taken {
                runs.push((key.clone(), report.run_id));
            }
            match print_taken(taken, json) {
                Ok(is_good) => good &= is_good,
                Err(error) => {
                    print_error(&error.to_string());
                    good = false;
                }
            }
        };
        bundle::take(&context, &bundle, accept_removals, &mut on_item).await??;
        if good {
            bundle::complete(&context, &bundle).await?;
        }
        let ids: Vec<i64> = runs.iter().map(|(_, id)| *id).collect();
        let mut connection = opened.pool.acquire().await?;
        let unread = UnreadLine::of(&unread::unread(&mut connection, &ids).await?);
        drop(connection);
        if json {
            print_json(&unread)?;
        } else {
            unread.print();
        }
        let mut nothing_new = true;
        for (key, run_id) in runs {
            nothing_new &= nothing_new_of(&context, &key, run_id).await?;
        }
        print_end(&bundle, good);
        drop(context);
        let is_delivered = deliver(&config, opened, (&sinks, json), stop).await?;
        Ok(good && nothing_new && is_delivered && usable)
    })
    .await
}

/// Evaluates the rules and delivers, as `sync` does, unless a daemon does it.
async fn deliver(
    config: &Config,
    opened: &Opened,
    (sinks, json): (&[Sink], bool),
    stop: CancellationToken,
) -> anyhow::Result<bool> {
    let mut connection = opened.pool.acquire().await?;
    let is_running = Daemons::query(&mut connection).await?.is_running();
    drop(connection);
    if is_running {
        if !json {
            print_done("the daemon evaluates the rules and delivers");
        }
        return Ok(true);
    }
    let (config, pool) = (config.clone(), opened.pool.clone());
    let context = startup::context(config, ApiToken::unused(), pool, Clock::system(), stop).await?;
    let output = AlertOutput {
        backlog: false,
        json,
    };
    alert(&context, sinks, output).await
}

fn print_end(bundle: &VerifiedBundle, good: bool) {
    let at = bundle.created_at.format("%Y-%m-%d %H:%M UTC");
    if good {
        print_done(&format!("the bundle of {at} is imported"));
    } else {
        print_error(&format!(
            "the bundle of {at} is not imported completely, see above; it can be imported again"
        ));
    }
}

/// Prints one part; false if something in it failed.
fn print_taken(taken: ImportedItem, json: bool) -> anyhow::Result<bool> {
    match taken {
        ImportedItem::Run(key, ran) => {
            print_run(&key, ran.map_err(|failure| failure.chain()), json)
        }
        ImportedItem::Lists(Ok(discovered)) => {
            if let Some(error) = discovered.outcome.error() {
                print_error(&format!("discovery: {error}"));
                return Ok(false);
            }
            if json {
                print_json(&discovered)?;
            } else {
                let listed = counted(discovered.listed, "watch list");
                print_done(&format!(
                    "discovery: {listed}, {} followed",
                    discovered.followed
                ));
            }
            Ok(true)
        }
        ImportedItem::Lists(Err(holder)) => {
            print_error(&format!(
                "discovery: another process is reading it ({holder})"
            ));
            Ok(false)
        }
        ImportedItem::Contents(mirrored) => {
            if json {
                print_json(&mirrored)?;
            } else {
                let read = counted(mirrored.read, "collection");
                print_done(&format!("list contents: {read} read"));
            }
            if let Some(error) = &mirrored.error {
                print_error(&format!("list contents: {error}"));
            }
            Ok(mirrored.error.is_none())
        }
        ImportedItem::Published(applied) if json => print_json(&applied).map(|()| true),
        ImportedItem::Published(applied) => {
            print_done(&applied.sentence());
            Ok(true)
        }
        ImportedItem::Missing(what) => {
            print_error(&what);
            Ok(false)
        }
    }
}
