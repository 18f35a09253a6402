//! `advisoryd explain`: why an alert was or was not sent.

use clap::Args;
use serde_json::Value;
use sqlx::PgConnection;

use super::output::{print_json, print_line};
use super::shared::GlobalArgs;
use super::show::saids;
use super::show_page::called;
use super::times::Times;
use super::{ack, ask};
use crate::clock::Clock;
use crate::config::Config;
use crate::job::alerts::explain::{self, ExplainedChange};
use crate::model::filter::is_cve;
use crate::model::{RecordKind, one_line};
use crate::store::alerts::{acknowledgement, assignment};
use crate::store::reports::{question, receipt};

/// What to explain.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Advisory (SA87735), CVE (all advisories that mention it), or ticket by its number (12 or
    /// '#12') or ID
    #[arg(value_name = "SAID|CVE|TICKET")]
    key: String,
    /// Only for this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Print one JSON object per change and rule
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Explain) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    ask::with_connection(&config, async |connection| {
        let written = wanted.key.trim().to_uppercase();
        let keys = if is_cve(&written) {
            saids(connection, &written, config.feeds.details).await?
        } else {
            vec![written]
        };
        let mut good = true;
        for (place, key) in keys.iter().enumerate() {
            if place > 0 && !wanted.json {
                print_line("");
            }
            good &= show(&config, connection, (&wanted, key), shared.times()).await?;
        }
        Ok(good)
    })
    .await
}

/// Explains one; false if it is not stored.
async fn show(
    config: &Config,
    connection: &mut PgConnection,
    (wanted, written): (&Explain, &str),
    times: Times,
) -> anyhow::Result<bool> {
    let (kind, key, found) = find(connection, written).await?;
    let receipt = receipt::receipt(connection, kind, &key, config.feeds.details).await?;
    let now = Clock::system().now();
    let all = explain::explain(connection, &key, wanted.rule.as_deref(), (&receipt, now)).await?;
    if all.is_empty() {
        no_rules(config, wanted.rule.as_deref())?;
    }
    if wanted.json {
        all.iter().try_for_each(print_json)?;
        return Ok(found.is_some());
    }
    let title = match &found {
        Some(document) => document["title"].as_str().unwrap_or("it has no title"),
        None => "not stored",
    };
    let acknowledged = acknowledgement::in_force(connection, &key, now).await?;
    let acknowledged = acknowledged.filter(|_| kind == RecordKind::Advisory);
    let assigned = assignment::in_force(connection, &key).await?;
    let assigned = assigned.filter(|_| kind == RecordKind::Advisory);
    let head = match (&found, kind) {
        (Some(document), RecordKind::Ticket) => called(document),
        _ => key,
    };
    print_line(&one_line(&format!("{head}: {title}")));
    if let Some(ack) = acknowledged {
        print_line(&format!("  {}", one_line(&ack::words(&ack, times))));
    }
    if let Some(assigned) = assigned {
        let words = ack::assigned_words(&assigned, times);
        print_line(&format!("  {}", one_line(&words)));
    }
    let sentences = receipt.sentences();
    for sentence in &sentences {
        print_line(&format!("  {}", times.in_sentence(&one_line(sentence))));
    }
    // What is not stored is the same for every rule and stands above.
    let changes = all
        .iter()
        .filter(|one| one.what.is_some() || sentences.is_empty());
    let page = page(&changes.collect::<Vec<_>>(), times);
    if !page.is_empty() {
        print_line(&page);
    }
    Ok(found.is_some())
}

/// What is stored under a number of a ticket, its id, or the identifier of an advisory.
async fn find(
    connection: &mut PgConnection,
    written: &str,
) -> Result<(RecordKind, String, Option<Value>), sqlx::Error> {
    let digits = written.trim_start_matches('#');
    if let Ok(number) = digits.parse::<i64>() {
        let found = question::ticket_called(connection, number, digits != written).await?;
        // `[feeds] id_pattern` may allow numbers.
        if found.is_none()
            && let Some(advisory) = question::advisory(connection, written).await?
        {
            return Ok((RecordKind::Advisory, written.to_owned(), Some(advisory)));
        }
        let id = found.as_ref().map(|document| document["id"].to_string());
        let key = id.unwrap_or_else(|| digits.to_owned());
        return Ok((RecordKind::Ticket, key, found));
    }
    let found = question::advisory(connection, written).await?;
    Ok((RecordKind::Advisory, written.to_owned(), found))
}

/// The error if there is nothing to explain.
fn no_rules(config: &Config, only: Option<&str>) -> anyhow::Result<()> {
    let configured = |name: &str| {
        let mut rules = config.alerts.rules.iter();
        rules.any(|one| one.rule().name == name)
    };
    match only {
        Some(name) if configured(name) => anyhow::bail!(
            "rule `{name}` is new: no daemon uses it yet; start or reload the daemon, or run `advisoryd migrate`"
        ),
        Some(name) => {
            anyhow::bail!("unknown rule `{name}`; see `advisoryd rules list`")
        }
        None => anyhow::bail!(
            "no rules; add [[alerts.rules]] to the configuration and start or reload the daemon"
        ),
    }
}

/// The changes, with one line per rule.
fn page(all: &[&ExplainedChange], times: Times) -> String {
    let width = all.iter().map(|one| one.rule.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = Vec::new();
    let mut before = None;
    for one in all {
        let change = (one.seq, one.version, one.what.clone());
        if before.as_ref() != Some(&change)
            && let (Some(at), Some(what)) = (one.at, &one.what)
        {
            let at = times.exact(at);
            let version = one.version.map(|version| format!("  v{version}"));
            let version = version.unwrap_or_default();
            let what = one_line(what);
            lines.push(format!("\n{at}  {what}{version}"));
        }
        before = Some(change);
        let text = times.in_sentence(&one_line(&one.text));
        lines.push(format!("  {:<width$}  {text}", one_line(&one.rule)));
    }
    lines.join("\n")
}
