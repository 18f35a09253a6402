//! Character encodings of feed documents.

use crate::simulate::options::Encoding;

/// As written in the XML declaration.
pub fn label(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 | Encoding::Utf8Bom => "UTF-8",
        Encoding::Utf16Le | Encoding::Utf16Be => "UTF-16",
        Encoding::Iso8859_1 => "ISO-8859-1",
        Encoding::Windows1252 => "windows-1252",
    }
}

/// The bytes of a piece of XML; the byte-order mark goes before the `first` one.
pub fn encode(text: &str, encoding: Encoding, first: bool) -> Vec<u8> {
    let mark = |mark: &[u8]| if first { mark.to_vec() } else { Vec::new() };
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf8Bom => {
            let mut bytes = mark(b"\xEF\xBB\xBF");
            bytes.extend_from_slice(text.as_bytes());
            bytes
        }
        Encoding::Utf16Le => {
            let mut bytes = mark(b"\xFF\xFE");
            bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            bytes
        }
        Encoding::Utf16Be => {
            let mut bytes = mark(b"\xFE\xFF");
            bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            bytes
        }
        Encoding::Iso8859_1 => latin_1(text),
        // It writes what it lacks as `&#…;` by itself.
        Encoding::Windows1252 => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
    }
}

/// Unlike Windows-1252, real Latin 1 has no dashes or curly quotes.
fn latin_1(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match u8::try_from(letter) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(format!("&#{};", u32::from(letter)).as_bytes()),
        }
    }
    bytes
}
