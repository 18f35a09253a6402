//! Texts within the width of a terminal: lines end between words.

use console::measure_text_width;

/// Punctuation that does not begin a line.
const CLOSING: &str = "、。，．：；？！）」』】〉》〕］｝";
/// Brackets that do not end a line.
const OPENING: &str = "（「『【〈《〔［｛";
/// Begins a colour; ends with `m`.
const COLOUR: &str = "\u{1b}[";
/// Begins a link.
const LINK: &str = "\u{1b}]8;";
const NO_COLOUR: &str = "\u{1b}[0m";

/// One line as several that are not wider than the terminal; the further ones begin with
/// `indent` blanks. A word that is too long stays whole, so that it can be copied and
/// clicked. Without a terminal nothing changes.
pub(super) fn wrapped(line: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) =
        width.filter(|width| measure_text_width(line) > *width || line.contains('\t'))
    else {
        return line.to_owned();
    };
    let line = line.replace('\t', "    ");
    let indent = " ".repeat(indent.min(width / 2));
    let mut text = String::new();
    let mut taken = 0;
    let mut is_begun = false;
    for piece in pieces(&line) {
        let length = measure_text_width(piece.trim_end());
        if is_begun && taken + length > width {
            break_line(&mut text, &indent);
            taken = indent.len();
        }
        text.push_str(piece);
        taken += measure_text_width(piece);
        is_begun |= length > 0;
    }
    text.truncate(text.trim_end().len());
    text
}

/// A page within the width of a terminal. What is to be copied, and lines with links, which
/// fit already, stay as they are.
pub(super) fn page(page: &str, width: Option<usize>) -> String {
    let kept = [LINK, "psql ", " --config "];
    let is_kept = |line: &str| kept.iter().any(|part| line.contains(part));
    let lines = page.split('\n').map(|line| {
        if is_kept(line) {
            line.to_owned()
        } else {
            wrapped(line, hanging(line, width.unwrap_or_default()), width)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the further parts of a line begin: where its text does, behind a label and a gap,
/// else a little behind its begin.
fn hanging(line: &str, width: usize) -> usize {
    const MORE: usize = 2;
    let plain = console::strip_ansi_codes(line);
    let text = plain.trim_start_matches(' ');
    let begin = plain.len() - text.len();
    let after_gap = text.match_indices("  ").map(|(at, _)| {
        let rest = text[at..].trim_start_matches(' ');
        begin + measure_text_width(&text[..text.len() - rest.len()])
    });
    let fits = |column: &usize| *column <= width / 3;
    after_gap.filter(fits).last().unwrap_or(begin + MORE)
}

/// Ends a line. A colour ends with it, as pagers want, and goes on in the next one.
fn break_line(text: &mut String, indent: &str) {
    let colour = colour(text).to_owned();
    text.truncate(text.trim_end().len());
    if !colour.is_empty() {
        text.push_str(NO_COLOUR);
    }
    text.push('\n');
    text.push_str(indent);
    text.push_str(&colour);
}

/// The colour that a text ends in.
fn colour(text: &str) -> &str {
    let after = text.rfind(NO_COLOUR).map_or(0, |at| at + NO_COLOUR.len());
    let begun = text[after..].find(COLOUR).map(|at| &text[after + at..]);
    let sequence = begun.and_then(|begun| Some(&begun[..=begun.find('m')?]));
    sequence.unwrap_or_default()
}

/// Words with the blanks behind them; lines may end after each.
fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    let mut letters = line.char_indices().peekable();
    while let Some((_, letter)) = letters.next() {
        let Some((at, next)) = letters.peek().copied() else {
            break;
        };
        if may_end_between(letter, next) {
            pieces.push(&line[begin..at]);
            begin = at;
        }
    }
    pieces.push(&line[begin..]);
    pieces
}

/// Whether a line may end between two characters: after blanks, and beside those that are
/// two columns wide, whose languages have no blanks.
fn may_end_between(letter: char, next: char) -> bool {
    if next == ' ' {
        return false;
    }
    if letter == ' ' {
        return true;
    }
    let (one, other) = (columns(letter), columns(next));
    let is_wide = one.max(other) == 2 && one.min(other) > 0;
    is_wide && !CLOSING.contains(next) && !OPENING.contains(letter)
}

fn columns(letter: char) -> usize {
    measure_text_width(letter.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::{page, wrapped};

    #[test]
    fn what_follows_a_label_stays_behind_it() {
        let text = |line| page(line, Some(24));
        assert_eq!(
            text("  label  one two three four"),
            "  label  one two three\n    four"
        );
        assert_eq!(
            text("  lab  one two three four\nok"),
            "  lab  one two three\n       four\nok"
        );
        let copied = "connect: psql \"host=/run/x dbname=y\"";
        assert_eq!(text(copied), copied, "it is to be copied");
        assert_eq!(page("one two", None), "one two");
    }

    #[test]
    fn lines_end_between_words() {
        let text = |line, width| wrapped(line, 2, Some(width));
        assert_eq!(text("  one two three", 9), "  one two\n  three");
        assert_eq!(text("  one two three", 15), "  one two three", "it fits");
        assert_eq!(text("one  two   three", 9), "one  two\n  three");
        assert_eq!(
            text("  abcdefghijkl", 8),
            "  abcdefghijkl",
            "a word stays whole"
        );
        assert_eq!(text("a abcdefghijkl b", 8), "a\n  abcdefghijkl\n  b");
        assert_eq!(text("a\tb", 80), "a    b");
        assert_eq!(wrapped("one two", 0, None), "one two");
        assert_eq!(wrapped("aaaa bbbb", 70, Some(5)), "aaaa\n  bbbb");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let text = |line, width| wrapped(line, 0, Some(width));
        assert_eq!(text("日本語の文章", 6), "日本語\nの文章");
        assert_eq!(text("日本語の文章", 7), "日本語\nの文章");
        assert_eq!(
            text("日本語。文章", 6),
            "日本\n語。文\n章",
            "no line begins with a full stop"
        );
        assert_eq!(text("ab 日本 cd", 6), "ab 日\n本 cd");
    }

    #[test]
    fn a_colour_ends_with_its_line() {
        assert_eq!(
            wrapped("\u{1b}[31mone two\u{1b}[0m x", 1, Some(4)),
            "\u{1b}[31mone\u{1b}[0m\n \u{1b}[31mtwo\u{1b}[0m\n x"
        );
    }
}
