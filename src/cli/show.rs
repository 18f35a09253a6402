//! `advisoryd show`: one advisory or ticket in full.

use clap::Args;
use serde_json::Value;
use sqlx::PgConnection;

use super::ask;
use super::difference;
use super::output::{plain, print_json, print_line, print_styled};
use super::shared::Shared;
use super::times::Times;
use crate::config::Config;
use crate::model::{Details, Receipt, RecordKind, legible};
use crate::store::advisories::history::{self, StoredVersion};
use crate::store::reports::question::{self, FieldChange};
use crate::store::reports::receipt;

/// Products and references beyond so many are only counted.
const MANY: usize = 12;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Advisory (SA87735), ticket ID, or ticket number (`#12`)
    #[arg(value_name = "SAID|TICKET")]
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
    let Found {
        kind,
        key,
        mut document,
    } = find(connection, wanted.key.trim(), details).await?;
    let receipt = receipt::receipt(connection, kind, &key, details).await?;
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
        print_json(&document)?;
        return Ok(true);
    }
    print_line(legible(&page(kind, &document, &receipt)).trim_end());
    if wanted.history {
        print_styled(&history_page(&versions, &changes, times));
    }
    Ok(true)
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
    let found = if digits == wanted {
        match question::ticket(connection, number).await? {
            None => question::ticket_by_pretty_id(connection, number).await?,
            found => found,
        }
    } else {
        match question::ticket_by_pretty_id(connection, number).await? {
            None => question::ticket(connection, number).await?,
            found => found,
        }
    };
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
fn page(kind: RecordKind, document: &Value, receipt: &Receipt) -> String {
    let text = |field: &str| plain(&document[field]);
    let Layout { key, facts, others } = match kind {
        RecordKind::Ticket => TICKET,
        RecordKind::Advisory => ADVISORY,
    };
    let is_new = |field: &&str| !facts.contains(field) && !others.contains(field);
    let fields = document.as_object().into_iter().flatten();
    let new = fields.map(|(field, _)| field.as_str()).filter(is_new);
    let title = format!("{}  {}", text(key), text("title"));
    let rule = "─".repeat(title.chars().count().min(100));
    let mut lines = vec![title, rule];
    lines.extend(receipt.sentences());
    for field in facts.iter().copied().chain(new) {
        let value = text(field);
        if !value.is_empty() {
            let name = field.trim_end_matches("_at").replace('_', " ");
            lines.push(format!("{name:<17} {value}"));
        }
    }
    for field in ["description", "solution"] {
        let value = text(field);
        if !value.is_empty() {
            lines.extend([String::new(), capital(field), value]);
        }
    }
    for (field, parts) in LISTS {
        lines.extend(list(field, &document[field], parts));
    }
    lines.join("\n")
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
        let said = parts.map(|part| plain(&item[part]));
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
mod tests {
    use serde_json::json;

    use super::page;
    use crate::model::{Receipt, RecordKind};

    #[test]
    fn a_column_that_the_page_does_not_know_is_shown_behind_the_facts() {
        let document = json!({"said": "SA1", "title": "x", "version": 2, "criticality": 3,
            "exploit_count": 7, "description": "text"});
        let receipt = Receipt {
            is_stored: true,
            ..Receipt::default()
        };
        assert_eq!(
            page(RecordKind::Advisory, &document, &receipt),
            "SA1  x\n──────\nversion           2\nexploit count     7\n\nDescription\ntext"
        );
    }
}
