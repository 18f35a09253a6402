//! JSON pointers (RFC 6901) into responses, and the success test of a hook.

use serde_json::Value;

use super::super::super::section::Section;
use super::super::super::tree::{SettingNode, SettingValue};
use super::super::super::values::text;
use crate::config::advice::Advice;

/// Maximum length of a pointer, in characters.
const MAX_POINTER_CHARS: usize = 200;

/// `success`: what the response must say, in addition to a status of 2xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccessTest {
    /// JSON pointer into the response.
    pub pointer: String,
    /// The value there, as text: `true`, `0`, `ok`.
    pub equals: String,
}

impl SuccessTest {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        section.has("success").then_some(())?;
        let mut section = section.section("success");
        for (key, advice) in [
            ("pointer", "add the place, such as `pointer = \"/ok\"`"),
            ("equals", "add the value there, such as `equals = true`"),
        ] {
            if !section.has(key) {
                section.missing(key, advice);
            }
        }
        let pointer = section.optional("pointer", pointer);
        let equals = section.optional("equals", scalar);
        section.close();
        Some(Self {
            pointer: pointer?,
            equals: equals?,
        })
    }
}

/// The text of a string, number or boolean; nothing for other values.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn pointer(node: &SettingNode) -> Result<String, Advice> {
    let advice = "expected a JSON pointer such as `/result/id`";
    let text = text(node).map_err(|_| advice)?;
    if !text.starts_with('/') || text.len() > MAX_POINTER_CHARS {
        return Err(advice.into());
    }
    Ok(text)
}

fn scalar(node: &SettingNode) -> Result<String, Advice> {
    match &node.value {
        SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => {
            Ok(text.clone())
        }
        SettingValue::Plain(toml::Value::Integer(number)) => Ok(number.to_string()),
        SettingValue::Plain(toml::Value::Boolean(value)) => Ok(value.to_string()),
        _ => Err("expected a string, a whole number, `true` or `false`".into()),
    }
}
