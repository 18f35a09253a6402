use chrono::{DateTime, Datelike as _, Utc};

use super::name::keys;
use super::tree::{Found, Node};
use crate::model::{Cvss, parse_time};

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
        texts.push(one.text());
        if let Found::Element(node) = one {
            texts.extend(INSIDE.iter().filter_map(|name| node.value(&[*name])));
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

/// Yes or no.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" => Some(true),
        "false" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// A point in time that PostgreSQL and people know too.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    parse_time(text).filter(|time| (1..=9999).contains(&time.year()))
}

/// A CVSS score, 0 to 10.
pub(super) fn score(text: &str) -> Option<f64> {
    let score = text.parse().ok()?;
    (0.0..=10.0).contains(&score).then_some(score)
}

/// Any number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether a text is `CVE-`, a year and a number of four or more digits.
pub(super) fn is_cve(text: &str) -> bool {
    let Some(rest) = text
        .get(..4)
        .filter(|head| head.eq_ignore_ascii_case("CVE-"))
    else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    text[rest.len()..]
        .split_once('-')
        .is_some_and(|(year, number)| {
            year.len() == 4 && digits(year) && number.len() >= 4 && digits(number)
        })
}

/// Collects every text and attribute of `node`, down to a few levels, that
/// begins with `cpe:`.
pub(super) fn cpes(node: &Node<'_>, levels: usize, into: &mut Vec<String>) {
    let attributes = node.attributes.iter().map(|(_, value)| value.as_str());
    for text in attributes.chain([&*node.text]) {
        let names = text
            .split_whitespace()
            .filter(|name| name.starts_with("cpe:"));
        into.extend(names.map(str::to_owned));
    }
    if levels > 0 {
        for child in &node.children {
            cpes(child, levels - 1, into);
        }
    }
}

/// A score of 0 without a vector says that there is none (contract §9).
pub(super) fn scored_or_absent(cvss: Cvss) -> Cvss {
    if cvss.score == Some(0.0) && cvss.vector.is_none() {
        return Cvss::default();
    }
    cvss
}

#[cfg(test)]
mod tests {
    use super::{boolean, is_absent, is_cve, number, score, time};

    #[test]
    fn a_cve_has_a_year_and_at_least_four_digits() {
        for text in ["CVE-2026-1234", "cve-2026-1234567"] {
            assert!(is_cve(text), "{text}");
        }
        for text in [
            "",
            "CVE",
            "CVE-",
            "CVE-2026-123",
            "CVE-26-1234",
            "CVE-2026-12x4",
            "é12-2026-1234",
        ] {
            assert!(!is_cve(text), "{text}");
        }
    }

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
        assert!(time("2026-01-02T03:04:05Z").is_some());
        assert!(time("-5000-01-02").is_none());
        assert!(is_absent("Not present") && is_absent("") && !is_absent("0"));
    }
}
