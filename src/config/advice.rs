//! What is expected instead of an invalid value.

use std::sync::Arc;

use super::setting_error::close_to;
use super::tree::SettingNode;
use crate::model::filter::nearest;

/// What is expected instead of an invalid value, in words and in kind: the kind decides how
/// the value is quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advice {
    /// How it continues `got …;`.
    pub(super) text: String,
    pub(super) wanted: Wanted,
    /// The entry of a list that is wrong; if absent, the value as a whole is.
    pub(super) at: Option<Arc<str>>,
}

/// The kind of value that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A number, `true` or `false`: written without quotes.
    Bare,
    /// One of a few words, a duration or a size.
    Choice,
    /// Text, or a list of texts: written in quotes.
    Text,
    /// Anything else.
    Other,
}

impl Wanted {
    /// Whether a value in its place is no longer than a number or a word. Anything longer
    /// may be a password in the wrong place.
    pub(super) fn is_short(self) -> bool {
        matches!(self, Self::Bare | Self::Choice)
    }
}

impl Advice {
    pub(super) fn bare(text: impl Into<String>) -> Self {
        Self::of(Wanted::Bare, text)
    }

    pub(super) fn choice(text: impl Into<String>) -> Self {
        Self::of(Wanted::Choice, text)
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::of(Wanted::Text, text)
    }

    fn of(wanted: Wanted, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            text,
            wanted,
            at: None,
        }
    }

    /// To write one of a few words, and which of them was probably meant by another one.
    pub(super) fn one_of(given: &str, words: &[&str]) -> Self {
        let (last, others) = words.split_last().unwrap_or((&"", &[]));
        let quoted = |word: &&str| format!("`{word}`");
        let others: Vec<String> = others.iter().map(quoted).collect();
        let others = others.join(", ");
        let close = did_you_mean(given, words);
        Self::choice(format!("expected {others} or `{last}`{close}"))
    }

    /// About an entry of a list.
    pub(super) fn of_item(self, item: &SettingNode) -> Self {
        Self {
            at: Some(Arc::clone(&item.origin)),
            ..self
        }
    }

    /// The same in other words.
    pub(super) fn with(&self, text: String) -> Self {
        Self {
            text,
            wanted: self.wanted,
            at: self.at.clone(),
        }
    }
}

impl<T: Into<String>> From<T> for Advice {
    fn from(text: T) -> Self {
        Self::of(Wanted::Other, text)
    }
}

/// The end of an advice: which of the known words was probably meant, if any is similar.
pub(super) fn did_you_mean(given: &str, words: &[&str]) -> String {
    let given = given.trim();
    let close = close_to(given, words.iter().copied()).or_else(|| nearest(given, words));
    close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"))
}
