//! Template filters: escaping for chats and ticket systems, so that no text of a
//! stranger becomes a link, a mention or markup.

use chrono::DateTime;

use super::unlinked::{BREAK, unlinked};
use crate::model::shortened;

/// The beginning of a text. An escape is not left without what it escapes.
pub(super) fn shorten(text: &str, most_chars: usize) -> String {
    let short = shortened(text, most_chars);
    let Some(kept) = short.strip_suffix('…').filter(|_| short != text) else {
        return short;
    };
    let marks = kept.len() - kept.trim_end_matches('\\').len();
    match kept.strip_suffix('\\') {
        Some(kept) if marks % 2 == 1 => format!("{kept}…"),
        _ => short,
    }
}

/// The beginning of a text, in at most so many bytes of UTF-8.
pub(super) fn shorten_bytes(text: &str, most_bytes: usize) -> String {
    const END: &str = "…";
    if text.len() <= most_bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most_bytes.saturating_sub(END.len()));
    format!("{}{END}", text[..end].trim_end())
}

/// Escapes Slack markup; nothing is linked, and mentions notify nobody.
pub(super) fn slack(text: &str) -> String {
    unlinked(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Escapes Markdown; nothing is linked, and mentions notify nobody.
pub(super) fn markdown(text: &str) -> String {
    let text = unlinked(text);
    let mut plain = String::with_capacity(text.len());
    if begins_list(&text) {
        plain.push(BREAK);
    }
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '<' | '>' | '~' | '!' => {
                plain.push('\\');
                plain.push(letter);
            }
            _ => plain.push(letter),
        }
    }
    plain
}

/// Whether Markdown reads the line as an entry of a list, a rule or an underline.
fn begins_list(line: &str) -> bool {
    let after_number = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_numbered = after_number.len() < line.len() && after_number.starts_with(['.', ')']);
    is_numbered || line.starts_with(['-', '+', '='])
}

/// An address from the configuration's templates; nothing if it is none, so that no text
/// of a stranger becomes a link.
pub(super) fn link(address: Option<&str>) -> String {
    let address = address.unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_graphic() && !"\"<>\\^`{|}".contains(letter);
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    if is_web && address.chars().all(is_plain) {
        address.to_owned()
    } else {
        String::new()
    }
}

/// As [`link`], with a label, in Slack's markup.
pub(super) fn slack_link(address: Option<&str>, label: &str) -> String {
    let address = link(address).replace('&', "&amp;");
    if address.is_empty() {
        return address;
    }
    format!("<{address}|{}>", slack(label))
}

/// Escapes wiki markup (Jira); nothing is linked, and mentions notify nobody.
pub(super) fn wiki(text: &str) -> String {
    let text = unlinked(text);
    let mut plain = String::with_capacity(text.len());
    if begins_block(&text) {
        plain.push(BREAK);
    }
    let mut former = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        let is_markup = match letter {
            // Deleted and inserted text, but no hyphen within a word.
            '-' | '+' => !former.is_alphanumeric() && next != ' ',
            '?' => former == '?' || next == '?',
            _ => "\\{}[]|*_!~^".contains(letter),
        };
        if is_markup {
            plain.push('\\');
        }
        plain.push(letter);
        // Icons, such as `(x)`.
        if letter == '(' {
            plain.push(BREAK);
        }
        former = letter;
    }
    plain
}

/// Whether Jira reads the line as a heading, a quotation or an entry of a list.
fn begins_block(line: &str) -> bool {
    let is_heading = line.starts_with('h') && line.get(2..3) == Some(".");
    let marks = ["bq.", "- ", "# ", "-- ", "## "];
    is_heading || marks.iter().any(|mark| line.starts_with(mark))
}

/// A time of the message in seconds since 1970.
pub(super) fn epoch(time: &str) -> Result<f64, minijinja::Error> {
    let time = DateTime::parse_from_rfc3339(time).map_err(|_| {
        let kind = minijinja::ErrorKind::InvalidOperation;
        minijinja::Error::new(kind, "expected a time such as `alert.at`")
    })?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this century fit"
    )]
    let seconds = time.timestamp_millis() as f64 / 1000.0;
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::{markdown, shorten, wiki};

    #[test]
    fn no_escape_is_left_without_what_it_escapes() {
        assert_eq!(shorten("a\\*b", 3), "a…");
        assert_eq!(shorten("a\\\\b", 4), "a\\\\b");
        assert_eq!(shorten("a\\\\bc", 4), "a\\\\…");
        assert_eq!(shorten("a\\…", 3), "a\\…");
    }

    #[test]
    fn no_line_of_a_stranger_becomes_a_heading_or_a_list() {
        for line in ["- a", "+ a", "1. a", "23) a", "---", "=="] {
            assert!(markdown(line).starts_with('\u{200b}'), "{line}");
        }
        for line in ["h1. a", "bq. a", "- a", "# a"] {
            assert!(wiki(line).starts_with('\u{200b}'), "{line}");
        }
        for line in ["a - b", "8.8 of 10", "http", "h1", ""] {
            assert!(!wiki(line).starts_with('\u{200b}'), "{line}");
        }
        assert_eq!(markdown("9 of 10"), "9 of 10");
        assert_eq!(wiki("cross-site 1+1 -gone-"), "cross-site 1+1 \\-gone-");
    }
}
