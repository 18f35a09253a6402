//! Limit of the number of values in JSON, counted while it arrives: a few bytes of text
//! become many times as much memory when they are parsed.

/// Values of one response. A page of 100 advisories has about 20,000.
pub(super) const MOST_VALUES: u64 = 200_000;

/// An object counts as this many values: parsed, even a small one takes some 600 bytes, and
/// a number or short string less than 80.
pub(super) const OBJECT: u64 = 8;
/// An array counts as this many.
pub(super) const ARRAY: u64 = 2;

/// So many keys of an object are included in its own count.
const INCLUDED_KEYS: u8 = 11;
/// Each further key counts as this many besides its value.
const KEY: u64 = 2;
/// Keys of objects that lie deeper are counted as those of the one around them.
const MOST_OPEN: usize = 256;

/// Counts the keys of the objects that are open.
#[derive(Debug, Default)]
pub(super) struct ObjectKeys {
    open: Vec<u8>,
    /// Open objects and arrays that lie too deep.
    deeper: usize,
}

impl ObjectKeys {
    /// An object or array begins.
    pub(super) fn open(&mut self) {
        if self.open.len() < MOST_OPEN {
            self.open.push(0);
        } else {
            self.deeper += 1;
        }
    }

    /// The innermost one ends.
    pub(super) fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.open.pop();
        }
    }

    /// As how many values the next key of the innermost object counts.
    pub(super) fn key(&mut self) -> u64 {
        match self.open.last_mut() {
            Some(keys) if *keys < INCLUDED_KEYS => {
                *keys += 1;
                0
            }
            _ => KEY,
        }
    }
}

/// Counts the values of a JSON text that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct JsonValues {
    count: u64,
    keys: ObjectKeys,
    is_string: bool,
    is_escaped: bool,
}

impl JsonValues {
    /// Takes the next piece; returns whether there are at most [`MOST_VALUES`] so far.
    pub(super) fn add(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            if self.is_escaped {
                self.is_escaped = false;
            } else if self.is_string {
                match byte {
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_string = false,
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => self.is_string = true,
                    b'{' => {
                        self.count += OBJECT;
                        self.keys.open();
                    }
                    b'[' => {
                        self.count += ARRAY;
                        self.keys.open();
                    }
                    b'}' | b']' => self.keys.close(),
                    b':' => self.count += self.keys.key(),
                    // Each further value of an array or object.
                    b',' => self.count += 1,
                    _ => {}
                }
            }
        }
        self.count <= MOST_VALUES
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonValues, MOST_VALUES};

    fn count(text: &str) -> u64 {
        let mut whole = JsonValues::default();
        assert!(whole.add(text.as_bytes()), "{text}");
        let mut pieces = JsonValues::default();
        for byte in text.as_bytes() {
            pieces.add(std::slice::from_ref(byte));
        }
        assert_eq!(whole.count, pieces.count, "{text}");
        whole.count
    }

    #[test]
    fn values_are_counted_and_texts_are_not() {
        assert_eq!(
            count(r#"{"a": [1, 2, {"b": null}], "c": "x, [y], {z}"}"#),
            21
        );
        assert_eq!(count(r#"["\"", "\\", ",", "\\\","]"#), 5);
        assert_eq!(count("17"), 0);
        let keys = |keys: usize| {
            let keys = (0..keys).map(|key| format!("\"{key}\":[{{\"a\":0}}]"));
            count(&format!("{{{}}}", keys.collect::<Vec<_>>().join(",")))
        };
        // One more is its value with all that is in it; from the twelfth on the key counts too.
        assert_eq!(keys(11) - keys(10), 11);
        assert_eq!(keys(12) - keys(11), 13);
    }

    #[test]
    fn more_than_the_limit_are_refused_as_soon_as_they_are_there() {
        let mut values = JsonValues::default();
        let most = usize::try_from(MOST_VALUES).unwrap_or(usize::MAX);
        assert!(values.add(&b",".repeat(most)));
        assert!(!values.add(b","));
    }
}
