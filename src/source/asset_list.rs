//! Watch lists as JSON (contract §8; upstream calls them asset lists).

use serde_json::Value;

use super::ticket;
use crate::model::{ListedList, one_line, shortened};

/// Longest name that is kept, in characters: names are labels of metrics and columns of tables.
const MAX_NAME_CHARS: usize = 200;

/// Reads one row of the collection; `None` without a positive whole number as
/// `id`. A list that does not say whether it is enabled is.
pub fn read(row: &Value) -> Option<ListedList> {
    let id = match row.get("id")? {
        // As of a number: 3.0 is written by what knows no whole numbers.
        Value::String(text) => text.trim().trim_end_matches(".0").parse().ok(),
        value => ticket::integer(value),
    };
    let name = row.get("name").and_then(Value::as_str);
    let name = name.map(|name| shortened(&one_line(name), MAX_NAME_CHARS));
    Some(ListedList {
        id: id.filter(|id| *id > 0)?,
        name: name.filter(|name| !name.is_empty()),
        enabled: row.get("enabled").is_none_or(is_true),
    })
}

/// Only what clearly says no is no: a list too many is better than one too few.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(
            text.trim().to_ascii_lowercase().as_str(),
            "false" | "0" | "no" | "off"
        ),
        Value::Null | Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn lists_are_read_in_every_shape_they_may_have() {
        let id_name_enabled = |row| read(&row).map(|list| (list.id, list.name, list.enabled));
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            id_name_enabled(json!({"id": 4, "name": " Linux\r\nservers ", "enabled": true})),
            Some((4, named("Linux servers"), true))
        );
        for id in [json!("4"), json!(4.0), json!("4.0"), json!(" 4 ")] {
            assert_eq!(id_name_enabled(json!({"id": id})), Some((4, None, true)));
        }
        assert_eq!(
            id_name_enabled(json!({"id": 4, "name": "", "enabled": "False"})),
            Some((4, None, false))
        );
        assert_eq!(
            id_name_enabled(json!({"id": 4, "name": 7, "enabled": 0})),
            Some((4, None, false))
        );
        for row in [json!({"name": "x"}), json!({"id": -4}), json!([]), json!(4)] {
            assert_eq!(id_name_enabled(row), None);
        }
    }
}
