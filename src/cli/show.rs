//! `advisoryd show`: one advisory or ticket in full.

use clap::Args;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::colour::has_links;
use super::difference;
use super::hyperlink::hyperlink;
use super::output::{plain, print_json, print_line, print_note, print_styled};
use super::shared::GlobalArgs;
use super::show_page::{called, page};
use super::table::width;
use super::times::Times;
use super::wrap::wrapped;
use super::{ack, ask};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::filter::{Field, ListField, StringComparison, comparison, is_cve};
use crate::model::{DetailsMode, LinkTemplates, RecordKind, RecordReceipt, legible};
use crate::source::ticket_values;
use crate::store::advisories::history::{self, StoredVersion};
use crate::store::alerts::{acknowledgement, assignment};
use crate::store::reports::question::{self, AdvisoryQuestion, FieldChange, Sort};
use crate::store::reports::receipt;
use crate::store::trust::erasure;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Advisory (SA87735), CVE (all advisories that mention it), or ticket by its number (12 or
    /// '#12'); without `#` also by its ID
    #[arg(value_name = "SAID|CVE|TICKET")]
    key: String,
    /// Include what changed between versions
    #[arg(long)]
    history: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: ShowArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    ask::with_connection(&config, async |connection| {
        show(&config, connection, &wanted, shared.times()).await
    })
    .await
}

async fn show(
    config: &Config,
    connection: &mut PgConnection,
    wanted: &ShowArgs,
    times: Times,
) -> anyhow::Result<bool> {
    let details = config.feeds.details;
    let key = wanted.key.trim();
    let saids = if is_cve(key) {
        saids(connection, key, details).await?
    } else {
        vec![key.to_owned()]
    };
    for (index, key) in saids.iter().enumerate() {
        if index > 0 && !wanted.json {
            print_line("");
        }
        let found = find(connection, key, (details, times)).await?;
        let receipt = receipt::receipt(connection, found.kind, &found.key, details).await?;
        let links = &config.upstream.links;
        show_one(connection, (found, receipt), wanted, (times, links)).await?;
    }
    Ok(true)
}

/// The advisories that mention a CVE, the most severe first.
pub(super) async fn saids(
    connection: &mut PgConnection,
    cve: &str,
    details: DetailsMode,
) -> anyhow::Result<Vec<String>> {
    let field = Field::List(ListField::Cve);
    let filter = comparison(field, StringComparison::Equal, cve).map_err(anyhow::Error::msg)?;
    let question = AdvisoryQuestion {
        filter,
        now: Clock::system().now(),
        changed_since: None,
        changed_until: None,
        sort: Sort::Severity,
        is_reversed: false,
        limit: i64::MAX,
    };
    let found = question::advisories(connection, &question, details).await?;
    anyhow::ensure!(!found.is_empty(), "no stored advisory mentions `{cve}`");
    Ok(found.into_iter().map(|line| line.said).collect())
}

/// Adds who takes care of an advisory, or is to.
async fn add_care(
    connection: &mut PgConnection,
    key: &str,
    document: &mut Value,
    (is_json, times): (bool, Times),
) -> anyhow::Result<()> {
    let now = Clock::system().now();
    if let Some(ack) = acknowledgement::in_force(connection, key, now).await? {
        document["acknowledged"] = if is_json {
            serde_json::to_value(&ack)?
        } else {
            ack::words(&ack, times)
                .replacen("acknowledged ", "", 1)
                .into()
        };
    }
    let assigned = assignment::in_force(connection, key).await?;
    if is_json {
        document["assigned_to"] = json!(assigned.as_ref().map(|one| &one.to));
    }
    let Some(assigned) = assigned else {
        return Ok(());
    };
    if is_json {
        document["assigned"] = serde_json::to_value(&assigned)?;
    } else {
        let words = ack::assigned_words(&assigned, times);
        document["assigned_to"] = words.replacen("assigned to ", "", 1).into();
    }
    Ok(())
}

async fn show_one(
    connection: &mut PgConnection,
    (found, receipt): (ShownRecord, RecordReceipt),
    wanted: &ShowArgs,
    (times, links): (Times, &LinkTemplates),
) -> anyhow::Result<()> {
    let ShownRecord {
        kind,
        key,
        mut document,
    } = found;
    if kind == RecordKind::Advisory {
        add_care(connection, &key, &mut document, (wanted.json, times)).await?;
    }
    let (versions, changes) = if wanted.history {
        (
            history::versions(connection, kind, &key).await?,
            question::field_changes(connection, kind, &key).await?,
        )
    } else {
        (Vec::new(), Vec::new())
    };
    let address = page_of(kind, &document, links);
    if wanted.json {
        if let Some(fields) = document.as_object_mut() {
            let mut insert = |name: &str, value| fields.insert(name.to_owned(), value);
            insert("quarantined", serde_json::to_value(&receipt.quarantined)?);
            insert("pending_details", serde_json::to_value(&receipt.pending)?);
            insert("url", serde_json::to_value(&address)?);
            if wanted.history {
                insert("versions", serde_json::to_value(&versions)?);
                let named = changes.iter().filter_map(difference::severity_of);
                let named: Vec<FieldChange> = named.collect();
                let all: Vec<&FieldChange> = changes.iter().chain(&named).collect();
                insert("history", serde_json::to_value(&all)?);
            }
        }
        return print_json(&document);
    }
    let history = wanted
        .history
        .then(|| history_page(&versions, &changes, times));
    let page = page(kind, &document, (&receipt, times), history, width());
    let head = match kind {
        RecordKind::Ticket => called(&document),
        RecordKind::Advisory => key.clone(),
    };
    print_styled(&headed(page.trim_end(), &head, address.as_deref()));
    if let Some(address) = address.filter(|_| !has_links()) {
        print_line(&format!("\nPage: {address}"));
    }
    Ok(())
}

