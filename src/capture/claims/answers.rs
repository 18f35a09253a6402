//! The captured answers, and how claims about them are written.

use serde_json::Value;

use crate::capture::claim::{Claim, Verdict};
use crate::capture::taken::Taken;
use crate::model::{one_line, shortened};

/// Most names that are listed.
const MAX_NAMES: usize = 60;
/// Longest text from upstream that is repeated, in characters.
const MAX_QUOTED_CHARS: usize = 120;

/// The answers, by their names.
#[derive(Clone, Copy)]
pub(super) struct Answers<'a>(pub(super) &'a [Taken]);

impl<'a> Answers<'a> {
    /// An answer that came.
    pub(super) fn get(self, name: &str) -> Option<&'a Taken> {
        let mut all = self.0.iter();
        all.find(|taken| taken.name == name && taken.status.is_some())
    }

    pub(super) fn starting(self, start: &str) -> impl Iterator<Item = &'a Taken> {
        let start = start.to_owned();
        let all = self.0.iter();
        all.filter(move |taken| taken.name.starts_with(&start) && taken.status.is_some())
    }
}

/// Where a statement stands, how it is known, what it says.
pub(super) type Statement = (&'static str, &'static str, &'static str);

/// A claim; `held` is `None` where the answers do not tell.
pub(super) fn claim(statement: Statement, held: Option<bool>, seen: impl Into<String>) -> Claim {
    let (section, known, statement) = statement;
    Claim {
        section,
        known,
        statement,
        verdict: match held {
            Some(true) => Verdict::Held,
            Some(false) => Verdict::NotHeld,
            None => Verdict::Open,
        },
        seen: seen.into(),
    }
}

/// Status and reason of an answer.
pub(super) fn status(taken: Option<&Taken>) -> String {
    let Some(taken) = taken else {
        return "not answered".to_owned();
    };
    let status = taken.status.unwrap_or_default();
    match taken.detail() {
        Some(detail) => format!("{status}, `{}`", quoted(&detail)),
        None => format!(
            "status {status}, {}",
            taken.header("content-type").unwrap_or("no type")
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

/// What a value of JSON is, in a word.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "truth value",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
