//! Character and entity references in text and attribute values.

use std::borrow::Cow;

use memchr::memchr;
use quick_xml::escape::{resolve_html5_entity, resolve_xml_entity};

use super::characters::{allowed, replaced};
use super::repairs::{Repairs, shown};

/// No entity of HTML has a longer name.
const LONGEST_NAME_BYTES: usize = 40;

/// A text with its references resolved; it begins at byte `at` of the record.
/// The entities of HTML are read as their characters. What refers to nothing
/// stays as it is written: no entity that a document declares is expanded.
/// Unless it `is_clean`, characters that are not allowed are replaced.
pub(super) fn resolved<'r>(
    text: &'r str,
    at: usize,
    is_clean: bool,
    repairs: &mut Repairs,
) -> Cow<'r, str> {
    let Some(first) = memchr(b'&', text.as_bytes()) else {
        return if is_clean {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(replaced(text, at, repairs))
        };
    };
    let mut out = String::with_capacity(text.len());
    let literal = |out: &mut String, from: usize, to: usize, repairs: &mut Repairs| {
        if is_clean {
            out.push_str(&text[from..to]);
        } else {
            out.push_str(&replaced(&text[from..to], at + from, repairs));
        }
    };
    let mut from = 0;
    let mut next = Some(first);
    while let Some(ampersand) = next {
        literal(&mut out, from, ampersand, repairs);
        from = reference(text, ampersand, at, &mut out, repairs);
        next = memchr(b'&', &text.as_bytes()[from..]).map(|found| from + found);
    }
    literal(&mut out, from, text.len(), repairs);
    Cow::Owned(out)
}

/// Writes what the reference at `ampersand` means; returns where to go on.
fn reference(
    text: &str,
    ampersand: usize,
    at: usize,
    out: &mut String,
    repairs: &mut Repairs,
) -> usize {
    let rest = &text[ampersand + 1..];
    let name = name(rest);
    if !rest[name.len()..].starts_with(';') || name.is_empty() {
        repairs.note(at + ampersand, "bare `&`");
        out.push('&');
        return ampersand + 1;
    }
    let end = ampersand + name.len() + 2;
    let written = &text[ampersand..end];
    if let Some(number) = name.strip_prefix('#') {
        if let Some(character) = character(number) {
            out.push(allowed(character, at + ampersand, repairs));
        } else {
            let what = format!("character reference `{}`", shown(written));
            repairs.note(at + ampersand, &what);
            out.push('\u{fffd}');
        }
    } else if let Some(value) = resolve_xml_entity(name) {
        out.push_str(value);
    } else if let Some(value) = resolve_html5_entity(name) {
        repairs.note(at + ampersand, &format!("HTML entity `{written}`"));
        out.push_str(value);
    } else {
        let what = format!("unknown entity `{}`", shown(written));
        repairs.note(at + ampersand, &what);
        out.push_str(written);
    }
    end
}

/// The beginning of `rest` that could be the name of an entity.
fn name(rest: &str) -> &str {
    let bytes = rest.as_bytes();
    let bytes = &bytes[..bytes.len().min(LONGEST_NAME_BYTES)];
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'_' | b'.' | b'-');
    let length = bytes.iter().position(|byte| !is_name(byte));
    &rest[..length.unwrap_or(bytes.len())]
}

fn character(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}

#[cfg(test)]
mod tests {
    use super::resolved;
    use crate::source::xml::repairs::Repairs;

    fn read(text: &str) -> (String, Option<String>) {
        let mut repairs = Repairs::default();
        let resolved = resolved(text, 0, true, &mut repairs).into_owned();
        (resolved, repairs.in_words())
    }

    #[test]
    fn what_xml_has_is_resolved_without_a_word() {
        let (text, repairs) = read("&lt;&amp;&quot;&apos;&gt;&#228;&#xE4;&#13;");
        assert_eq!((text.as_str(), repairs), ("<&\"'>ää\r", None));
    }

    #[test]
    fn what_html_has_and_what_is_none_is_read_and_shown() {
        for (written, meant, repair) in [
            ("a&nbsp;b", "a\u{a0}b", "HTML entity `&nbsp;` at byte 1"),
            ("AT&T", "AT&T", "bare `&` at byte 2"),
            ("a & b", "a & b", "bare `&` at byte 2"),
            ("&", "&", "bare `&` at byte 0"),
            ("&;", "&;", "bare `&` at byte 0"),
            ("&amp", "&amp", "bare `&` at byte 0"),
            ("&xxe;", "&xxe;", "unknown entity `&xxe;` at byte 0"),
            ("&#0;", "\u{fffd}", "control character U+0000 at byte 0"),
            ("&#11;", "\u{fffd}", "control character U+000B at byte 0"),
            (
                "&#xD800;",
                "\u{fffd}",
                "character reference `&#xD800;` at byte 0",
            ),
            ("&#;", "\u{fffd}", "character reference `&#;` at byte 0"),
        ] {
            assert_eq!(read(written), (meant.to_owned(), Some(repair.to_owned())));
        }
    }
}
