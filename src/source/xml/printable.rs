//! Escapes bytes so that they can be stored and shown as text, and back.

use std::fmt::Write as _;

/// Renders bytes so that PostgreSQL can keep them and people can read them:
/// valid UTF-8 stays as it is, NUL, other forbidden control characters and
/// invalid bytes become `\x00` and the like, a backslash becomes `\\`. So the
/// original bytes can be told from the text.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\t' | '\n' | '\r' => text.push(character),
                control if control.is_ascii_control() => escape(&mut text, control as u32),
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            escape(&mut text, u32::from(*byte));
        }
    }
    text
}

fn escape(text: &mut String, byte: u32) {
    // Writing to a `String` cannot fail.
    let _ = write!(text, "\\x{byte:02x}");
}

/// The bytes behind what [`printable`] wrote.
pub fn unprintable(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let (byte, length) = match escaped(rest) {
            Some(byte) => (byte, 4),
            // Two backslashes stand for one; a lone one cannot be, and stays.
            None => (b'\\', if rest.starts_with("\\\\") { 2 } else { 1 }),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The byte that `\x00` and the like at the beginning of `text` stand for.
fn escaped(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("\\x")?.get(..2)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use proptest::strategy::Just;
    use proptest::{collection, prop_assert_eq, prop_oneof};

    use super::{printable, unprintable};

    proptest! {
        #[test]
        fn what_was_made_printable_can_be_read_again(
            bytes in collection::vec(prop_oneof![any::<u8>(), Just(b'\\'), Just(b'x'), Just(b'0')], 0..60)
        ) {
            prop_assert_eq!(unprintable(&printable(&bytes)), bytes);
        }
    }

    #[test]
    fn plain_text_with_a_lone_backslash_stays() {
        assert_eq!(unprintable("a\\b\\"), b"a\\b\\");
        assert_eq!(unprintable("\\xé"), "\\xé".as_bytes());
    }

    #[test]
    fn what_postgresql_cannot_store_is_escaped_and_the_rest_is_kept() {
        assert_eq!(
            printable(b"<a>\0\x01 caf\xc3\xa9\r\n\xff \\x</a>"),
            "<a>\\x00\\x01 café\r\n\\xff \\\\x</a>"
        );
    }
}
