//! The page of an advisory or a ticket.

use console::measure_text_width;
use serde_json::{Map, Value};

use super::output::plain;
use super::table::limit;
use super::times::Times;
use super::wrap::wrapped;
use crate::model::{RecordKind, RecordReceipt, is_documented, legible, one_line};

/// Products and references beyond so many are only counted.
const MANY: usize = 12;
/// The column in which values of fields begin.
const VALUES_AT: usize = 18;
/// Longest line below the title.
const LONGEST_RULE: usize = 100;

/// What a page shows of a document.
struct Layout {
    /// The facts in their order.
    facts: &'static [&'static str],
    /// Fields that are no facts of the page: they stand elsewhere, or another says
    /// the same. What is neither here nor there is shown behind the facts, so that
    /// no column is forgotten.
    others: &'static [&'static str],
}

const TICKET: Layout = Layout {
    facts: TICKET_FACTS,
    others: &[
        "pretty_id",
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
        "watch_list_ids",
        "upstream_id",
        "severity_rank",
        "criticality",
        "is_rejected",
        "kev_cves",
        "custom_info",
    ],
};
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
    "id",
    "unrecognised",
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
    "released_at",
    "modified_at",
    "version",
    "first_seen_at",
    "changed_at",
    "source",
    "detail_fetched_at",
    "unrecognised",
];
const LISTS: [(&str, &[&str]); 3] = [
    ("products", &["name", "product_id"]),
    ("references", &["url", "description"]),
    ("tickets", &["called", "status", "title"]),
];

/// What is not stored, then facts, history, texts and lists, within the width of the
/// terminal if there is one.
pub(super) fn page(
    kind: RecordKind,
    document: &Value,
    (receipt, times): (&RecordReceipt, Times),
    history: Option<String>,
    width: Option<usize>,
) -> String {
    let text = |field: &str| legible(&plain(&document[field]));
    // A line break in it would begin a line that looks like another field.
    let line = |field: &str| one_line(&text(field));
    let Layout { facts, others } = match kind {
        RecordKind::Ticket => TICKET,
        RecordKind::Advisory => ADVISORY,
    };
    let is_new = |field: &&str| !facts.contains(field) && !others.contains(field);
    let fields = document.as_object().into_iter().flatten();
    let new = fields.map(|(field, _)| field.as_str()).filter(is_new);
    let head = match kind {
        RecordKind::Ticket => called(document),
        RecordKind::Advisory => line("said"),
    };
    let title = legible(&format!("{head}  {}", line("title")));
    let rule = measure_text_width(&title).min(width.unwrap_or(LONGEST_RULE).min(LONGEST_RULE));
    let mut lines = vec![wrapped(&title, 2, width), "─".repeat(rule)];
    for text in receipt.sentences() {
        let text = legible(&times.in_sentence(&one_line(&text)));
        lines.push(wrapped(&text, 2, width));
    }
    for field in facts.iter().copied().chain(new) {
        let value = match (kind, field) {
            (RecordKind::Advisory, "unrecognised") => {
                one_line(&plain(&undocumented(&document[field])))
            }
            (RecordKind::Advisory, "kev") if document["kev"] == true => {
                format!("{} ({})", line("kev"), line("kev_cves"))
            }
            (_, field) => line(field),
        };
        let value = times.in_zone(value);
        if !value.is_empty() {
            let name = match (kind, field) {
                (RecordKind::Ticket, "said") => "advisory".to_owned(),
                (_, "is_zero_day") => "zero-day".to_owned(),
                _ => one_line(field.trim_end_matches("_at")).replace('_', " "),
            };
            let line = legible(&format!("{name:<17} {value}"));
            lines.push(wrapped(&line, VALUES_AT, width));
        }
    }
    lines.extend(history);
    for field in ["description", "solution"] {
        let value = text(field);
        if !value.is_empty() {
            lines.extend([String::new(), capital(field)]);
            lines.extend(indented(&value).map(|line| wrapped(&line, 2, width)));
        }
    }
    let mut lists = memberships(&document["memberships"], times);
    for (field, parts) in LISTS {
        lists.extend(list(field, &document[field], parts));
    }
    lines.extend(lists.iter().map(|line| wrapped(&legible(line), 4, width)));
    lines.join("\n")
}

/// What upstream documents and no column holds would hide what is odd; `--json` has it.
fn undocumented(unrecognised: &Value) -> Value {
    let Value::Object(all) = unrecognised else {
        return unrecognised.clone();
    };
    let odd = all.iter().filter(|(path, _)| !is_documented(path));
    let odd: Map<String, Value> = odd
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    if odd.is_empty() {
        Value::Null
    } else {
        Value::Object(odd)
    }
}

/// A ticket by the number that people know, `#1203`; by its id if it has none.
pub(super) fn called(ticket: &Value) -> String {
    match plain(&ticket["pretty_id"]) {
        number if number.is_empty() => format!("id {}", one_line(&plain(&ticket["id"]))),
        number => format!("#{}", one_line(&number)),
    }
}

/// The lines of a text, so that none of them looks like a field of the page.
fn indented(text: &str) -> impl Iterator<Item = String> {
    let lines = text
        .split('\n')
        .flat_map(|line| line.trim_end().split(['\r', '\u{2028}', '\u{2029}']));
    lines.map(|line| format!("  {line}").trim_end().to_owned())
}

/// The watch lists through which an advisory came, and those that it has left.
fn memberships(items: &Value, times: Times) -> Vec<String> {
    let items = items.as_array().filter(|items| !items.is_empty());
    let line = |item: &Value| {
        let [id, name, since, left] = ["watch_list_id", "name", "first_seen_at", "left_at"]
            .map(|part| times.in_zone(one_line(&plain(&item[part]))));
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

fn list(field: &str, items: &Value, parts: &[&str]) -> Vec<String> {
    let Some(items) = items.as_array().filter(|items| !items.is_empty()) else {
        return Vec::new();
    };
    let mut lines = vec![
        String::new(),
        format!("{} ({})", capital(field), items.len()),
    ];
    lines.extend(items.iter().take(limit(MANY)).map(|item| {
        let text = parts.iter().map(|part| match *part {
            "called" => called(item),
            "product_id" if !item[*part].is_null() => {
                format!("(product {})", one_line(&plain(&item[*part])))
            }
            part => one_line(&plain(&item[part])),
        });
        let text: Vec<String> = text.collect();
        format!("  {}", text.join("  ").trim())
    }));
    if items.len() > limit(MANY) {
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

#[cfg(test)]
mod tests;
