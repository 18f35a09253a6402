//! `advisoryd show`: one advisory or ticket in full.

use chrono::DateTime;
use clap::Args;
use serde_json::Value;
use sqlx::PgConnection;

use super::difference;
use super::output::{plain, print_json, print_line, print_styled};
use super::shared::Shared;
use super::times::Times;
use super::{ack, ask};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::filter::{Comparison, Field, ListField, comparison, is_cve};
use crate::model::{Details, Receipt, RecordKind, legible, one_line};
use crate::store::advisories::history::{self, StoredVersion};
use crate::store::alerts::acknowledgement;
use crate::store::reports::question::{self, AdvisoryQuestion, FieldChange, Sort};
use crate::store::reports::receipt;

/// Products and references beyond so many are only counted.
const MANY: usize = 12;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Advisory (SA87735), CVE (all advisories that mention it), ticket ID, or ticket number (`#12`)
    #[arg(value_name = "SAID|CVE|TICKET")]
    key: String,
    /// Include what changed between versions
    #[arg(long)]
    history: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: Shared, wanted: Show) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    ask::with_connection(&config, async |connection| {
        show(&config, connection, &wanted, shared.times()).await
    })
    .await
}

async fn show(
    config: &Config,
    connection: &mut PgConnection,
    wanted: &Show,
    times: Times,
) -> anyhow::Result<bool> {
    let details = config.feeds.details;
    let key = wanted.key.trim();
    let saids = if is_cve(key) {
        saids(connection, key, details).await?
    } else {
        vec![key.to_owned()]
    };
    for (place, key) in saids.iter().enumerate() {
        if place > 0 && !wanted.json {
            print_line("");
        }
        let found = find(connection, key, details).await?;
        let receipt = receipt::receipt(connection, found.kind, &found.key, details).await?;
        show_one(connection, (found, receipt), wanted, times).await?;
    }
    Ok(true)
}

/// The advisories that mention a CVE, the most severe first.
async fn saids(
    connection: &mut PgConnection,
    cve: &str,
    details: Details,
) -> anyhow::Result<Vec<String>> {
    let field = Field::List(ListField::Cve);
    let filter = comparison(field, Comparison::Equal, cve).map_err(anyhow::Error::msg)?;
    let question = AdvisoryQuestion {
        filter,
        now: Clock::system().now(),
        changed_since: None,
        sort: Sort::Severity,
        is_reversed: false,
        limit: i64::MAX,
    };
    let found = question::advisories(connection, &question, details).await?;
    anyhow::ensure!(!found.is_empty(), "no stored advisory mentions `{cve}`");
    Ok(found.into_iter().map(|line| line.said).collect())
}

async fn show_one(
    connection: &mut PgConnection,
    (found, receipt): (Found, Receipt),
    wanted: &Show,
    times: Times,
) -> anyhow::Result<()> {
    let Found {
        kind,
        key,
        mut document,
    } = found;
    let now = Clock::system().now();
    let acknowledged = acknowledgement::in_force(connection, &key, now).await?;
    if let Some(ack) = acknowledged.filter(|_| kind == RecordKind::Advisory) {
        document["acknowledged"] = if wanted.json {
            serde_json::to_value(&ack)?
        } else {
            ack::words(&ack, times)
                .replacen("acknowledged ", "", 1)
                .into()
        };
    }
    let (versions, changes) = if wanted.history {
        (
            history::versions(connection, kind, &key).await?,
            question::field_changes(connection, kind, &key).await?,
        )
    } else {
        (Vec::new(), Vec::new())
    };
    if wanted.json {
        if let Some(fields) = document.as_object_mut() {
            let mut insert = |name: &str, value| fields.insert(name.to_owned(), value);
            insert("quarantined", serde_json::to_value(&receipt.quarantined)?);
            insert("pending_details", serde_json::to_value(&receipt.pending)?);
            if wanted.history {
                insert("versions", serde_json::to_value(&versions)?);
                insert("history", serde_json::to_value(&changes)?);
            }
        }
        return print_json(&document);
    }
    print_line(legible(&page(kind, &document, (&receipt, times))).trim_end());
    if wanted.history {
        print_styled(&history_page(&versions, &changes, times));
    }
    Ok(())
}

