//! Errors in a filter, with their position.

use std::fmt;

/// Characters of the filter that are shown before and after the error.
const SHOWN: usize = 60;

/// Where a filter is wrong, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// The filter.
    text: String,
    /// Bytes before the error.
    start: usize,
    /// Bytes of the error; 0 at the end.
    length: usize,
    /// What is wrong, and what was expected.
    message: String,
}

/// What is wrong in a filter, before the filter itself is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilterFault {
    /// Bytes before it.
    pub start: usize,
    /// Its length in bytes.
    pub length: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl FilterFault {
    /// At `start`, `length` bytes.
    pub fn new(start: usize, length: usize, message: impl Into<String>) -> Self {
        Self {
            start,
            length,
            message: message.into(),
        }
    }

    /// Adds what was probably meant.
    pub fn suggest(mut self, given: &str, known: &[&'static str]) -> Self {
        if let Some(name) = nearest(given, known) {
            self.message = format!("{}; did you mean `{name}`?", self.message);
        }
        self
    }
}

/// The known name that is most similar, if any is similar at all.
pub fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    const SIMILAR: f64 = 0.75;
    let given = given.to_lowercase();
    known
        .iter()
        .map(|name| (*name, strsim::jaro_winkler(&given, &name.to_lowercase())))
        .filter(|(_, similarity)| *similarity >= SIMILAR)
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .map(|(name, _)| name)
}

/// The known word that a misspelled one was meant to be: one that differs in few letters.
pub fn misspelled<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// One letter of so many may be wrong.
    const LETTERS: usize = 4;
    let most = given.chars().count() / LETTERS;
    known
        .map(|word| (word, strsim::osa_distance(given, word)))
        .filter(|(_, distance)| *distance <= most)
        .min_by_key(|(_, distance)| *distance)
        .map(|(word, _)| word)
}

impl FilterError {
    pub(super) fn new(text: &str, fault: FilterFault) -> Self {
        Self {
            text: text.to_owned(),
            start: fault.start.min(text.len()),
            length: fault.length,
            message: fault.message,
        }
    }

    /// The position of the error in characters, from 1.
    pub fn column(&self) -> usize {
        let before = self.text.get(..self.start).unwrap_or_default();
        before.chars().count() + 1
    }

    /// The error on one line.
    pub fn one_line(&self) -> String {
        format!("column {}: {}", self.column(), self.message)
    }

    /// The part of the filter around the error, and the marker below it.
    fn shown(&self) -> (String, String) {
        let plain = |text: &str| -> Vec<char> {
            let plain = |one: char| if one.is_control() { ' ' } else { one };
            text.chars().map(plain).collect()
        };
        let (before, rest) = self.text.split_at_checked(self.start).unwrap_or_default();
        let (before, rest) = (plain(before), plain(rest));
        let marked = self.text.get(self.start..self.start + self.length);
        let marked = marked.map_or(1, |marked| marked.chars().count().clamp(1, SHOWN));
        let from = before.len().saturating_sub(SHOWN);
        let to = rest.len().min(SHOWN);
        let cut = |is_cut: bool| if is_cut { "…" } else { "" };
        let line = format!(
            "{}{}{}{}",
            cut(from > 0),
            before[from..].iter().collect::<String>(),
            rest[..to].iter().collect::<String>(),
            cut(to < rest.len())
        );
        let indent = before.len() - from + usize::from(from > 0);
        (line, " ".repeat(indent) + &"^".repeat(marked))
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, marker) = self.shown();
        write!(formatter, "{}\n  {line}\n  {marker}", self.one_line())
    }
}

impl std::error::Error for FilterError {}
