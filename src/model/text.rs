//! Sanitising external text for logs, messages and terminals.

use std::fmt::Display;

/// A count and what is counted: `1 watch list`, `3 watch lists`, `2 advisories`.
pub fn counted(count: impl Display, what: &str) -> String {
    let count = count.to_string();
    let stem = what.strip_suffix('y');
    let stem = stem.filter(|stem| !stem.ends_with(['a', 'e', 'o']));
    match (count.as_str(), stem) {
        ("1", _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

/// External text in one line, for messages, logs and tables: each run of blanks,
/// line ends and control characters becomes one blank.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut is_blank = false;
    for letter in text.chars() {
        if letter.is_whitespace() || letter.is_control() {
            is_blank = true;
        } else if !is_invisible(letter) {
            if is_blank && !line.is_empty() {
                line.push(' ');
            }
            is_blank = false;
            line.push(letter);
        }
    }
    line
}

/// The beginning of a text that [`one_line`] makes at most so many characters of: a text
/// from outside may be very long.
pub(super) fn beginning_within(text: &str, most_chars: usize) -> &str {
    let mut length = 0;
    let mut is_blank = true;
    for (at, letter) in text.char_indices() {
        if letter.is_whitespace() || letter.is_control() {
            length += usize::from(!is_blank);
            is_blank = true;
        } else if !is_invisible(letter) {
            is_blank = false;
            length += 1;
        }
        if length > most_chars {
            return &text[..at];
        }
    }
    text
}

/// Whether a terminal could obey this character, or a reader be misled by it. Line ends
/// and tabs are such characters too.
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control() || is_invisible(letter)
}

/// External text in which every character can be seen, for messages about a value that looks
/// right: those that are invisible or control something stand as escapes, such as `\u{200b}`.
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unsafe(letter) {
            visible.extend(letter.escape_unicode());
        } else {
            visible.push(letter);
        }
    }
    visible
}

/// External text for a terminal, without control sequences. Line ends and tabs
/// stay.
pub fn legible(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\t' => letter,
            letter if is_unsafe(letter) => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

/// At most so many characters of a text, for values that are stored: nothing is added.
pub fn beginning(text: &str, most_chars: usize) -> &str {
    let end = text.char_indices().nth(most_chars);
    end.map_or(text, |(end, _)| &text[..end])
}

/// Truncates to a number of characters; a longer text ends with `…`.
pub fn shortened(text: &str, most_chars: usize) -> String {
    if text.chars().nth(most_chars).is_none() {
        return text.to_owned();
    }
    let kept = beginning(text, most_chars.saturating_sub(1));
    format!("{}…", kept.trim_end())
}

/// Invisible characters and those that change the writing direction, which could
/// make a text look different from its content.
pub(super) fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{beginning, legible, one_line, shortened, visible};

    #[test]
    fn a_value_that_seems_right_shows_what_is_wrong_with_it() {
        assert_eq!(visible("SA1\u{200b}2"), "SA1\\u{200b}2");
        assert_eq!(visible("SA\u{7}ä"), "SA\\u{7}ä");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_or_that_misleads_a_reader_is_left() {
        let text = " no\r\n\u{1b}[31m \u{202e}  way\tout\u{200b} ";
        assert_eq!(one_line(text), "no [31m way out");
        assert_eq!(
            legible(text),
            " no\u{fffd}\n\u{fffd}[31m \u{fffd}  way\tout\u{fffd} "
        );
    }

    #[test]
    fn a_text_is_cut_by_characters_and_says_so() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
        assert_eq!(shortened("a b c", 3), "a…");
        assert_eq!(shortened("a", 0), "…");
        assert_eq!(beginning("äöü", 3), "äöü");
        assert_eq!(beginning("äöüß", 3), "äöü");
        assert_eq!(beginning("a", 0), "");
    }
}
