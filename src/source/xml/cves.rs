//! CVE names, wherever a list of them or of vulnerabilities has any.

use std::ops::Range;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike as _, Utc};
use regex::Regex;

use super::fields::FieldReader;
use super::name::keys;
use super::tree::{NamedValue, XmlNode, is_html};
use crate::config::AliasField;

/// Digits of the number of a CVE. The rules of the numbers set no limit; columns
/// and indexes need one.
const MOST_DIGITS: usize = 19;
/// The first year of the list, and the last of a name without prefix in a record that has no
/// time.
const FIRST_YEAR: i32 = 1999;
const LAST_YEAR: i32 = 2099;
const PREFIX: &str = "CVE";
/// How deep names lie in a list.
const LEVELS: usize = 4;
/// Where a list of CVEs or of vulnerabilities has names, perhaps with other words.
const NAMES: &[u64] = keys![
    "cve",
    "cves",
    "id",
    "name",
    "cve_id",
    "cve_name",
    "cve_number",
    "identifier",
    "number",
    "list-item",
    "item",
    "vulnerability",
    "cve_list",
    "cve_str_list",
];
/// Where it may have one, and then nothing else.
const VALUES: &[u64] = keys!["text", "value", "code"];
/// Where nothing but names belongs: there a year and a number are enough.
const ONLY: &[u64] = keys![
    "cve",
    "cves",
    "cve_id",
    "cve_name",
    "cve_number",
    "cve_list",
    "cve_str_list",
];

/// A name with its prefix: `CVE-2026-1234`, `cve_2026-1234`, `CVE: 2026-1234`, `CAN-2001-0123`.
/// What stands around it is looked at apart.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let between = r"[-_\x{2010}-\x{2015}]";
    let prefix = format!(r"(?:CVE(?:{between}|[ \x{{a0}}:]){{0,3}}|CAN{between})");
    Regex::new(&format!("(?i){prefix}([0-9]{{4}}){between}([0-9]{{4,}})")).ok()
});

/// CVE names in upper case. What stands in their place and is none is kept as
/// unrecognised. `newest` is the latest time in the record.
pub(super) fn cves(fields: &mut FieldReader<'_>, newest: Option<DateTime<Utc>>) -> Vec<String> {
    let mut found = Cves {
        last_year: newest.map_or(LAST_YEAR, |time| time.year() + 1),
        names: Vec::new(),
        unexpected: Vec::new(),
    };
    for group in fields.groups(AliasField::Cves) {
        for one in group {
            match one {
                NamedValue::Attribute(attribute) => found.take(attribute.key, one),
                NamedValue::Element(node) => found.node(node, LEVELS),
            }
        }
    }
    let unexpected: Vec<&str> = found.unexpected.iter().map(String::as_str).collect();
    fields.keep(AliasField::Cves, &unexpected);
    found.names
}

struct Cves {
    /// The last year that a name without prefix may have.
    last_year: i32,
    names: Vec<String>,
    unexpected: Vec<String>,
}

impl Cves {
    fn node(&mut self, node: &XmlNode<'_>, levels: usize) {
        for attribute in &node.attributes {
            if NAMES.contains(&attribute.key) {
                // `cve` around says what the `id` inside is.
                let name = if ONLY.contains(&node.key) {
                    node.key
                } else {
                    attribute.key
                };
                self.take(name, NamedValue::Attribute(attribute));
            } else if VALUES.contains(&attribute.key) && is_name(&attribute.value) {
                self.take(attribute.key, NamedValue::Attribute(attribute));
            }
        }
        self.take(node.key, NamedValue::Element(node));
        if levels == 0 {
            return;
        }
        let has_only_names = ONLY.contains(&node.key);
        for child in &node.children {
            let is_markup = has_only_names && is_html(&child.name);
            let is_value = VALUES.contains(&child.key) && is_name(&child.text);
            if is_markup && !NAMES.contains(&child.key) {
                self.take(node.key, NamedValue::Element(child));
            } else if NAMES.contains(&child.key) || is_value {
                self.node(child, levels - 1);
            }
        }
    }