struct Found {
    kind: RecordKind,
    key: String,
    document: Value,
}

/// A number is a ticket's id, else its number for people; with `#` the other way
/// round. Anything else is an advisory's identifier.
async fn find(
    connection: &mut PgConnection,
    wanted: &str,
    details: Details,
) -> anyhow::Result<Found> {
    let digits = wanted.trim_start_matches('#');
    let Ok(number) = digits.parse::<i64>() else {
        let Some(document) = question::advisory(connection, wanted).await? else {
            let key = wanted.to_uppercase();
            let why = absence(connection, RecordKind::Advisory, &key, details).await?;
            anyhow::bail!(
                "advisory `{wanted}` is not stored: {why}; use its ID (SA87735), search with `advisoryd advisories --search TEXT`, or use a ticket number"
            );
        };
        return Ok(Found {
            kind: RecordKind::Advisory,
            key: plain(&document["said"]),
            document,
        });
    };
    let found = question::ticket_called(connection, number, digits != wanted).await?;
    let Some(document) = found else {
        let why = absence(connection, RecordKind::Ticket, digits, details).await?;
        anyhow::bail!(
            "ticket `{wanted}` is not stored, neither by `id` nor by `pretty_id`: {why}; for an advisory use SA{digits}"
        );
    };
    Ok(Found {
        kind: RecordKind::Ticket,
        key: plain(&document["id"]),
        document,
    })
}

/// Why something is not stored: it is in quarantine or in the fetch queue, or it was
/// never received.
async fn absence(
    connection: &mut PgConnection,
    kind: RecordKind,
    key: &str,
    details: Details,
) -> anyhow::Result<String> {
    let receipt = receipt::receipt(connection, kind, key, details).await?;
    Ok(legible(&receipt.sentences().join("; ")))
}

/// What a page shows of a document.
struct Layout {
    /// The field of its headline, before the title.
    key: &'static str,
    /// The facts in their order.
    facts: &'static [&'static str],
    /// Fields that are no facts of the page: they stand elsewhere, or another says
    /// the same. What is neither here nor there is shown behind the facts, so that
    /// no column is forgotten.
    others: &'static [&'static str],
}

const TICKET: Layout = Layout {
    key: "id",
    facts: TICKET_FACTS,
    others: &[
        "id",
        "title",
        "description",
        "status_id",
        "priority_id",
        "queue_id",
        "assignee_id",
        "watch_list_id",
    ],
};
const ADVISORY: Layout = Layout {
    key: "said",
    facts: ADVISORY_FACTS,
    others: &[
        "said",
        "title",
        "description",
        "solution",
        "products",
        "references",
        "tickets",
        "memberships",
        "upstream_id",
        "severity_rank",
        "criticality",
        "is_rejected",
        "custom_info",
    ],
};
const TICKET_FACTS: &[&str] = &[
    "pretty_id",
    "status",
    "priority",
    "queue",
    "assignee",
    "watch_list",
    "said",
    "created_at",
    "modified_at",
    "deleted_at",
    "version",
    "first_seen_at",
    "changed_at",
];
const ADVISORY_FACTS: &[&str] = &[
    "severity",
    "attack_vector",
    "solution_status",
    "is_zero_day",
    "kev",
    "kev_due",
    "ransomware",
    "epss",
    "impacts",
    "cves",
    "cvss4_score",
    "cvss4_vector",
    "cvss3_score",
    "cvss3_vector",
    "cvss2_score",
    "cvss2_vector",
    "threat_score",
    "watch_list_ids",
    "released_at",
    "modified_at",
    "version",
    "first_seen_at",
    "changed_at",
    "source",
    "detail_fetched_at",
    "unrecognised",
];
const LISTS: [(&str, [&str; 2]); 3] = [
    ("products", ["name", "product_id"]),
    ("references", ["url", "description"]),
    ("tickets", ["id", "status"]),
];

