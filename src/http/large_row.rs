//! A row of a page of JSON that is too large to be read: what is kept of it while the rest
//! of it arrives and is dropped.

use memchr::memchr2;

use crate::model::{Fingerprint, PlainFingerprint};

/// How much of its beginning is kept, in bytes.
const HEAD_BYTES: usize = 64 * 1024;
/// Longest name and value that are kept, in bytes, and all of them.
const MAX_NAME_BYTES: usize = 64;
const MAX_VALUE_BYTES: usize = 300;
const MAX_FIELDS_BYTES: usize = 16 * 1024;

/// What is known of a row that was too large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeRow {
    /// Its beginning, as it came.
    pub head: Vec<u8>,
    /// Its length.
    pub bytes: u64,
    /// Number of its values: an object counts as several.
    pub values: u64,
    /// Fingerprint of all of it.
    pub fingerprint: Fingerprint,
    /// An object with its short values that are not nested, wherever in it they stand.
    pub fields: String,
}

/// Such a row, as it arrives.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    head: Vec<u8>,
    pub(super) bytes: u64,
    fingerprint: PlainFingerprint,
    fields: Fields,
}

impl Arriving {
    /// Takes the next piece.
    pub(super) fn add(&mut self, piece: &[u8]) {
        let blanks = if self.bytes == 0 {
            piece.len() - piece.trim_ascii_start().len()
        } else {
            0
        };
        let piece = &piece[blanks..];
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&piece[..piece.len().min(room)]);
        self.bytes += piece.len() as u64;
        self.fingerprint.add(piece);
        self.fields.add(piece);
    }

    /// The row at its end.
    pub(super) fn end(self, values: u64) -> LargeRow {
        LargeRow {
            head: self.head,
            bytes: self.bytes,
            values,
            fingerprint: self.fingerprint.end(),
            fields: self.fields.end(),
        }
    }
}

/// The short values of an object that are not nested.
#[derive(Debug, Default)]
struct Fields {
    depth: u32,
    is_string: bool,
    is_escaped: bool,
    name: Vec<u8>,
    value: Vec<u8>,
    taking: Taking,
    found: Vec<u8>,
}

/// What of a field is being taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Taking {
    #[default]
    Name,
    Value,
    /// The value is nested, or the name or value too long.
    Nothing,
}

impl Fields {
    fn add(&mut self, piece: &[u8]) {
        let mut next = 0;
        while let Some(byte) = piece.get(next) {
            if self.is_string {
                next += self.string(&piece[next..]);
            } else {
                self.step(*byte);
                next += 1;
            }
        }
    }

    /// Takes what belongs to the current string from the beginning of a text; returns its
    /// length.
    fn string(&mut self, text: &[u8]) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            self.keep(&text[..1]);
            return 1;
        }
        let Some(end) = memchr2(b'"', b'\\', text) else {
            self.keep(text);
            return text.len();
        };
        self.keep(&text[..=end]);
        self.is_string = text[end] != b'"';
        self.is_escaped = self.is_string;
        end + 1
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth > 1 {
                    self.taking = Taking::Nothing;
                }
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_field();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b',' if self.depth == 1 => self.end_field(),
            b':' if self.depth == 1 && self.taking == Taking::Name => {
                self.taking = Taking::Value;
            }
            b':' => {}
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                self.is_string = byte == b'"';
                self.keep(&[byte]);
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let (text, most) = match self.taking {
            Taking::Name => (&mut self.name, MAX_NAME_BYTES),
            Taking::Value => (&mut self.value, MAX_VALUE_BYTES),
            Taking::Nothing => return,
        };
        if self.depth != 1 {
            return;
        }
        if text.len() + piece.len() <= most {
            text.extend_from_slice(piece);
        } else {
            self.taking = Taking::Nothing;
        }
    }

    fn end_field(&mut self) {
        let length = self.found.len() + self.name.len() + self.value.len();
        let is_taken = self.taking == Taking::Value && !self.value.is_empty();
        if is_taken && length < MAX_FIELDS_BYTES {
            let comma: &[u8] = if self.found.is_empty() { b"" } else { b"," };
            for part in [comma, &self.name, b":", &self.value] {
                self.found.extend_from_slice(part);
            }
        }
        self.taking = Taking::Name;
        self.name.clear();
        self.value.clear();
    }

    fn end(self) -> String {
        format!("{{{}}}", String::from_utf8_lossy(&self.found))
    }
}

#[cfg(test)]
mod tests {
    use super::{Arriving, HEAD_BYTES};
    use crate::model::plain_fingerprint;

    #[test]
    fn short_values_are_found_wherever_they_stand() {
        let long = "x".repeat(HEAD_BYTES * 2);
        let row = format!(
            r#" {{"status": {{"id": 7}}, "long": "{long}", "id" : 5,"a,b": "c \"}},d", "list": [1, {{"id": 9}}], "modified": "2026-03-01" }}"#
        );
        let mut whole = Arriving::default();
        whole.add(row.as_bytes());
        let mut pieces = Arriving::default();
        for byte in row.as_bytes() {
            pieces.add(std::slice::from_ref(byte));
        }
        let (whole, pieces) = (whole.end(3), pieces.end(3));
        assert_eq!(whole, pieces);
        assert_eq!(
            whole.fields,
            r#"{"id":5,"a,b":"c \"},d","modified":"2026-03-01"}"#
        );
        assert_eq!(whole.head, &row.as_bytes()[1..=HEAD_BYTES]);
        assert_eq!(whole.bytes, row.len() as u64 - 1);
        assert_eq!(
            whole.fingerprint,
            plain_fingerprint(row.trim_start().as_bytes())
        );
    }

    #[test]
    fn a_row_that_is_no_object_has_no_values() {
        for row in [&b"[1, 2, 3]"[..], b"\"long\"", b"{\"a\"", b"17"] {
            let mut arriving = Arriving::default();
            arriving.add(row);
            assert_eq!(arriving.end(0).fields, "{}");
        }
    }
}
