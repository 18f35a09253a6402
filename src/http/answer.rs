use bytes::Bytes;
use chrono::{DateTime, Utc};
use mime::Mime;
use serde::de::DeserializeOwned;
use url::Url;

use super::body::Body;
use super::error::ClientError;
use super::quote::{asked, quote};
use crate::config::Token;
use crate::model::shortened;

/// How much of a body is looked at to see what it is.
const SNIFFED_BYTES: usize = 512;
/// How much of a web page is searched for its title.
const TITLE_BYTES: usize = 16 * 1024;
/// How much of a body of another type is quoted, in characters: it tells what it is.
const QUOTED_START_CHARS: usize = 40;
/// Longest answer of JSON, in bytes: a page of 100 advisories is half a megabyte.
pub(super) const MAX_JSON_BYTES: u64 = 64 << 20;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A feed.
    Xml,
    /// A page of a collection, or one thing.
    Json,
}

impl Kind {
    /// Ends in `*/*` and never prefers HTML (contract §1).
    pub(super) fn accept(self) -> &'static str {
        match self {
            Self::Xml => "application/xml, text/xml;q=0.9, */*;q=0.1",
            Self::Json => "application/json, */*;q=0.1",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Xml => "XML",
            Self::Json => "JSON",
        }
    }
}

/// An answer with status 200 that looks like what was asked for. Its body is still on its way.
#[derive(Debug)]
pub struct Answer {
    /// Always a success.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: Url,
    /// Upstream's clock when it answered, if it says so and is believed.
    pub date: Option<DateTime<Utc>>,
    /// Type without parameters, in lower case.
    pub content_type: Option<String>,
    /// Parameter `charset` of the type, in lower case.
    pub charset: Option<String>,
    /// Announced length as it comes over the network, in bytes; see [`Body::wire_bytes`].
    pub content_length: Option<u64>,
    /// What it says.
    pub body: Body,
}

impl Answer {
    /// An answer that was saved; only its body is known.
    pub(super) fn saved(url: Url, body: Body) -> Self {
        Self {
            status: 200,
            url,
            date: None,
            content_type: None,
            charset: None,
            content_length: None,
            body,
        }
    }

    /// The whole body, at most 64 MiB.
    ///
    /// # Errors
    /// As [`Body::chunk`].
    pub async fn bytes(&mut self) -> Result<Bytes, ClientError> {
        self.body.bytes(MAX_JSON_BYTES).await
    }

    /// The whole body as JSON, at most 64 MiB.
    ///
    /// # Errors
    /// As [`Body::chunk`], and [`ClientError::Json`].
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        self.body.json(MAX_JSON_BYTES).await
    }

    /// Refuses web pages and what is clearly something else than was asked for.
    /// XML under a type that says nothing is accepted when it looks like markup.
    pub(super) async fn check_type(
        &mut self,
        kind: Kind,
        token: &Token,
    ) -> Result<(), ClientError> {
        let content_type = self.content_type.as_deref();
        let start = self.body.peek(SNIFFED_BYTES).await?;
        if is_html(content_type, start) {
            let page = self.body.peek(TITLE_BYTES).await?;
            return Err(ClientError::Html {
                url: asked(&self.url),
                title: quote(&html_title(page), token),
            });
        }
        let names = |what: &str| content_type.is_some_and(|name| name.ends_with(what));
        let (is_xml, is_json) = (names("xml"), names("json"));
        let first = first_letter(start);
        let fits = match kind {
            Kind::Xml if is_xml => true,
            Kind::Xml => !is_json && matches!(first, None | Some(b'<')),
            Kind::Json => is_json || (!is_xml && first != Some(b'<')),
        };
        if fits {
            return Ok(());
        }
        let start = quote(&String::from_utf8_lossy(start), token);
        let start = shortened(&start, QUOTED_START_CHARS);
        Err(ClientError::WrongType {
            url: asked(&self.url),
            wanted: kind.name(),
            got: format!(
                "{} beginning with `{start}`",
                content_type.unwrap_or("an unnamed type")
            ),
        })
    }
}

/// Type and charset of a `Content-Type`, in lower case. Of one that is not as
/// RFC 9110 has it, whatever can be told all the same.
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

/// Whether it is a web page, by its type or by how it begins.
pub(super) fn is_html(content_type: Option<&str>, start: &[u8]) -> bool {
    if matches!(content_type, Some("text/html" | "application/xhtml+xml")) {
        return true;
    }
    let start: String = String::from_utf8_lossy(start)
        .trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}')
        .chars()
        .take(20)
        .collect();
    let start = start.to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// The title of a web page, else nothing.
pub(super) fn html_title(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    // Lower case in ASCII only keeps every position where it is.
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|tag| {
        let start = tag + lower[tag..].find('>')? + 1;
        let end = start + lower[start..].find('<')?;
        page.get(start..end)
    });
    title.unwrap_or_default().trim().to_owned()
}

/// The first letter that is neither blank nor byte order mark nor half of a UTF-16 one.
fn first_letter(start: &[u8]) -> Option<u8> {
    let marks = [0, 0xef, 0xbb, 0xbf, 0xfe, 0xff];
    start
        .iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace() && !marks.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::{first_letter, html_title, is_html, media_type};

    #[test]
    fn web_pages_are_recognised_by_type_and_by_beginning() {
        assert!(is_html(Some("text/html"), b"<feed/>"));
        assert!(is_html(None, b"\xef\xbb\xbf \r\n<!DOCTYPE HTML PUBLIC"));
        assert!(is_html(Some("application/xml"), b"<HTML lang='en'>"));
        assert!(!is_html(Some("application/xml"), b"<?xml version='1.0'?>"));
        assert_eq!(
            html_title(b"<html><TITLE lang=en> Log in </title>"),
            "Log in"
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
        // No media types, and yet it is clear what is meant.
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
