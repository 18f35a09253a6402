//! Letters with marks, in one character or in several: both are the same text (Unicode
//! normalization form C). Only comparisons use it; texts are stored as they come.

use serde_json::{Map, Value};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// Whether all letters are composed as far as they can be.
pub fn is_composed(text: &str) -> bool {
    text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes
}

/// A value with all its texts composed.
pub fn composed(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.nfc().collect()),
        Value::Array(items) => items.into_iter().map(composed).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(name, value)| (name.nfc().collect(), composed(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}
