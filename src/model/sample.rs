//! Test fixture: an advisory with a value in every field.

use serde_json::{Map, Value, json};

use super::Advisory;

/// No two fields have the same value, except flags. Built from the serialised
/// model, so that a new field gets a value, too.
pub(crate) fn full() -> Advisory {
    let model = match serde_json::to_value(Advisory::default()) {
        Ok(Value::Object(model)) => model,
        other => panic!("expected an object, got {other:?}"),
    };
    let fields = model.keys().enumerate();
    let filled: Map<String, Value> = fields
        .map(|(number, field)| (field.clone(), value(number, field)))
        .collect();
    match serde_json::from_value(Value::Object(filled)) {
        Ok(advisory) => advisory,
        Err(error) => panic!("{error}"),
    }
}

/// The first of some values that `field` accepts and that is not its default.
fn value(number: usize, field: &str) -> Value {
    let text = format!("text {number}");
    let candidates = [
        json!(number + 1),
        json!(text),
        json!(format!("2026-03-01T10:00:{number:02}Z")),
        json!(true),
        json!("remote"),
        json!([text]),
        json!([{"id": "1", "name": text, "cpes": []}]),
        json!([{"ordinal": 1, "url": text}]),
        json!({"score": number + 1, "vector": text}),
        json!({"title": text}),
    ];
    let fits = |value: &Value| {
        let advisory = serde_json::from_value::<Advisory>(json!({field: value}));
        let model = advisory.ok().and_then(|it| serde_json::to_value(it).ok());
        model.is_some_and(|model| model != json!(Advisory::default()))
    };
    let found = candidates.into_iter().find(fits);
    found.unwrap_or_else(|| panic!("give `{field}` a value here"))
}
