//! HTTP responses: content-type checks, and detection of web pages in place of data.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use encoding_rs::UTF_8;
use mime::Mime;
use serde::de::IgnoredAny;
use url::Url;

use super::body::ResponseBody;
use super::error::ClientError;
use super::json_rows::RowHashes;
use super::quote::{asked, quote};
use super::staleness::Staleness;
use crate::model::shortened;

/// How much of a body is inspected to detect its type.
const SNIFFED_BYTES: usize = 512;
/// How much of a web page is searched for its title.
const TITLE_BYTES: usize = 16 * 1024;
/// How much of a body of another type is quoted, in characters: enough to recognise it.
const QUOTED_START_CHARS: usize = 40;
/// How much of a JSON response is held in memory, in bytes: a page of 100 advisories is half
/// a megabyte. Several are read at once.
pub(super) const MAX_JSON_BYTES: u64 = 16 << 20;

/// The same for a single object: the largest known detail is some 100 kB.
const MAX_OBJECT_BYTES: u64 = 4 << 20;

/// Expected type of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// A feed.
    Xml,
    /// A page of a collection.
    Json,
    /// A single JSON object.
    JsonObject,
}

impl BodyType {
    /// The `Accept` header: ends in `*/*` and never prefers HTML (contract §1).
    pub(super) fn accept(self) -> &'static str {
        match self {
            Self::Xml => "application/xml, text/xml;q=0.9, */*;q=0.1",
            Self::Json | Self::JsonObject => "application/json, */*;q=0.1",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Xml => "XML",
            Self::Json | Self::JsonObject => "JSON",
        }
    }

    /// Maximum size of a body that is read as a whole, in bytes after decompression.
    pub(super) fn max_bytes(self) -> u64 {
        match self {
            Self::Xml | Self::Json => MAX_JSON_BYTES,
            Self::JsonObject => MAX_OBJECT_BYTES,
        }
    }
}

/// A response with status 200 and the expected type. Its body has not been read yet.
#[derive(Debug)]
pub struct Answer {
    /// Always a success.
    pub status: u16,
    /// Final URL, after redirects.
    pub url: Url,
    /// Time of the response by upstream's clock (`Date`), if present and plausible.
    pub date: Option<DateTime<Utc>>,
    /// Media type without parameters, in lower case.
    pub content_type: Option<String>,
    /// Parameter `charset` of the media type, in lower case.
    pub charset: Option<String>,
    /// `Content-Length`, in bytes before decompression.
    pub content_length: Option<u64>,
    /// Where the next page is, by a `Link` header (RFC 8288): an absolute URL.
    pub next: Option<String>,
    /// What headers say about how much it holds: names without `x-`, and values.
    pub header_claims: Vec<(String, String)>,
    /// How old it is.
    pub staleness: Staleness,
    /// What was told apart in a page of JSON that was read as a whole.
    pub rows: RowHashes,
    /// After how many bytes its JSON ends, if that is before its end.
    pub(super) cut_after: Option<u64>,
    /// The body.
    pub body: ResponseBody,
}

impl Answer {
    /// A saved response; only its body is known.
    pub(super) fn saved(url: Url, body: ResponseBody) -> Self {
        Self {
            status: 200,
            url,
            date: None,
            content_type: None,
            charset: None,
            content_length: None,
            next: None,
            header_claims: Vec::new(),
            staleness: Staleness::default(),
            rows: RowHashes::default(),
            cut_after: None,
            body,
        }
    }

    /// The whole body, at most 16 MiB. Of a page of JSON, as far as it fits: see `rows`.
    ///
    /// # Errors
    /// Same as [`ResponseBody::chunk`].
    pub async fn bytes(&mut self) -> Result<Bytes, ClientError> {
        self.body.bytes(MAX_JSON_BYTES).await
    }

    /// Reads the next part of a page of JSON, after `rows` said that there is one; `rows` and the
    /// bytes are then those of that part.
    ///
    /// # Errors
    /// Same as [`ResponseBody::chunk`].
    pub async fn next_part(&mut self) -> Result<(), ClientError> {
        self.rows = self.body.next_part().await?;
        Ok(())
    }

