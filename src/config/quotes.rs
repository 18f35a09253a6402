//! Values for errors: as they are written, and without secrets.

use super::advice::{Advice, Wanted};
use super::setting_error::{may_be_secret, without_secrets};
use super::tree::{SettingNode, SettingValue};

/// A value as it is written, and what is expected instead, if its quotes are what is wrong.
pub(super) fn as_written(
    node: &SettingNode,
    given: &str,
    advice: &Advice,
) -> Option<(String, Advice)> {
    match &node.value {
        SettingValue::Plain(toml::Value::String(text))
            if advice.wanted == Wanted::Bare && is_bare(text) =>
        {
            Some((
                format!("\"{text}\""),
                advice.with(format!("{}; remove the quotes", advice.text)),
            ))
        }
        SettingValue::Plain(value) if advice.wanted == Wanted::Text && !value.is_str() => {
            if may_be_secret(given) {
                return None;
            }
            let text = format!("{}; write it in quotes: `\"{given}\"`", advice.text);
            Some((given.to_owned(), advice.with(text)))
        }
        _ => None,
    }
}

/// Whether a text is a number, `true` or `false`.
fn is_bare(text: &str) -> bool {
    let text = text.trim();
    text.parse::<bool>().is_ok() || text.replace('_', "").parse::<f64>().is_ok()
}

/// What is expected instead of a value, without the parts of the value that may be
/// secrets: it may quote an entry of a list.
pub(super) fn without_parts(advice: &str, node: &SettingNode) -> String {
    match &node.value {
        SettingValue::Table(table) => {
            table.iter().fold(advice.to_owned(), |advice, (key, node)| {
                without_secrets(&without_parts(&advice, node), key)
            })
        }
        SettingValue::List(list) => list.iter().fold(advice.to_owned(), |advice, node| {
            without_parts(&advice, node)
        }),
        SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => {
            // A variable may hold a whole list: none of it is shown.
            if matches!(node.value, SettingValue::Raw(_)) && may_be_secret(text) {
                return "expected another value".to_owned();
            }
            without_secrets(advice, text)
        }
        SettingValue::Plain(_) => advice.to_owned(),
    }
}

/// A value as configured, abbreviated for error messages.
pub(super) fn configured_value(node: &SettingNode) -> String {
    match &node.value {
        SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => text.clone(),
        SettingValue::Plain(value) => value.to_string(),
        SettingValue::Table(_) => "{…}".into(),
        SettingValue::List(_) => "[…]".into(),
    }
}
