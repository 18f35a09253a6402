//! Parses single values: times, scores, booleans, CVE and CPE names.

use super::name::keys;
use super::tree::{NamedValue, XmlNode};
use crate::model::{Cvss, beginning};

/// How upstream and its renderers write that there is nothing.
const ABSENT: [&str; 6] = ["", "none", "null", "n/a", "-", "not present"];

/// Whether a value says that there is none. Codes whose names include `None`
/// are not asked this.
pub(super) fn is_absent(text: &str) -> bool {
    ABSENT
        .iter()
        .any(|word| text.trim().eq_ignore_ascii_case(word))
}

/// Where a code may be given, the plainest first: the text itself, an id or code
/// inside, a name inside. They are not marked as read.
pub(super) fn spellings<'n>(found: &[NamedValue<'n>]) -> Vec<NamedValue<'n>> {
    const INSIDE: &[u64] = keys!["id", "code", "level", "value", "name", "description"];
    let mut all = Vec::new();
    for one in found {
        all.push(*one);
        let NamedValue::Element(node) = one else {
            continue;
        };
        for name in INSIDE {
            let attributes = node
                .attributes
                .iter()
                .filter(|attribute| attribute.key == *name);
            all.extend(attributes.map(NamedValue::Attribute));
            let children = node.children.iter().filter(|child| child.key == *name);
            all.extend(children.map(NamedValue::Element));
        }
    }
    all.retain(|one| !one.text().is_empty());
    all
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
    beginning(text, LONGEST_LINE_CHARS).to_owned()
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

/// A whole number in digits, perhaps negative: `+1` and `-0` are none.
pub(super) fn whole_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_zero = digits.bytes().all(|byte| byte == b'0');
    (are_digits && !(is_negative && is_zero))
        .then(|| text.parse().ok())
        .flatten()
}

/// Whether a word is a CPE name.
pub(super) fn is_cpe(word: &str) -> bool {
    const PREFIX: &str = "cpe:";
    let prefix = word.get(..PREFIX.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
}

/// Collects the CPE names in every text and attribute of `node`, down to a few levels. A
/// text that says more stays left over.
pub(super) fn cpes(node: &XmlNode<'_>, levels: usize, into: &mut Vec<String>) {
    for attribute in &node.attributes {
        if cpe_words(&attribute.value, into) {
            attribute.read();
        }
    }
    if cpe_words(&node.text, into) {
        node.read();
    }
    if levels > 0 {
        for child in &node.children {
            cpes(child, levels - 1, into);
        }
    }
}

/// The CPE names among the words of a text, and whether there are any and nothing else.
fn cpe_words(text: &str, into: &mut Vec<String>) -> bool {
    let (mut any, mut others) = (false, false);
    for word in text.split_whitespace() {
        // In CPE 2.3 a comma may belong to a name, behind a backslash.
        let name = word.trim_end_matches([',', ';']);
        let name = if name.ends_with('\\') { word } else { name };
        if is_cpe(name) {
            into.push(name.to_owned());
            any = true;
        } else {
            others |= name.chars().any(char::is_alphanumeric);
        }
    }
    any && !others
}

#[cfg(test)]
mod tests {
    use super::{boolean, cpe_words, is_absent, number, score, whole_number};

    #[test]
    fn signs_make_no_code() {
        assert_eq!(whole_number("17"), Some(17));
        assert_eq!(whole_number("-1"), Some(-1));
        for text in ["+1", "-0", "#1", "-", "", "1.0", " 1"] {
            assert_eq!(whole_number::<i32>(text), None, "{text}");
        }
    }

    #[test]
    fn cpe_names_are_distinguished_from_other_words() {
        let mut names = Vec::new();
        assert!(cpe_words("cpe:/a:x:y, CPE:2.3:a:x:y:1;", &mut names));
        assert!(!cpe_words("cpe:/a:v:w, o:z", &mut names));
        assert!(!cpe_words("pkg:npm/left-pad@1.0", &mut names));
        assert!(cpe_words("cpe:2.3:a:x:y\\\\,", &mut names));
        let wanted = [
            "cpe:/a:x:y",
            "CPE:2.3:a:x:y:1",
            "cpe:/a:v:w",
            "cpe:2.3:a:x:y\\\\,",
        ];
        assert_eq!(names, wanted);
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
        assert!(is_absent("Not present") && is_absent("") && !is_absent("0"));
    }
}
