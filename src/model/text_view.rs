//! A text as it is compared with secrets: Unicode compatibility folding (NFKD) without
//! marks and invisible characters, and the place of each byte in the original.

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::text::is_invisible;

/// Begins control sequences of terminals. It is kept, since [`unescaped`](super::unescape)
/// needs it to find their end.
pub(super) const ESCAPE: u8 = 0x1b;
/// Ends some control sequences; kept for the same reason.
pub(super) const BELL: u8 = 0x07;

const NFKD: DecomposingNormalizerBorrowed<'_> = DecomposingNormalizerBorrowed::new_nfkd();

/// A folded text, possibly decoded.
#[derive(Clone)]
pub(super) struct TextView {
    pub(super) bytes: Vec<u8>,
    /// Start and end in the original of what each byte comes from; always at
    /// boundaries of characters.
    pub(super) spans: Vec<(usize, usize)>,
}

impl TextView {
    /// White space becomes one kind of blank; letters and digits of other widths, styles
    /// and positions become the plain ones.
    pub(super) fn of(text: &str) -> Self {
        let mut view = Self::with_capacity(text.len());
        for (at, letter) in text.char_indices() {
            view.push_folded(letter, (at, at + letter.len_utf8()));
        }
        view
    }

    pub(super) fn with_capacity(length: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(length),
            spans: Vec::with_capacity(length),
        }
    }

    pub(super) fn push(&mut self, byte: u8, span: (usize, usize)) {
        self.bytes.push(byte);
        self.spans.push(span);
    }

    /// Where a range of the view, which is not empty, comes from.
    pub(super) fn span(&self, (start, end): (usize, usize)) -> (usize, usize) {
        (self.spans[start].0, self.spans[end - 1].1)
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        self.spans.truncate(length);
    }

    /// Adds what is left of a character after folding: nothing of a mark or an invisible
    /// character, the plain characters of one with a compatibility decomposition.
    pub(super) fn push_folded(&mut self, letter: char, span: (usize, usize)) {
        match letter {
            letter if letter.is_whitespace() => self.push(b' ', span),
            '\u{1b}' => self.push(ESCAPE, span),
            '\u{7}' => self.push(BELL, span),
            // Control sequences of 8 bits: those of 7 bits have an `ESC` before.
            '\u{90}' | '\u{98}' | '\u{9b}'..='\u{9f}' => {
                self.push(ESCAPE, span);
                self.push_char(char::from_u32(u32::from(letter) - 0x40), span);
            }
            letter if letter.is_control() => {}
            letter if letter.is_ascii() => self.push_char(Some(letter), span),
            letter => {
                let parts = NFKD.normalize_iter(std::iter::once(letter));
                for part in parts.filter(|part| !is_dropped(*part)) {
                    let part = if part.is_whitespace() { ' ' } else { part };
                    self.push_char(Some(part), span);
                }
            }
        }
    }

    pub(super) fn push_char(&mut self, letter: Option<char>, span: (usize, usize)) {
        let mut buffer = [0; 4];
        let bytes = letter.map(|letter| letter.encode_utf8(&mut buffer).bytes());
        for byte in bytes.into_iter().flatten() {
            self.push(byte, span);
        }
    }

    /// Folded once more: characters beyond ASCII that were encoded byte by byte.
    pub(super) fn folded(&self) -> Self {
        let mut view = Self::with_capacity(self.bytes.len());
        let mut at = 0;
        for chunk in self.bytes.utf8_chunks() {
            for letter in chunk.valid().chars() {
                let end = at + letter.len_utf8();
                view.push_folded(letter, (self.spans[at].0, self.spans[end - 1].1));
                at = end;
            }
            for byte in chunk.invalid() {
                view.push(*byte, self.spans[at]);
                at += 1;
            }
        }
        view
    }

    /// Without blanks, control characters and the backslashes of escapes, in lower case
    /// (ASCII).
    pub(super) fn compact_lower(&self) -> Self {
        let mut view = Self::with_capacity(self.bytes.len());
        for (byte, span) in self.bytes.iter().zip(&self.spans) {
            if !matches!(byte, b' ' | b'\\') && !byte.is_ascii_control() {
                view.push(byte.to_ascii_lowercase(), *span);
            }
        }
        view
    }
}

/// Whether nothing of a character is left. U+FFFD stands for one that was removed.
fn is_dropped(letter: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(letter);
    letter.is_control()
        || letter == '\u{fffd}'
        || is_invisible(letter)
        || GeneralCategoryGroup::Mark.contains(category)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
}

#[cfg(test)]
mod tests {
    use super::TextView;

    #[test]
    fn widths_styles_marks_and_invisible_characters_do_not_matter() {
        for text in [
            "ab12",
            "ａｂ１２",
            "𝐚𝒃①²",
            "a\u{fe0f}b1\u{20e3}2\u{301}",
            "a\u{200b}b\u{ad}1\u{fffd}2\u{e0101}",
        ] {
            let view = TextView::of(text);
            assert_eq!(view.bytes, b"ab12", "{text}");
            assert!(
                view.spans.iter().all(
                    |(start, end)| text.is_char_boundary(*start) && text.is_char_boundary(*end)
                )
            );
        }
        assert_eq!(TextView::of("a\u{3000}\tb").compact_lower().bytes, b"ab");
    }
}
