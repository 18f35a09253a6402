//! Tickets as JSON (contract §6): the fields beyond `id` and `pretty_id` are
//! guesses, so every one is looked for under several names and in several shapes.

use serde_json::{Map, Value};

use super::page::UnreadableRow;
use super::page_rows::ReadRows;
use super::readable_part;
use super::storable::storable;
use crate::model::{Named, Ticket, parse_time, shortened};

/// Names a field may have, the most likely first.
const TITLE: &[&str] = &["title", "name", "subject", "summary"];
const DESCRIPTION: &[&str] = &["description", "body", "text", "comment"];
const STATUS: &[&str] = &["status", "ticket_status", "state"];
const PRIORITY: &[&str] = &["priority", "ticket_priority"];
const QUEUE: &[&str] = &["queue", "ticket_queue"];
const ASSIGNEE: &[&str] = &["assigned_to", "assignee", "owner", "assigned"];
pub(super) const WATCH_LIST: &[&str] = &["asset_list", "watch_list", "assetlist", "watchlist"];
const ADVISORY: &[&str] = &["advisory", "advisory_identifier", "said", "vuln"];
const CREATED: &[&str] = &["created", "created_at", "created_date", "date_created"];
const MODIFIED: &[&str] = &[
    "modified",
    "modified_date",
    "modified_at",
    "updated",
    "updated_at",
    "last_modified",
];
/// Where an object keeps what people call it.
pub(super) const NAMES: &[&str] = &[
    "name",
    "username",
    "title",
    "display_name",
    "email",
    "label",
];

/// The columns of a ticket, and the names of the field each is read from.
pub(super) const COLUMNS: [(&str, &[&str]); 11] = [
    ("pretty_id", &["pretty_id"]),
    ("title", TITLE),
    ("description", DESCRIPTION),
    ("status", STATUS),
    ("priority", PRIORITY),
    ("queue", QUEUE),
    ("assignee", ASSIGNEE),
    ("watch_list", WATCH_LIST),
    ("said", ADVISORY),
    ("created_at", CREATED),
    ("modified_at", MODIFIED),
];

/// Maximum length of a title, in characters. `raw` keeps all of it, here and below.
pub(super) const MAX_TITLE_CHARS: usize = 2000;
/// Maximum length of a description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1_000_000;
/// Maximum length of a name (status, queue, person …), in characters: index rows hold 2.7 kB.
const MAX_NAME_CHARS: usize = 200;
/// A longer text is no identifier of an advisory.
pub(super) const MAX_SAID_BYTES: usize = 100;

/// Finds the columns of one ticket. Only a whole number as `id` is required.
pub fn read(raw: Value) -> Result<Ticket, UnreadableRow> {
    let raw = storable(raw);
    let Some(fields) = raw.as_object() else {
        return Err(unreadable(&raw, None, "a ticket that is not an object"));
    };
    let Some(id) = fields.get("id").and_then(integer) else {
        return Err(unreadable(
            &raw,
            None,
            "a ticket without a whole number as `id`",
        ));
    };
    Ok(Ticket {
        id,
        pretty_id: fields.get("pretty_id").and_then(integer),
        title: text(fields, TITLE).map(|title| shortened(&title, MAX_TITLE_CHARS)),
        description: text(fields, DESCRIPTION).map(|text| shortened(&text, MAX_DESCRIPTION_CHARS)),
        status: named(fields, STATUS),
        priority: named(fields, PRIORITY),
        queue: named(fields, QUEUE),
        assignee: named(fields, ASSIGNEE),
        watch_list: named(fields, WATCH_LIST),
        said: advisory(fields).filter(|said| said.len() <= MAX_SAID_BYTES),
        created_at: text(fields, CREATED).as_deref().and_then(parse_time),
        modified_at: text(fields, MODIFIED).as_deref().and_then(parse_time),
        raw,
    })
}

/// Whether a ticket, as it came, has a field that the column is read from, with whatever value.
pub(crate) fn has_field(raw: &Value, column: &str) -> bool {
    let names = COLUMNS.iter().find(|(name, _)| *name == column);
    let names = names.map_or(&[][..], |(_, names)| names);
    let has = |name: &str| raw.get(name).is_some();
    names
        .iter()
        .any(|name| has(name) || has(&format!("{name}_id")) || has(&format!("{name}_name")))
}

/// Whether a ticket has nothing but numbers by which it is known.
pub(crate) fn is_bare(ticket: &Ticket) -> bool {
    let Ticket {
        id: _,
        pretty_id: _,
        title,
        description,
        status,
        priority,
        queue,
        assignee,
        watch_list,
        said,
        created_at,
        modified_at,
        raw: _,
    } = ticket;
    let named = [status, priority, queue, assignee, watch_list];
    let texts = [title, description, said];
    let times = [created_at, modified_at];
    named.iter().all(|one| **one == Named::default())
        && texts.iter().all(|text| text.is_none())
        && times.iter().all(|time| time.is_none())
}

/// The ticket of an answer that is a single one, if it can be read.
pub(crate) fn read_alone(body: &[u8]) -> Option<Ticket> {
    read(ReadRows::alone(body)?).ok()
}

/// The `id` of a ticket that cannot be read, if it stands before the damage.
pub fn id_of(raw: &str) -> Option<i64> {
    readable_part::fields(raw).get("id").and_then(integer)
}

fn unreadable(raw: &Value, id: Option<i64>, reason: &str) -> UnreadableRow {
    UnreadableRow {
        key: id.map(|id| id.to_string()),
        reason: reason.to_owned(),
        raw: raw.to_string(),
    }
}

