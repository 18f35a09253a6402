//! JSON as the database can keep it.

use serde_json::{Map, Value};

/// NUL is the one character that jsonb cannot keep: it becomes U+FFFD.
pub(super) fn storable(value: Value) -> Value {
    let clean = |text: String| {
        if text.contains('\0') {
            text.replace('\0', "\u{fffd}")
        } else {
            text
        }
    };
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.into_iter().map(storable).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| (clean(key), storable(value)))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}
