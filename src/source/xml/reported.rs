//! Errors that a document reports in place of, or beside, its records.

use super::attributes::Attributes;
use super::name::key;
use super::tree::XmlNode;
use crate::model::{beginning, visible};

/// Text of the document that is quoted in messages, in characters.
const LONGEST_QUOTE_CHARS: usize = 200;
/// Elements and attributes that say that something failed.
const ERRORS: [&str; 18] = [
    "error",
    "errors",
    "error_code",
    "error_message",
    "error_description",
    "err",
    "failure",
    "failures",
    "failed",
    "fatal",
    "fault",
    "fault_code",
    "fault_string",
    "exception",
    "exception_message",
    "stack_trace",
    "traceback",
    "backtrace",
];
/// Values by which they say that nothing did.
const NOTHING: [&str; 9] = [
    "", "0", "false", "no", "none", "null", "n/a", "ok", "success",
];
/// Values of a status that say that all is well.
const WELL: [&str; 8] = [
    "",
    "ok",
    "success",
    "successful",
    "200",
    "0",
    "true",
    "complete",
];
/// What messages about errors say, in lower case.
const WORDS: [&str; 14] = [
    "error",
    "fail",
    "fault",
    "exception",
    "invalid",
    "denied",
    "unauthori",
    "forbidden",
    "timeout",
    "timed out",
    "unavailable",
    "expired",
    "throttled",
    "not permitted",
];

/// What the attributes of the root element say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing about how it went.
    #[default]
    Nothing,
    /// Something that a document without records would not say.
    Something,
    /// That something failed, in its words.
    Error(String),
}

/// Whether a name is that of an error.
pub(in crate::source) fn is_error(name: &[u8]) -> bool {
    let name = key(name);
    ERRORS.iter().any(|error| key(error.as_bytes()) == name)
}

/// The error that an element or one inside of it reports, in its words.
pub(super) fn reported(node: &XmlNode<'_>) -> Option<String> {
    if is_error(node.name.as_bytes()) {
        let attributes = node.attributes.iter().map(|attribute| &*attribute.value);
        let text = node.whole_text();
        let parts: Vec<&str> = attributes
            .chain([&*text])
            .filter(|part| !is_one_of(part, &NOTHING))
            .collect();
        if !parts.is_empty() {
            return Some(format!("`{}`: {}", node.name, quoted(&parts.join(" "))));
        }
    }
    node.children.iter().find_map(reported)
}

/// What the attributes of the root element, as they stand in its tag, say.
pub(super) fn error_in(attributes: &[u8]) -> Says {
    let words = || quoted(&String::from_utf8_lossy(attributes));
    let mut says = Says::Nothing;
    for raw in Attributes::new(attributes) {
        let value = String::from_utf8_lossy(raw.value.unwrap_or_default()).to_lowercase();
        let value = value.trim();
        let name = key(raw.name);
        let is = |names: &[&str]| names.iter().any(|known| key(known.as_bytes()) == name);
        let is_bad =
            WORDS.iter().any(|word| value.contains(word)) || matches!(value.parse(), Ok(400..=599));
        if is_error(raw.name) && !is_one_of(value, &NOTHING) {
            return Says::Error(words());
        }
        if is(&["status", "code", "result", "message", "detail", "reason"]) && is_bad {
            return Says::Error(words());
        }
        let is_unexpected = is(&["status"]) && !is_one_of(value, &WELL)
            || is(&["message", "detail", "reason"]) && !value.is_empty();
        if is_unexpected {
            says = Says::Something;
        }
    }
    says
}

/// The error that the attributes of an element around records report, in their words: one
/// that is called so, or a status of HTTP. What a message says there may be about the records.
pub(super) fn fault_of(attributes: &[u8]) -> Option<String> {
    let is_fault = |name: &[u8], value: &str| {
        // `code` may be that of a vendor or list.
        let is_status = ["status", "http_status", "status_code"]
            .iter()
            .any(|known| key(known.as_bytes()) == key(name));
        is_error(name) && !is_one_of(value, &NOTHING)
            || is_status && (is_error(value.as_bytes()) || matches!(value.parse(), Ok(400..=599)))
    };
    Attributes::new(attributes)
        .any(|raw| {
            let value = String::from_utf8_lossy(raw.value.unwrap_or_default());
            is_fault(raw.name, value.trim())
        })
        .then(|| quoted(&String::from_utf8_lossy(attributes)))
}

/// Whether a key beside the rows of a JSON page says that something failed.
pub(in crate::source) fn is_failure(name: &str, value: &str) -> bool {
    if is_error(name.as_bytes()) {
        return !is_one_of(value, &NOTHING);
    }
    let name = key(name.as_bytes());
    let is_status = ["status", "code", "result", "state"]
        .iter()
        .any(|known| key(known.as_bytes()) == name);
    let value = value.to_lowercase();
    is_status
        && (WORDS.iter().any(|word| value.contains(word)) || matches!(value.parse(), Ok(400..=599)))
}

fn is_one_of(value: &str, words: &[&str]) -> bool {
    let value = value.trim();
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A text for a message about characters where none belong: those that cannot be seen
/// stand as escapes.
pub(super) fn quoted_visibly(text: &str) -> String {
    /// Of a text that has no other characters.
    const MOST_CHARS: usize = 10;
    let line = quoted(text);
    if line.is_empty() {
        return visible(beginning(text, MOST_CHARS));
    }
    visible(&line)
}

/// Text of the document on one line, for messages.
pub(in crate::source) fn quoted(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    if line.chars().count() <= LONGEST_QUOTE_CHARS {
        return line;
    }
    line.chars()
        .take(LONGEST_QUOTE_CHARS)
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Says, error_in};

    #[test]
    fn a_root_that_speaks_of_an_error_is_distinguished_from_one_that_does_not() {
        for attributes in [
            r#" status="error" code="500" message="backend timeout""#,
            r#" error="out of memory""#,
            r" code='503'",
            r#" message="Request failed""#,
        ] {
            assert!(
                matches!(error_in(attributes.as_bytes()), Says::Error(_)),
                "{attributes}"
            );
        }
        for attributes in [
            "",
            r#" xmlns="urn:x" version="2" total="0""#,
            r#" status="ok" code="SVR""#,
            r#" error="" errors="0" fault="none""#,
        ] {
            assert_eq!(
                error_in(attributes.as_bytes()),
                Says::Nothing,
                "{attributes}"
            );
        }
        assert_eq!(error_in(b" message='come back later'"), Says::Something);
    }
}