/// The key at the beginning of a page as a link to the vendor's page.
fn headed(page: &str, key: &str, address: Option<&str>) -> String {
    match page.strip_prefix(key) {
        Some(rest) => hyperlink(key, address) + rest,
        None => page.to_owned(),
    }
}

/// The vendor's page, where the configuration says how to find it.
fn page_of(kind: RecordKind, document: &Value, links: &LinkTemplates) -> Option<String> {
    let text = |field: &str| Some(plain(&document[field])).filter(|text| !text.is_empty());
    match kind {
        RecordKind::Advisory => {
            let values = [("said", text("said")), ("id", text("upstream_id"))];
            links.advisory.as_ref()?.fill(&values)
        }
        RecordKind::Ticket => {
            let values = [
                ("number", text("pretty_id")),
                ("id", text("id")),
                ("said", text("said")),
            ];
            links.ticket.as_ref()?.fill(&values)
        }
    }
}

/// An advisory or a ticket.
pub(super) struct ShownRecord {
    pub(super) kind: RecordKind,
    pub(super) key: String,
    document: Value,
}

/// A number is that of a ticket as people know it, without `#` also its id. Anything else is
/// an advisory's identifier.
pub(super) async fn find(
    connection: &mut PgConnection,
    wanted: &str,
    (details, times): (DetailsMode, Times),
) -> anyhow::Result<ShownRecord> {
    let digits = wanted.trim_start_matches('#');
    let Ok(number) = digits.parse::<i64>() else {
        let Some(document) = question::advisory(connection, wanted).await? else {
            let key = wanted.to_uppercase();
            let why = absence(connection, RecordKind::Advisory, &key, details).await?;
            let why = times.in_sentence(&why);
            anyhow::bail!(
                "advisory `{wanted}` is not stored: {why}; check its ID, search with `advisoryd advisories --search TEXT`, or use a ticket number"
            );
        };
        return Ok(ShownRecord {
            kind: RecordKind::Advisory,
            key: plain(&document["said"]),
            document,
        });
    };
    let is_number = digits != wanted;
    let Some(mut document) = question::ticket_called(connection, number, is_number).await? else {
        // `[feeds] id_pattern` may allow numbers.
        let advisory = question::advisory(connection, wanted).await?;
        if let Some(document) = advisory {
            return Ok(ShownRecord {
                kind: RecordKind::Advisory,
                key: plain(&document["said"]),
                document,
            });
        }
        let why = absence(connection, RecordKind::Ticket, digits, details).await?;
        let why = times.in_sentence(&why);
        let by = if is_number {
            "by its number"
        } else {
            "neither by its number nor by its id"
        };
        anyhow::bail!(
            "ticket `{wanted}` is not stored, {by}: {why}; for an advisory use SA{digits}"
        );
    };
    let others = erasure::tickets_called(connection, number).await?;
    let shown = document["id"].as_i64();
    let raw = question::ticket_raw(connection, shown.unwrap_or_default()).await?;
    let unread = ticket_values::unread_of(raw.unwrap_or_default());
    document["unrecognised"] = json!(Some(unread).filter(|unread| !unread.is_empty()));
    for other in others.iter().filter(|other| Some(**other) != shown) {
        let Some(other) = question::ticket_of(connection, *other).await? else {
            continue;
        };
        let (id, called) = (&other["id"], called(&other));
        // The one is called so by its number, the other by its id, or both by their numbers.
        print_note(&if other["pretty_id"] == document["pretty_id"] {
            format!("there is another ticket {called}, with the id {id}: see advisoryd_v1.tickets")
        } else {
            format!("{number} is also the id of ticket {called}: see `advisoryd show '{called}'`")
        });
    }
    Ok(ShownRecord {
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
    details: DetailsMode,
) -> anyhow::Result<String> {
    let receipt = receipt::receipt(connection, kind, key, details).await?;
    Ok(legible(&receipt.sentences().join("; ")))
}

/// Version by version, for the page, what it brought, also where no column says it.
fn history_page(versions: &[StoredVersion], changes: &[FieldChange], times: Times) -> String {
    let width = width();
    let mut lines = vec![String::new(), "History".to_owned()];
    for (index, StoredVersion { version, at }) in versions.iter().enumerate() {
        lines.push(format!("  version {version}, {}", times.full(*at)));
        let of_this = changes.iter().filter(|change| change.version == *version);
        let before = lines.len();
        let differences = difference::page(of_this, times);
        lines.extend(differences.iter().map(|line| {
            let indent = if line.starts_with(' ') { 6 } else { 8 };
            wrapped(&format!("    {line}"), indent, width)
        }));
        if lines.len() == before {
            lines.push(match (index, version) {
                (0, 1) => "    first seen".to_owned(),
                (0, _) => "    the versions before are no longer kept".to_owned(),
                _ => "    no column changed, only the raw text".to_owned(),
            });
        }
    }
    lines.join("\n")
}
