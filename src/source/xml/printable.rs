use std::fmt::Write as _;

/// Renders bytes so that PostgreSQL can keep them and people can read them:
/// valid UTF-8 stays as it is, NUL, other forbidden control characters and
/// invalid bytes become `\x00` and the like, a backslash becomes `\\`. So the
/// original bytes can be told from the text.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '\t' | '\n' | '\r' => text.push(letter),
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

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_postgresql_cannot_store_is_escaped_and_the_rest_is_kept() {
        assert_eq!(
            printable(b"<a>\0\x01 caf\xc3\xa9\r\n\xff \\x</a>"),
            "<a>\\x00\\x01 café\r\n\\xff \\\\x</a>"
        );
    }
}
