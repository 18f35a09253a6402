//! What a page says of the collection, its rows not read yet.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::damaged_json::PageParts;

/// The envelope as it comes, its rows not read yet.
#[derive(Deserialize)]
pub(super) struct PageEnvelope {
    #[serde(deserialize_with = "count")]
    pub count: u64,
    #[serde(default, deserialize_with = "next")]
    pub next: Option<String>,
    pub results: Vec<Box<RawValue>>,
}

/// A whole number, also as a string or with a fraction of zero.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let text = raw.get().trim_matches('"').trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let count = whole.parse().ok();
    count
        .filter(|_| fraction.bytes().all(|digit| digit == b'0'))
        .ok_or_else(|| D::Error::custom("`count` is not a whole number"))
}

/// A URL; `null`, `false` and an empty string are none.
fn next<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(url) => Ok(Some(url).filter(|url| !url.trim().is_empty())),
        Value::Null | Value::Bool(false) => Ok(None),
        _ => Err(D::Error::custom("`next` is neither a URL nor null")),
    }
}

/// The envelope of a page that ends before its text does, and the rest of the text.
pub(super) fn first<'a>(parts: &PageParts<'a>, end: &'a str) -> Option<(PageEnvelope, &'a str)> {
    let text = parts.envelope();
    let mut values = serde_json::Deserializer::from_str(&text).into_iter();
    let envelope = values.next()?.ok()?;
    let behind = values.byte_offset().checked_sub(parts.before.len())?;
    Some((envelope, end.get(behind..)?))
}
