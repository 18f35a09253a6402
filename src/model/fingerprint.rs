//! Fingerprints (xxh3, 128 bits) of records and content, salted with the parser's version.

/// A 128-bit fingerprint, as stored in `bytea` columns (16 bytes, big endian).
pub type Fingerprint = [u8; 16];

/// Salt of every fingerprint. Increase it whenever the mapping from upstream's
/// bytes to the model changes: every record is then parsed again automatically.
pub const PARSER_VERSION: u64 = 2;

/// Fingerprint of the bytes that upstream sent.
pub fn fingerprint(bytes: &[u8]) -> Fingerprint {
    salted_fingerprint(bytes, 0)
}

/// Fingerprint of bytes, independent of the parser's version, for quarantined records.
pub fn plain_fingerprint(bytes: &[u8]) -> Fingerprint {
    xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes()
}

/// Fingerprint of bytes whose parsing depends on more than the parser's version:
/// a different `salt` changes all fingerprints.
pub fn salted_fingerprint(bytes: &[u8], salt: u64) -> Fingerprint {
    xxhash_rust::xxh3::xxh3_128_with_seed(bytes, PARSER_VERSION.wrapping_add(salt)).to_be_bytes()
}

/// [`plain_fingerprint`] of bytes that come in pieces.
#[derive(Clone, Default)]
pub struct PlainFingerprint(xxhash_rust::xxh3::Xxh3);

impl PlainFingerprint {
    /// Takes the next piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The fingerprint of all pieces.
    pub fn end(&self) -> Fingerprint {
        self.0.digest128().to_be_bytes()
    }
}

impl std::fmt::Debug for PlainFingerprint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PlainFingerprint")
    }
}
