//! Captured responses, and helpers to write claims about them.

use serde_json::Value;

use crate::capture::claim::{ClaimVerdict, ContractClaim};
use crate::capture::response::CapturedResponse;
use crate::model::{one_line, shortened};

/// Maximum number of listed names.
const MAX_NAMES: usize = 60;
/// Maximum length of quoted upstream text, in characters.
const MAX_QUOTED_CHARS: usize = 120;

/// The responses, by name.
#[derive(Clone, Copy)]
pub(super) struct Answers<'a>(pub(super) &'a [CapturedResponse]);

impl<'a> Answers<'a> {
    /// A response that was received.
    pub(super) fn get(self, name: &str) -> Option<&'a CapturedResponse> {
        let mut all = self.0.iter();
        all.find(|response| response.name == name && response.status.is_some())
    }

    pub(super) fn starting(self, start: &str) -> impl Iterator<Item = &'a CapturedResponse> {
        let start = start.to_owned();
        let all = self.0.iter();
        all.filter(move |response| response.name.starts_with(&start) && response.status.is_some())
    }
}

/// Section, source and text of a statement.
pub(super) type ContractStatement = (&'static str, &'static str, &'static str);

/// A claim; `held` is `None` if the responses do not show it.
pub(super) fn claim(
    statement: ContractStatement,
    held: Option<bool>,
    seen: impl Into<String>,
) -> ContractClaim {
    let (section, known, statement) = statement;
    ContractClaim {
        section,
        known,
        statement,
        verdict: match held {
            Some(true) => ClaimVerdict::Held,
            Some(false) => ClaimVerdict::NotHeld,
            None => ClaimVerdict::Open,
        },
        seen: seen.into(),
    }
}

/// Status and reason of a response.
pub(super) fn status(response: Option<&CapturedResponse>) -> String {
    let Some(response) = response else {
        return "no response".to_owned();
    };
    let status = response.status.unwrap_or_default();
    match response.detail() {
        Some(detail) => format!("{status}, `{}`", quoted(&detail)),
        None => format!(
            "status {status}, {}",
            response.header("content-type").unwrap_or("no content type")
        ),
    }
}

pub(super) fn quoted(text: &str) -> String {
    shortened(&one_line(text).replace('`', "'"), MAX_QUOTED_CHARS)
}

/// The keys of an object, sorted.
pub(super) fn keys(value: &Value) -> Vec<String> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.clone()).collect()
}

pub(super) fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| format!("`{}`", quoted(name)))
        .collect();
    shown.join(" ")
}

/// Name of the JSON type of a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
