//! Configuration errors: one line per invalid setting, with what is expected.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{legible, shortened};

/// Maximum length of a quoted value, in characters: enough to recognise it, but never
/// a pasted document.
const MAX_QUOTED_CHARS: usize = 120;

/// Shown in place of a value that may be a secret.
pub(super) const NOT_SHOWN: &str = "[not shown]";
/// Shorter words are not taken for secrets, in characters.
const MIN_GENERATED_CHARS: usize = 16;
/// Characters of passwords that no name, number, time or address has.
const PASSWORD_SIGNS: [char; 6] = ['&', '!', '$', '^', '~', '%'];

/// All errors in a configuration, one per line. The command line prints them and exits
/// with 78.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.errors))]
pub struct ConfigError {
    /// The errors; at least one, in the order of the lines of the file, then of variables.
    pub errors: Vec<SettingError>,
}

/// One error in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// The file or environment variable that contains the setting.
    pub origin: Arc<str>,
    /// The key (`watch_lists[1].schedule`), entries counted from 1; empty if the error concerns the whole file.
    pub key: String,
    /// What is wrong, and what is expected.
    pub text: String,
}

impl SettingError {
    /// An error that concerns all of `origin`.
    pub(super) fn whole(origin: impl Into<Arc<str>>, text: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            key: String::new(),
            text: text.into(),
        }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, text } = self;
        if key.is_empty() {
            write!(formatter, "{origin}: {text}")
        } else {
            write!(formatter, "{origin}: `{key}`: {text}")
        }
    }
}

/// An address for messages, with `…` in place of a path or query, which may be a secret. `None`
/// if it is none, or may have a password.
pub(super) fn shown_address(text: &str) -> Option<String> {
    const MAX_SCHEME_CHARS: usize = 12;
    let is_host = |letter: char| letter.is_ascii_alphanumeric() || "-.:[]".contains(letter);
    let is_scheme = |letter: char| letter.is_ascii_alphabetic();
    let (scheme, rest) = text.trim().split_once("://").unwrap_or(("", text.trim()));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, more) = rest.split_at(end);
    // Without a scheme it must look like the name of a host.
    let top = host.rsplit_once('.').map_or("", |(_, top)| top);
    let is_named = matches!(top.len(), 2..=4) && top.chars().all(|one| one.is_ascii_lowercase());
    let is_address = scheme.len() <= MAX_SCHEME_CHARS
        && scheme.chars().all(is_scheme)
        && (!scheme.is_empty() || is_named)
        && host.chars().all(is_host)
        && !may_be_secret(host);
    let more = if matches!(more, "" | "/") { "" } else { "/…" };
    let sign = if scheme.is_empty() { "" } else { "://" };
    is_address.then(|| format!("{scheme}{sign}{host}{more}"))
}

fn lines(errors: &[SettingError]) -> String {
    let lines: Vec<String> = errors.iter().map(SettingError::to_string).collect();
    lines.join("\n")
}

/// A value, key or name that the user wrote, for error messages: printable, on one line,
/// limited in length. What may be a secret that was put in the wrong place is not shown.
pub(super) fn quoted(value: &str) -> String {
    if may_be_secret(value) {
        return NOT_SHOWN.to_owned();
    }
    let line = legible(value).replace(['\n', '\t'], " ");
    shortened(&line, MAX_QUOTED_CHARS)
}

/// Whether anything in a value is not plainly a word, a number, a time or an address made
/// of them. An ordinary password cannot be distinguished from other values otherwise.
pub(super) fn may_be_secret(value: &str) -> bool {
    resembles_secret(value) || value.contains(PASSWORD_SIGNS) || has_generated(value, 0)
}

/// A key, or the name of a variable, that the user wrote, for error messages. One such as
/// `PASSWORD_FILE` is shown, unlike a value.
pub(super) fn quoted_name(name: &str) -> String {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if name.chars().all(is_name) && !has_generated(name, 0) {
        shortened(name, MAX_QUOTED_CHARS)
    } else {
        quoted(name)
    }
}

