//! Character encodings: detects that of a document and decodes it to UTF-8.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::error::FeedError;
use super::printable::printable;

/// How far an XML declaration is looked for its end.
const LONGEST_DECLARATION_BYTES: usize = 1024;
/// The first bytes that show a byte order mark or a format that is not read.
const LONGEST_MARK_BYTES: usize = 5;
/// How much is decoded at once.
const PIECE_BYTES: usize = 32 * 1024;
/// Stands for bytes that are no text in the document's encoding: it is never
/// valid in UTF-8, so whoever reads the text finds it.
const MALFORMED: u8 = 0xff;

/// Takes decoded text, and whether it was declared as Latin-1 or Windows-1252, which are read
/// alike.
pub(super) type Output<'o> = &'o mut dyn FnMut(&[u8], bool) -> Result<(), FeedError>;

/// Turns a document into UTF-8. A byte order mark decides its encoding, else the
/// XML declaration, else the charset of the content type, else it is UTF-8.
/// UTF-8 passes as it is, unchecked and without a copy.
pub(super) struct Decoder {
    charset: Option<String>,
    state: State,
}

enum State {
    /// The first bytes, as long as they do not show the encoding.
    Sniffing(Vec<u8>),
    Utf8,
    Other(Box<encoding_rs::Decoder>),
}

impl Decoder {
    /// `charset` is what the content type says.
    pub fn new(charset: Option<&str>) -> Self {
        Self {
            charset: charset.map(str::to_owned),
            state: State::Sniffing(Vec::new()),
        }
    }

    /// Decodes the next bytes of the document; `last` when they are the last.
    pub fn push(&mut self, bytes: &[u8], last: bool, out: Output) -> Result<(), FeedError> {
        let State::Sniffing(first) = &mut self.state else {
            return self.decode(bytes, last, out);
        };
        // Usually the first push is enough: then nothing of it is copied.
        let bytes = if first.is_empty() {
            Cow::Borrowed(bytes)
        } else {
            first.extend_from_slice(bytes);
            Cow::Owned(std::mem::take(first))
        };
        let Some((encoding, mark)) = sniff(&bytes, last, self.charset.as_deref())? else {
            *first = bytes.into_owned();
            return Ok(());
        };
        self.state = if encoding == UTF_8 {
            State::Utf8
        } else {
            State::Other(Box::new(encoding.new_decoder_without_bom_handling()))
        };
        self.decode(&bytes[mark..], last, out)
    }

    fn decode(&mut self, bytes: &[u8], last: bool, out: Output) -> Result<(), FeedError> {
        match &mut self.state {
            State::Other(decoder) => transcode(decoder, bytes, last, out),
            State::Sniffing(_) | State::Utf8 if bytes.is_empty() => Ok(()),
            State::Sniffing(_) | State::Utf8 => out(bytes, false),
        }
    }
}

fn transcode(
    decoder: &mut encoding_rs::Decoder,
    mut bytes: &[u8],
    last: bool,
    out: Output,
) -> Result<(), FeedError> {
    let mut text = vec![0; PIECE_BYTES];
    let is_latin = decoder.encoding() == WINDOWS_1252;
    loop {
        // One byte is kept free for the mark of what is malformed.
        let room = text.len() - 1;
        let (result, read, mut written) =
            decoder.decode_to_utf8_without_replacement(bytes, &mut text[..room], last);
        bytes = &bytes[read..];
        if let DecoderResult::Malformed(..) = result {
            text[written] = MALFORMED;
            written += 1;
        }
        if written > 0 {
            out(&text[..written], is_latin)?;
        }
        if result == DecoderResult::InputEmpty {
            return Ok(());
        }
    }
}

