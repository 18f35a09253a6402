//! `advisoryd mirror`: a signed bundle for an air-gapped site.

use std::path::PathBuf;

use clap::Args;

use super::output::{print_done, print_error, print_json};
use super::share_budget::with_shared_budget;
use super::shared::GlobalArgs;
use super::stop::stop_on_signals;
use crate::clock::Clock;
use crate::job::bundle::{self, Key, Recorded, Unfinished};
use crate::job::context::Context;
use crate::model::counted;
use crate::startup;

/// What `mirror` takes.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Make a key with `head -c 32 /dev/urandom | base64 > bundle.key`. An interrupted command is continued by the same command."
)]
pub(super) struct MirrorArgs {
    /// Directory to write to; must be new, empty or an unfinished bundle
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// File with the key that signs the bundle; `import` needs the same
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// How many days back the feeds go [default: `[feeds] first_days`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: MirrorArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    anyhow::ensure!(
        !config.upstream.offline,
        "`mirror` requests everything from upstream, but [upstream] offline = true; run it where upstream can be reached"
    );
    let key = Key::read(&wanted.key_file)?;
    let token = config.upstream.token()?;
    let clock = Clock::system();
    let days = wanted.days.unwrap_or(config.feeds.first_days);
    let of = (&config.upstream.base_url, days);
    let unfinished = bundle::resume(&wanted.out, of, clock.now())?;
    let stop = stop_on_signals()?;
    let saved = std::sync::Arc::clone(&unfinished.saved);
    let own = token.clone();
    let context = startup::mirror_context(&config, token, saved, clock.clone(), stop).await?;
    let work = Box::pin(record(&context, &unfinished, days));
    let recorded = with_shared_budget(&config, &own, &context.client, work).await;
    let Some(recorded) = recorded? else {
        return Ok(false);
    };
    print_recorded(&wanted, &recorded, &context, (&unfinished, &key))
}

/// Requests and saves everything; `None` if something is missing that the bundle needs.
async fn record(
    context: &Context,
    unfinished: &Unfinished,
    days: u32,
) -> anyhow::Result<Option<Recorded>> {
    let mut recorded = match bundle::record(context, unfinished, days).await {
        Ok(recorded) => recorded,
        Err(failure) => {
            print_error(&format!(
                "{}; the bundle is not complete; run the same command again to continue",
                failure.chain()
            ));
            return Ok(None);
        }
    };
    bundle::published(context, unfinished, &mut recorded).await?;
    Ok(Some(recorded))
}

/// Signs the bundle, and prints what is in it.
fn print_recorded(
    wanted: &MirrorArgs,
    recorded: &Recorded,
    context: &Context,
    (unfinished, key): (&Unfinished, &Key),
) -> anyhow::Result<bool> {
    for what in &recorded.without {
        print_error(&format!("not in the bundle: {what}"));
    }
    let files = bundle::finish(unfinished, &recorded.published, key, context.clock.now())?;
    let requests = context.client.total_usage().requests;
    if wanted.json {
        print_json(&serde_json::json!({
            "directory": wanted.out.display().to_string(),
            "files": files,
            "feeds": recorded.feeds,
            "json_lists": recorded.json_lists,
            "details": recorded.details,
            "resumed": unfinished.resumed,
            "requests": requests,
            "without": recorded.without,
        }))?;
        return Ok(true);
    }
    print_done(&format!(
        "{}: {}, {} ({} already there); {}, {} of details",
        wanted.out.display(),
        counted(files, "file"),
        counted(requests, "request"),
        unfinished.resumed,
        counted(recorded.feeds + recorded.json_lists, "list"),
        recorded.details
    ));
    Ok(true)
}
