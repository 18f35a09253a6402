//! `advisoryd show`: one advisory or ticket on a page a person likes to read.

use clap::Args;
use serde_json::Value;

use super::output::{tell, tell_json};
use super::{Shared, ask};
use crate::startup::Opened;
use crate::store::question::{self, FieldChange};

/// Longest part of an old or new value in the history.
const VALUE_LETTERS: usize = 100;
/// Products and references beyond so many are only counted.
const MANY: usize = 12;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// An advisory such as SA87735, or a ticket's number
    #[arg(value_name = "SAID|TICKET")]
    key: String,
    /// Also what changed between versions
    #[arg(long)]
    history: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: Shared, wanted: Show) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    let opened = ask::open(&config).await?;
    let result = show(&opened, &wanted).await;
    opened.close().await;
    result
}

async fn show(opened: &Opened, wanted: &Show) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let key = wanted.key.trim().trim_start_matches('#');
    let (kind, found) = match key.parse::<i64>() {
        Ok(id) => ("ticket", question::ticket(&mut connection, id).await?),
        Err(_) => ("advisory", question::advisory(&mut connection, key).await?),
    };
    let Some(mut document) = found else {
        anyhow::bail!("there is no {kind} `{key}` in the database");
    };
    let history = if wanted.history {
        question::field_changes(&mut connection, kind, key).await?
    } else {
        Vec::new()
    };
    if wanted.json {
        if wanted.history
            && let Some(fields) = document.as_object_mut()
        {
            fields.insert("history".to_owned(), serde_json::to_value(&history)?);
        }
        tell_json(&document)?;
        return Ok(true);
    }
    tell(page(kind, &document).trim_end());
    if wanted.history {
        tell(&history_page(&history));
    }
    Ok(true)
}

const TICKET_FACTS: &[&str] = &[
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
    "unrecognised",
];
const LISTS: [(&str, [&str; 2]); 3] = [
    ("products", ["name", "product_id"]),
    ("references", ["url", "description"]),
    ("tickets", ["id", "status"]),
];

/// Facts first, then texts, then lists.
fn page(kind: &str, document: &Value) -> String {
    let text = |field: &str| plain(&document[field]);
    let (key, facts) = if kind == "ticket" {
        ("id", TICKET_FACTS)
    } else {
        ("said", ADVISORY_FACTS)
    };
    let title = format!("{}  {}", text(key), text("title"));
    let rule = "─".repeat(title.chars().count().min(100));
    let mut lines = vec![title, rule];
    for field in facts {
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

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn history_page(history: &[FieldChange]) -> String {
    if history.is_empty() {
        return "\nHistory\n  version 1 is the only one".to_owned();
    }
    let mut lines = vec![String::new(), "History".to_owned()];
    let mut version = 0;
    for change in history {
        if change.version != version {
            version = change.version;
            let at = change.at.format("%Y-%m-%d %H:%M:%S UTC");
            lines.push(format!("  version {version}, {at}"));
        }
        let (old, new) = (short(change.old.as_ref()), short(change.new.as_ref()));
        lines.push(format!("    {}: {old} → {new}", change.field));
    }
    lines.join("\n")
}

fn short(value: Option<&Value>) -> String {
    let text = value.map(plain).unwrap_or_default().replace('\n', " ");
    if text.is_empty() {
        return "nothing".to_owned();
    }
    if text.chars().count() <= VALUE_LETTERS {
        return text;
    }
    let cut: String = text.chars().take(VALUE_LETTERS - 1).collect();
    format!("{cut}…")
}
