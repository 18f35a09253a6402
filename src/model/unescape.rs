//! Decodes what stands for other characters (percent-encoding, the escapes of JSON, Rust,
//! JavaScript and Python, HTML entities), and removes markup (HTML tags, control sequences of terminals), to
//! find secrets in a text.
//!
//! A view is written byte by byte. As soon as the last byte of a code is there, what it
//! stands for takes its place, and may itself be the last byte of a code. So codes may be
//! nested to any depth and mixed in any way, and the time grows with the length of the text.
//! A backslash before anything else stays; it is not compared.

use icu_normalizer::properties::CanonicalCompositionBorrowed;

use super::text_view::{BELL, ESCAPE, TextView};

/// Maximum length of the name or number of an HTML entity, in bytes.
const MAX_ENTITY_BYTES: usize = 9;
/// Maximum length of a control sequence with numbers, in bytes.
const MAX_SEQUENCE_BYTES: usize = 32;
/// Maximum number of times that characters beyond ASCII, encoded byte by byte, are put
/// together and decoded again.
const MAX_ROUNDS: usize = 3;

/// What happens with HTML tags and control sequences.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// Kept: a secret may be part of them.
    Kept,
    /// Removed: they may stand within a secret.
    Removed,
}

/// A view with all codes decoded; `None` if there is nothing to decode or to remove.
pub(super) fn unescaped(view: &TextView, markup: Markup) -> Option<TextView> {
    // Every code and all markup begin with one of these.
    let begins = |byte: &u8| b"%\\&<[".contains(byte) || *byte == ESCAPE;
    if !view.bytes.iter().any(begins) {
        return None;
    }
    let mut latest: Option<TextView> = None;
    for _ in 0..MAX_ROUNDS {
        let mut writer = Writer::new(markup);
        let view = latest.as_ref().unwrap_or(view);
        for (byte, span) in view.bytes.iter().zip(&view.spans) {
            writer.push(*byte, *span);
        }
        if !writer.is_changed {
            break;
        }
        let is_ascii = writer.view.bytes.is_ascii();
        latest = Some(if is_ascii {
            writer.view
        } else {
            writer.view.folded()
        });
        if is_ascii {
            break;
        }
    }
    latest
}

/// A text with all codes decoded and nothing else changed; `None` if there is nothing to
/// decode. It is not UTF-8 if the codes are not.
pub(super) fn decoded(text: &str) -> Option<TextView> {
    if !text.contains(['%', '\\', '&']) {
        return None;
    }
    let mut writer = Writer::new(Markup::Kept);
    writer.is_folded = false;
    for (at, letter) in text.char_indices() {
        let end = at + letter.len_utf8();
        for byte in text[at..end].bytes() {
            writer.push(byte, (at, end));
        }
    }
    writer.is_changed.then_some(writer.view)
}

/// What a code stands for.
enum Decoded {
    Byte(u8),
    Char(char),
    Nothing,
}

struct Writer {
    view: TextView,
    markup: Markup,
    /// Whether what is decoded is folded.
    is_folded: bool,
    is_changed: bool,
    /// Places of `<` in the view.
    tags: Vec<usize>,
    /// Place of the beginning of a control string, such as the title of a window.
    control_string: Option<usize>,
}

impl Writer {
    fn new(markup: Markup) -> Self {
        Self {
            view: TextView::with_capacity(0),
            markup,
            is_folded: true,
            is_changed: false,
            tags: Vec::new(),
            control_string: None,
        }
    }

    fn push(&mut self, byte: u8, span: (usize, usize)) {
        self.note(byte);
        self.view.push(byte, span);
        let mut is_decoded = false;
        while let Some((start, decoded)) = self.last_code(is_decoded) {
            let from = self.view.spans[start].0;
            let to = self.view.spans.last().map_or(from, |span| span.1);
            self.truncate(start);
            match decoded {
                Decoded::Byte(byte) if byte.is_ascii() => {
                    self.put_char(char::from(byte), (from, to));
                }
                Decoded::Byte(byte) => self.view.push(byte, (from, to)),
                Decoded::Char(letter) => self.put_char(letter, (from, to)),
                Decoded::Nothing => {}
            }
            self.is_changed = true;
            is_decoded = true;
        }
    }

    fn put_char(&mut self, letter: char, span: (usize, usize)) {
        let before = self.view.bytes.len();
        if self.is_folded {
            self.view.push_folded(letter, span);
        } else {
            self.view.push_char(Some(letter), span);
        }
        // Only a single byte can be the end of a code.
        if let [byte] = self.view.bytes[before..] {
            self.note_at(byte, before);
        }
    }

