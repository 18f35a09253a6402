//! A page that is not valid JSON, row by row: what is wrong in one row must not cost the
//! others.

use std::borrow::Cow;

use super::half_characters;
use super::repaired_row::WORD;

/// The parts of a page, its rows as they came.
pub(super) struct PageParts<'a> {
    /// What stands before the first row.
    pub before: &'a str,
    /// The rows, each as it came.
    pub rows: Vec<&'a str>,
    /// What stands behind the last row.
    pub behind: Behind<'a>,
}

/// What stands behind the rows of a page whose brackets match.
pub(super) enum Behind<'a> {
    /// The end of the page, from the bracket that ends its rows.
    End(&'a str),
    /// A row whose brackets do not match, or that was cut off, and all that follows it.
    Damage(&'a str),
}

impl PageParts<'_> {
    /// The page without its rows.
    pub(super) fn envelope(&self) -> String {
        match self.behind {
            Behind::End(end) => [self.before, end].concat(),
            Behind::Damage(_) => [self.before, "]}"].concat(),
        }
    }
}

/// Finds the rows of `results` by brackets and quotation marks alone, up to the first one
/// in which these do not match. `None` if there is no such list.
pub(super) fn split(page: &str) -> Option<PageParts<'_>> {
    let (mut open, mut rows) = (Vec::new(), Vec::new());
    let (mut string_from, mut is_escaped) = (None, false);
    let mut last_string = "";
    // Where the list and the current row begin.
    let (mut list_from, mut row_from) = (None, 0);
    for (at, byte) in page.bytes().enumerate() {
        if let Some(from) = string_from {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => {
                    last_string = page.get(from..at)?;
                    string_from = None;
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => string_from = Some(at + 1),
            b'{' => open.push(b'}'),
            b'[' => {
                open.push(b']');
                if open.len() == 2 && last_string == "results" {
                    list_from = Some(at + 1);
                    row_from = at + 1;
                }
            }
            b',' if open.len() == 2 && list_from.is_some() => {
                rows.push(page.get(row_from..at)?);
                row_from = at + 1;
            }
            b'}' | b']' => {
                if open.pop() != Some(byte) {
                    break;
                }
                if let Some(list_from) = list_from.filter(|_| open.len() == 1) {
                    rows.push(page.get(row_from..at)?);
                    rows.retain(|row| !row.trim().is_empty());
                    return Some(PageParts {
                        before: page.get(..list_from)?,
                        rows,
                        behind: Behind::End(page.get(at..)?),
                    });
                }
            }
            _ => {}
        }
    }
    Some(PageParts {
        before: page.get(..list_from?)?,
        rows,
        behind: Behind::Damage(page.get(row_from..)?),
    })
}

/// How much longer a page or an object may become while it is mended, in bytes: each control
/// character becomes six.
pub(super) const MOST_MORE: usize = 1024 * 1024;

/// The text with raw control characters in strings escaped, with U+FFFD in place of halves of
/// characters, and with the numbers that JSON does not have (`NaN`, `Infinity`, `-Infinity`)
/// as `null`. `None` if it became more than `most_more` bytes longer.
pub(super) fn mended(text: &str, most_more: usize) -> Option<String> {
    mended_with(text, most_more, |_| Cow::Borrowed("null"))
}

/// The same with those numbers as strings behind [`WORD`].
pub(super) fn mended_noting(text: &str, most_more: usize) -> Option<String> {
    mended_with(text, most_more, |word| format!("\"{WORD}{word}\"").into())
}

fn mended_with(
    text: &str,
    most_more: usize,
    number: impl Fn(&str) -> Cow<'static, str>,
) -> Option<String> {
    let text = &*half_characters::mended(text);
    let is_raw = |byte: &u8| *byte < 0x20 && !byte.is_ascii_whitespace();
    if text.bytes().filter(|byte| is_raw(byte)).count() > most_more {
        return None;
    }
    let mut mended = String::with_capacity(text.len());
    let (mut is_string, mut is_escaped) = (false, false);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let word = if is_string { 0 } else { word_length(rest) };
        let (token, behind) = rest.split_at(word.max(next.len_utf8()));
        rest = behind;
        match token {
            "NaN" | "Infinity" | "-Infinity" => mended.push_str(&number(token)),
            _ if is_string && u32::from(next) < 0x20 => {
                // A backslash before it would be an escape sequence that does not exist.
                if is_escaped {
                    mended.push('\\');
                }
                mended.extend(['\\', 'u', '0', '0']);
                let digits = [u32::from(next) / 16, u32::from(next) % 16];
                mended.extend(digits.map(|digit| char::from_digit(digit, 16).unwrap_or('0')));
            }
            _ => mended.push_str(token),
        }
        if next == '"' && !is_escaped {
            is_string = !is_string;
        }
        is_escaped = is_string && next == '\\' && !is_escaped;
        if mended.len() > text.len() + most_more {
            return None;
        }
    }
    Some(mended)
}

/// How many bytes at the beginning of a text belong to one number or word.
fn word_length(text: &str) -> usize {
    text.bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(byte))
        .count()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Behind, mended, split};

    #[test]
    fn what_is_mended_and_what_is_not() {
        for (came, wanted) in [
            ("{\"a\": \"x\u{1}\ny\"}", "{\"a\": \"x\\u0001\\u000ay\"}"),
            ("{\"a\": \"x\\\ny\"}", "{\"a\": \"x\\\\\\u000ay\"}"),
            (
                r#"[NaN,-Infinity, Infinity,"NaN","\"NaN"]"#,
                r#"[null,null, null,"NaN","\"NaN"]"#,
            ),
            (
                r#"{"NaN": -1.5e+3, "ü": NaNs}"#,
                r#"{"NaN": -1.5e+3, "ü": NaNs}"#,
            ),
            ("{\n\t\"a\": tru}", "{\n\t\"a\": tru}"),
            (
                r#"["\ud83d", "\ud83d\ude00"]"#,
                r#"["\ufffd", "\ud83d\ude00"]"#,
            ),
        ] {
            assert_eq!(mended(came, 40).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn what_would_become_much_longer_is_not_mended() {
        let text = format!("[\"{}\"]", "\u{1}".repeat(100));
        assert_eq!(mended(&text, 499), None);
        assert_eq!(mended(&text, 500).map(|text| text.len()), Some(604));
        assert_eq!(mended(&text, 99), None);
    }

    #[test]
    fn a_page_whose_brackets_do_not_match_has_the_rows_before_the_damage() {
        for (page, rest) in [
            (r#"{"results": [{"id": 1}, {"id": 2"#, r#" {"id": 2"#),
            (
                r#"{"results": [{"id": 1},{"id": [1}]}]}"#,
                r#"{"id": [1}]}]}"#,
            ),
            (r#"{"results": [{"id": 1},{"id": "1}]}"#, r#"{"id": "1}]}"#),
            (r#"{"results": [{"id": 1},"#, ""),
        ] {
            let parts = split(page).unwrap();
            assert_eq!(parts.rows, [r#"{"id": 1}"#], "{page}");
            assert!(
                matches!(parts.behind, Behind::Damage(found) if found == rest),
                "{page}"
            );
        }
        assert!(split(r#"{"count": 1, "rows": [{"id": 1}]}"#).is_none());
    }
}
