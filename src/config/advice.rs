//! What is expected instead of an invalid value.

/// What is expected instead of an invalid value, in words and in kind: the kind decides how
/// the value is quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advice {
    /// How it continues `got …;`.
    pub(super) text: String,
    pub(super) wanted: Wanted,
}

/// The kind of value that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A number, `true` or `false`: written without quotes.
    Bare,
    /// One of a few words, a duration or a size.
    Choice,
    /// Text, or a list of texts: written in quotes.
    Text,
    /// Anything else.
    Other,
}

impl Wanted {
    /// Whether a value in its place is no longer than a number or a word. Anything longer
    /// may be a password in the wrong place.
    pub(super) fn is_short(self) -> bool {
        matches!(self, Self::Bare | Self::Choice)
    }
}

impl Advice {
    pub(super) fn bare(text: impl Into<String>) -> Self {
        Self::of(Wanted::Bare, text)
    }

    pub(super) fn choice(text: impl Into<String>) -> Self {
        Self::of(Wanted::Choice, text)
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::of(Wanted::Text, text)
    }

    fn of(wanted: Wanted, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, wanted }
    }

    /// The same in other words.
    pub(super) fn with(&self, text: String) -> Self {
        Self {
            text,
            wanted: self.wanted,
        }
    }
}

impl<T: Into<String>> From<T> for Advice {
    fn from(text: T) -> Self {
        Self::of(Wanted::Other, text)
    }
}