/// What is expected instead of a value, without the quoted parts of the value that may be
/// secrets.
pub(super) fn without_secrets(advice: &str, given: &str) -> String {
    let mut result = String::with_capacity(advice.len());
    for (at, part) in advice.split('`').enumerate() {
        if at > 0 {
            result.push('`');
        }
        let is_quoted = at % 2 == 1 && given.contains(part);
        result.push_str(if is_quoted && may_be_secret(part) {
            NOT_SHOWN
        } else {
            part
        });
    }
    result
}

/// A path for messages. The name of a file that does not exist may be a secret that was
/// put in the place of its file: a long one that is not made of words is not shown.
pub fn shown_path(path: &Path) -> String {
    let mut before = PathBuf::new();
    let mut shown = PathBuf::new();
    for part in path.components() {
        before.push(part);
        let name = part.as_os_str().to_string_lossy();
        let is_hidden = is_generated(&name, MIN_GENERATED_CHARS) && !before.exists();
        shown.push(if is_hidden { NOT_SHOWN } else { &*name });
    }
    shown.display().to_string()
}

/// Whether a value may be, or contain, a token or password: a URL with user or query, an
/// assignment to such a name, or a long word as generators make them.
pub(super) fn resembles_secret(value: &str) -> bool {
    let value = value.trim();
    let is_url_with_more = value
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains(['@', '?', '#']));
    let lower = value.to_ascii_lowercase();
    let is_announced = [
        "password", "passwd", "bearer ", "basic ", "token ", "whsec_",
    ]
    .iter()
    .any(|word| lower.contains(word));
    is_url_with_more || is_announced || seems_generated(value)
}

/// Whether a value contains a long word as generators of passwords and tokens make them.
/// Names such as `http-password` are none.
pub(super) fn seems_generated(value: &str) -> bool {
    has_generated(value, MIN_GENERATED_CHARS)
}

/// Whether a text of several words contains what may be a secret. Signs are no sign of one:
/// there may be operators.
pub(super) fn has_secret_word(text: &str) -> bool {
    /// Shorter words are names of fields.
    const MIN_CHARS: usize = 12;
    let is_secret = |word: &str| resembles_secret(word) || is_generated(word, MIN_CHARS);
    text.split_whitespace().any(is_secret)
}

/// A path that was refused, for messages: it may be a secret that was put in the place of
/// its file.
pub(super) fn is_shown_path(text: &str) -> bool {
    /// Words in names of files with secrets.
    const WORDS: [&str; 5] = ["token", "secret", "password", "key", "credential"];
    let lower = text.to_ascii_lowercase();
    let is_path = text.contains('/') || WORDS.iter().any(|word| lower.contains(word));
    is_path && !may_be_secret(text)
}

/// Whether a part of a name is neither a word nor a number, however short it is.
pub(super) fn has_odd_word(name: &str) -> bool {
    is_generated(name, 0)
}

fn has_generated(value: &str, min_chars: usize) -> bool {
    let is_delimiter =
        |letter: char| letter.is_whitespace() || "\"'`,;()[]{}<>|&?/\\".contains(letter);
    value
        .split(is_delimiter)
        .any(|word| is_generated(word, min_chars))
}

/// Whether a word is long and not made of words and numbers.
fn is_generated(word: &str, min_chars: usize) -> bool {
    if word.chars().count() < min_chars {
        return false;
    }
    word.split(|letter: char| !letter.is_alphanumeric())
        .any(|part| !is_plain(part))
}

/// Whether it is a number, possibly with a unit, or letters in one case with up to four
/// digits behind them. The first letter of a word, also of one in the middle, may be upper
/// case.
fn is_plain(part: &str) -> bool {
    let is_digit = |letter: char| letter.is_ascii_digit();
    let unit = part.trim_start_matches(is_digit);
    if unit.len() <= 3 && unit.len() < part.len() && !unit.contains(is_digit) {
        return part.len() < MIN_GENERATED_CHARS;
    }
    let word = part.trim_end_matches(is_digit);
    part.len() - word.len() <= 4
        && !word.contains(is_digit)
        && (word.chars().all(|letter| !letter.is_lowercase()) || has_long_words(word))
}

/// Whether each upper-case letter begins a word of at least three letters.
fn has_long_words(word: &str) -> bool {
    let mut length = usize::MAX;
    for letter in word.chars() {
        if letter.is_uppercase() && length < 3 {
            return false;
        }
        length = if letter.is_uppercase() {
            1
        } else {
            length.saturating_add(1)
        };
    }
    length >= 3
}