    /// Takes the names without prefix in what stands between others, where nothing but names
    /// belongs; the rest is left.
    fn gap(&mut self, text: &str, has_only_names: bool, rest: &mut String) {
        if !has_only_names {
            rest.push_str(text);
            return;
        }
        for word in text.split_inclusive(is_between) {
            let alone = word.trim_end_matches(is_between).trim_end_matches('.');
            match bare(alone, self.last_year) {
                Some(name) => {
                    self.names.push(name);
                    rest.push(' ');
                }
                None => rest.push_str(word),
            }
        }
    }

    /// Takes the names in a text; what else it says is unexpected only where
    /// nothing but names belongs, or where it looks like one. A text that says more
    /// elsewhere stays left over.
    fn take(&mut self, name: u64, found: NamedValue<'_>) {
        let text = found.text();
        if text.is_empty() {
            return;
        }
        let has_only_names = ONLY.contains(&name);
        let mut rest = String::new();
        let mut from = 0;
        for (span, name) in prefixed(text) {
            self.gap(&text[from..span.start], has_only_names, &mut rest);
            rest.push(' ');
            from = span.end;
            self.names.push(name);
        }
        self.gap(&text[from..], has_only_names, &mut rest);
        let is_word = |word: &&str| word.chars().any(char::is_alphanumeric);
        let mut words = rest
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .filter(is_word)
            .peekable();
        let is_similar = |word: &str| word.to_ascii_uppercase().contains("CVE");
        if has_only_names || words.peek().is_none() {
            found.mark();
            self.unexpected.extend(words.map(str::to_owned));
        } else if let Some(word) = words.find(|word| is_similar(word) && word.len() > 3) {
            self.unexpected.push(word.to_owned());
        }
    }
}

/// The names with a prefix in a text, and where they stand.
fn prefixed(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let found = NAME.as_ref().map(|name| name.captures_iter(text));
    found.into_iter().flatten().filter_map(|name| {
        let (whole, year, number) = (name.get(0)?, name.get(1)?, name.get(2)?);
        let is_within = text[..whole.start()].ends_with(char::is_alphabetic);
        let behind = &text[whole.end()..];
        let goes_on = behind.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        // Names may stand one behind the other where markup was between them.
        let begins_next = || {
            let prefix = behind.get(..PREFIX.len());
            prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
        };
        if is_within || goes_on && !begins_next() || number.len() > MOST_DIGITS {
            return None;
        }
        let name = format!("CVE-{}-{}", year.as_str(), number.as_str());
        Some((whole.range(), name))
    })
}

/// What a word without prefix is as a name, if it can be one: a number of another list, of
/// a telephone or a version is none, nor are two years.
fn bare(word: &str, last_year: i32) -> Option<String> {
    let (year, number) = word.split_once('-')?;
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_length = year.len() == 4 && (4..=MOST_DIGITS).contains(&number.len());
    if !has_length || !are_digits(year) || !are_digits(number) {
        return None;
    }
    let began: i32 = year.parse().ok()?;
    let ended = number.parse().ok().filter(|_| number.len() == 4);
    let are_years = ended.is_some_and(|ended: i32| (began..=LAST_YEAR).contains(&ended));
    let is_year = (FIRST_YEAR..=last_year).contains(&began);
    (is_year && !are_years).then(|| format!("CVE-{word}"))
}

/// Whether a character stands between words of a list.
fn is_between(character: char) -> bool {
    character.is_whitespace() || ",;()[]{}<>\"'`|«»‹›“”„‘’‚".contains(character)
}

/// Whether a text is one name and nothing else.
fn is_name(text: &str) -> bool {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric());
    prefixed(text).any(|(span, _)| span.len() == text.len())
}
