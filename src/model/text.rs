//! Sanitising external text for logs, messages and terminals.

/// External text in one line, for messages, logs and tables: each run of blanks,
/// line ends and control characters becomes one blank.
pub fn one_line(text: &str) -> String {
    let words: Vec<String> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .map(|word| word.chars().filter(|letter| !misleads(*letter)).collect())
        .filter(|word: &String| !word.is_empty())
        .collect();
    words.join(" ")
}

/// External text for a terminal, without control sequences. Line ends and tabs
/// stay.
pub fn legible(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\t' => letter,
            letter if letter.is_control() || misleads(letter) => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

/// Truncates to a number of characters; a longer text ends with `…`.
pub fn shortened(text: &str, most_chars: usize) -> String {
    if text.chars().nth(most_chars).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most_chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Invisible characters and those that change the writing direction, which could
/// make a text look different from its content.
fn misleads(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{legible, one_line, shortened};

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
    }
}
