//! Parses one record.

use std::borrow::Cow;

use super::alone;
use super::build::{Built, build};
use super::characters::storable;
use super::error::{Other, UnreadableRecord};
use super::fields::FieldReader;
use super::identity::{candidates, contains_markup, is_doubled, own, without_identifier};
use super::lost_bytes;
use super::made_out::{MadeOut, made_out};
use super::map;
use super::markup::absorb;
use super::misdeclared;
use super::nested;
use super::repairs::Repairs;
use super::rules::ParserRules;
use super::tree::XmlNode;
use super::values::never;
use crate::config::AliasField;
use crate::model::{Advisory, is_local_time, parse_time};

/// Where the identifier of a record that is too large is looked for, in bytes.
const LONGEST_HEAD_BYTES: usize = 64 * 1024;

/// A record that has a readable identifier.
pub(super) struct Parsed<'r> {
    pub root: XmlNode<'r>,
    pub repairs: Repairs,
}

/// Reads one record as [`RecordReader`](super::RecordReader) handed it out. Only
/// the identifier must be there; whatever else is missing is absent, values that
/// cannot be understood are kept in [`Advisory::unrecognised`], and so is what
/// had to be repaired.
pub fn read_record(rules: &ParserRules, record: &[u8]) -> Result<Advisory, UnreadableRecord> {
    read_records(rules, record).map(|(advisory, _)| advisory)
}

/// As [`read_record`], with the whole records of other advisories that lie within it.
/// It is not certain that they are advisories of the feed: they go to quarantine.
pub fn read_records(
    rules: &ParserRules,
    record: &[u8],
) -> Result<(Advisory, Vec<Other>), UnreadableRecord> {
    let text = text(rules, record)?;
    let Parsed { mut root, repairs } = parse(rules, &text)?;
    let (within, ways) = nested::taken(rules, &text, &root);
    absorb(rules, &mut root);
    let mut advisory = map::advisory(rules, &root).map_err(UnreadableRecord::new)?;
    advisory.unrecognised.extend(ways);
    advisory.repaired(repairs.in_words());
    Ok((advisory, within))
}

/// Whether a record writes the times of its release and its modification without a time zone.
pub fn has_local_times(rules: &ParserRules, record: &[u8]) -> bool {
    let is_local = |text: &str| parse_time(text).map(|_| is_local_time(text));
    let is_local_of = |root: &XmlNode<'_>, field| {
        let first: fn(&bool, &bool) -> bool = never;
        FieldReader::new(rules, root).read(field, is_local, first) == Some(true)
    };
    let Ok(text) = text(rules, record) else {
        return false;
    };
    let parsed = parse(rules, &text);
    parsed.is_ok_and(|parsed| {
        let times = [AliasField::ReleasedAt, AliasField::ModifiedAt];
        times.iter().all(|field| is_local_of(&parsed.root, *field))
    })
}

/// The bytes of a record as text.
pub(super) fn text<'r>(
    rules: &ParserRules,
    record: &'r [u8],
) -> Result<Cow<'r, str>, UnreadableRecord> {
    let record = lost_bytes::without(record.trim_ascii_end());
    let limit = rules.limits.record_bytes;
    if record.len() > limit {
        let head = storable(&record[..limit.min(LONGEST_HEAD_BYTES)]);
        let reason = format!("larger than {limit} bytes");
        return Err(UnreadableRecord {
            is_beginning: true,
            ..unidentified(reason, made_out(rules, &head, None), &head)
        });
    }
    Ok(match storable(record.trim_ascii()) {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text),
    })
}

