//! The fields of a damaged row that stand before the damage.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Map, Value};

/// The fields that come first in the text of an object and are followed as they should be.
/// Those with a value that cannot be read are left out, and so are those that differ where
/// they occur again.
pub(super) fn fields(row: &str) -> Map<String, Value> {
    let (mut fields, mut differ) = (Map::new(), Vec::new());
    let mut rest = row.trim_start().strip_prefix('{').unwrap_or_default();
    while let Some((name, value, behind)) = field(rest) {
        rest = behind.unwrap_or_default();
        let Ok(value) = serde_json::from_str::<Value>(value.get()) else {
            continue;
        };
        match fields.get(&name) {
            Some(known) if *known != value => differ.push(name),
            Some(_) => {}
            None => {
                fields.insert(name, value);
            }
        }
    }
    for name in differ {
        fields.remove(&name);
    }
    fields
}

/// The field with which a text begins, and what follows its comma; `None` in place of that
/// behind the last field.
fn field(text: &str) -> Option<(String, Box<RawValue>, Option<&str>)> {
    let (name, behind): (String, _) = value(text)?;
    let (value, behind): (Box<RawValue>, _) = value(behind.strip_prefix(':')?)?;
    match behind.strip_prefix(',') {
        Some(next) => Some((name, value, Some(next))),
        None => behind.starts_with('}').then_some((name, value, None)),
    }
}

/// The value with which a text begins, and what follows it.
fn value<T: DeserializeOwned>(text: &str) -> Option<(T, &str)> {
    let mut values = Deserializer::from_str(text).into_iter();
    let value = values.next()?.ok()?;
    let behind = text.get(values.byte_offset()..)?;
    Some((value, behind.trim_start()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::fields;

    #[test]
    fn what_stands_before_the_damage_is_read_and_nothing_else() {
        for (row, wanted) in [
            (r#"{"id": 3, "pretty_id": 01003}"#, r#"{"id":3}"#),
            (
                r#" { "id" : 3 , "a": {"id": 9, "b": [1]}, "c": x"#,
                r#"{"a":{"b":[1],"id":9},"id":3}"#,
            ),
            (r#"{"id": 3, "id": 3, "a": 1}"#, r#"{"a":1,"id":3}"#),
            (r#"{"id": 3, "a": 1, "id": 4}"#, r#"{"a":1}"#),
            (r#"{"a": "\ud800", "id": 3}"#, r#"{"id":3}"#),
            (r#"{"a": x", "id": 3}"#, "{}"),
            (r#"{"id": 3 5, "a": 1}"#, "{}"),
            (r#"{"id": 3"#, "{}"),
            (r#"{"id": 3, 'a': 1, "b": 2}"#, r#"{"id":3}"#),
            ("null", "{}"),
        ] {
            assert_eq!(Value::Object(fields(row)).to_string(), wanted, "{row}");
        }
    }
}
