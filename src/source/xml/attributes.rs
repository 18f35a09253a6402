//! Attributes of a tag, read leniently: what is malformed is said, not refused.

use memchr::memchr;

/// One attribute as it stands in its tag.
pub(super) struct Raw<'b> {
    pub name: &'b [u8],
    /// Where it begins in what was scanned.
    pub name_at: usize,
    /// Without quotes, references unresolved; `None` where there is no `=`.
    pub value: Option<&'b [u8]>,
    /// Where the value begins in what was scanned.
    pub value_at: usize,
    /// Whether XML allows it as it stands.
    pub is_sound: bool,
}

/// Scans what stands between the name of a tag and its `>`.
pub(super) struct Attributes<'b> {
    text: &'b [u8],
    at: usize,
}

impl<'b> Attributes<'b> {
    pub fn new(text: &'b [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips white space; returns whether there was any.
    fn blank(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let length = rest.len() - rest.trim_ascii_start().len();
        self.at += length;
        length > 0
    }

    fn until(&mut self, ends: fn(u8) -> bool) -> &'b [u8] {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| ends(*byte));
        let length = length.unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// A value and whether it is sound.
    fn value(&mut self) -> (&'b [u8], bool) {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            return (self.until(|byte| byte.is_ascii_whitespace()), false);
        };
        self.at += 1;
        let rest = &self.text[self.at..];
        let Some(length) = memchr(quote, rest) else {
            self.at = self.text.len();
            return (rest, false);
        };
        self.at += length + 1;
        let value = &rest[..length];
        (value, memchr(b'<', value).is_none())
    }
}

impl<'b> Iterator for Attributes<'b> {
    type Item = Raw<'b>;

    fn next(&mut self) -> Option<Raw<'b>> {
        let is_apart = self.blank();
        let first = self.peek()?;
        let name_at = self.at;
        let name = self
            .until(|byte| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'"' | b'\'' | b'/'));
        let is_name = is_apart && !name.is_empty() && !first.is_ascii_digit();
        self.blank();
        let has_value = match self.peek() {
            Some(b'=') => {
                self.at += 1;
                self.blank();
                true
            }
            Some(b'"' | b'\'') => true,
            // A slash that ends no tag.
            Some(_) if name.is_empty() => {
                self.at += 1;
                false
            }
            _ => false,
        };
        let quote = usize::from(matches!(self.peek(), Some(b'"' | b'\'')));
        let value_at = self.at + quote;
        let is_assigned = has_value && self.text[..self.at].trim_ascii_end().ends_with(b"=");
        let value = has_value.then(|| self.value());
        Some(Raw {
            name,
            name_at,
            value: value.map(|(value, _)| value),
            value_at,
            is_sound: is_name && is_assigned && value.is_some_and(|(_, is_sound)| is_sound),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Attributes;

    /// Names, values and whether XML allows them.
    fn scan(text: &str) -> Vec<(String, Option<String>, bool)> {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let raw = Attributes::new(text.as_bytes());
        raw.map(|raw| (text_of(raw.name), raw.value.map(text_of), raw.is_sound))
            .collect()
    }

    fn pair(name: &str, value: &str, is_sound: bool) -> (String, Option<String>, bool) {
        (name.to_owned(), Some(value.to_owned()), is_sound)
    }

    #[test]
    fn sound_attributes_are_sound() {
        let read = scan(" a=\"1 > 0\"\n b = 'x\"y' x:c=''");
        let wanted = [
            pair("a", "1 > 0", true),
            pair("b", "x\"y", true),
            pair("x:c", "", true),
        ];
        assert_eq!(read, wanted);
        assert_eq!(scan("  "), []);
    }

    #[test]
    fn malformed_ones_are_read_as_far_as_they_go() {
        assert_eq!(
            scan(" a=1 b='2'"),
            [pair("a", "1", false), pair("b", "2", true)]
        );
        assert_eq!(scan(" a\"1\""), [pair("a", "1", false)]);
        assert_eq!(
            scan(" a='1'b='2'"),
            [pair("a", "1", true), pair("b", "2", false)]
        );
        assert_eq!(scan(" a='<'"), [pair("a", "<", false)]);
        assert_eq!(scan(" a='1"), [pair("a", "1", false)]);
        assert_eq!(scan("a='1'"), [pair("a", "1", false)]);
        assert_eq!(scan(" 1a='1'"), [pair("1a", "1", false)]);
        let (name, value, is_sound) = scan(" checked").remove(0);
        assert_eq!((name.as_str(), value, is_sound), ("checked", None, false));
        // It ends, whatever stands there.
        assert!(scan("/ = '' //\"'=='=").len() < 10);
    }
}
