//! A record as it was read from a feed.

use crate::model::{Advisory, Fingerprint};

/// One record that was read: what it says, and the bytes it said it in.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it says, normalised.
    pub advisory: Advisory,
    /// The record as it came, decoded to UTF-8.
    pub raw: String,
    /// Fingerprint of `raw`'s bytes as they came.
    pub byte_hash: Fingerprint,
}
