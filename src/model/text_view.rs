//! A text as its readers decode it, with the place of each byte in the original.

use super::text::is_invisible;

/// A text without invisible characters, possibly decoded.
pub(super) struct TextView {
    pub(super) bytes: Vec<u8>,
    /// Start and end in the original of what each byte comes from; always at
    /// boundaries of characters.
    pub(super) spans: Vec<(usize, usize)>,
}

impl TextView {
    /// Without control and invisible characters; white space is one kind of blank.
    pub(super) fn of(text: &str) -> Self {
        let mut view = Self::with_capacity(text.len());
        for (at, letter) in text.char_indices() {
            let span = (at, at + letter.len_utf8());
            if letter.is_whitespace() {
                view.push(b' ', span);
            } else if !letter.is_control() && !is_invisible(letter) {
                view.push_char(letter, span);
            }
        }
        view
    }

    fn with_capacity(length: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(length),
            spans: Vec::with_capacity(length),
        }
    }

    fn push(&mut self, byte: u8, span: (usize, usize)) {
        self.bytes.push(byte);
        self.spans.push(span);
    }

    fn push_char(&mut self, letter: char, span: (usize, usize)) {
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            self.push(byte, span);
        }
    }

    /// Without blanks.
    pub(super) fn compact(&self) -> Self {
        let mut view = Self::with_capacity(self.bytes.len());
        for (byte, span) in self.bytes.iter().zip(&self.spans) {
            if *byte != b' ' {
                view.push(*byte, *span);
            }
        }
        view
    }

    /// In lower case (ASCII).
    pub(super) fn lower(&self) -> Self {
        Self {
            bytes: self.bytes.to_ascii_lowercase(),
            spans: self.spans.clone(),
        }
    }

    /// With percent-encoding, the escapes of JSON and Rust, and the entities of HTML
    /// decoded; `None` if there is nothing to decode.
    pub(super) fn decoded(&self) -> Option<Self> {
        let mut view = Self::with_capacity(self.bytes.len());
        let mut at = 0;
        let mut is_changed = false;
        while let Some(byte) = self.bytes.get(at) {
            let Some((letter, length)) = decode(&self.bytes[at..]) else {
                view.push(*byte, self.spans[at]);
                at += 1;
                continue;
            };
            let span = (self.spans[at].0, self.spans[at + length - 1].1);
            match letter {
                Decoded::Byte(byte) if byte.is_ascii_whitespace() => view.push(b' ', span),
                Decoded::Byte(byte) if byte.is_ascii_control() => {}
                Decoded::Byte(byte) => view.push(byte, span),
                Decoded::Char(letter) if letter.is_whitespace() => view.push(b' ', span),
                Decoded::Char(letter) if letter.is_control() || is_invisible(letter) => {}
                Decoded::Char(letter) => view.push_char(letter, span),
            }
            is_changed = true;
            at += length;
        }
        is_changed.then_some(view)
    }
}

enum Decoded {
    Byte(u8),
    Char(char),
}

/// What is encoded at the beginning of a text, and the length of the code.
fn decode(text: &[u8]) -> Option<(Decoded, usize)> {
    match text {
        [b'%', high, low, ..] => Some((Decoded::Byte(byte(*high, *low)?), 3)),
        [b'\\', b'x', high, low, ..] => Some((Decoded::Byte(byte(*high, *low)?), 4)),
        [b'\\', b'u', b'{', rest @ ..] => {
            let length = rest.iter().take(7).position(|byte| *byte == b'}')?;
            Some((letter(&rest[..length], 16)?, length + 4))
        }
        [b'\\', b'u', a, b, c, d, ..] => Some((letter(&[*a, *b, *c, *d], 16)?, 6)),
        [b'\\', b'n' | b't' | b'r' | b'b' | b'f', ..] => Some((Decoded::Byte(b' '), 2)),
        [b'\\', b'0', ..] => Some((Decoded::Byte(0), 2)),
        [b'\\', escaped, ..] if escaped.is_ascii_punctuation() => {
            Some((Decoded::Byte(*escaped), 2))
        }
        [b'&', rest @ ..] => {
            let length = rest.iter().take(9).position(|byte| *byte == b';')?;
            Some((entity(&rest[..length])?, length + 2))
        }
        _ => None,
    }
}

fn byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn letter(digits: &[u8], radix: u32) -> Option<Decoded> {
    let digits = std::str::from_utf8(digits).ok()?;
    let code = u32::from_str_radix(digits, radix).ok()?;
    Some(Decoded::Char(char::from_u32(code)?))
}

fn entity(name: &[u8]) -> Option<Decoded> {
    Some(Decoded::Byte(match name {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        [b'#', b'x' | b'X', digits @ ..] => return letter(digits, 16),
        [b'#', digits @ ..] => return letter(digits, 10),
        _ => return None,
    }))
}