/// A value for error messages, where a number or one of a few words belongs: whatever
/// else stands there is not shown, for it may be a password.
pub(super) fn quoted_choice(value: &str) -> String {
    /// The longest number with its unit, and the longest word, in characters.
    const NUMBER_CHARS: usize = 12;
    const WORD_CHARS: usize = 24;
    let written = value.trim();
    let inner = |text| written.strip_prefix('"')?.strip_suffix(text);
    let value = inner("\"").unwrap_or(written);
    let digits = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let is_number = value.len() <= NUMBER_CHARS
        && value.len() - digits.len() <= 7
        && digits
            .chars()
            .all(|letter| letter.is_ascii_digit() || " +-._".contains(letter));
    let is_word = value.len() <= WORD_CHARS
        && value
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || "_-".contains(letter));
    if is_number || is_word || matches!(value, "{…}" | "[…]") {
        quoted(written)
    } else {
        NOT_SHOWN.to_owned()
    }
}

/// The known name that is similar to `written` (one or two typing errors), if any. Two letters
/// in the wrong order are one error.
pub(super) fn close_to<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&written, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{close_to, quoted, resembles_secret, shown_address};

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        let known = ["base_url", "token_file", "max_body"];
        assert_eq!(close_to("base_ulr", known), Some("base_url"));
        assert_eq!(close_to("Base-URL", known), Some("base_url"));
        assert_eq!(close_to("tokenfile", known), Some("token_file"));
        assert_eq!(close_to("nmae", ["id", "name"]), Some("name"));
        assert_eq!(close_to("url", ["id", "name"]), None);
        assert_eq!(close_to("colour", known), None);
    }

    #[test]
    fn what_resembles_a_secret_is_distinguished_from_ordinary_values() {
        for secret in [
            "0123456789abcdef0123456789abcdef01234567",
            "Token 0123456789abcdef0123456789abcdef01234567",
            "/0123456789abcdef0123456789abcdef01234567",
            "https://user:hunter2@example.org/",
            "https://chat.example/hook?sig=1",
            "https://chat.example/services/T0001/Xy12Zz34Xy12Zz34",
            "glpat-HEADERSECRET-9f8e7d",
            "xoxb-1234-5678-aB3dE6gH9",
            "password=x",
        ] {
            assert!(resembles_secret(secret), "{secret}");
            assert_eq!(quoted(secret), "[not shown]");
        }
        for ordinary in [
            "relative/path/of/something",
            "ftp://api.example.org/api",
            "advisoryd-webhook-secret-2",
            "*/5 * * * *",
            "info,advisoryd::http=debug",
            "CVE-2026-123456",
            "db01.example.org:5432",
            "Extremely Critical",
            "soc@example.org, noc@example.org",
            "127.0.0.1:8787",
        ] {
            assert!(!resembles_secret(ordinary), "{ordinary}");
        }
    }

    #[test]
    fn addresses_are_shown_without_what_may_be_secret() {
        for (address, shown) in [
            (
                "htps://api.app.secunia.com",
                Some("htps://api.app.secunia.com"),
            ),
            ("api.app.secunia.com", Some("api.app.secunia.com")),
            (
                "https://10.0.0.300:70000/a?b=c",
                Some("https://10.0.0.300:70000/…"),
            ),
            ("hooks.example.org/services/x", Some("hooks.example.org/…")),
            ("postgres:///advisoryd", Some("postgres:///…")),
            ("https://h.example/#hunter2", Some("https://h.example/…")),
            ("https://user:hunter2@example.org/", None),
            ("hunter2", None),
            ("https//x.example/hunter2", None),
            ("Tr0ub4dor.xyzzy", None),
            ("https://Xy12Zz34Xy12Zz34/", None),
            ("correct horse.de", None),
        ] {
            assert_eq!(shown_address(address).as_deref(), shown, "{address}");
        }
    }

    #[test]
    fn quoted_values_are_printable_and_bounded() {
        assert_eq!(quoted("a\nb"), "a b");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 120);
    }
}
