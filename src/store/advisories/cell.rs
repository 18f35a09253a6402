//! Column values for COPY or JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use crate::model::{Product, Reference};

/// A value, by the type of its column.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Cell<'a> {
    Text(Option<&'a str>),
    TextArray(&'a [String]),
    Bool(Option<bool>),
    Int4(Option<i32>),
    Int8(Option<i64>),
    Float8(Option<f64>),
    Timestamptz(Option<DateTime<Utc>>),
    Bytea(Option<Bytes<'a>>),
    Jsonb(Option<JsonCell<'a>>),
}

/// Bytes; as JSON in the form that PostgreSQL reads.
pub(crate) struct Bytes<'a>(pub Cow<'a, [u8]>);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

/// A value that is stored as JSON in one column.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum JsonCell<'a> {
    Products(&'a [Product]),
    References(&'a [Reference]),
    Texts(&'a BTreeMap<String, String>),
}

/// A column's name and value.
pub(crate) type Column<'a> = (&'static str, Cell<'a>);

/// One row; as JSON an object by the names of its columns.
pub(crate) struct JsonRow<'a>(pub Vec<Column<'a>>);

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, cell)| (name, cell)))
    }
}

/// Bytes as PostgreSQL writes a `bytea`.
pub(crate) fn hex(hash: &[u8]) -> String {
    format!("\\x{}", hex::encode(hash))
}
