//! Numbers and texts with or without quotes, for errors.

use super::setting_error::may_be_secret;
use super::tree::{SettingNode, SettingValue};

/// How advice begins where a value has no quotes.
const BARE: [&str; 4] = [
    "expected a whole number",
    "expected a number",
    "expected a list of numbers",
    "expected `true` or `false`",
];
/// And where it has them.
const QUOTED: [&str; 3] = [
    "expected a quoted string",
    "expected a list of strings",
    "expected one line",
];

/// A value as it is written, and what is expected instead, if its quotes are what is wrong.
pub(super) fn as_written(
    node: &SettingNode,
    given: &str,
    advice: &str,
) -> Option<(String, String)> {
    let begins = |all: &[&str]| all.iter().any(|words| advice.starts_with(words));
    match &node.value {
        SettingValue::Plain(toml::Value::String(text)) if begins(&BARE) && is_bare(text) => Some((
            format!("\"{text}\""),
            format!("{advice}; remove the quotes"),
        )),
        SettingValue::Plain(value) if begins(&QUOTED) && !value.is_str() => {
            if may_be_secret(given) {
                return None;
            }
            let advice = format!("{advice}; write it in quotes: `\"{given}\"`");
            Some((given.to_owned(), advice))
        }
        _ => None,
    }
}

/// Whether a text is a number, `true` or `false`.
fn is_bare(text: &str) -> bool {
    let text = text.trim();
    text.parse::<bool>().is_ok() || text.replace('_', "").parse::<f64>().is_ok()
}
