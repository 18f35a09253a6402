//! Numbers and texts with or without quotes, for errors.

use super::advice::{Advice, Wanted};
use super::setting_error::may_be_secret;
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
