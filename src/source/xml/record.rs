use super::characters::is_forbidden;
use super::error::Unreadable;
use super::finder::record_key;
use super::map;
use super::rules::Rules;
use super::tree::{Node, forbidden};
use crate::model::Advisory;

/// Reads one record as [`RecordReader`](super::RecordReader) handed it out. Only
/// the identifier must be there; whatever else is missing is absent, and values
/// that cannot be understood are kept in [`Advisory::unrecognised`].
pub fn read_record(rules: &Rules, record: &[u8]) -> Result<Advisory, Unreadable> {
    let text = check(rules, record);
    let tree = text.and_then(|text| Node::build(text, &rules.limits));
    let advisory = tree.and_then(|tree| map::advisory(rules, &tree));
    advisory.map_err(|reason| Unreadable {
        key: record_key(rules, record),
        reason,
    })
}

/// The record as text, if it is text that XML allows.
pub(super) fn check<'r>(rules: &Rules, record: &'r [u8]) -> Result<&'r str, String> {
    let limit = rules.limits.record_bytes;
    if record.len() > limit {
        return Err(format!("larger than {limit} bytes"));
    }
    let text = std::str::from_utf8(record).map_err(|error| {
        let at = error.valid_up_to();
        format!("byte {at} of the record is no text in the document's encoding")
    })?;
    // Bytes first, in blocks that vectorise: commonly there is nothing to find.
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let has_control = |block: &[u8]| block.iter().fold(false, |any, byte| any | is_control(byte));
    if record.chunks(64).any(has_control)
        && let Some((at, letter)) = text
            .char_indices()
            .find(|(_, letter)| is_forbidden(*letter))
    {
        return Err(format!("{} at byte {at} of the record", forbidden(letter)));
    }
    Ok(text)
}
