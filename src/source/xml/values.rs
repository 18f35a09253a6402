//! Parses single values: times, scores, booleans, CVE and CPE names.

use super::name::keys;
use super::tree::{Attribute, Found, Node};
use crate::model::Cvss;

/// How upstream and its renderers write that there is nothing.
const ABSENT: [&str; 6] = ["", "none", "null", "n/a", "-", "not present"];

/// Whether a value says that there is none. Codes whose names include `None`
/// are not asked this.
pub(super) fn is_absent(text: &str) -> bool {
    ABSENT
        .iter()
        .any(|word| text.trim().eq_ignore_ascii_case(word))
}

/// The texts by which a code may be given, the plainest first: the text itself,
/// an id or code inside, a name inside.
pub(super) fn spellings<'n>(found: &[Found<'n>]) -> Vec<&'n str> {
    const INSIDE: &[u64] = keys!["id", "code", "level", "value", "name", "description"];
    let mut texts = Vec::new();
    for one in found {
        texts.push(one.read());
        let Found::Element(node) = one else {
            continue;
        };
        for name in INSIDE {
            let attributes = node
                .attributes
                .iter()
                .filter(|attribute| attribute.key == *name);
            texts.extend(attributes.map(Attribute::read));
            let children = node.children.iter().filter(|child| child.key == *name);
            texts.extend(children.map(Node::read));
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

/// The longest title, status or vector that is kept, in characters. Real ones are
/// a line; the whole stays in the raw text.
const LONGEST_LINE_CHARS: usize = 2000;

/// Of two times the later, of two numbers the greater; of yes and no, yes.
pub(super) fn greater<T: PartialOrd>(one: &T, other: &T) -> bool {
    one > other
}

/// The first value stays.
pub(super) fn never<T>(_: &T, _: &T) -> bool {
    false
}

/// A text that is a line, cut where no real one is that long.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_LINE_CHARS).collect()
}

/// Yes or no.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" => Some(true),
        "false" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// A CVSS score, 0 to 10.
pub(super) fn score(text: &str) -> Option<f64> {
    let score = text.parse().ok()?;
    (0.0..=10.0).contains(&score).then_some(score)
}

/// A score of 0 without a vector says that there is none (contract §9).
pub(super) fn scored_or_absent(cvss: Cvss) -> Cvss {
    if cvss.score == Some(0.0) && cvss.vector.is_none() {
        return Cvss::default();
    }
    cvss
}

/// Any number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Collects every text and attribute of `node`, down to a few levels, that
/// begins with `cpe:`.
pub(super) fn cpes(node: &Node<'_>, levels: usize, into: &mut Vec<String>) {
    let is_cpe = |name: &&str| name.starts_with("cpe:");
    for attribute in &node.attributes {
        let names = attribute.value.split_whitespace().filter(is_cpe);
        into.extend(names.map(|name| {
            attribute.is_taken.set(true);
            name.to_owned()
        }));
    }
    let names = node.text.split_whitespace().filter(is_cpe);
    into.extend(names.map(|name| {
        node.is_taken.set(true);
        name.to_owned()
    }));
    if levels > 0 {
        for child in &node.children {
            cpes(child, levels - 1, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{boolean, is_absent, number, score};

    #[test]
    fn what_is_no_value_is_none() {
        assert_eq!(score("6.1"), Some(6.1));
        assert_eq!(score("0"), Some(0.0));
        for text in ["10.1", "-1", "NaN", "inf", "high", ""] {
            assert_eq!(score(text), None, "{text}");
        }
        assert_eq!(number("inf"), None);
        assert_eq!(boolean("True"), Some(true));
        assert_eq!(boolean("0"), Some(false));
        assert_eq!(boolean("maybe"), None);
        assert!(is_absent("Not present") && is_absent("") && !is_absent("0"));
    }
}
