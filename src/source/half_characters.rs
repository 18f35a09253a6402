//! Halves of characters in JSON (`\ud83d` without the half that has to follow): what cuts a
//! text by its UTF-16 units leaves them.

use std::borrow::Cow;

/// The text of JSON with U+FFFD in place of halves of characters; as long as it was.
pub(super) fn mended(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (length, is_half) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, false),
            (Some(0xd800..=0xdfff), _) => (6, true),
            (Some(_), _) => (6, false),
            (None, _) => (
                1 + escape[1..].chars().next().map_or(0, char::len_utf8),
                false,
            ),
        };
        let (escape, behind) = escape.split_at(length);
        mended.push_str(if is_half { "\\ufffd" } else { escape });
        rest = behind;
    }
    mended.push_str(rest);
    Cow::Owned(mended)
}

/// The UTF-16 unit of the escape sequence with which a text begins.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::mended;

    #[test]
    fn halves_of_characters_become_one_that_is_whole() {
        for (text, wanted) in [
            (r#""a\ud83d""#, Some("a\u{fffd}")),
            (r#""\ude00\ud83d\ude00x""#, Some("\u{fffd}\u{1f600}x")),
            (r#""\ud83d\ud83d\ude00""#, Some("\u{fffd}\u{1f600}")),
            (r#""\\ud83d""#, Some("\\ud83d")),
            (r#""\u00e4\n\"""#, Some("\u{e4}\n\"")),
            (r#""a\"#, None),
            (r#""a\ä""#, None),
        ] {
            let read = serde_json::from_str(&mended(text)).ok();
            assert_eq!(read, wanted.map(|text| json!(text)), "{text}");
        }
    }
}
