//! One alert on a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::times::Times;

const FACTS: [&str; 11] = [
    "state",
    "rule",
    "what",
    "key",
    "version",
    "severity",
    "summary",
    "at",
    "raised_at",
    "watch_list_id",
    "message_id",
];

/// The page of a document as `told::alert` gives it.
pub(super) fn page(document: &Value, times: Times) -> String {
    let mut page = String::new();
    let title = text(&document["title"]).unwrap_or_default();
    let id = text(&document["id"]).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{title}\n{id}\n");
    for fact in FACTS {
        if let Some(value) = text(&document[fact]) {
            let value = times.in_sentence(&times.in_zone(value));
            let _ = writeln!(page, "  {:<14}{value}", fact.replace('_', " "));
        }
    }
    for delivery in document["deliveries"].as_array().into_iter().flatten() {
        let sink = text(&delivery["sink"]).unwrap_or_default();
        let state = text(&delivery["state"]).unwrap_or_default();
        let due = text(&delivery["due_at"]);
        let due = due.map_or_else(String::new, |due| {
            format!(", next attempt {}", times.in_zone(due))
        });
        let _ = writeln!(page, "\nsink `{sink}`: {state}{due}");
        for attempt in delivery["attempts"].as_array().into_iter().flatten() {
            let _ = writeln!(page, "  {}", line(attempt, times));
        }
    }
    page
}

fn line(attempt: &Value, times: Times) -> String {
    let part = |name: &str| text(&attempt[name]).unwrap_or_default();
    let status = text(&attempt["status"]).unwrap_or_else(|| "-".to_owned());
    let said = text(&attempt["error"]).unwrap_or_else(|| part("answer"));
    format!(
        "attempt {}  {}  {}  {status}  {}  {said}",
        part("attempt"),
        times.in_zone(part("at")),
        part("outcome"),
        part("latency"),
    )
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
