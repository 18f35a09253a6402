//! Claims of contract §6: tickets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::answers::{Answers, claim, keys, kind, listed, quoted, status};
use super::collections::number;
use crate::capture::claim::ContractClaim;
use crate::capture::response::CapturedResponse;
use crate::model::parse_time;

pub(super) fn claims(answers: Answers<'_>) -> Vec<ContractClaim> {
    let mut rows = answers
        .get("tickets")
        .map(CapturedResponse::rows)
        .unwrap_or_default();
    let ticket = answers
        .get("ticket")
        .filter(|response| response.status == Some(200));
    rows.extend(ticket.and_then(CapturedResponse::json));
    vec![
        identity(answers, &rows),
        fields(&rows),
        times(&rows),
        filter(
            answers,
            "tickets-modified-in-2100",
            ("6", "UNKNOWN", "tickets can be filtered by `modified__gte`"),
        ),
        filter(
            answers,
            "tickets-created-in-2100",
            ("6", "UNKNOWN", "tickets can be filtered by `created__gte`"),
        ),
        options(answers),
    ]
}

fn identity(answers: Answers<'_>, rows: &[Value]) -> ContractClaim {
    let has = |row: &Value| row["id"].is_i64() && row.get("pretty_id").is_some();
    let good = rows.iter().filter(|row| has(row)).count();
    claim(
        ("6", "REAL", "a ticket has `id` and `pretty_id`"),
        (!rows.is_empty()).then_some(good == rows.len()),
        format!(
            "{good} of {} tickets; {}",
            rows.len(),
            status(answers.get("tickets"))
        ),
    )
}

/// The JSON types of each key's values.
fn fields(rows: &[Value]) -> ContractClaim {
    let mut shapes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        for (name, value) in row.as_object().into_iter().flatten() {
            shapes.entry(name.clone()).or_default().insert(kind(value));
        }
    }
    let assumed = [
        "title", "status", "priority", "queue", "created", "modified",
    ];
    let descriptions: Vec<String> = shapes
        .iter()
        .map(|(name, kinds)| {
            let kinds: Vec<&str> = kinds.iter().copied().collect();
            format!("`{}` {}", quoted(name), kinds.join("/"))
        })
        .collect();
    claim(
        (
            "6",
            "INFER",
            "a ticket has `title`, `status`, `priority`, `queue`, `created`, `modified`",
        ),
        (!rows.is_empty()).then(|| assumed.iter().all(|name| shapes.contains_key(*name))),
        descriptions.join(", "),
    )
}

fn times(rows: &[Value]) -> ContractClaim {
    let mut names = BTreeSet::new();
    let mut is_whole = true;
    for row in rows {
        for (name, value) in row.as_object().into_iter().flatten() {
            let text = value.as_str().filter(|text| text.len() >= 10);
            if let Some(text) = text.filter(|text| parse_time(text).is_some()) {
                names.insert(name.clone());
                is_whole &= text.ends_with('Z') && !text.contains('.');
            }
        }
    }
    let names: Vec<String> = names.into_iter().collect();
    claim(
        ("4", "REAL", "times are whole seconds ending in `Z`"),
        (!names.is_empty()).then_some(is_whole),
        format!("times of tickets: {}", listed(&names)),
    )
}

fn filter(
    answers: Answers<'_>,
    name: &str,
    statement: super::answers::ContractStatement,
) -> ContractClaim {
    let all = answers.get("tickets").and_then(CapturedResponse::count);
    let response = answers.get(name);
    let found = response.and_then(CapturedResponse::count);
    let held = match (all, found) {
        (Some(1..), Some(found)) => Some(found == 0),
        _ => None,
    };
    let seen = format!(
        "{}, {} of {} tickets in the year 2100",
        status(response),
        number(found),
        number(all)
    );
    claim(statement, held, seen)
}

fn options(answers: Answers<'_>) -> ContractClaim {
    let response = answers.get("tickets-options");
    let metadata = response
        .and_then(CapturedResponse::json)
        .unwrap_or_default();
    let actions = metadata["actions"].as_object();
    let fields = actions
        .and_then(|actions| actions.values().next())
        .map(keys);
    let held = response.map(|response| response.status == Some(200) && fields.is_some());
    claim(
        ("6", "UNKNOWN", "`OPTIONS` returns the fields of a ticket"),
        held,
        format!(
            "{}; {}",
            status(response),
            listed(&fields.unwrap_or_default())
        ),
    )
}
