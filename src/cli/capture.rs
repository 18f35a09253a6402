//! `advisoryd capture`: an anonymised record of what upstream sends, to be shared.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use super::chosen_list;
use super::confirm::confirm;
use super::output::{print_done, print_error};
use super::share_budget::with_shared_budget;
use super::shared::GlobalArgs;
use super::stop::stop_on_signals;
use crate::capture::{Asker, CaptureOptions, ClaimVerdict, Folder, judge, most_calls};
use crate::clock::Clock;
use crate::config::{ApiToken, Config};
use crate::http::Client;
use crate::model::counted;
use crate::startup;

/// The most that `--max-body` may be: bodies are held in memory.
const LARGEST_BODY: u64 = 256 << 20;

/// What `capture` takes.
#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Directory to write to; must be new or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Only the feed of this watch list: its ID or its name; may be repeated
    /// [default: the configured ones, else the first five upstream]
    #[arg(long, value_name = "ID|NAME")]
    pub watch_list: Vec<String>,
    /// Maximum size of each response; longer ones are cut at the end of a record
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = max_body)]
    pub max_body: usize,
    /// Do not anonymise: the files contain personal data; do not share them
    #[arg(long)]
    pub raw: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

fn max_body(text: &str) -> Result<usize, String> {
    let size = text.parse::<ByteSize>().ok().map(|size| size.as_u64());
    size.filter(|size| (1024..=LARGEST_BODY).contains(size))
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| "write a size from `1KiB` to `256MiB`".to_owned())
}

pub(super) async fn run(shared: GlobalArgs, wanted: Capture) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let token = config.upstream.token()?;
    let lists = lists(&config, &wanted).await?;
    if !announce(&config, lists.len(), &wanted)? {
        return Ok(false);
    }
    let folder = Folder::prepare(&wanted.out)?;
    let client = Client::new(&config.upstream, token.clone(), Vec::new(), Clock::system())?;
    let work = captured(&config, token.clone(), &client, (lists, folder, &wanted));
    with_shared_budget(&config, &token, &client, Box::pin(work)).await
}

async fn captured(
    config: &Config,
    token: ApiToken,
    client: &Client,
    (lists, folder, wanted): (Vec<i64>, Folder, &Capture),
) -> anyhow::Result<bool> {
    let asked = CaptureOptions {
        lists,
        max_body: wanted.max_body,
    };
    let stop = stop_on_signals()?;
    let answers = Asker::new(client.clone(), stop.clone(), asked).take().await;
    let rules = startup::rules(config)?;
    let captured = judge(answers, &rules, &config.upstream, &token, wanted.raw)?;
    folder.write(&captured)?;
    let count = |verdict: ClaimVerdict| {
        let claims = captured.report.claims.iter();
        claims.filter(|claim| claim.verdict == verdict).count()
    };
    print_done(&format!(
        "{}: {}; assumptions: {} confirmed, {} refuted, {} open; see report.md",
        wanted.out.display(),
        counted(client.total_usage().requests, "request"),
        count(ClaimVerdict::Held),
        count(ClaimVerdict::NotHeld),
        count(ClaimVerdict::Open)
    ));
    let mut good = !stop.is_cancelled();
    for call in &captured.report.calls {
        if let Some(error) = &call.error {
            print_error(&format!("{}: {error}", call.name));
            good = false;
        }
    }
    let refused = captured.report.calls.len() == 1 && captured.report.calls[0].status != Some(200);
    if refused {
        print_error(
            "upstream refused the first request, so no other was sent; run `advisoryd check`",
        );
    }
    Ok(good && !refused)
}

async fn lists(config: &Config, wanted: &Capture) -> anyhow::Result<Vec<i64>> {
    if wanted.watch_list.is_empty() {
        return Ok(config.watch_lists.iter().map(|list| list.id).collect());
    }
    chosen_list::ids_in_reach(config, &wanted.watch_list).await
}

/// Says beforehand what will be asked of upstream; on a terminal, asks.
fn announce(config: &Config, lists: usize, wanted: &Capture) -> anyhow::Result<bool> {
    let calls = most_calls(lists);
    let host = config.upstream.base_url.host_str().unwrap_or_default();
    let how = if wanted.raw {
        "unchanged, with names and addresses"
    } else {
        "without token, names and addresses"
    };
    let out = wanted.out.display();
    print_error(&format!(
        "at most {} will be sent to {host} (GET and OPTIONS only, plus retries); the responses are written to {out} {how}",
        counted(calls, "request")
    ));
    if !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    confirm(wanted.yes, "Go on?")
}