    fn note(&mut self, byte: u8) {
        self.note_at(byte, self.view.bytes.len());
    }

    /// Remembers where tags and control strings begin.
    fn note_at(&mut self, byte: u8, at: usize) {
        if byte == b'<' {
            self.tags.push(at);
        }
        let before = at.checked_sub(1).and_then(|at| self.view.bytes.get(at));
        if before == Some(&ESCAPE) && matches!(byte, b']' | b'P' | b'_' | b'^' | b'X') {
            self.control_string = Some(at - 1);
        }
    }

    fn truncate(&mut self, length: usize) {
        self.view.truncate(length);
        while self.tags.last().is_some_and(|at| *at >= length) {
            self.tags.pop();
        }
        self.control_string = self.control_string.filter(|at| *at < length);
    }

    /// The code or markup that ends at the end of the view: its place and what it stands for.
    /// A letter that was decoded is no escape, even if a backslash is left before it.
    fn last_code(&self, is_decoded: bool) -> Option<(usize, Decoded)> {
        let bytes = &self.view.bytes[..];
        if self.markup == Markup::Removed
            && let Some(start) = self.last_markup(bytes)
        {
            return Some((start, Decoded::Nothing));
        }
        let (length, decoded) = match code(bytes) {
            Some((length, decoded)) => (with_backslashes(bytes, length), decoded),
            None => escape(bytes).filter(|_| !is_decoded)?,
        };
        Some((bytes.len() - length, decoded))
    }

    fn last_markup(&self, bytes: &[u8]) -> Option<usize> {
        match bytes {
            [.., b'>'] => self.last_tag(bytes),
            [.., b'['] if bytes.ends_with(b"<![CDATA[") => Some(bytes.len() - 9),
            [.., BELL] | [.., ESCAPE, b'\\'] => self.control_string,
            [.., ESCAPE, b' '..=b'/', b'0'..=b'~'] => Some(bytes.len() - 3),
            [.., ESCAPE, b'[' | b']' | b'P' | b'_' | b'^' | b'X'] => None,
            [.., ESCAPE, b'0'..=b'~'] => Some(bytes.len() - 2),
            [.., b'@'..=b'~'] => last_sequence(bytes),
            _ => None,
        }
    }

    fn last_tag(&self, bytes: &[u8]) -> Option<usize> {
        if bytes.ends_with(b"]]>") {
            return Some(bytes.len() - 3);
        }
        let start = *self.tags.last()?;
        let first = bytes.get(start + 1)?;
        (first.is_ascii_alphabetic() || b"/!?".contains(first)).then_some(start)
    }
}

/// The beginning of a control sequence that ends at the end: `ESC [ 3 1 m`. A sequence
/// with a number is found without its `ESC`, which was removed elsewhere.
fn last_sequence(bytes: &[u8]) -> Option<usize> {
    let tail = &bytes[bytes.len().saturating_sub(MAX_SEQUENCE_BYTES)..bytes.len() - 1];
    let length = tail
        .iter()
        .rev()
        .take_while(|byte| (b' '..=b'?').contains(byte))
        .count();
    let (before, numbers) = tail.split_at(tail.len() - length);
    // Place of the `[`, if there is one.
    let start = (bytes.len() - 1 - length).saturating_sub(1);
    match before {
        [.., ESCAPE, b'['] => Some(start - 1),
        [.., b'['] => {
            let is_number = |byte: &u8| byte.is_ascii_digit() || b";:?".contains(byte);
            let is_sequence = numbers.iter().all(is_number)
                && numbers.iter().any(u8::is_ascii_digit)
                && bytes.last().is_some_and(u8::is_ascii_alphabetic);
            is_sequence.then_some(start)
        }
        _ => None,
    }
}

/// The length of a code with the backslashes before one that begins with a backslash:
/// each time that it was escaped doubled it.
fn with_backslashes(text: &[u8], length: usize) -> usize {
    let (before, code) = text.split_at(text.len() - length);
    let more = before.iter().rev().take_while(|byte| **byte == b'\\');
    length + if code[0] == b'\\' { more.count() } else { 0 }
}

