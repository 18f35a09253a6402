//! Characters that XML 1.0 does not allow, and what stands for them.

use std::borrow::Cow;

use super::repairs::Repairs;

/// Stands for a character that is not allowed or could not be decoded.
const REPLACEMENT: char = '\u{fffd}';

/// Whether XML 1.0 forbids a character even as a reference.
pub(super) fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// What a character that is not allowed is called.
pub(super) fn forbidden(character: char) -> String {
    format!("control character U+{:04X}", u32::from(character))
}

/// Bytes of a record as text that the database can hold: what is no text in the
/// document's encoding, and NUL, become U+FFFD. Reading that text again gives
/// the same advisory with the same repairs.
pub fn storable(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) if !text.contains('\0') => Cow::Borrowed(text),
        text => Cow::Owned(text.replace('\0', "\u{fffd}")),
    }
}

/// Whether certainly nothing in a text needs to be [`replaced`].
pub(super) fn are_allowed(text: &str) -> bool {
    // Bytes in blocks that vectorise: commonly there is nothing to find.
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let has_control = |block: &[u8]| block.iter().fold(false, |any, byte| any | is_control(byte));
    // U+FFFD to U+FFFF begin so, and few others.
    let specials = memchr::memmem::find(text.as_bytes(), b"\xef\xbf");
    !text.as_bytes().chunks(64).any(has_control) && specials.is_none()
}

/// A text with U+FFFD in place of what is not allowed. It begins at byte `at` of
/// the record.
pub(super) fn replaced(text: &str, at: usize, repairs: &mut Repairs) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        out.push(allowed(character, at + index, repairs));
    }
    out
}

/// A character, or what stands for it.
pub(super) fn allowed(character: char, at: usize, repairs: &mut Repairs) -> char {
    if character == REPLACEMENT {
        repairs.note(at, "undecodable character");
    } else if is_forbidden(character) {
        repairs.note(at, &forbidden(character));
    } else {
        return character;
    }
    REPLACEMENT
}

#[cfg(test)]
mod tests {
    use super::{are_allowed, replaced, storable};
    use crate::source::xml::repairs::Repairs;

    #[test]
    fn what_the_database_cannot_store_is_replaced_and_the_rest_stays() {
        assert_eq!(
            storable(b"a\0b\xffc\x01\xc3\xa9"),
            "a\u{fffd}b\u{fffd}c\u{1}é"
        );
        assert!(matches!(
            storable(b"plain"),
            std::borrow::Cow::Borrowed("plain")
        ));
    }

    #[test]
    fn every_character_that_is_not_allowed_is_found_and_named() {
        for (text, name) in [
            ("a\u{1}", "control character U+0001 at byte 11"),
            ("a\u{b}", "control character U+000B at byte 11"),
            ("a\u{ffff}", "control character U+FFFF at byte 11"),
            ("a\u{fffd}", "undecodable character at byte 11"),
        ] {
            assert!(!are_allowed(text));
            let mut repairs = Repairs::default();
            assert_eq!(replaced(text, 10, &mut repairs), "a\u{fffd}");
            assert_eq!(repairs.in_words().as_deref(), Some(name));
        }
        assert!(are_allowed("tab\t line\r\n é \u{7f} \u{10000}"));
    }
}
