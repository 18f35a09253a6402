//! A captured response.

use chrono::{DateTime, Utc};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use serde_json::Value;

use crate::source::{json_text, xml};

/// Whose data a response contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataOwner {
    /// The account's: tickets.
    Account,
    /// The account's, with names that also occur in other responses.
    WatchLists,
    /// The vendor's: advisories, error responses.
    Vendor,
    /// The vendor's, with the account's under `choices`: metadata.
    Choices,
}

/// Format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// XML: a feed.
    Xml,
    /// JSON: a page, an object, an error response.
    Json,
    /// Something else: a web page, plain text, nothing.
    Other,
}

/// A response, or why there is none.
#[derive(Debug, Clone)]
pub struct CapturedResponse {
    /// Its name in the directory.
    pub name: String,
    /// HTTP method.
    pub method: &'static str,
    /// Requested path and query.
    pub target: String,
    /// Whose data it contains.
    pub owner: DataOwner,
    /// `None` if there was no response.
    pub status: Option<u16>,
    /// Headers, unchanged.
    pub headers: Vec<(String, String)>,
    /// Time by upstream's clock.
    pub date: Option<DateTime<Utc>>,
    /// Decompressed body, up to the size limit.
    pub bytes: Vec<u8>,
    /// The body as text, cut at the end of a record if it is incomplete.
    pub text: Option<String>,
    /// Whether the body was cut at the size limit.
    pub is_cut: bool,
    /// Why there is no response, or no complete one.
    pub error: Option<String>,
    encoding: &'static Encoding,
    mark: usize,
}

impl CapturedResponse {
    /// A request without a response yet.
    pub fn asked(name: &str, method: &'static str, target: String, owner: DataOwner) -> Self {
        Self {
            name: name.to_owned(),
            method,
            target,
            owner,
            status: None,
            headers: Vec::new(),
            date: None,
            bytes: Vec::new(),
            text: None,
            is_cut: false,
            error: None,
            encoding: UTF_8,
            mark: 0,
        }
    }

    /// Decodes the body once it is complete.
    pub fn read(&mut self) {
        let type_of = self
            .header("content-type")
            .unwrap_or_default()
            .to_lowercase();
        let charset = type_of
            .split_once("charset=")
            .map(|(_, name)| name.to_owned());
        let found = xml::encoding_of(&self.bytes, charset.as_deref());
        (self.encoding, self.mark) = found.unwrap_or((UTF_8, 0));
        let (text, _) = self
            .encoding
            .decode_without_bom_handling(&self.bytes[self.mark..]);
        let text = text.into_owned();
        self.text = Some(text);
        if self.is_cut {
            let whole = self.text.as_deref().unwrap_or_default();
            self.text = match self.form() {
                BodyFormat::Json => json_text::cut(whole),
                BodyFormat::Xml => xml::cut(whole),
                BodyFormat::Other => None,
            };
        }
    }

    /// Encodes a text in the encoding of the body.
    pub fn encoded(&self, text: &str) -> Vec<u8> {
        let mut bytes = self.bytes[..self.mark.min(self.bytes.len())].to_vec();
        if self.encoding == UTF_16LE {
            bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        } else if self.encoding == UTF_16BE {
            bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        } else {
            bytes.extend_from_slice(&self.encoding.encode(text).0);
        }
        bytes
    }

    /// Format of the body, by its first character; a web page is neither.
    pub fn form(&self) -> BodyFormat {
        if self
            .header("content-type")
            .is_some_and(|name| name.contains("html"))
        {
            return BodyFormat::Other;
        }
        let text = self.text.as_deref().unwrap_or_default().trim_start();
        let start: String = text.chars().take(15).collect::<String>().to_lowercase();
        match start.as_bytes().first() {
            Some(b'{' | b'[') => BodyFormat::Json,
            Some(b'<') if !start.starts_with("<!doctype html") && !start.starts_with("<html") => {
                BodyFormat::Xml
            }
            _ => BodyFormat::Other,
        }
    }

    /// Name of the encoding, if recognised.
    pub fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Whether the body begins with a byte order mark.
    pub fn has_mark(&self) -> bool {
        self.mark > 0
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(self.text.as_deref()?).ok()
    }

    /// The rows of a successful page.
    pub fn rows(&self) -> Vec<Value> {
        let page = self.json().filter(|_| self.status == Some(200));
        let rows = page.as_ref().and_then(|page| page["results"].as_array());
        rows.cloned().unwrap_or_default()
    }

    /// The `count` of a page.
    pub fn count(&self) -> Option<u64> {
        self.json().filter(|_| self.status == Some(200))?["count"].as_u64()
    }

    /// Upstream's error message.
    pub fn detail(&self) -> Option<String> {
        Some(self.json()?["detail"].as_str()?.to_owned())
    }
}
