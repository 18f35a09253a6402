//! Texts that are written in another way than with the codes of [`unescape`](super::unescape):
//! quoted-printable, as numbers, or with something between the characters.

use super::text_view::TextView;

/// Shorter runs of numbers are no text that is looked for.
const MIN_RUN: usize = 8;
/// The longest number that stands for a character, with `0x`, in bytes.
const MAX_NUMBER_BYTES: usize = 4;
/// Ends a run: no secret goes on behind it. Control characters are left out when a view is
/// compared.
const END: u8 = b'|';

/// Only the letters and digits of a view.
pub(super) fn bare(view: &TextView) -> TextView {
    let mut bare = TextView::with_capacity(view.bytes.len());
    for (byte, span) in view.bytes.iter().zip(&view.spans) {
        if byte.is_ascii_alphanumeric() {
            bare.push(*byte, *span);
        }
    }
    bare
}

/// A view with `=35` decoded and soft line breaks (`=` at the end of a line) removed; `None`
/// if there are neither.
pub(super) fn quoted_printable(view: &TextView) -> Option<TextView> {
    let mut decoded = TextView::with_capacity(view.bytes.len());
    let mut at = 0;
    let mut is_changed = false;
    while at < view.bytes.len() {
        let rest = &view.bytes[at..];
        let length = match rest {
            // A view has blanks in place of line ends.
            [b'=', b' ', ..] => 1 + rest[1..].iter().take_while(|byte| **byte == b' ').count(),
            [b'=', high, low, ..] => {
                let code = byte(&[*high, *low], 16);
                if let Some(code) = code.filter(|code| !code.is_ascii_control()) {
                    decoded.push(code, view.span((at, at + 3)));
                }
                if code.is_some() { 3 } else { 0 }
            }
            _ => 0,
        };
        if length == 0 {
            decoded.push(view.bytes[at], view.spans[at]);
        }
        is_changed |= length > 0;
        at += length.max(1);
    }
    is_changed.then(|| decoded.folded())
}

/// What a number stands for.
#[derive(Clone, Copy)]
enum Meaning {
    /// The code of a character, in a base.
    Code(u32),
    /// A byte, which is two digits of a secret in hexadecimal.
    Byte,
}

/// Views of the runs of numbers in a view: as the codes of characters (hexadecimal, decimal,
/// octal) and as bytes.
pub(super) fn spelled(view: &TextView) -> Vec<TextView> {
    let all = [
        Meaning::Code(16),
        Meaning::Code(10),
        Meaning::Code(8),
        Meaning::Byte,
    ];
    let numbers = numbers(view);
    if numbers.len() < MIN_RUN {
        return Vec::new();
    }
    let views = all.map(|meaning| read(view, &numbers, meaning));
    views.into_iter().flatten().collect()
}

/// Places of what may be numbers that stand for characters: start, end, and whether it
/// continues a run.
fn numbers(view: &TextView) -> Vec<(usize, usize, bool)> {
    let mut numbers: Vec<(usize, usize, bool)> = Vec::new();
    let mut at = 0;
    let mut is_joined = false;
    while at < view.bytes.len() {
        if !view.bytes[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let rest = &view.bytes[at..];
        let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric());
        let length = word.count();
        let is_number = length <= MAX_NUMBER_BYTES
            && rest[..length]
                .iter()
                .all(|byte| byte.is_ascii_hexdigit() || *byte == b'x');
        if is_number {
            numbers.push((at, at + length, is_joined));
        }
        is_joined = is_number;
        at += length;
    }
    numbers
}

/// A view of the numbers with a meaning, unless there are few.
fn read(view: &TextView, numbers: &[(usize, usize, bool)], meaning: Meaning) -> Option<TextView> {
    let mut text = TextView::with_capacity(numbers.len());
    let mut run = 0;
    let mut longest = 0;
    for (start, end, is_joined) in numbers {
        let number = &view.bytes[*start..*end];
        let span = (view.spans[*start].0, view.spans[*end - 1].1);
        let code = match meaning {
            Meaning::Code(16) => {
                let digits = number.strip_prefix(b"0x").unwrap_or(number);
                byte(digits, 16).filter(|_| digits.len() == 2)
            }
            Meaning::Code(base) => byte(number, base).filter(|_| number.len() >= 2),
            Meaning::Byte => byte(number, 10),
        };
        let is_text = |byte: &u8| matches!(meaning, Meaning::Byte) || byte.is_ascii_graphic();
        let Some(byte) = code.filter(is_text) else {
            run = 0;
            text.push(END, span);
            continue;
        };
        if !is_joined {
            run = 0;
            text.push(END, span);
        }
        run += 1;
        longest = longest.max(run);
        if matches!(meaning, Meaning::Byte) {
            for digit in hex::encode([byte]).bytes() {
                text.push(digit, span);
            }
        } else {
            text.push(byte, span);
        }
    }
    (longest >= MIN_RUN).then_some(text)
}

/// A byte from its digits; `None` if they are not digits of the base, or too many.
fn byte(digits: &[u8], base: u32) -> Option<u8> {
    let is_digit = |byte: &u8| char::from(*byte).is_digit(base);
    let digits = std::str::from_utf8(digits).ok()?;
    let has_only_digits = digits.bytes().all(|byte| is_digit(&byte));
    u8::from_str_radix(digits, base)
        .ok()
        .filter(|_| has_only_digits)
}