/// The tree of a record with one identifier at its own level. A record that may
/// be about several is refused under each of them: it is not certain where one
/// ends and the other begins.
pub(super) fn parse<'r>(
    rules: &ParserRules,
    text: &'r str,
) -> Result<Parsed<'r>, UnreadableRecord> {
    let built = build(text, rules);
    let built = match built {
        Ok(built) => built,
        Err(reason) => {
            let mut found = made_out(rules, text, None);
            let is_hidden = text.starts_with("<!--") || text.starts_with("<?");
            if is_hidden && found.own.is_none() && found.others.len() == 1 {
                // A comment with one record and nothing else: it is kept once.
                found.own = found.others.pop();
            }
            return Err(unidentified(reason, found, text));
        }
    };
    if own(rules, &built.root).is_empty() {
        let reason = without_identifier(rules, &built.root);
        let found = made_out(rules, text, Some(&built));
        return Err(unidentified(reason, found, text));
    }
    let keys = candidates(rules, text, &built);
    if let [said] = &keys[..]
        && let Some(refused) = alone::refused(text, said)
    {
        return Err(refused);
    }
    if keys.len() > 1 {
        let reason = match built.repairs.first() {
            None => format!("it carries more than one identifier: {}", some(&keys)),
            Some(repair) => format!(
                "{repair}: its end cannot be determined; it may belong to {}",
                some(&keys)
            ),
        };
        return Err(unreadable(reason, keys, text));
    }
    if (built.repairs.is_structural || contains_markup(&built.root))
        && is_doubled(rules, &built.root)
    {
        let damage = built.repairs.first().unwrap_or("text beside its fields");
        let reason = format!(
            "{damage}: the end of the record is uncertain, because a field occurs twice in it"
        );
        return Err(unreadable(reason, keys, text));
    }
    let Built {
        root, mut repairs, ..
    } = built;
    if let Some(note) = misdeclared::note(text) {
        repairs.whole(note);
    }
    Ok(Parsed { root, repairs })
}

/// Why an element that is a whole document cannot be its only record: its
/// markup must be sound.
pub(super) fn read_whole(rules: &ParserRules, document: &[u8]) -> Result<(), String> {
    let text = text(rules, document).map_err(|unreadable| unreadable.reason)?;
    let parsed = parse(rules, &text).map_err(|unreadable| unreadable.reason)?;
    match parsed.repairs.first() {
        Some(repair) if parsed.repairs.is_structural => Err(repair.to_owned()),
        _ => Ok(()),
    }
}

fn some(keys: &[String]) -> String {
    /// Named in a message, at most.
    const MOST: usize = 10;
    let named = keys[..keys.len().min(MOST)].join(", ");
    match keys.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{named} and {more} more"),
        _ => named,
    }
}

fn unreadable(reason: String, keys: Vec<String>, text: &str) -> UnreadableRecord {
    let mut keys = keys.into_iter();
    UnreadableRecord {
        key: keys.next(),
        others: others(keys, text),
        ..UnreadableRecord::new(reason)
    }
}

/// A record without an identifier where one belongs.
fn unidentified(reason: String, found: MadeOut, text: &str) -> UnreadableRecord {
    let MadeOut {
        own,
        others: within,
        mentioned,
        hints,
    } = found;
    let reason = match mentioned[..] {
        [] => reason,
        _ => format!("{reason}; it mentions {}", some(&mentioned)),
    };
    UnreadableRecord {
        key: own,
        others: others(within.into_iter(), text),
        hints,
        ..UnreadableRecord::new(reason)
    }
}

fn others(keys: impl Iterator<Item = String>, text: &str) -> Vec<Other> {
    let other = |key: String| Other {
        raw: excerpt(text, &key),
        key,
    };
    keys.map(other).collect()
}

/// What stands around an identifier in a record that may be about several.
fn excerpt(text: &str, key: &str) -> String {
    /// Kept behind the identifier; the whole is kept under the first one.
    const LONGEST_BYTES: usize = 4096;
    let at = text.find(key).unwrap_or(0);
    let start = text[..at].rfind('<').unwrap_or(at);
    let end = text.ceil_char_boundary(start + LONGEST_BYTES);
    text[start..end].to_owned()
}
