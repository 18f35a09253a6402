//! Looks ahead in a document for what its records are.

use super::finder::{Finder, MOST_NAMES};
use super::rules::ParserRules;
use super::token::{Next, next};

/// How often reading goes on behind markup that does not end, at the end of a document.
pub(super) const MOST_UNENDED: usize = 8;

/// Where the records are: how deep, under which names, in which elements.
#[derive(Debug, Default)]
pub(super) struct RecordLocation {
    /// Depth below the root; `None` where no element carries an identifier.
    pub depth: Option<usize>,
    /// Keys of the records' names.
    pub names: Vec<u64>,
    /// Depth and key of the elements around the records.
    pub wrappers: Vec<(usize, u64)>,
    /// Where elements are nested too deep.
    pub too_deep: Option<usize>,
}

impl RecordLocation {
    /// The plan of a document that is there in full.
    pub fn of(rules: &ParserRules, document: &[u8]) -> Self {
        Scout::default()
            .search(rules, document, true)
            .unwrap_or_default()
    }

    /// Whether records are known by this name.
    pub fn names(&self, name: u64) -> bool {
        self.names.contains(&name)
    }

    /// Remembers another name of records. Where each has its own, none is known
    /// for long, and each is looked into.
    pub fn learn(&mut self, name: u64) {
        if self.names.len() < MOST_NAMES && !self.names(name) {
            self.names.push(name);
        }
    }
}

/// Looks ahead in a document that streams past.
#[derive(Default)]
pub(super) struct Scout {
    finder: Finder,
    resume: usize,
    /// How long the buffer has to be for another look to be worth it.
    enough: usize,
    /// How often it went on behind markup that does not end.
    passed: usize,
}

impl Scout {
    /// Looks on in `buffer`, which begins with the document. It looks on for a
    /// while after the first carrier of an identifier: an advisory may name
    /// related ones before itself.
    pub fn search(
        &mut self,
        rules: &ParserRules,
        buffer: &[u8],
        last: bool,
    ) -> Option<RecordLocation> {
        if buffer.len() < self.enough && !last {
            return None;
        }
        let mut seen = self.resume;
        while !self.is_settled(rules, seen) {
            match next(buffer, self.resume) {
                Next::Token(token) => {
                    self.finder.token(rules, buffer, self.resume, &token);
                    self.resume = token.end;
                    seen = token.end;
                }
                Next::More { from } => {
                    self.finder.text(&buffer[self.resume..from]);
                    self.resume = from;
                    self.enough = buffer.len() + (buffer.len() - from) / 2 + 1;
                    seen = buffer.len();
                    if !last || from == buffer.len() || self.passed == MOST_UNENDED {
                        break;
                    }
                    // It never ends: what stands behind it is looked at too.
                    self.passed += 1;
                    self.resume += 1;
                }
            }
        }
        (last || self.is_settled(rules, seen)).then(|| self.plan())
    }

    fn plan(&mut self) -> RecordLocation {
        let finder = std::mem::take(&mut self.finder);
        let too_deep = finder.too_deep();
        let Some((depth, group)) = finder.records() else {
            return RecordLocation {
                too_deep,
                ..RecordLocation::default()
            };
        };
        RecordLocation {
            depth: Some(depth),
            names: group.names,
            wrappers: group.wrappers,
            too_deep: None,
        }
    }

    /// Whether `seen` bytes are enough to decide.
    fn is_settled(&self, rules: &ParserRules, seen: usize) -> bool {
        let limits = &rules.limits;
        match self.finder.carriers() {
            Some(carriers) => {
                seen >= limits.lookahead_bytes || carriers >= limits.lookahead_records
            }
            None => seen >= limits.record_bytes,
        }
    }
}
