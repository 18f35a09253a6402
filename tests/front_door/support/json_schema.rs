//! The part of JSON Schema that the schemas of vendors need, and two limits that it
//! does not have: `maxBytes` of the encoded value, `maxText` of all strings within.

use regex::Regex;
use serde_json::Value;

/// What is wrong with the value, each with its place.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let mut fail = |what: String| found.push(format!("{place}: {what}"));
    let limit = |key: &str| {
        schema[key]
            .as_u64()
            .map(|limit| usize::try_from(limit).unwrap())
    };
    if let Some(kinds) = schema.get("type") {
        let is = |kind: &Value| is_of(value, kind.as_str().unwrap());
        if !(kinds
            .as_array()
            .map_or_else(|| is(kinds), |kinds| kinds.iter().any(is)))
        {
            fail(format!("expected {kinds}, got {value}"));
        }
    }
    if let Some(expected) = schema.get("const")
        && expected != value
    {
        fail(format!("expected {expected}, got {value}"));
    }
    if let Some(all) = schema["enum"].as_array()
        && !all.contains(value)
    {
        fail(format!("expected one of {all:?}, got {value}"));
    }
    if let Some(text) = value.as_str() {
        // As the vendors count: UTF-16.
        let length = text.encode_utf16().count();
        if limit("maxLength").is_some_and(|most| length > most) {
            fail(format!("{length} characters"));
        }
        if limit("minLength").is_some_and(|least| length < least) {
            fail("too short".to_owned());
        }
        if let Some(pattern) = schema["pattern"].as_str()
            && !Regex::new(pattern).unwrap().is_match(text)
        {
            fail(format!("{text} is not {pattern}"));
        }
    }
    if limit("maxBytes").is_some_and(|most| value.to_string().len() > most) {
        fail(format!("{} bytes", value.to_string().len()));
    }
    if limit("maxText").is_some_and(|most| texts(value) > most) {
        fail(format!("{} characters in all", texts(value)));
    }
    if let Some(branches) = schema["oneOf"].as_array() {
        let all: Vec<Vec<String>> = branches
            .iter()
            .map(|branch| violations(branch, value))
            .collect();
        if !all.iter().any(Vec::is_empty) {
            fail(format!("matches no branch: {all:?}"));
        }
    }
    lists(schema, value, place, found);
    objects(schema, value, place, found);
}

fn lists(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let Some(list) = value.as_array() else { return };
    let length = list.len() as u64;
    if schema["maxItems"]
        .as_u64()
        .is_some_and(|most| length > most)
        || schema["minItems"]
            .as_u64()
            .is_some_and(|least| length < least)
    {
        found.push(format!("{place}: {length} entries"));
    }
    if let Some(items) = schema.get("items") {
        for (index, one) in list.iter().enumerate() {
            check(items, one, &format!("{place}/{index}"), found);
        }
    }
}

fn objects(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        return;
    };
    for key in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(key.as_str().unwrap()) {
            found.push(format!("{place}: {key} is missing"));
        }
    }
    for (key, one) in object {
        let place = format!("{place}/{key}");
        match schema["properties"].get(key) {
            Some(schema) => check(schema, one, &place, found),
            None if schema["additionalProperties"] == false => {
                found.push(format!("{place}: unknown"));
            }
            None => {}
        }
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_null(),
    }
}

/// Length of all strings in it.
fn texts(value: &Value) -> usize {
    match value {
        Value::String(text) => text.encode_utf16().count(),
        Value::Array(list) => list.iter().map(texts).sum(),
        Value::Object(object) => object.values().map(texts).sum(),
        _ => 0,
    }
}
