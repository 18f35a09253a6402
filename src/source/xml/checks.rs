//! What must hold outside of records: there the markup has to be sound, else
//! nobody knows which records are missing.

use super::attributes::Attributes;
use super::characters::{forbidden, is_forbidden};
use super::error::FeedError;
use super::name::key;
use super::token::MarkupToken;

/// Elements of HTML that are the root of a page or of a piece of one.
const HTML: [&str; 14] = [
    "html", "head", "body", "div", "p", "form", "script", "style", "meta", "center", "h1", "h2",
    "h3", "iframe",
];

/// Whether a root element is HTML's.
pub(super) fn is_html(root: &[u8]) -> bool {
    let root = key(root);
    HTML.iter().any(|name| key(name.as_bytes()) == root)
}

/// Whether an element beside records is a web page, as a server puts behind what it had
/// sent when it fails.
pub(super) fn is_page(name: &[u8]) -> bool {
    key(name) == key(b"html")
}

/// What is wrong with markup that does not end in the document.
pub(super) fn unended(rest: &[u8]) -> &'static str {
    match rest {
        [b'<', b'!', b'-', b'-', ..] => "a comment without an end",
        [b'<', b'!', ..] => "a CDATA section or declaration without an end",
        [b'<', b'?', ..] => "a processing instruction without an end",
        _ => "a tag without an end",
    }
}

/// Whether a tag outside of records is as XML wants it.
pub(super) fn is_sound_tag(buffer: &[u8], token: &MarkupToken) -> bool {
    Attributes::new(token.attributes(buffer)).all(|attribute| attribute.is_sound)
}

/// Checks text outside of records; returns how much of it is whole characters,
/// which is less than all only when the text is `open`: more may follow.
pub(super) fn check_text(text: &[u8], open: bool) -> Result<usize, (usize, String)> {
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(error) => {
            let at = error.valid_up_to();
            if error.error_len().is_some() || !open {
                return Err((
                    at,
                    "bytes that are no text in the document's encoding".to_owned(),
                ));
            }
            std::str::from_utf8(&text[..at]).unwrap_or_default()
        }
    };
    if let Some((at, found)) = valid
        .char_indices()
        .find(|(_, character)| is_forbidden(*character))
    {
        return Err((at, forbidden(found)));
    }
    Ok(valid.len())
}

/// The longest reference to white space that is looked for, in bytes.
const LONGEST_REFERENCE_BYTES: usize = 12;

/// How much white space a text begins with, be it written as references: `&#x20;`.
pub(super) fn blank(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_ascii_start().len();
        match blank_reference(&text[at..]) {
            Some(length) => at += length,
            None => return at,
        }
    }
}

/// How long a reference to white space is that a text begins with.
fn blank_reference(text: &[u8]) -> Option<usize> {
    let end = text
        .iter()
        .take(LONGEST_REFERENCE_BYTES)
        .position(|byte| *byte == b';')?;
    let number = std::str::from_utf8(text[..end].strip_prefix(b"&#")?).ok()?;
    let is_number = number
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'x');
    let code = match number.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    let is_blank = matches!(code, Ok(0x20 | 0x9 | 0xa | 0xd));
    (is_number && is_blank).then_some(end + 1)
}

/// The length of a text without the beginning of such a reference at its end: more of it may
/// follow.
pub(super) fn without_part(text: &[u8]) -> usize {
    let from = text.len().saturating_sub(LONGEST_REFERENCE_BYTES - 1);
    let found = memchr::memrchr(b'&', &text[from..]).map(|at| from + at);
    let is_part = |at: &usize| {
        let part = &text[at + 1..];
        let is_end = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'#' | b'x');
        part.iter().all(is_end) && part.first().is_none_or(|byte| *byte == b'#')
    };
    found.filter(is_part).unwrap_or(text.len())
}

/// What text outside of the root element is.
pub(super) fn stray(text: &[u8], behind: bool) -> &'static str {
    match text.first() {
        _ if behind => "text behind the end of the root element",
        Some(b'{' | b'[') => "text before the root element (it looks like JSON)",
        Some(_) if text.starts_with("\u{feff}".as_bytes()) => {
            "a second byte order mark before the root element"
        }
        _ => "text before the root element",
    }
}

/// Refuses document types that declare entities or point outside, and HTML's.
pub(super) fn check_doctype(doctype: &[u8], at: u64) -> Result<(), FeedError> {
    let text = doctype.to_ascii_lowercase();
    let body = text["<!doctype".len()..].trim_ascii();
    let (head, subset) = match memchr::memchr(b'[', body) {
        Some(bracket) => body.split_at(bracket),
        None => (body, &[][..]),
    };
    let mut words = head
        .split(|byte| byte.is_ascii_whitespace() || *byte == b'>')
        .filter(|word| !word.is_empty());
    if words.next() == Some(b"html") {
        return Err(FeedError::Html);
    }
    let subset = without_comments(subset);
    if memchr::memmem::find(&subset, b"<!entity").is_some() {
        return Err(FeedError::EntityDeclaration { at });
    }
    if words.any(|word| word == b"system" || word == b"public") || subset.contains(&b'%') {
        return Err(FeedError::External { at });
    }
    Ok(())
}

fn without_comments(subset: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(subset.len());
    let mut rest = subset;
    while let Some(start) = memchr::memmem::find(rest, b"<!--") {
        out.extend_from_slice(&rest[..start]);
        rest = match memchr::memmem::find(&rest[start..], b"-->") {
            Some(length) => &rest[start + length + "-->".len()..],
            None => &[],
        };
    }
    out.extend_from_slice(rest);
    out
}
