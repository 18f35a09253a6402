//! Identifiers of a record that has none where one belongs: which of them is certainly its
//! own, and which ones it only mentions.

use super::attributes::Attributes;
use super::build::{Built, build};
use super::finder::record_key;
use super::identity::{Keys, own, positions};
use super::rules::ParserRules;
use super::token::{MarkupToken, Next, TokenKind, next};
use crate::config::AliasField;

/// What can be said of a record without an identifier at its own level.
#[derive(Default)]
pub(super) struct MadeOut {
    /// Its own, read before the damage.
    pub own: Option<String>,
    /// Those of advisories that a damaged record may hold, or of which it may be one.
    pub others: Vec<String>,
    /// Those that stand in a sound record where its own would not: references to other
    /// advisories, or its own under a name that is not known.
    pub mentioned: Vec<String>,
    /// Those of them that have an element or attribute to themselves.
    pub hints: Vec<String>,
}

/// Looks for identifiers in a record that has none at its own level. An identifier that is
/// not certainly its own must not become its key: the record would count as replaced when
/// that other advisory is stored.
pub(super) fn made_out(rules: &ParserRules, record: &str, built: Option<&Built<'_>>) -> MadeOut {
    match built.filter(|built| !built.repairs.is_structural) {
        Some(built) => of_sound(rules, record, built),
        None => of_damaged(rules, record, built),
    }
}

fn of_sound(rules: &ParserRules, record: &str, built: &Built<'_>) -> MadeOut {
    let mut keys = Keys::default();
    keys.extend(values(rules, built));
    keys.extend(positions(rules, record));
    let mended = mended(rules, built);
    keys.extend(mended.iter().map(String::as_str));
    let hints = keys.all.clone();
    keys.extend(words(rules, record));
    MadeOut {
        mentioned: keys.all,
        hints,
        ..MadeOut::default()
    }
}

fn of_damaged(rules: &ParserRules, record: &str, built: Option<&Built<'_>>) -> MadeOut {
    let mut keys = Keys::default();
    if let Some(built) = built {
        keys.extend(values(rules, built));
    }
    keys.extend(positions(rules, record));
    if keys.all.is_empty() {
        let mut words = words(rules, record);
        if let Some(first) = words.next()
            && words.all(|word| word == first)
        {
            keys.extend([first]);
        }
    }
    let own = before_damage(rules, record);
    let mut others = keys.all;
    others.retain(|key| Some(key) != own.as_ref());
    MadeOut {
        own,
        others,
        ..MadeOut::default()
    }
}

/// Whole values at the record's own level that are identifiers.
fn values<'b>(rules: &ParserRules, built: &'b Built<'_>) -> impl Iterator<Item = &'b str> {
    let root = &built.root;
    let of_root = root.attributes.iter().map(|attribute| &*attribute.value);
    let leaves = root.children.iter().map(|child| &*child.text);
    let values = of_root.chain([&*root.text]).chain(leaves);
    values.filter(|value| rules.is_identifier(value.as_bytes()))
}

/// What stands where the identifier belongs and is one without the characters of it that were
/// damaged. It is not certain: such a character may have been a digit.
fn mended(rules: &ParserRules, built: &Built<'_>) -> Vec<String> {
    let found = rules.aliases.all(&built.root, AliasField::Said).into_iter();
    let texts = found.map(|found| found.text().replace('\u{fffd}', ""));
    texts
        .filter(|text| rules.is_identifier(text.as_bytes()))
        .collect()
}

fn words<'t>(rules: &ParserRules, record: &'t str) -> impl Iterator<Item = &'t str> {
    rules.words(record.as_bytes()).map(|word| &record[word])
}

/// The identifier at the record's own level, if it stands before the first tag that does
/// not match: up to there it is certain what lies within what.
fn before_damage(rules: &ParserRules, record: &str) -> Option<String> {
    /// Elements of such a name that are tried: a record has its own near its beginning.
    const MOST: usize = 16;
    let bytes = record.as_bytes();
    let (mut open, mut at, mut tried): (Vec<&str>, usize, usize) = (Vec::new(), 0, 0);
    while let Next::Token(token) = next(bytes, at) {
        at = token.end;
        let is_tried = match token.kind {
            TokenKind::Start => {
                open.push(name(record, &token));
                // The attributes of the record itself.
                open.len() == 1
            }
            TokenKind::End => {
                if open.pop()? != name(record, &token) {
                    return None;
                }
                rules.names_identifier(super::name::key(token.name(bytes)))
            }
            // The record itself.
            TokenKind::Empty => open.is_empty(),
            TokenKind::Comment | TokenKind::Cdata | TokenKind::Instruction | TokenKind::Doctype => {
                false
            }
        };
        if is_tried {
            tried += 1;
            if let Some(found) = closed(rules, &record[..at], &open) {
                return Some(found);
            }
        }
        if open.is_empty() || tried >= MOST {
            return None;
        }
    }
    None
}

fn name<'r>(record: &'r str, token: &MarkupToken) -> &'r str {
    let start = token.start + 1 + usize::from(token.kind == TokenKind::End);
    &record[start..token.name_end]
}

/// The only identifier of a beginning of a record, once its open elements are ended.
fn closed(rules: &ParserRules, beginning: &str, open: &[&str]) -> Option<String> {
    let ends = open.iter().rev().map(|name| format!("</{name}>"));
    let whole = std::iter::once(beginning.to_owned()).chain(ends);
    let whole: String = whole.collect();
    let Ok(built) = build(&whole, rules) else {
        return of_attributes(rules, &whole);
    };
    if built.repairs.is_structural {
        return None;
    }
    match own(rules, &built.root)[..] {
        [only] => Some(only.trim().to_owned()),
        _ => None,
    }
}

/// The identifier of a record that cannot be built because its tag has too many attributes:
/// they are sound, so that none of them is a neighbour's.
fn of_attributes(rules: &ParserRules, record: &str) -> Option<String> {
    let Next::Token(tag) = next(record.as_bytes(), 0) else {
        return None;
    };
    let all = Attributes::new(tag.attributes(record.as_bytes()));
    let is_sound = all.into_iter().all(|one| one.is_sound);
    let own = is_sound.then(|| record_key(rules, record.as_bytes()));
    own.flatten()
}
