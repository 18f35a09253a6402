//! A parsed feed record with its raw text.

use crate::model::{Advisory, Fingerprint};

/// One parsed record with its raw text.
#[derive(Debug, Clone)]
pub struct ReceivedAdvisory {
    /// The parsed advisory, normalised.
    pub advisory: Advisory,
    /// The raw record, decoded to UTF-8.
    pub raw: String,
    /// Fingerprint of the original bytes of `raw`.
    pub byte_hash: Fingerprint,
}

/// A record with its index in the chunk and the hash of its content.
pub(super) type Hashed<'a> = (usize, &'a ReceivedAdvisory, Fingerprint);
