//! Parts of secrets: any 16 consecutive characters of a long one.

use std::collections::BTreeSet;

/// Length of a part, in bytes.
pub(super) const PART_BYTES: usize = 16;
/// Maximum number of parts that are kept, 16 bytes each. Of later secrets only the whole
/// is found. Each reload may add some.
const MAX_PARTS: usize = 200_000;

/// Parts that are looked for in a text.
#[derive(Default)]
pub(super) struct SecretParts(BTreeSet<[u8; PART_BYTES]>);

impl SecretParts {
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Adds the parts of a secret that have letters and digits: letters alone may be words
    /// of an ordinary text, digits alone a number.
    pub(super) fn add_mixed(&mut self, secret: &[u8]) {
        let is_mixed = |part: &[u8; PART_BYTES]| {
            part.iter().any(u8::is_ascii_digit) && part.iter().any(u8::is_ascii_alphabetic)
        };
        self.extend(parts(secret).filter(is_mixed));
    }

    /// Adds the parts of a secret that is encoded, and so never ordinary text.
    pub(super) fn add_encoded(&mut self, encoded: &str) {
        self.extend(parts(encoded.to_ascii_lowercase().as_bytes()));
    }

    fn extend(&mut self, parts: impl Iterator<Item = [u8; PART_BYTES]>) {
        for part in parts {
            if self.0.len() < MAX_PARTS {
                self.0.insert(part);
            }
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where parts are in a text: ranges of it.
    pub(super) fn find<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        let known = move |part: &[u8; PART_BYTES]| !self.0.is_empty() && self.0.contains(part);
        let all = parts(text).enumerate();
        all.filter_map(move |(at, part)| known(&part).then_some((at, at + PART_BYTES)))
    }
}

fn parts(text: &[u8]) -> impl Iterator<Item = [u8; PART_BYTES]> + '_ {
    let windows = text.windows(PART_BYTES);
    windows.filter_map(|window| window.try_into().ok())
}
