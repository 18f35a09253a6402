//! `advisoryd enrich`: the KEV catalogue and EPSS scores from saved files.

use std::path::PathBuf;

use clap::Args;

use super::ask;
use super::output::{print_error, print_json, print_line};
use super::shared::GlobalArgs;
use crate::clock::Clock;
use crate::job::enrichment::{NotEnriched, Terms, pull};
use crate::model::{chain, outgoing};

/// What `enrich` reads.
#[derive(Debug, Args)]
pub(super) struct Enrich {
    /// KEV catalogues (JSON) and files of EPSS scores (CSV), plain or compressed (gzip, zstd)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Accept a file that has far fewer CVEs than the previous file
    #[arg(long)]
    accept_removals: bool,
    /// Print one JSON object per file
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Enrich) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    ask::with_new_database(&config, async |opened| {
        ask::migrate(&config, opened).await?;
        let terms = Terms {
            read_at: None,
            threshold: config.enrichment.epss_threshold,
            accept_removals: wanted.accept_removals,
        };
        let mut good = true;
        for file in &wanted.files {
            let now = Clock::system().now();
            match pull::enrich_file(&opened.pool, file, terms, now).await {
                Ok(applied) if wanted.json => print_json(&applied)?,
                Ok(applied) => print_line(&applied.sentence()),
                Err(NotEnriched::Store(error)) => return Err(error.into()),
                Err(error) => {
                    let (file, error) = (file.display(), outgoing(&chain(&error)));
                    print_error(&format!("{file}: {error}"));
                    good = false;
                }
            }
        }
        Ok(good)
    })
    .await
}