/// The code that ends at the end of a text: its length and what it stands for.
fn code(text: &[u8]) -> Option<(usize, Decoded)> {
    match text {
        [.., b';'] => entity(text),
        [.., b'}'] => {
            let start = position_back(text, b'{', 8)?;
            let digits = &text[start + 1..text.len() - 1];
            let is_code = text[..start].ends_with(b"\\u");
            let letter = letter(digits, 16).filter(|_| is_code)?;
            Some((text.len() - start + 2, letter))
        }
        [.., b'%', high, low] => Some((3, Decoded::Byte(byte(*high, *low)?))),
        [.., b'\\', b'x', high, low] => Some((4, Decoded::Byte(byte(*high, *low)?))),
        [.., b'\\', b'u', a, b, c, d] => unit(text, *b"\\u", [*a, *b, *c, *d]),
        [.., b'%', b'u', a, b, c, d] => unit(text, *b"%u", [*a, *b, *c, *d]),
        [.., b'%', b'U', a, b, c, d] => unit(text, *b"%U", [*a, *b, *c, *d]),
        [.., b'\\', b'U', _, _, _, _, _, _, _, _] => {
            Some((10, letter(&text[text.len() - 8..], 16)?))
        }
        [.., b'\\', a @ b'0'..=b'3', b, c] => {
            let byte = u8::try_from(number(&[*a, *b, *c], 8)?).ok()?;
            Some((4, Decoded::Byte(byte)))
        }
        _ => None,
    }
}

/// An escape of one letter that ends at the end of a text.
fn escape(text: &[u8]) -> Option<(usize, Decoded)> {
    match text {
        [.., b'\\', b'e'] => Some((2, Decoded::Byte(ESCAPE))),
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => Some((2, Decoded::Byte(b' '))),
        _ => None,
    }
}

/// A code of 16 bits behind `mark`. Two of them stand for a character beyond U+FFFF; the
/// first waits for the second.
fn unit(text: &[u8], mark: [u8; 2], digits: [u8; 4]) -> Option<(usize, Decoded)> {
    let low = number(&digits, 16)?;
    if !(0xdc00..0xe000).contains(&low) {
        return Some((6, Decoded::Char(char::from_u32(low)?)));
    }
    let [before @ .., a, b, c, d, _, _, _, _, _, _] = text else {
        return None;
    };
    if !before.ends_with(&mark) {
        return None;
    }
    let high = number(&[*a, *b, *c, *d], 16)?;
    let high = high.checked_sub(0xd800).filter(|high| *high < 0x400)?;
    let both = 0x1_0000 + (high << 10) + (low - 0xdc00);
    Some((12, Decoded::Char(char::from_u32(both)?)))
}

fn entity(text: &[u8]) -> Option<(usize, Decoded)> {
    let start = position_back(text, b'&', MAX_ENTITY_BYTES + 1)?;
    let decoded = match &text[start + 1..text.len() - 1] {
        b"amp" => Decoded::Byte(b'&'),
        b"lt" => Decoded::Byte(b'<'),
        b"gt" => Decoded::Byte(b'>'),
        b"quot" => Decoded::Byte(b'"'),
        b"apos" => Decoded::Byte(b'\''),
        b"nbsp" => Decoded::Byte(b' '),
        b"shy" | b"zwj" | b"zwnj" => Decoded::Nothing,
        [b'#', b'x' | b'X', digits @ ..] => letter(digits, 16)?,
        [b'#', digits @ ..] => letter(digits, 10)?,
        b"szlig" => Decoded::Char('ß'),
        [letter, mark @ ..] => Decoded::Char(accented(*letter, mark)?),
        [] => return None,
    };
    Some((text.len() - start, decoded))
}

/// A letter with a mark that is named in HTML: `&uuml;`.
fn accented(letter: u8, mark: &[u8]) -> Option<char> {
    let mark = match mark {
        b"grave" => '\u{300}',
        b"acute" => '\u{301}',
        b"circ" => '\u{302}',
        b"tilde" => '\u{303}',
        b"uml" => '\u{308}',
        b"ring" => '\u{30a}',
        b"caron" => '\u{30c}',
        b"cedil" => '\u{327}',
        _ => return None,
    };
    CanonicalCompositionBorrowed::new().compose(char::from(letter), mark)
}

/// The last place of a byte, at most `most` bytes before the last one.
fn position_back(text: &[u8], wanted: u8, most: usize) -> Option<usize> {
    let last = text.len() - 1;
    let start = last.saturating_sub(most);
    let at = text[start..last].iter().rposition(|byte| *byte == wanted)?;
    Some(start + at)
}

fn byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
    let digits = std::str::from_utf8(digits).ok()?;
    let has_only_digits = digits.bytes().all(|byte| is_digit(&byte));
    u32::from_str_radix(digits, radix)
        .ok()
        .filter(|_| has_only_digits)
}

fn letter(digits: &[u8], radix: u32) -> Option<Decoded> {
    Some(Decoded::Char(char::from_u32(number(digits, radix)?)?))
}

#[cfg(test)]
mod tests;
