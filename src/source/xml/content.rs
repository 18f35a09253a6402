//! What an element says that has the identifier of an advisory: whether it is a record.

use super::alone::identifiers;
use super::build::build;
use super::identity::own;
use super::nested::named_fields;
use super::record::{parse, text};
use super::rules::ParserRules;
use super::token::{Next, TokenKind, next};
use super::tree::XmlNode;
use crate::config::AliasField;

/// What an element says that has the identifier of an advisory.
pub(super) enum ElementContent {
    /// A field of an advisory.
    Recognised,
    /// Something in no field that is known.
    Vague,
    /// Nothing but these identifiers.
    Alone(Vec<String>),
    /// It cannot be read.
    Unreadable(String),
}

/// What an element says.
pub(super) fn content(rules: &ParserRules, record: &[u8]) -> ElementContent {
    let text = match text(rules, record) {
        Ok(text) => text,
        Err(unreadable) => return ElementContent::Unreadable(unreadable.reason),
    };
    if let Ok(built) = build(&text, rules)
        && built.repairs.is_empty()
        && let Some(saids) = identifiers(rules, &built.root)
    {
        return ElementContent::Alone(saids);
    }
    match parse(rules, &text) {
        Err(unreadable) => ElementContent::Unreadable(unreadable.reason),
        Ok(parsed) if is_recognised(rules, &parsed.root) => ElementContent::Recognised,
        Ok(parsed) if says_more(rules, &parsed.root) => ElementContent::Vague,
        Ok(parsed) => {
            let own = own(rules, &parsed.root).into_iter();
            ElementContent::Alone(own.take(1).map(str::to_owned).collect())
        }
    }
}

/// Why a record cannot be read.
pub(super) fn fault(rules: &ParserRules, record: &[u8]) -> Option<String> {
    let read = text(rules, record).and_then(|text| parse(rules, &text).map(|_| ()));
    read.err().map(|unreadable| unreadable.reason)
}

/// The name of an element.
pub(super) fn name(element: &[u8]) -> &[u8] {
    match next(element, 0) {
        Next::Token(start) if matches!(start.kind, TokenKind::Start | TokenKind::Empty) => {
            start.name(element)
        }
        _ => b"",
    }
}

/// Whether an element has a field of an advisory. What a pointer to one may have too, its
/// address and its type, is none.
fn is_recognised(rules: &ParserRules, node: &XmlNode<'_>) -> bool {
    use AliasField::{References, Type};
    named_fields(rules, node).any(|field| !matches!(field, References | Type))
}

/// Whether an element holds anything that is no identifier.
fn says_more(rules: &ParserRules, node: &XmlNode<'_>) -> bool {
    let mut values = node
        .attributes
        .iter()
        .map(|attribute| &*attribute.value)
        .chain([&*node.text]);
    values.any(|value| !value.is_empty() && !rules.is_identifier(value.as_bytes()))
        || node.children.iter().any(|child| says_more(rules, child))
}
