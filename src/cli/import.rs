//! `advisoryd import`: saved feed documents, for air-gapped sites.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::import_bundle::{self, is_bundle};
use super::import_unread::UnreadLine;
use super::input::open_input;
use super::output::{print_error, print_json};
use super::report::{not_followed, print_ended, print_run};
use super::shared::GlobalArgs;
use super::stop::stop_on_signals;
use super::sync_report::nothing_new_of;
use super::{ask, chosen_list};
use crate::clock::Clock;
use crate::config::{ApiToken, Config};
use crate::job::context::Context;
use crate::job::feeds::import;
use crate::job::run::{Ran, RunReport};
use crate::model::SourceKey;
use crate::startup;
use crate::store::reports::unread;

/// What `import` reads.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Saved feed files, plain or compressed (gzip, zstd), or the directory of one bundle;
    /// - reads standard input
    #[arg(required = true, value_name = "FILE|BUNDLE")]
    pub files: Vec<PathBuf>,
    /// The watch list whose feed was saved: its ID or its name
    #[arg(long, value_name = "ID|NAME", required_unless_present = "key_file")]
    pub watch_list: Option<String>,
    /// A bundle of `advisoryd mirror`: the file with its key
    #[arg(long, value_name = "FILE", conflicts_with = "watch_list")]
    pub key_file: Option<PathBuf>,
    /// Of a bundle: accept that over 20 % of a list's members or of the tickets are gone
    #[arg(long, requires = "key_file")]
    pub accept_removals: bool,
    /// Print one JSON object per run
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Import) -> anyhow::Result<bool> {
    if let Some(key) = &wanted.key_file {
        let [bundle] = &wanted.files[..] else {
            anyhow::bail!("give one bundle; import several one after the other, the oldest first");
        };
        let how = (wanted.accept_removals, wanted.json);
        return import_bundle::run(shared, bundle, key, how).await;
    }
    if let Some(bundle) = wanted.files.iter().find(|file| is_bundle(file)) {
        let bundle = bundle.display();
        anyhow::bail!("{bundle} is a bundle; import it with --key-file FILE");
    }
    let config = shared.load_and_note()?;
    ask::with_new_database(&config, async |opened| {
        let stop = stop_on_signals()?;
        ask::migrate(&config, opened).await?;
        let token = token(&config);
        let (config, pool) = (config.clone(), opened.pool.clone());
        let context = startup::context(config, token, pool, Clock::system(), stop).await?;
        let mut connection = opened.pool.acquire().await?;
        let id = chosen_list::id(&mut connection, wanted.watch_list.as_deref()).await?;
        let id = id.unwrap_or_default();
        drop(connection);
        if !context.config.watch_lists.iter().any(|list| list.id == id) {
            return Err(not_followed(&context.config, id));
        }
        import_all(&context, &wanted, id).await
    })
    .await
}

/// An air-gapped site has no token either; nothing is sent with it.
fn token(config: &Config) -> ApiToken {
    config
        .upstream
        .token()
        .unwrap_or_else(|_| ApiToken::unused())
}

/// What to give in place of a directory: the files in it that may be feeds.
pub(super) fn is_directory(directory: &Path, command: &str) -> String {
    /// Named at most.
    const MOST: usize = 3;
    let name = directory.display();
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_feed = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut parts = name.rsplit('.').take(2);
        path.is_file() && parts.any(|part| part.eq_ignore_ascii_case("xml"))
    };
    let mut feeds: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_feed).collect();
    feeds.sort();
    let named: Vec<String> = feeds
        .iter()
        .take(MOST)
        .map(|path| path.display().to_string())
        .collect();
    let more = if feeds.len() > MOST { " …" } else { "" };
    if named.is_empty() {
        return format!(
            "{name}: is a directory, and no file in it ends in .xml, .xml.gz or .xml.zst; give the saved feed documents themselves: {command} FILE…"
        );
    }
    format!(
        "{name}: is a directory; give the saved feed documents in it: {command} {}{more}",
        named.join(" ")
    )
}

async fn import_all(context: &Context, wanted: &Import, id: i64) -> anyhow::Result<bool> {
    let key = SourceKey::WatchList(id);
    let mut good = true;
    for file in &wanted.files {
        let name = file.display().to_string();
        if file.is_dir() {
            let command = format!("advisoryd import --watch-list {id}");
            print_error(&is_directory(file, &command));
            good = false;
            continue;
        }
        let reader = match open_input(file) {
            Ok(reader) => reader,
            Err(error) => {
                print_error(&format!("{name}: cannot open: {error}"));
                good = false;
                continue;
            }
        };
        let ran = import::import(context, &key, &name, reader).await;
        good &= match ran {
            Ok(Ran::Ended(report)) => print_imported(context, &key, &report, wanted.json).await?,
            other => print_run(&key, other.map_err(|failure| failure.chain()), wanted.json)?,
        };
        if context.stop.is_cancelled() {
            return Ok(false);
        }
    }
    Ok(good)
}

/// A run as JSON, and what could not be read.
#[derive(Serialize)]
struct Imported<'a> {
    #[serde(flatten)]
    report: &'a RunReport,
    #[serde(flatten)]
    unread: UnreadLine,
}

/// The summary line, and one more if something was repaired or could not be read. False if
/// the run failed.
async fn print_imported(
    context: &Context,
    key: &SourceKey,
    report: &RunReport,
    json: bool,
) -> anyhow::Result<bool> {
    let mut connection = context.pool.acquire().await?;
    let unread = unread::unread(&mut connection, &[report.run_id]).await?;
    let unread = UnreadLine::of(&unread);
    drop(connection);
    let nothing_new =
        report.tally.quarantined == 0 || nothing_new_of(context, key, report.run_id).await?;
    let is_good = print_ended(&key.label(), report, json) && nothing_new;
    if json {
        print_json(&Imported { report, unread })?;
    } else {
        unread.print();
    }
    Ok(is_good)
}
