//! Each statement of the contract that an answer can settle.

mod access;
mod advisories;
mod collections;
mod feed;
mod tickets;

use std::sync::Arc;

use serde_json::Value;

use super::report::{Claim, Verdict};
use super::taken::Taken;
use crate::model::{one_line, shortened};
use crate::source::xml::Rules;

pub(super) use feed::has_records;

/// Most names that are listed.
const MAX_NAMES: usize = 60;
/// Longest text from upstream that is repeated, in characters.
const MAX_QUOTED_CHARS: usize = 120;

/// Everything that the answers can tell, in the order of the contract.
pub(super) fn all(taken: &[Taken], rules: &Arc<Rules>) -> Vec<Claim> {
    let answers = Answers(taken);
    let mut claims = access::claims(answers);
    claims.extend(collections::claims(answers));
    claims.extend(feed::claims(answers, rules));
    claims.extend(tickets::claims(answers));
    claims.extend(advisories::claims(answers));
    claims
}

/// The answers, by their names.
#[derive(Clone, Copy)]
struct Answers<'a>(&'a [Taken]);

impl<'a> Answers<'a> {
    /// An answer that came.
    fn get(self, name: &str) -> Option<&'a Taken> {
        let mut all = self.0.iter();
        all.find(|taken| taken.name == name && taken.status.is_some())
    }

    fn starting(self, start: &str) -> impl Iterator<Item = &'a Taken> {
        let start = start.to_owned();
        let all = self.0.iter();
        all.filter(move |taken| taken.name.starts_with(&start) && taken.status.is_some())
    }
}

/// Where a statement stands, how it is known, what it says.
type Statement = (&'static str, &'static str, &'static str);

/// A claim; `held` is `None` where the answers do not tell.
fn claim(statement: Statement, held: Option<bool>, seen: impl Into<String>) -> Claim {
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
fn status(taken: Option<&Taken>) -> String {
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

fn quoted(text: &str) -> String {
    shortened(&one_line(text).replace('`', "'"), MAX_QUOTED_CHARS)
}

/// The keys of an object, sorted.
fn keys(value: &Value) -> Vec<String> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.clone()).collect()
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| format!("`{}`", quoted(name)))
        .collect();
    shown.join(" ")
}

/// What a value of JSON is, in a word.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "truth value",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
