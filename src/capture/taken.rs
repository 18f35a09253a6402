//! One answer, as it was taken.

use chrono::{DateTime, Utc};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use serde_json::Value;

use crate::source::{json_text, xml};

/// Whose texts an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The account's own: tickets.
    Account,
    /// The account's own, whose names stand in other answers too.
    WatchLists,
    /// The vendor's: advisories, refusals.
    Vendor,
    /// The vendor's, with the account's under `choices`: metadata.
    Choices,
}

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A feed.
    Xml,
    /// A page, a thing, a refusal.
    Json,
    /// A web page, a text, nothing.
    Other,
}

/// One answer, or why there is none.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What it is called in the folder.
    pub name: String,
    /// How it was asked for.
    pub method: &'static str,
    /// Path and query that were asked for.
    pub target: String,
    /// Whose texts it holds.
    pub owner: Owner,
    /// `None` where nothing was answered.
    pub status: Option<u16>,
    /// As they came.
    pub headers: Vec<(String, String)>,
    /// Upstream's clock.
    pub date: Option<DateTime<Utc>>,
    /// Unpacked, as far as it was taken.
    pub bytes: Vec<u8>,
    /// The same as text, cut where a record ends if it was not taken whole.
    pub text: Option<String>,
    /// Whether there was more than was taken.
    pub is_cut: bool,
    /// Why it was not answered, or not to its end.
    pub error: Option<String>,
    encoding: &'static Encoding,
    mark: usize,
}

impl Taken {
    /// One that was not answered yet.
    pub fn asked(name: &str, method: &'static str, target: String, owner: Owner) -> Self {
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

    /// Finds the text of the body, once it is there.
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
                Form::Json => json_text::cut(whole),
                Form::Xml => xml::cut(whole),
                Form::Other => None,
            };
        }
    }

    /// A text in the encoding in which the body came.
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

    /// What the body is written in, by its first letter; a web page is neither.
    pub fn form(&self) -> Form {
        if self
            .header("content-type")
            .is_some_and(|name| name.contains("html"))
        {
            return Form::Other;
        }
        let text = self.text.as_deref().unwrap_or_default().trim_start();
        let start: String = text.chars().take(15).collect::<String>().to_lowercase();
        match start.as_bytes().first() {
            Some(b'{' | b'[') => Form::Json,
            Some(b'<') if !start.starts_with("<!doctype html") && !start.starts_with("<html") => {
                Form::Xml
            }
            _ => Form::Other,
        }
    }

    /// Name of the encoding, as far as it was recognised.
    pub fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Whether a byte order mark came first.
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

    /// The rows of a page that was answered well.
    pub fn rows(&self) -> Vec<Value> {
        let page = self.json().filter(|_| self.status == Some(200));
        let rows = page.as_ref().and_then(|page| page["results"].as_array());
        rows.cloned().unwrap_or_default()
    }

    /// What a page claims there is.
    pub fn count(&self) -> Option<u64> {
        self.json().filter(|_| self.status == Some(200))?["count"].as_u64()
    }

    /// Why it was refused, in upstream's words.
    pub fn detail(&self) -> Option<String> {
        Some(self.json()?["detail"].as_str()?.to_owned())
    }
}