/// What is not stored, then facts, texts and lists.
fn page(kind: RecordKind, document: &Value, (receipt, times): (&Receipt, Times)) -> String {
    let text = |field: &str| plain(&document[field]);
    // A line break in it would begin a line that looks like another field.
    let line = |field: &str| one_line(&text(field));
    let Layout { key, facts, others } = match kind {
        RecordKind::Ticket => TICKET,
        RecordKind::Advisory => ADVISORY,
    };
    let is_new = |field: &&str| !facts.contains(field) && !others.contains(field);
    let fields = document.as_object().into_iter().flatten();
    let new = fields.map(|(field, _)| field.as_str()).filter(is_new);
    let title = format!("{}  {}", line(key), line("title"));
    let rule = "─".repeat(title.chars().count().min(100));
    let mut lines = vec![title, rule];
    lines.extend(receipt.sentences().iter().map(|said| one_line(said)));
    for field in facts.iter().copied().chain(new) {
        let value = in_zone(line(field), times);
        if !value.is_empty() {
            let name = one_line(field.trim_end_matches("_at")).replace('_', " ");
            lines.push(format!("{name:<17} {value}"));
        }
    }
    for field in ["description", "solution"] {
        let value = text(field);
        if !value.is_empty() {
            lines.extend([String::new(), capital(field)]);
            lines.extend(indented(&value));
        }
    }
    lines.extend(memberships(&document["memberships"], times));
    for (field, parts) in LISTS {
        lines.extend(list(field, &document[field], parts));
    }
    lines.join("\n")
}

/// The lines of a text, so that none of them looks like a field of the page.
fn indented(text: &str) -> impl Iterator<Item = String> {
    let lines = text
        .split('\n')
        .flat_map(|line| line.trim_end().split(['\r', '\u{2028}', '\u{2029}']));
    lines.map(|line| format!("  {line}").trim_end().to_owned())
}

/// A time as people read it; any other text as it is.
fn in_zone(text: String, times: Times) -> String {
    match DateTime::parse_from_rfc3339(&text) {
        Ok(at) => times.exact(at.to_utc()),
        Err(_) => text,
    }
}

/// The watch lists through which an advisory came, and those that it has left.
fn memberships(items: &Value, times: Times) -> Vec<String> {
    let items = items.as_array().filter(|items| !items.is_empty());
    let line = |item: &Value| {
        let [id, name, since, left] = ["watch_list_id", "name", "first_seen_at", "left_at"]
            .map(|part| in_zone(one_line(&plain(&item[part])), times));
        let list = format!("{id}  {name}");
        let state = if left.is_empty() {
            format!("since {since}")
        } else {
            format!("left {left}")
        };
        format!("  {}  {state}", list.trim())
    };
    items.map_or_else(Vec::new, |items| {
        let heading = [String::new(), format!("Watch lists ({})", items.len())];
        heading.into_iter().chain(items.iter().map(line)).collect()
    })
}

fn list(field: &str, items: &Value, parts: [&str; 2]) -> Vec<String> {
    let Some(items) = items.as_array().filter(|items| !items.is_empty()) else {
        return Vec::new();
    };
    let mut lines = vec![
        String::new(),
        format!("{} ({})", capital(field), items.len()),
    ];
    lines.extend(items.iter().take(MANY).map(|item| {
        let said = parts.map(|part| one_line(&plain(&item[part])));
        format!("  {}", said.join("  ").trim())
    }));
    if items.len() > MANY {
        lines.push(format!("  and {} more", items.len() - MANY));
    }
    lines
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// Version by version what it brought, also where no column tells it.
fn history_page(versions: &[StoredVersion], changes: &[FieldChange], times: Times) -> String {
    let mut lines = vec![String::new(), "History".to_owned()];
    for (place, StoredVersion { version, at }) in versions.iter().enumerate() {
        lines.push(format!("  version {version}, {}", times.full(*at)));
        let of_this = changes.iter().filter(|change| change.version == *version);
        let before = lines.len();
        let differences = difference::page(of_this);
        lines.extend(differences.iter().map(|line| format!("    {line}")));
        if lines.len() == before {
            lines.push(match (place, version) {
                (0, 1) => "    first seen".to_owned(),
                (0, _) => "    the versions before are no longer kept".to_owned(),
                _ => "    no column changed, only the raw text".to_owned(),
            });
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