    /// Sees whether JSON that was read as a whole ends before its end: without a length, a
    /// body that is cut short looks like one that ends.
    pub(super) async fn check_end(&mut self) -> Result<(), ClientError> {
        // The first part of a page that is too large ends where the next one begins.
        if self.rows.is_part {
            return Ok(());
        }
        let (text, ..) = UTF_8.decode(self.body.peek(0).await?);
        let read = serde_json::from_str::<IgnoredAny>(&text);
        let length = text.len() as u64;
        self.cut_after = read.is_err_and(|error| error.is_eof()).then_some(length);
        Ok(())
    }

    /// A response whose JSON ends before its end, as an error.
    pub fn cut_short(&self) -> Option<ClientError> {
        self.cut_after.map(|received_bytes| ClientError::CutShort {
            url: asked(&self.url),
            received_bytes,
            source: std::io::ErrorKind::UnexpectedEof.into(),
        })
    }

    /// Rejects web pages and responses that are clearly of another type. XML with an
    /// unspecific media type is accepted if it looks like markup.
    pub(super) async fn check_type(&mut self, kind: BodyType) -> Result<(), ClientError> {
        let content_type = self.content_type.as_deref();
        self.body.peek(SNIFFED_BYTES).await?;
        self.body.unpack();
        let start = self.body.peek(SNIFFED_BYTES).await?;
        if is_html(content_type, start) {
            let page = self.body.peek(TITLE_BYTES).await?;
            return Err(ClientError::Html {
                url: asked(&self.url),
                page: web_page(page),
            });
        }
        let names = |what: &str| content_type.is_some_and(|name| name.ends_with(what));
        let (is_xml, is_json) = (names("xml"), names("json"));
        let first = first_letter(start);
        let fits = match kind {
            BodyType::Xml if is_xml => true,
            BodyType::Xml => !is_json && matches!(first, None | Some(b'<')),
            BodyType::Json | BodyType::JsonObject => is_json || (!is_xml && first != Some(b'<')),
        };
        if fits {
            return Ok(());
        }
        let start = quote(&String::from_utf8_lossy(start));
        let start = shortened(&start, QUOTED_START_CHARS);
        Err(ClientError::WrongType {
            url: asked(&self.url),
            wanted: kind.name(),
            got: format!(
                "{} starting with `{start}`",
                content_type.unwrap_or("no content type")
            ),
        })
    }
}

/// Media type and charset of a `Content-Type`, in lower case. Headers that violate
/// RFC 9110 are parsed as far as possible.
pub(super) fn media_type(header: &str) -> (Option<String>, Option<String>) {
    if let Ok(media) = header.parse::<Mime>() {
        let charset = media.get_param(mime::CHARSET);
        let charset = charset.map(|name| name.as_str().to_ascii_lowercase());
        return (Some(media.essence_str().to_owned()), charset);
    }
    let header = header.to_ascii_lowercase();
    let name = header.split(';').next().unwrap_or_default().trim();
    let charset = header.split_once("charset=").map(|(_, value)| {
        let value = value.split(';').next().unwrap_or_default();
        value.trim_matches([' ', '"']).to_owned()
    });
    (
        Some(name.to_owned()).filter(|name| !name.is_empty()),
        charset,
    )
}

/// Elements with which pieces of web pages begin: no feed has such a root.
const HTML_ELEMENTS: [&str; 24] = [
    "html", "head", "body", "title", "meta", "link", "script", "style", "div", "p", "br", "h1",
    "h2", "h3", "h4", "center", "table", "b", "a", "span", "form", "img", "font", "hr",
];

/// Whether it is a web page, by its beginning. Where the media type says so, also a text that
/// is neither JSON nor XML: some servers send data with the type of a web page.
pub(super) fn is_html(content_type: Option<&str>, start: &[u8]) -> bool {
    let is_declared = matches!(content_type, Some("text/html" | "application/xhtml+xml"));
    if is_declared && matches!(first_letter(start), Some(b'{' | b'[')) {
        return false;
    }
    // Half of the bytes of UTF-16 are NUL.
    let start = String::from_utf8_lossy(start).replace('\0', "");
    let element = first_element(&start);
    match element.as_deref() {
        Some("html") => true,
        Some(name) => is_declared && HTML_ELEMENTS.contains(&name),
        None => is_declared,
    }
}

