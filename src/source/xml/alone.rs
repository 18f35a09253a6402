//! Elements that hold an identifier and nothing else beside records that say more: a
//! pointer to an advisory, or a record whose content is missing. Neither is a record.

use super::attributes::Attributes;
use super::error::UnreadableRecord;
use super::finder::Finder;
use super::rules::ParserRules;
use super::saying::words;
use super::token::{Next, TokenKind, next};
use super::tree::XmlNode;
use crate::config::AliasField;

/// Stands before an element that is called like a record, or says that an advisory was
/// removed. Whoever parses it again must not take it for a record. It has no digits, which
/// could be an identifier.
const STUB: &str = "<?advisoryd identifier-alone?>";
/// Stands before any other such element: if the advisory is stored, it says nothing new.
const POINTER: &str = "<?advisoryd pointer?>";
/// Words of names of elements that say that an advisory is no longer valid.
const REMOVED: [&str; 16] = [
    "delete",
    "deleted",
    "remove",
    "removed",
    "withdraw",
    "withdrawn",
    "retract",
    "retracted",
    "reject",
    "rejected",
    "revoke",
    "revoked",
    "cancelled",
    "canceled",
    "obsolete",
    "superseded",
];

/// What becomes of such an element whose advisory is not in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It stands in place of a record.
    Stub,
    /// It names an advisory.
    Pointer,
}

impl Kind {
    /// That of an element, which `is_like_record` by its name.
    pub fn of(name: &str, is_like_record: bool) -> Self {
        let is_removed = || words(name).iter().any(|word| REMOVED.contains(&&**word));
        if is_like_record || is_removed() {
            Self::Stub
        } else {
            Self::Pointer
        }
    }

    /// The element with the mark before it.
    pub fn mark(self, element: &[u8]) -> Vec<u8> {
        let mark = match self {
            Self::Stub => STUB,
            Self::Pointer => POINTER,
        };
        [mark.as_bytes(), element].concat()
    }

    /// What a text is marked as.
    fn marked(text: &str) -> Option<Self> {
        if text.starts_with(STUB) {
            return Some(Self::Stub);
        }
        text.starts_with(POINTER).then_some(Self::Pointer)
    }
}

/// Why a marked element is no record; `said` is its identifier.
pub(super) fn refused(text: &str, said: &str) -> Option<UnreadableRecord> {
    let kind = Kind::marked(text)?;
    Some(UnreadableRecord {
        key: Some(said.trim().to_owned()),
        is_pointer: kind == Kind::Pointer,
        ..UnreadableRecord::new(
            "it has only an identifier, and the document has no other record of this advisory",
        )
    })
}

/// The identifiers of an element that holds nothing else. Empty elements say nothing, nor
/// does upstream's number of an advisory.
pub(super) fn identifiers(rules: &ParserRules, root: &XmlNode<'_>) -> Option<Vec<String>> {
    let mut found = Vec::new();
    (collect(rules, root, &mut found) && !found.is_empty()).then_some(found)
}

fn collect(rules: &ParserRules, node: &XmlNode<'_>, found: &mut Vec<String>) -> bool {
    let attributes = node.attributes.iter().map(|one| (one.key, &*one.value));
    for (name, value) in attributes.chain([(node.key, &*node.text)]) {
        if rules.is_identifier(value.as_bytes()) {
            found.push(value.trim().to_owned());
        } else if !value.is_empty() && !is_number(rules, name, value) {
            return false;
        }
    }
    let mut children = node.children.iter();
    children.all(|child| collect(rules, child, found))
}

/// Whether a value is upstream's number of an advisory.
fn is_number(rules: &ParserRules, name: u64, value: &str) -> bool {
    let mut paths = rules.aliases.of(AliasField::UpstreamId).iter();
    paths.any(|path| path.last == name) && value.parse::<i64>().is_ok()
}

/// What a record shows at first sight: its identifier, and whether it certainly says more.
/// It is read only until both are known.
pub(super) fn glance(rules: &ParserRules, record: &[u8]) -> (Option<String>, bool) {
    let is_more = |text: &[u8]| {
        let text = text.trim_ascii();
        !text.iter().all(u8::is_ascii_digit) && !rules.is_identifier(text)
    };
    let (mut finder, mut says_more, mut at) = (Finder::default(), false, 0);
    while let Next::Token(token) = next(record, at) {
        says_more |= is_more(&record[at..token.start]);
        says_more |= match token.kind {
            TokenKind::Cdata => is_more(token.cdata(record)),
            TokenKind::Start | TokenKind::Empty => Attributes::new(token.attributes(record))
                .filter(|one| !one.name.starts_with(b"xmlns"))
                .any(|one| one.value.is_some_and(is_more)),
            _ => false,
        };
        finder.token(rules, record, at, &token);
        at = token.end;
        if says_more && finder.own().is_some() {
            break;
        }
    }
    (finder.own().map(str::to_owned), says_more)
}