pub(super) fn text(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| scalar(fields.get(*name)?))
}

/// Something people read: a string that is not blank, or a number.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = text.replace("\r\n", "\n");
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        // 3.0 is written by what knows no whole numbers.
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.to_string().strip_suffix(".0")?.parse().ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// An object, a bare id, a bare name or null; or, where the name itself is
/// missing, `status_id` and `status_name` side by side.
pub(super) fn named(fields: &Map<String, Value>, names: &[&str]) -> Named {
    for name in names {
        let found = match fields.get(*name) {
            Some(Value::Object(object)) => Named {
                id: object.get("id").and_then(integer),
                name: text(object, NAMES),
            },
            Some(value @ Value::Number(_)) => Named {
                id: integer(value),
                name: None,
            },
            Some(value @ Value::String(_)) => match integer(value) {
                Some(id) => Named {
                    id: Some(id),
                    name: None,
                },
                None => Named {
                    id: None,
                    name: scalar(value),
                },
            },
            _ => Named::default(),
        };
        let found = Named {
            id: found
                .id
                .or_else(|| integer(fields.get(&format!("{name}_id"))?)),
            name: found
                .name
                .or_else(|| scalar(fields.get(&format!("{name}_name"))?))
                .map(|name| shortened(&name, MAX_NAME_CHARS)),
        };
        if found != Named::default() {
            return found;
        }
    }
    Named::default()
}

/// The identifier of the ticket's advisory: in an object, or bare. A bare number
/// is upstream's id of it and no identifier; it stays in `raw`.
pub(super) fn advisory(fields: &Map<String, Value>) -> Option<String> {
    ADVISORY.iter().find_map(|name| match fields.get(*name)? {
        Value::Object(object) => text(object, &["advisory_identifier", "said", "identifier"]),
        Value::String(identifier) if integer(&Value::String(identifier.clone())).is_none() => {
            scalar(&Value::String(identifier.clone()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use serde_json::json;

    use super::read;
    use crate::model::Named;

    fn named(id: Option<i64>, name: Option<&str>) -> Named {
        Named {
            id,
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn the_assumed_shape_is_read_whole() {
        let ticket = read(json!({
            "id": 37, "pretty_id": 12, "title": "Patch the mail gateway", "description": "One\r\ntwo",
            "created": "2026-03-01T10:00:00Z", "modified": "2026-03-02T10:00:00.5+01:00",
            "status": {"id": 1, "name": "Open"}, "priority": {"id": 2, "name": "Medium"},
            "queue": {"id": 1, "name": "Default"}, "assigned_to": {"id": 3, "username": "ada"},
            "asset_list": {"id": 4, "name": "Mail"},
            "advisory": {"id": 1, "advisory_identifier": "SA100", "title": "…", "criticality": 4}
        }))
        .unwrap();
        assert_eq!((ticket.id, ticket.pretty_id), (37, Some(12)));
        assert_eq!(ticket.description.as_deref(), Some("One\ntwo"));
        assert_eq!(ticket.status, named(Some(1), Some("Open")));
        assert_eq!(ticket.assignee, named(Some(3), Some("ada")));
        assert_eq!(ticket.watch_list, named(Some(4), Some("Mail")));
        assert_eq!(ticket.said.as_deref(), Some("SA100"));
        assert_eq!(
            ticket.modified_at.unwrap().to_rfc3339(),
            "2026-03-02T09:00:00.500+00:00"
        );
    }

    #[test]
    fn bare_ids_bare_names_nulls_and_other_names_are_read() {
        let ticket = read(json!({
            "id": "38", "status": "Closed", "priority": 2, "queue": null, "owner": "bob",
            "asset_list_id": 4, "advisory_identifier": "SA7", "modified_date": "2026-03-02T10:00:00"
        }))
        .unwrap();
        assert_eq!(ticket.id, 38);
        assert_eq!(ticket.status, named(None, Some("Closed")));
        assert_eq!(ticket.priority, named(Some(2), None));
        assert_eq!(ticket.queue, Named::default());
        assert_eq!(ticket.assignee, named(None, Some("bob")));
        assert_eq!(ticket.watch_list, named(Some(4), None));
        assert_eq!(ticket.said.as_deref(), Some("SA7"));
        assert!(ticket.modified_at.is_some());
        assert_eq!(
            read(json!({"id": 1, "advisory": 215_177})).unwrap().said,
            None
        );
    }

    #[test]
    fn a_ticket_without_an_id_is_unreadable_and_kept() {
        let unreadable = read(json!({"title": "lost"})).unwrap_err();
        assert!(unreadable.raw.contains("lost"));
        assert!(read(json!(["no", "object"])).is_err());
        let ticket = read(json!({"id": 5, "title": "a\u{0}b"})).unwrap();
        assert_eq!(ticket.title.as_deref(), Some("a\u{fffd}b"));
    }

    #[test]
    fn the_id_of_a_ticket_with_an_unreadable_value_is_found() {
        for (raw, id) in [
            (r#"{"x": {"id": 9}, "id": 1, "y": 1e999}"#, Some(1)),
            (r#"{"id": "2", "y": "\ud800"}"#, Some(2)),
            (r#"{"id": 1, "id": 2, "y": 1e999}"#, None),
            (r#"{"x": {"id": 9}, "y": 1e999}"#, None),
            (r#"{"id": 1, "y": tru}"#, Some(1)),
            (r#"{"y": tru, "id": 1}"#, None),
        ] {
            assert_eq!(super::id_of(raw), id, "{raw}");
        }
    }
}