/// The encoding and the length of the byte order mark; `None` while it is open.
fn sniff(
    first: &[u8],
    last: bool,
    charset: Option<&str>,
) -> Result<Option<(&'static Encoding, usize)>, FeedError> {
    if first.len() < LONGEST_MARK_BYTES && !last {
        return Ok(None);
    }
    if let Some(format) = format(first) {
        return Err(FeedError::Format { format });
    }
    if let Some((encoding, mark)) = Encoding::for_bom(first) {
        return Ok(Some((encoding, mark)));
    }
    match first {
        [b'<', 0, _, 0, ..] => return Ok(Some((UTF_16LE, 0))),
        [0, b'<', 0, _, ..] => return Ok(Some((UTF_16BE, 0))),
        _ => {}
    }
    // No further, however much is there already: pieces of any size give the same result.
    let first = &first[..first.len().min(LONGEST_DECLARATION_BYTES)];
    // White space before the declaration is an error that costs nothing to accept.
    let text = first.trim_ascii_start();
    let could_declare = text.len() < 5 || text.starts_with(b"<?xml");
    if could_declare && !last && first.len() < LONGEST_DECLARATION_BYTES {
        let whole = text.len() >= 5 && memchr::memmem::find(text, b"?>").is_some();
        if !whole {
            return Ok(None);
        }
    }
    let declared = declared(text);
    let known = declared.as_deref().map(by_label).transpose()?;
    // A declaration that could be read byte by byte is not in UTF-16, whatever it says.
    let ascii = known.filter(|encoding| *encoding != UTF_16LE && *encoding != UTF_16BE);
    let encoding = match (ascii, charset) {
        (Some(encoding), _) => encoding,
        (None, Some(label)) => by_label(label)?,
        (None, None) => UTF_8,
    };
    Ok(Some((encoding, 0)))
}

/// The encoding of a document that is there in full, and the length of its byte
/// order mark. `charset` is what the content type says.
pub fn encoding_of(
    bytes: &[u8],
    charset: Option<&str>,
) -> Result<(&'static Encoding, usize), FeedError> {
    Ok(sniff(bytes, true, charset)?.unwrap_or((UTF_8, 0)))
}

/// What a document is that is no text, as far as its first bytes show.
fn format(first: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 11] = [
        (b"\x1f\x8b", "compressed with gzip once more"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd once more"),
        (b"\xfd7zXZ", "compressed with xz"),
        (b"BZh", "compressed with bzip2"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x78\x01", "compressed with zlib"),
        (b"\x78\x9c", "compressed with zlib"),
        (b"\x78\xda", "compressed with zlib"),
        (b"\xff\xfe\0\0", "encoded in UTF-32"),
        (b"\0\0\xfe\xff", "encoded in UTF-32"),
        (b"<\0\0\0", "encoded in UTF-32"),
    ];
    let mut formats = FORMATS.iter();
    let known = formats.find(|(begins, _)| first.starts_with(begins));
    known.map(|(_, format)| *format)
}

fn by_label(label: &str) -> Result<&'static Encoding, FeedError> {
    let label = label.trim().trim_matches(['"', '\'']);
    // The web reads ASCII as Windows-1252; who declares it and sends more sends UTF-8.
    let ascii = [
        "us-ascii",
        "ascii",
        "ansi_x3.4-1968",
        "iso-ir-6",
        "iso646-us",
    ];
    if ascii.iter().any(|name| label.eq_ignore_ascii_case(name)) {
        return Ok(UTF_8);
    }
    Encoding::for_label(label.as_bytes()).ok_or_else(|| FeedError::Encoding {
        label: printable(label.as_bytes()),
    })
}

/// The encoding that an XML declaration at the beginning of `text` names.
fn declared(text: &[u8]) -> Option<String> {
    let body = text.strip_prefix(b"<?xml")?;
    let body = &body[..memchr::memmem::find(body, b"?>")?];
    let name = memchr::memmem::find(body, b"encoding")?;
    let value = body[name + "encoding".len()..].trim_ascii_start();
    let value = value.strip_prefix(b"=")?.trim_ascii_start();
    let quote = *value.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let value = &value[1..];
    let end = memchr::memchr(quote, value)?;
    Some(String::from_utf8_lossy(&value[..end]).into_owned())
}
