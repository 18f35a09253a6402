//! Parsing rules: identifier pattern, aliases, limits.

use std::collections::BTreeMap;
use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::alias::Aliases;
use super::error::RulesError;
use crate::config::AliasField;
use crate::model::{Fingerprint, fingerprint, salted_fingerprint};

/// How much of a record that is too large is kept, in bytes: enough for its identifier
/// and its title.
pub(super) const HEAD_BYTES: usize = 64 * 1024;

/// How much of anything one document may make us hold. Real records are a few
/// KiB with a few dozen elements, nested at most a dozen deep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one record.
    pub record_bytes: usize,
    /// Bytes of one comment, tag or document type outside of records.
    pub markup_bytes: usize,
    /// Elements inside elements, in a record and around records.
    pub depth: usize,
    /// Elements of one record: a tree takes far more memory than its text.
    pub elements: usize,
    /// Pieces of markup outside of records, from one record to the next: each takes time.
    pub markup_in_a_row: usize,
    /// Attributes of one element; looking for repeated ones is quadratic.
    pub attributes: usize,
    /// Bytes looked at, at most, before the record element is settled.
    pub lookahead_bytes: usize,
    /// Candidates looked at, at most, before the record element is settled.
    pub lookahead_records: usize,
}

/// The limits in force unless a test asks for others.
const LIMITS: Limits = Limits {
    record_bytes: 16 * 1024 * 1024,
    markup_bytes: 1024 * 1024,
    depth: 64,
    elements: 200_000,
    markup_in_a_row: 100_000,
    attributes: 256,
    lookahead_bytes: 4 * 1024 * 1024,
    lookahead_records: 256,
};

/// What an identifier looks like and which names mean which field.
#[derive(Debug, Clone)]
pub struct ParserRules {
    /// As configured.
    id_pattern: String,
    pattern: Regex,
    /// The same anywhere in a text.
    word: Regex,
    /// Keys of the names whose value is an identifier.
    said_names: Vec<u64>,
    pub(super) aliases: Aliases,
    /// Differs wherever the configured rules differ.
    salt: u64,
    /// How much one document may make us hold.
    pub limits: Limits,
}

