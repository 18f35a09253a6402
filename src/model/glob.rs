//! Glob patterns (`*`, `?`) for rules and silences.

use regex::{RegexSet, RegexSetBuilder};

/// Size limit of the compiled patterns in bytes; limits the memory they use.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Patterns, one of which has to match the whole text: `*` matches any characters,
/// `?` one character; case-insensitive.
#[derive(Debug, Clone)]
pub struct Globs(RegexSet);

impl Globs {
    /// Compiles patterns; fails only if they are too large.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        let patterns = patterns.iter().map(|pattern| as_regex(pattern));
        RegexSetBuilder::new(patterns)
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map(Self)
            .map_err(|_| "use shorter patterns".to_owned())
    }

    /// Whether one of the patterns matches.
    pub fn fit(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// A pattern for SQL's `ilike` that finds all that a glob matches, and perhaps more: a letter
/// that is not ASCII, or `i`, stands for any, since its case depends on the locale of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikePattern {
    /// For the whole text.
    pub whole: String,
}

impl LikePattern {
    /// From a glob.
    pub fn of(glob: &str) -> Self {
        let mut whole = String::with_capacity(glob.len() + 8);
        for character in glob.chars() {
            match character {
                '*' => whole.push('%'),
                // Turkish locales have four letters `i`.
                '?' | 'i' | 'I' => whole.push('_'),
                '%' | '_' | '\\' => whole.extend(['\\', character]),
                other if other.is_ascii() || has_no_case(other) => whole.push(other),
                // More than one character in some cases, such as `ß` and `SS`.
                _ => whole.push('%'),
            }
        }
        Self { whole }
    }

    /// For a part of the text.
    pub fn part(&self) -> String {
        format!("%{}%", self.whole)
    }
}

fn has_no_case(character: char) -> bool {
    character.to_lowercase().eq([character]) && character.to_uppercase().eq([character])
}

fn as_regex(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len() + 8);
    pattern.push('^');
    for character in glob.chars() {
        match character {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            other => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push('$');
    pattern
}

#[cfg(test)]
mod tests {
    use super::{Globs, LikePattern};

    #[test]
    fn a_glob_becomes_a_pattern_of_sql_that_matches_no_less() {
        for (glob, expected) in [
            ("*print spooler*", "%pr_nt spooler%"),
            ("サイボウズ*", "サイボウズ%"),
            ("SA1?3", "SA1_3"),
            ("100%_\\", "100\\%\\_\\\\"),
            ("ÜBER*", "%BER%"),
            ("", ""),
        ] {
            assert_eq!(LikePattern::of(glob).whole, expected, "{glob}");
        }
        assert_eq!(LikePattern::of("a_b").part(), "%a\\_b%");
    }

    #[test]
    fn stars_stand_for_anything_and_all_else_for_itself() {
        let fits = |glob: &str, text: &str| {
            Globs::new(&[glob.to_owned()]).is_ok_and(|globs| globs.fit(text))
        };
        assert!(fits("*openssl*", "The OpenSSL library 3.x"));
        assert!(fits("CVE-2026-*", "CVE-2026-1234"));
        assert!(!fits("CVE-2026-*", "XCVE-2026-1234"));
        assert!(fits("cpe:/a:open?sl:*", "cpe:/a:openssl:openssl:1.0.2"));
        assert!(!fits("a.c", "abc"), "a dot is a dot");
        assert!(fits("[x]", "[x]"));
        assert!(fits("ÜBER*", "über allem"));
        assert!(fits("a*b", "a\nb"));
        assert!(!fits("", "x"));
    }
}
