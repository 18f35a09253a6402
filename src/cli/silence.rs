//! `advisoryd silence`: alerts that are suppressed for a while.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::ask;
use super::list::Shape;
use super::login::login;
use super::output::{print_done, print_error, print_line, print_note};
use super::shared::GlobalArgs;
use super::silence_list::{ACTIVE, SilenceLine, list};
use super::since::{Since, since};
use super::table::{limit, short};
use super::times::Times;
use crate::clock::Clock;
use crate::model::filter::severity_from_name;
use crate::model::{Alert, Silence as Compiled, StoredPatterns, outgoing};
use crate::startup::Opened;
use crate::store::alerts::silence;
use crate::store::database;

/// How far back a new silence is tried.
const PAST: TimeDelta = TimeDelta::days(30);
/// Most alerts that it is tried with.
const MOST_PAST: i64 = 100_000;
/// Suppressed alerts that are named.
const NAMED: usize = 3;
/// Longest part of a title that is named, in characters.
const TITLE_CHARS: usize = 60;

#[derive(Debug, Args)]
pub(super) struct SilenceArgs {
    #[command(subcommand)]
    what: SilenceCommand,
}

#[derive(Debug, Subcommand)]
enum SilenceCommand {
    /// Suppress alerts that match all matchers (they are still recorded)
    Add(Add),
    /// List active silences, soonest to expire first
    List {
        /// Include expired silences
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Expire silences now
    #[command(visible_alias = "remove")]
    Expire {
        /// IDs, as shown by `list`
        #[arg(required = true)]
        ids: Vec<i64>,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Matchers such as `rule=soc`, `key=SA123*`, `severity=high+`, `title=*printer*`; fields: rule, what, kind, key, severity, title, product, cve, watch_list
    #[arg(required = true, value_name = "FIELD=PATTERN", value_parser = matcher)]
    matchers: Vec<(String, String)>,
    /// Reason for the silence
    #[arg(long, visible_alias = "note", alias = "comment")]
    reason: String,
    /// End: a duration from now (`8h`), a date or month (2026-12-31, to its end) or a time
    #[arg(long, visible_alias = "for", value_name = "WHEN", value_parser = since)]
    until: Since,
    /// Add the silence even if it matches no existing rule, kind, severity, watch list or
    /// product
    #[arg(long)]
    force: bool,
    /// Add nothing; only print what it would have suppressed
    #[arg(long)]
    dry_run: bool,
}

fn matcher(text: &str) -> Result<(String, String), String> {
    let (field, pattern) = text
        .split_once('=')
        .filter(|(_, pattern)| !pattern.is_empty())
        .ok_or_else(|| "write a field, `=` and a pattern, such as `key=SA123*`".to_owned())?;
    let field = field.trim();
    let (name, worse) = match pattern.strip_suffix('+') {
        Some(name) => (name, "+"),
        None => (pattern, ""),
    };
    let severity = severity_from_name(name).filter(|_| field == "severity");
    let pattern = severity.map_or_else(
        || pattern.to_owned(),
        |one| format!("{}{worse}", one.name()),
    );
    Ok((field.to_owned(), pattern))
}

pub(super) async fn run(shared: GlobalArgs, wanted: SilenceArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let now = Clock::system().now();
    let times = shared.times();
    if let SilenceCommand::List { shape, .. } = &wanted.what {
        shape.check::<SilenceLine>()?;
    }
    ask::with_database(&config, async |opened| match wanted.what {
        SilenceCommand::Add(wanted) => {
            let until = wanted.until.end_ahead(now, times)?;
            add(opened, wanted, (now, until), times).await
        }
        SilenceCommand::List { all, shape } => {
            let lines = silence::list(&mut *ask::up_to_date(opened).await?).await?;
            let lines = lines.into_iter().map(|line| SilenceLine::of(line, now));
            let lines = lines.filter(|line| all || line.state == ACTIVE);
            list(&lines.collect::<Vec<_>>(), (all, &shape), times)
        }
        SilenceCommand::Expire { ids } => expire(opened, &ids, now).await,
    })
    .await
}

async fn add(
    opened: &Opened,
    wanted: Add,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
    times: Times,
) -> anyhow::Result<bool> {
    anyhow::ensure!(
        until > now,
        "{} is in the past; use a future time or a duration such as 8h",
        times.exact(until)
    );
    let matchers: BTreeMap<String, String> = wanted.matchers.into_iter().collect();
    let compiled = Compiled::new(0, until, &matchers).map_err(anyhow::Error::msg)?;
    if let Some(wrong) = compiled.wrong_cve() {
        anyhow::bail!(
            "`cve={wrong}` is no CVE identifier; expected one such as CVE-2026-1234, or a pattern such as CVE-2026-*"
        );
    }
    let mut connection = ask::up_to_date(opened).await?;
    let mut known = silence::known(&mut connection).await?;
    if let Some(pattern) = compiled.product_pattern() {
        known.products = Some(silence::known_products(&mut connection, &pattern).await?);
    }
    if let Some(why) = compiled.matches_nothing(&known).filter(|_| !wanted.force) {
        anyhow::bail!("{why}; use --force to add the silence nevertheless");
    }
    let patterns = compiled.stored_patterns();
    if patterns != StoredPatterns::default() {
        let stored = silence::stored_texts(&mut connection, &patterns).await?;
        for sentence in compiled.matches_nothing_yet(&stored) {
            print_note(&format!("warning: {sentence}"));
        }
    }
    let past = silence::past_alerts(&mut connection, now - PAST, MOST_PAST).await?;
    if wanted.dry_run {
        print_line(&would_have(&compiled, &past));
        return Ok(true);
    }
    let by = login();
    let reason = outgoing(&wanted.reason);
    let about = (reason.as_str(), by.as_str());
    let mut transaction = database::begin_on(&mut connection).await?;
    let id = silence::add(&mut transaction, &matchers, about, (now, until)).await?;
    transaction.commit().await?;
    print_line(&format!(
        "silence {id} active until {}; suppressed alerts: `advisoryd alerts list --state silenced`",
        times.exact(until)
    ));
    print_line(&would_have(&compiled, &past));
    Ok(true)
}

/// What it would have suppressed.
fn would_have(silence: &Compiled, past: &[(String, Alert)]) -> String {
    let held: Vec<&Alert> = past
        .iter()
        .filter(|(rule, alert)| silence.fits(rule, alert))
        .map(|(_, alert)| alert)
        .collect();
    let all = past.len();
    if held.is_empty() {
        return format!("of the {all} alerts of the last 30 days it would have suppressed none");
    }
    let named = held.iter().take(limit(NAMED));
    let mut named: Vec<String> = named
        .map(|alert| format!("{} {}", alert.key, short(&alert.title, TITLE_CHARS)))
        .collect();
    if held.len() > limit(NAMED) {
        named.push(format!("and {} more", held.len() - NAMED));
    }
    format!(
        "of the {all} alerts of the last 30 days it would have suppressed {}: {}",
        held.len(),
        named.join("; ")
    )
}

async fn expire(opened: &Opened, ids: &[i64], now: DateTime<Utc>) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let mut good = true;
    for id in ids {
        let mut transaction = database::begin_on(&mut connection).await?;
        let was_active = silence::expire(&mut transaction, *id, now).await?;
        transaction.commit().await?;
        if was_active {
            print_done(&format!("silence {id} expired"));
        } else {
            print_error(&format!(
                "silence {id} is not active; see `advisoryd silence list`"
            ));
            good = false;
        }
    }
    Ok(good)
}
