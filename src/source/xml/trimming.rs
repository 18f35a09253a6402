//! Trims texts and brings their line ends into one form.

use std::borrow::Cow;

use super::tree::XmlNode;

/// Trims the own text, brings its line ends into one form, and keeps in place
/// where the children stand in it.
pub(super) fn tidy(node: &mut XmlNode<'_>) {
    let text = std::mem::take(&mut node.text);
    if node.children.is_empty() {
        node.text = in_lines(trimmed(text));
        return;
    }
    let end = text.trim_end().len();
    let start = end - text[..end].trim_start().len();
    let mut out = String::with_capacity(end - start);
    let mut from = start;
    for child in &mut node.children {
        let to = child.at.clamp(from, end);
        out.push_str(&lines(&text[from..to]));
        child.at = out.len();
        from = to;
    }
    out.push_str(&lines(&text[from..end]));
    node.text = Cow::Owned(out);
}

/// A text without the white space at its ends.
pub(super) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// A text whose lines end with line feeds.
pub(super) fn in_lines(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => lines(text),
        Cow::Owned(text) => Cow::Owned(lines(&text).into_owned()),
    }
}

/// Line feeds only, whether a carriage return came literally or as `&#13;`.
fn lines(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}
