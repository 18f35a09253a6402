//! CVE names, wherever a list of them or of vulnerabilities has any.

use std::sync::LazyLock;

use regex::Regex;

use super::fields::FieldReader;
use super::name::keys;
use super::tree::{NamedValue, XmlNode};
use crate::config::AliasField;

/// Digits of the number of a CVE. The rules of the numbers set no limit; columns
/// and indexes need one.
const MOST_DIGITS: usize = 19;
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

/// `CVE-2026-1234`, with or without the prefix, and what stands around it.
static NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:\b|_)(CVE[-_ ]?)?([0-9]{4})-([0-9]{4,})\b").ok());

/// CVE names in upper case. What stands in their place and is none is kept as
/// unrecognised.
pub(super) fn cves(fields: &mut FieldReader<'_>) -> Vec<String> {
    let mut found = Cves::default();
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

#[derive(Default)]
struct Cves {
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
        for child in &node.children {
            if NAMES.contains(&child.key) || VALUES.contains(&child.key) && is_name(&child.text) {
                self.node(child, levels - 1);
            }
        }
    }

    /// Takes the names in a text; what else it says is unexpected only where
    /// nothing but names belongs, or where it looks like one. A text that says more
    /// elsewhere stays left over.
    fn take(&mut self, name: u64, found: NamedValue<'_>) {
        let text = found.text();
        let Some(pattern) = NAME.as_ref().filter(|_| !text.is_empty()) else {
            return;
        };
        let has_only_names = ONLY.contains(&name);
        let mut rest = String::new();
        let mut from = 0;
        for name in pattern.captures_iter(text) {
            let (Some(whole), Some(year), Some(number)) = (name.get(0), name.get(2), name.get(3))
            else {
                continue;
            };
            let is_name = name.get(1).is_some() || has_only_names;
            if !is_name || number.len() > MOST_DIGITS {
                continue;
            }
            self.names
                .push(format!("CVE-{}-{}", year.as_str(), number.as_str()));
            rest.push_str(&text[from..whole.start()]);
            rest.push(' ');
            from = whole.end();
        }
        rest.push_str(&text[from..]);
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

/// Whether a text is one name and nothing else.
fn is_name(text: &str) -> bool {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric());
    NAME.as_ref()
        .and_then(|name| name.find(text))
        .is_some_and(|found| found.len() == text.len())
}
