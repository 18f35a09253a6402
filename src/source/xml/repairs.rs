//! What was repaired in a damaged record, and where.

use std::fmt::Write as _;

use crate::model::beginning;

/// How many repairs of one record are listed.
const MOST_NOTES: usize = 20;
/// A longer name is cut.
const LONGEST_NAME_CHARS: usize = 40;

/// What was repaired in a record.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Repairs {
    notes: Vec<String>,
    more: usize,
    /// Keys of the elements whose tags do not match: where one record ends and
    /// another begins is then uncertain.
    pub elements: Vec<u64>,
    /// Whether markup, and not only characters, is damaged.
    pub is_structural: bool,
}

impl Repairs {
    /// Notes a repair that has no consequence for the structure.
    pub fn note(&mut self, at: usize, what: &str) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(format!("{what} at byte {at}"));
        } else {
            self.more += 1;
        }
    }

    /// Notes what is about the whole record, before the others.
    pub fn whole(&mut self, what: &str) {
        self.notes.insert(0, what.to_owned());
    }

    /// Notes that the markup is damaged.
    pub fn structure(&mut self, at: usize, what: &str) {
        self.is_structural = true;
        self.note(at, what);
    }

    /// Notes that the tags of an element do not match.
    pub fn element(&mut self, at: usize, what: &str, key: u64) {
        self.structure(at, what);
        if !self.elements.contains(&key) && self.elements.len() < MOST_NOTES {
            self.elements.push(key);
        }
    }

    /// Adds what was repaired in one value.
    pub fn within(&mut self, name: &str, value: &Self) {
        for note in &value.notes {
            if self.notes.len() < MOST_NOTES {
                self.notes.push(format!("{note} of `{}`", shown(name)));
            } else {
                self.more += 1;
            }
        }
        self.more += value.more;
    }

    /// Whether the record is as XML wants it.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The first repair.
    pub fn first(&self) -> Option<&str> {
        self.notes.first().map(String::as_str)
    }

    /// All repairs in one line; `None` where there are none.
    pub fn in_words(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut words = self.notes.join("; ");
        if self.more > 0 {
            // Writing to a `String` cannot fail.
            let _ = write!(words, "; and {} more", self.more);
        }
        Some(words)
    }
}

/// A name as messages show it.
pub(super) fn shown(name: &str) -> String {
    beginning(name, LONGEST_NAME_CHARS).to_owned()
}
