//! `advisoryd replay`: everything that is stored, read again with today's rules.

use clap::Args;
use serde_json::Value;

use super::confirm::confirm;
use super::output::{print_done, print_json, print_line};
use super::shared::GlobalArgs;
use super::since::{Since, since};
use super::{ask, table};
use crate::clock::Clock;
use crate::job::trust::replay::{Example, ReplayReport, ReplayScope};
use crate::model::{counted, one_line};
use crate::startup::{self, Opened};
use crate::store::reports::report;

/// Longest part of an old or new value that is printed.
const VALUE_LETTERS: usize = 60;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    /// Only versions stored and records quarantined since: a duration (`7d`, `12h`) or a date or time (2026-11-01)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Print JSON: one object for what would change, one for what was written
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: ReplayArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let rules = startup::rules(&config)?;
    let clock = Clock::system();
    let since = wanted
        .since
        .map(|since| since.time(clock.now(), shared.times()));
    ask::with_database(&config, async |opened| {
        drop(ask::up_to_date(opened).await?);
        let replay = ReplayScope {
            pool: &opened.pool,
            rules: &rules,
            clock: &clock,
            since,
        };
        both_passes(opened, &replay, &wanted).await
    })
    .await
}

async fn both_passes(
    opened: &Opened,
    replay: &ReplayScope<'_>,
    wanted: &ReplayArgs,
) -> anyhow::Result<bool> {
    let found = pass(opened, replay, false).await?;
    print_report(&found, wanted.json)?;
    if wanted.dry_run {
        return Ok(true);
    }
    // Fingerprints may be stale where no column is: writing them asks nobody.
    if !found.is_empty() && !confirm(wanted.yes, "Write this?")? {
        return Ok(false);
    }
    let written = pass(opened, replay, true).await?;
    if wanted.json {
        print_json(&written)?;
    } else {
        print_done(&format!(
            "written: {}; {} left quarantine",
            counted(written.rewritten, "row"),
            counted(written.leaving, "record")
        ));
    }
    Ok(true)
}

async fn pass(
    opened: &Opened,
    replay: &ReplayScope<'_>,
    write: bool,
) -> anyhow::Result<ReplayReport> {
    match replay.run(write).await? {
        Ok(report) => Ok(report),
        Err((source_id, holder)) => {
            let mut connection = opened.pool.acquire().await?;
            let key = report::key_of(&mut connection, source_id).await?;
            anyhow::bail!(
                "{key} is in use by another run ({holder}); nothing was done, try again later"
            )
        }
    }
}

fn print_report(report: &ReplayReport, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(report);
    }
    print_line(&format!(
        "parsed again: {}, {}, {}, {}",
        counted(report.advisories, "advisory version"),
        counted(report.tickets, "ticket version"),
        counted(report.dissents, "conflicting copy"),
        counted(report.quarantined, "quarantined record")
    ));
    for (field, found) in &report.fields {
        print_line(&format!("{field}: {} differ", found.count));
        for example in &found.examples {
            let Example {
                key,
                version,
                old,
                new,
            } = example;
            let (old, new) = (short(old.as_ref()), short(new.as_ref()));
            print_line(&format!("    {key} v{version}: {old} → {new}"));
        }
    }
    if report.unreadable > 0 {
        print_line(&format!(
            "left unchanged because they can no longer be parsed: {}",
            counted(report.unreadable, "raw text")
        ));
        for example in &report.unreadable_examples {
            print_line(&format!("    {example}"));
        }
    }
    if report.promoted > 0 {
        print_line(&format!(
            "newer than the current version, and so the next one: {}",
            counted(report.promoted, "conflicting copy")
        ));
    }
    if report.leaving > 0 {
        print_line(&format!(
            "{} can be parsed now",
            counted(report.leaving, "quarantined record")
        ));
    }
    if report.is_empty() {
        print_line("no differences");
    } else {
        print_line(&format!(
            "different: {}",
            counted(report.differing, "version")
        ));
    }
    Ok(())
}

fn short(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => table::short(&one_line(text), VALUE_LETTERS),
        Some(other) => table::short(&other.to_string(), VALUE_LETTERS),
    }
}
