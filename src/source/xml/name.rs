//! Names of elements and attributes, compared without case, prefix and separators.

/// Names with case, `_` and `-` and any namespace prefix left out, as a number:
/// `cvrf:Advisory_Identifier` and `advisoryIdentifier` have the same key.
pub(super) const fn key(name: &[u8]) -> u64 {
    // FNV-1a: names are a few bytes long, and all that a collision could do is
    // to let upstream confuse its own names.
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let mut hash = START;
    let mut prefixed = false;
    let mut at = 0;
    while at < name.len() {
        let byte = name[at].to_ascii_lowercase();
        if byte == b':' && !prefixed {
            hash = START;
            prefixed = true;
        } else if byte != b'_' && byte != b'-' {
            hash = (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        }
        at += 1;
    }
    hash
}

/// The keys of some names, worked out by the compiler.
macro_rules! keys {
    ($($name:literal),* $(,)?) => {
        const { &[$($crate::source::xml::name::key($name.as_bytes())),*] }
    };
}
pub(super) use keys;

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn case_prefix_underscore_and_hyphen_make_no_other_name() {
        assert_eq!(key(b"sa:Advisory-Identifier"), key(b"advisory_identifier"));
        assert_ne!(key(b"cvss_score"), key(b"cvss3_score"));
    }
}
