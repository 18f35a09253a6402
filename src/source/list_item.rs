//! What a watch list contains, as JSON: vendors, products and product releases (contract
//! §8). The keys beside `id` and `name` are guesses.

use serde_json::{Map, Value};

use super::ticket::{scalar, text};
use crate::model::{ListItem, one_line, shortened};

/// Names that a name may have.
const NAMES: &[&str] = &["name", "title", "display_name", "label"];
/// What a row may wrap, if it is not the thing itself but its place in the list.
const WRAPPED: &[&str] = &["product_release", "release", "product", "vendor"];
/// Longest name that is kept, in characters.
const MAX_NAME_CHARS: usize = 200;
/// A longer text is no id.
const MAX_ID_BYTES: usize = 100;

/// Reads one row of a collection below a watch list; `None` without an id.
pub fn read(row: &Value) -> Option<ListItem> {
    let Value::Object(fields) = row else {
        return Some(ListItem {
            upstream_id: id(row)?,
            name: None,
        });
    };
    let inner = WRAPPED
        .iter()
        .find_map(|name| fields.get(*name)?.as_object());
    let name = |fields: &Map<String, Value>| {
        let name = one_line(&text(fields, NAMES)?);
        Some(shortened(&name, MAX_NAME_CHARS)).filter(|name| !name.is_empty())
    };
    let own_id = fields.get("id").and_then(id);
    Some(ListItem {
        upstream_id: own_id.or_else(|| id(inner?.get("id")?))?,
        name: name(fields).or_else(|| name(inner?)),
    })
}

/// An id, which may be a number or a text. One with a character that was lost may be that of
/// another row.
pub(super) fn id(value: &Value) -> Option<String> {
    let is_odd = |one: char| one.is_control() || one == char::REPLACEMENT_CHARACTER;
    scalar(value).filter(|id| id.len() <= MAX_ID_BYTES && !id.contains(is_odd))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn rows_are_read_in_every_shape_they_may_have() {
        let id_and_name = |row| read(&row).map(|item| (item.upstream_id, item.name));
        let is = |id: &str, name: Option<&str>| Some((id.to_owned(), name.map(str::to_owned)));
        let row = json!({"id": 501, "name": " Mail\r\nServer "});
        assert_eq!(id_and_name(row), is("501", Some("Mail Server")));
        assert_eq!(id_and_name(json!({"id": "501"})), is("501", None));
        assert_eq!(id_and_name(json!(501)), is("501", None));
        let row = json!({"product": {"id": 501, "name": "Mail"}});
        assert_eq!(id_and_name(row), is("501", Some("Mail")));
        let row = json!({"id": 7, "product": {"id": 501, "name": "Mail"}});
        assert_eq!(id_and_name(row), is("7", Some("Mail")));
        for row in [
            json!({"name": "Mail"}),
            json!({"id": null}),
            json!({"id": "a\u{0}b"}),
            json!({"id": "4\u{fffd}"}),
            json!({"id": "7".repeat(200)}),
            json!([]),
            json!(null),
        ] {
            assert_eq!(id_and_name(row), None);
        }
    }
}