/// The name of the first element or document type, in lower case, of what begins as markup.
fn first_element(start: &str) -> Option<String> {
    let is_blank = |letter: char| letter.is_whitespace() || letter == '\u{feff}';
    let marks = |letter: char| is_blank(letter) || letter == char::REPLACEMENT_CHARACTER;
    let mut rest = start.trim_start_matches(marks).strip_prefix('<')?;
    loop {
        let end = match rest {
            _ if rest.starts_with('?') => "?>",
            _ if rest.starts_with("!--") => "-->",
            _ => break,
        };
        let (_, behind) = rest.split_once(end)?;
        rest = behind.trim_start_matches(is_blank).strip_prefix('<')?;
    }
    let rest = rest.to_ascii_lowercase();
    let rest = rest.strip_prefix("!doctype").unwrap_or(&rest).trim_start();
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric());
    let name = &rest[..end.unwrap_or(rest.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

/// A web page in words: its title, or that it has none and how it begins.
pub(super) fn web_page(page: &[u8]) -> String {
    let title = quote(&html_title(page));
    if !title.is_empty() {
        return format!("a web page titled `{title}`");
    }
    let start = quote(&String::from_utf8_lossy(page));
    match shortened(&start, QUOTED_START_CHARS) {
        start if start.is_empty() => "an empty web page".to_owned(),
        start => format!("a web page without a title, starting with `{start}`"),
    }
}

/// The title of a web page, or an empty string.
fn html_title(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    // ASCII lower case keeps all byte positions.
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|tag| {
        let start = tag + lower[tag..].find('>')? + 1;
        let end = start + lower[start..].find('<')?;
        page.get(start..end)
    });
    title.unwrap_or_default().trim().to_owned()
}

/// The first character that is not white space, a byte order mark or half of a UTF-16 unit.
fn first_letter(start: &[u8]) -> Option<u8> {
    let marks = [0, 0xef, 0xbb, 0xbf, 0xfe, 0xff];
    start
        .iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace() && !marks.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::{first_letter, html_title, is_html, media_type, web_page};

    #[test]
    fn web_pages_are_recognised_by_type_and_by_beginning() {
        for (start, is_page) in [
            (&b"<feed><title>T</title></feed>"[..], false),
            (b"<?xml version='1.0'?><!-- x --><feed/>", false),
            (b"\xff\xfe<\0f\0e\0e\0d\0>\0", false),
            (b"<?xml version='1.0'?>\n<!DOCTYPE html><html>", true),
            (b"{\"count\": 1}", false),
            (b" [1]", false),
            (b"<h1>Bad gateway</h1>", true),
            (b"<!-- x -->\n<body>", true),
            (b"<br />\n<b>Warning</b>: x", true),
            (b"Forbidden", true),
            (b"", true),
        ] {
            assert_eq!(is_html(Some("text/html"), start), is_page, "{start:?}");
        }
        assert!(!is_html(None, b"<h1>x</h1>"));
        assert!(is_html(None, b"\xef\xbb\xbf \r\n<!DOCTYPE HTML PUBLIC"));
        assert!(is_html(Some("application/xml"), b"<HTML lang='en'>"));
        assert!(!is_html(Some("application/xml"), b"<?xml version='1.0'?>"));
        assert_eq!(
            html_title(b"<html><TITLE lang=en> Log in </title>"),
            "Log in"
        );
        assert_eq!(
            web_page(b"<html> <body>"),
            "a web page without a title, starting with `<html> <body>`"
        );
        assert_eq!(
            web_page(b"<title>Log in</title>"),
            "a web page titled `Log in`"
        );
        assert_eq!(html_title(b"<html><body>"), "");
        assert_eq!(html_title(b"<title>\xff\xfe never ends"), "");
    }

    #[test]
    fn types_and_first_letters_are_read() {
        let (name, charset) = media_type("Text/XML; charset=\"ISO-8859-1\"; x=y");
        assert_eq!(name.as_deref(), Some("text/xml"));
        assert_eq!(charset.as_deref(), Some("iso-8859-1"));
        assert_eq!(media_type(""), (None, None));
        // Not valid media types, but the meaning is clear.
        for odd in [
            "xml; charset=utf-8",
            "XML;;charset=\"UTF-8\";",
            "xml ;charset=utf-8 ; x",
        ] {
            let (name, charset) = media_type(odd);
            assert_eq!(name.as_deref(), Some("xml"), "{odd}");
            assert_eq!(charset.as_deref(), Some("utf-8"), "{odd}");
        }
        assert_eq!(first_letter(b"\xff\xfe<\0f\0"), Some(b'<'));
        assert_eq!(first_letter(b" \r\n\xef\xbb\xbf{"), Some(b'{'));
        assert_eq!(first_letter(b""), None);
    }
}
