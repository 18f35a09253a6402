//! Reasons that users give.

use crate::model::MAX_OUTGOING_CHARS;

/// It is stored whole or not at all.
pub(super) fn note(text: &str) -> Result<String, String> {
    match text.chars().count() {
        ..=MAX_OUTGOING_CHARS => Ok(text.to_owned()),
        length => Err(format!(
            "it has {length} characters; expected at most {MAX_OUTGOING_CHARS}"
        )),
    }
}
