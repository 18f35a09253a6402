//! Configuration errors: one line per invalid setting, with what is expected.

use std::fmt;
use std::sync::Arc;

use crate::model::{legible, shortened};

/// Maximum length of a quoted value, in characters: enough to recognise it, but never
/// a pasted document.
const MAX_QUOTED_CHARS: usize = 120;

/// All errors in a configuration, one per line. The command line prints them and exits
/// with 78.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.errors))]
pub struct ConfigError {
    /// The errors; at least one, in the order of the sections.
    pub errors: Vec<SettingError>,
}

/// One error in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// The file or environment variable that contains the setting.
    pub place: Arc<str>,
    /// The key (`watch_lists[1].schedule`); empty if the error concerns the whole file.
    pub key: String,
    /// What is wrong, and what is expected.
    pub text: String,
}

impl SettingError {
    /// An error that concerns all of `place`.
    pub(super) fn whole(place: impl Into<Arc<str>>, text: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            key: String::new(),
            text: text.into(),
        }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, text } = self;
        if key.is_empty() {
            write!(formatter, "{place}: {text}")
        } else {
            write!(formatter, "{place}: `{key}`: {text}")
        }
    }
}

fn lines(errors: &[SettingError]) -> String {
    let lines: Vec<String> = errors.iter().map(SettingError::to_string).collect();
    lines.join("\n")
}

/// A value for error messages: printable, on one line, limited in length.
pub(super) fn quoted(value: &str) -> String {
    let line = legible(value).replace(['\n', '\t'], " ");
    shortened(&line, MAX_QUOTED_CHARS)
}

/// The known name that is similar to `written` (one or two typing errors), if any.
pub(super) fn close_to<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|name| (strsim::levenshtein(&written, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{close_to, quoted};

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        let known = ["base_url", "token_file", "max_body"];
        assert_eq!(close_to("base_ulr", known), Some("base_url"));
        assert_eq!(close_to("Base-URL", known), Some("base_url"));
        assert_eq!(close_to("tokenfile", known), Some("token_file"));
        assert_eq!(close_to("colour", known), None);
    }

    #[test]
    fn quoted_values_are_printable_and_bounded() {
        assert_eq!(quoted("a\nb"), "a b");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 120);
    }
}
