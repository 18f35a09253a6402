//! Values of tickets that no column can hold: nothing of a documented field vanishes untold.

use std::collections::BTreeMap;

use serde_json::Value;

use super::repaired_row::{REPAIRED, WHOLE};
use super::ticket::{COLUMNS, NAMES, integer, read, scalar};
use crate::model::{Named, Ticket, shortened};

/// Maximum length of a value that is reported, in characters.
const MAX_SAMPLE_CHARS: usize = 200;

/// The same of a ticket as it came.
pub(crate) fn unread_of(raw: Value) -> BTreeMap<String, String> {
    read(raw).map_or_else(|_| BTreeMap::new(), |ticket| unread(&ticket))
}

/// The fields of a ticket that have a value which its column cannot hold, and the values: a
/// list in place of a name, or a date in another form; and those that were changed to read the
/// ticket, as they came.
pub fn unread(ticket: &Ticket) -> BTreeMap<String, String> {
    let Some(fields) = ticket.raw.as_object() else {
        return BTreeMap::new();
    };
    let columns = COLUMNS
        .iter()
        .filter(|(column, _)| !is_read(ticket, column));
    let repaired = fields.get(REPAIRED).and_then(Value::as_object);
    let repaired = repaired.into_iter().flatten().map(|(path, came)| {
        let name = match &**path {
            WHOLE => "ticket".to_owned(),
            path => format!("ticket/{path}"),
        };
        let came = scalar(came).unwrap_or_default();
        (name, shortened(&came, MAX_SAMPLE_CHARS))
    });
    let unread = columns.filter_map(|(column, names)| {
        let present = names
            .iter()
            .filter_map(|name| Some((name, fields.get(*name)?)));
        let mut present = present.filter(|(_, value)| is_value(column, value));
        let (name, value) = present.next()?;
        let value = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        Some((
            format!("ticket/{name}"),
            shortened(&value, MAX_SAMPLE_CHARS),
        ))
    });
    unread.chain(repaired).collect()
}

/// Whether a column has a value.
fn is_read(ticket: &Ticket, column: &str) -> bool {
    let is_named = |named: &Named| named.name.is_some();
    match column {
        "pretty_id" => ticket.pretty_id.is_some(),
        "title" => ticket.title.is_some(),
        "description" => ticket.description.is_some(),
        "status" => is_named(&ticket.status),
        "priority" => is_named(&ticket.priority),
        "queue" => is_named(&ticket.queue),
        "assignee" => is_named(&ticket.assignee),
        "watch_list" => is_named(&ticket.watch_list),
        "said" => ticket.said.is_some(),
        "created_at" => ticket.created_at.is_some(),
        _ => ticket.modified_at.is_some(),
    }
}

/// Whether the column could be expected to hold this value. A bare number is an id: of a name
/// it is enough, and of an advisory upstream's own.
fn is_value(column: &str, value: &Value) -> bool {
    let is_name = !matches!(
        column,
        "pretty_id" | "title" | "description" | "created_at" | "modified_at"
    );
    match value {
        Value::Null => false,
        Value::Bool(_) => true,
        Value::Number(_) => !is_name,
        Value::String(text) => !(text.trim().is_empty() || is_name && integer(value).is_some()),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) if is_name => {
            let has_id = object.get("id").and_then(integer).is_some();
            let mut names = NAMES.iter().filter_map(|name| object.get(*name));
            let is_odd = |name: &Value| !matches!(name, Value::Null | Value::String(_));
            let has_odd_name = names.any(|name| is_odd(name) && scalar(name).is_none());
            !object.is_empty() && (!has_id || has_odd_name)
        }
        Value::Object(object) => !object.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unread_of;

    #[test]
    fn values_that_no_column_can_store_are_reported_and_no_others() {
        let odd = unread_of(json!({
            "id": 3, "pretty_id": "TCK-1003", "status": [{"id": 9, "name": "Open"}],
            "priority": {"id": 1, "label": {"en": "High"}}, "created": "25/11/2026",
            "modified": "25 Nov 2026, 10:00", "assigned_to": ["a", "b"], "title": {"en": "T"}
        }));
        let names: Vec<&str> = odd.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "ticket/assigned_to",
                "ticket/created",
                "ticket/modified",
                "ticket/pretty_id",
                "ticket/priority",
                "ticket/status",
                "ticket/title"
            ]
        );
        assert_eq!(odd["ticket/status"], r#"[{"id":9,"name":"Open"}]"#);
        let plain = unread_of(json!({
            "id": 3, "pretty_id": null, "status": 1, "priority": {"id": 1}, "queue": null,
            "asset_list": 4, "advisory": 215_177, "title": "", "description": "",
            "assigned_to": {"id": 2, "username": "ada"}, "created": null, "owner": {}
        }));
        assert!(plain.is_empty(), "{plain:?}");
    }
}
