//! Fingerprints (xxh3, 128 bits) of records and contents, salted by the parser's version.

/// A 128-bit fingerprint, as stored in `bytea` columns (16 bytes, big endian).
pub type Fingerprint = [u8; 16];

/// Salts every fingerprint. Raise it whenever the mapping from upstream's bytes
/// to the model changes: every record is then read again by itself.
pub const PARSER_VERSION: u64 = 1;

/// Fingerprint of bytes as upstream sent them.
pub fn fingerprint(bytes: &[u8]) -> Fingerprint {
    salted_fingerprint(bytes, 0)
}

/// Fingerprint of bytes whatever version reads them, for what was not understood.
pub fn plain_fingerprint(bytes: &[u8]) -> Fingerprint {
    xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes()
}

/// Fingerprint of bytes whose reading depends on more than the parser: another
/// `salt` makes other fingerprints of all of them.
pub fn salted_fingerprint(bytes: &[u8], salt: u64) -> Fingerprint {
    xxhash_rust::xxh3::xxh3_128_with_seed(bytes, PARSER_VERSION.wrapping_add(salt)).to_be_bytes()
}