impl ParserRules {
    /// From `id_pattern`, which must match a whole identifier, and further aliases
    /// by the name of an [`AliasField`]: elements or
    /// attributes, `@name` for attributes only, `outer/inner` for paths from the record.
    pub fn new(
        id_pattern: &str,
        extra: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, RulesError> {
        // Bytes without Unicode tables: identifiers are ASCII, and `\d` means 0 to 9.
        let build = |pattern: &str| RegexBuilder::new(pattern).unicode(false).build();
        let broken = |error: regex::Error| RulesError::Pattern {
            pattern: id_pattern.to_owned(),
            why: error.to_string(),
        };
        // On its own first: `a)|(b` must not slip through between our brackets.
        let word = build(id_pattern).map_err(broken)?;
        let pattern = build(&format!("^(?:{id_pattern})$")).map_err(broken)?;
        if pattern.is_match(b"") {
            return Err(RulesError::EmptyMatch {
                pattern: id_pattern.to_owned(),
            });
        }
        let aliases = Aliases::new(extra)?;
        let said_names = aliases.of(AliasField::Said).iter().map(|path| path.last);
        Ok(Self {
            id_pattern: id_pattern.to_owned(),
            pattern,
            word,
            said_names: said_names.collect(),
            aliases,
            salt: salt(id_pattern, extra),
            limits: LIMITS,
        })
    }

    /// Fingerprint of a record's bytes under these rules: with other aliases every
    /// record is read again by itself, as with another parser.
    pub fn fingerprint(&self, record: &[u8]) -> Fingerprint {
        salted_fingerprint(record, self.salt)
    }

    /// What an identifier looks like, as configured.
    pub(super) fn form(&self) -> &str {
        &self.id_pattern
    }

    /// Whether the whole of `text`, less white space around it, is an identifier.
    pub fn is_identifier(&self, text: &[u8]) -> bool {
        /// No identifier is this long; anything longer need not be matched.
        const LONGEST_BYTES: usize = 200;
        let text = text.trim_ascii();
        !text.is_empty() && text.len() <= LONGEST_BYTES && self.pattern.is_match(text)
    }

    /// Where words of `text` look like identifiers.
    pub(super) fn words(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        self.forms(text)
            .filter(move |form| is_whole_word(text, form))
    }

    /// Where anything in `text` looks like an identifier, also within a word.
    pub(super) fn forms(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let found = self.word.find_iter(text).map(|found| found.range());
        found.filter(|form| !form.is_empty())
    }

    /// Whether an element or attribute of this key holds an identifier.
    pub(super) fn names_identifier(&self, name: u64) -> bool {
        self.said_names.contains(&name)
    }
}

/// Whether what looks like an identifier is a word of its own.
pub(super) fn is_whole_word(text: &[u8], form: &Range<usize>) -> bool {
    let before = form.start.checked_sub(1).and_then(|at| text.get(at));
    !is_word(before) && !begins_word(&text[form.end..])
}

/// Whether a byte belongs to the word before or behind it.
fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Whether what follows a word belongs to it, as a digit of another script does.
fn begins_word(behind: &[u8]) -> bool {
    /// The longest character has so many bytes.
    const LONGEST: usize = 4;
    let beginning = &behind[..behind.len().min(LONGEST)];
    let chunk = beginning.utf8_chunks().next();
    let first = chunk.and_then(|chunk| chunk.valid().chars().next());
    first.is_some_and(|first| first.is_alphanumeric() || first == '_')
}

fn salt(id_pattern: &str, extra: &BTreeMap<String, Vec<String>>) -> u64 {
    // Debug quotes its texts: no two sets of rules are written alike.
    let hash = fingerprint(format!("{id_pattern:?} {extra:?}").as_bytes());
    hash.iter()
        .take(8)
        .fold(0, |salt, byte| salt << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]
    use std::collections::BTreeMap;

    use super::{ParserRules, RulesError};

    #[test]
    fn the_pattern_must_match_in_full() {
        let rules = ParserRules::new(r"SA[0-9]{1,7}", &BTreeMap::new()).unwrap();
        assert!(rules.is_identifier(b" SA1\n"));
        for other in ["", "215177", "SA", "SA12345678", "xSA1", "SA1 SA2"] {
            assert!(!rules.is_identifier(other.as_bytes()), "{other}");
        }
        let either = ParserRules::new(r"A\d|B\d\d", &BTreeMap::new()).unwrap();
        assert!(either.is_identifier(b"B12"));
        assert!(!either.is_identifier(b"A12"));
    }

    #[test]
    fn other_rules_make_other_fingerprints() {
        let rules = |alias: &str| {
            let extra = BTreeMap::from([("said".to_owned(), vec![alias.to_owned()])]);
            ParserRules::new("SA1", &extra).unwrap()
        };
        assert_eq!(rules("a").fingerprint(b"x"), rules("a").fingerprint(b"x"));
        assert_ne!(rules("a").fingerprint(b"x"), rules("b").fingerprint(b"x"));
    }

    #[test]
    fn useless_rules_are_refused_with_the_way_out() {
        let refusal = |pattern: &str| ParserRules::new(pattern, &BTreeMap::new()).err();
        assert!(matches!(refusal("("), Some(RulesError::Pattern { .. })));
        assert!(matches!(refusal("a)|(b"), Some(RulesError::Pattern { .. })));
        assert!(matches!(refusal(".*"), Some(RulesError::EmptyMatch { .. })));
        let extra = |field: &str, alias: &str| {
            let extra = BTreeMap::from([(field.to_owned(), vec![alias.to_owned()])]);
            ParserRules::new("SA1", &extra)
                .err()
                .map(|error| error.to_string())
        };
        assert!(extra("sad", "x").unwrap().contains("write one of said, "));
        assert!(extra("said", "a//b").unwrap().contains("`a//b` of `said`"));
        assert_eq!(extra("said", "vuln_id"), None);
    }
}
