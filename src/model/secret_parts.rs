//! Parts of secrets: any 16 consecutive characters of a long one.

use std::collections::BTreeMap;

/// Length of a part, in bytes.
pub(super) const PART_BYTES: usize = 16;
/// Maximum number of parts that are kept, 16 bytes each. Of later secrets only the whole
/// is found. Each reload may add some.
const MAX_PARTS: usize = 200_000;

/// Parts that are looked for in a text.
#[derive(Default)]
pub(super) struct SecretParts {
    /// Each part, with the secret that it is of and its place in it.
    parts: BTreeMap<[u8; PART_BYTES], (usize, usize)>,
    secrets: Vec<Vec<u8>>,
}

impl SecretParts {
    pub(super) const fn new() -> Self {
        Self {
            parts: BTreeMap::new(),
            secrets: Vec::new(),
        }
    }

    /// Adds the parts of a secret that have letters and digits: letters alone may be words
    /// of an ordinary text, digits alone a number.
    pub(super) fn add_mixed(&mut self, secret: &[u8]) {
        let is_mixed = |part: &[u8; PART_BYTES]| {
            part.iter().any(u8::is_ascii_digit) && part.iter().any(u8::is_ascii_alphabetic)
        };
        self.extend(secret, is_mixed);
    }

    /// Adds the parts of a secret that is encoded, and so never ordinary text.
    pub(super) fn add_encoded(&mut self, encoded: &str) {
        self.extend(encoded.to_ascii_lowercase().as_bytes(), |_| true);
    }

    fn extend(&mut self, secret: &[u8], is_secret: impl Fn(&[u8; PART_BYTES]) -> bool) {
        let known = self.parts.len();
        for (at, part) in parts(secret).enumerate() {
            if self.parts.len() < MAX_PARTS && is_secret(&part) {
                self.parts.entry(part).or_insert((self.secrets.len(), at));
            }
        }
        if self.parts.len() > known {
            self.secrets.push(secret.to_owned());
        }
    }

    /// Where parts are in a text: ranges of it, each with as much of the same secret around
    /// it as is there. What is beside a part of a secret is no ordinary text.
    pub(super) fn find<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        // No byte is compared again that is in a range already, so that the time grows with
        // the text.
        let mut done = 0;
        let texts = (!self.parts.is_empty()).then(|| parts(text).enumerate());
        texts.into_iter().flatten().filter_map(move |(at, part)| {
            let end = at + PART_BYTES;
            let (secret, place) = *self.parts.get(&part).filter(|_| end > done)?;
            let (before, rest) = self.secrets[secret].split_at(place);
            let before = before.iter().rev().zip(text[done.min(at)..at].iter().rev());
            let after = rest[PART_BYTES..].iter().zip(&text[end..]);
            let start = at - before.take_while(|(a, b)| a == b).count();
            done = end + after.take_while(|(a, b)| a == b).count();
            Some((start, done))
        })
    }
}

fn parts(text: &[u8]) -> impl Iterator<Item = [u8; PART_BYTES]> + '_ {
    let windows = text.windows(PART_BYTES);
    windows.filter_map(|window| window.try_into().ok())
}
