//! Messages around and beside records: what was left out, and what failed.

use std::sync::LazyLock;

use regex::Regex;

/// A longer text is a description, and no message.
const LONGEST_MESSAGE_BYTES: usize = 300;

/// Messages by which a document says that something was left out. Words of disclaimers
/// (`may be incomplete`) and of descriptions are not among them.
static LEFT_OUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r"(?ix)
        \b(results?|records?|advisories|entries|items|rows|output|list|response|document|feed|set)
            \b[^.;]{0,30}\b(truncated|cut\s(off|short))\b
        | \b(truncated|incomplete|partial)\s(results?|output|list|response|document|feed)\b
        | \btoo\smany\s(results|records|advisories|entries|items|rows)\b
        | \b\d+\s(records|advisories|entries|items|rows)\s(were\s|was\s|are\s)?
            (skipped|omitted|missing|dropped|left\sout|could\snot)\b
        | ^\s*(truncated|incomplete)\s*[.!]?\s*$";
    // A test holds that it can be compiled.
    Regex::new(pattern).ok()
});

/// Messages around and beside records by which a document says that something failed.
static FAILED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r"(?ix)
        \b(response|answer|results?|data|copy|content)\s+(is|are)\s+stale\b
        | \b(internal|server|database|backend|fatal|unexpected)\s+(server\s+)?error\b
        | \btimed\s+out\b | \btime-?out\b";
    // A test holds that it can be compiled.
    Regex::new(pattern).ok()
});

/// Whether it says that something was left out.
pub(super) fn is_left_out(text: &str) -> bool {
    text.len() <= LONGEST_MESSAGE_BYTES
        && LEFT_OUT
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(text))
}

/// Whether it says that something failed.
pub(super) fn is_failed(text: &str) -> bool {
    text.len() <= LONGEST_MESSAGE_BYTES
        && FAILED
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::{FAILED, LEFT_OUT, is_left_out};

    #[test]
    fn messages_about_what_was_left_out_are_distinguished_from_descriptions() {
        assert!(LEFT_OUT.is_some() && FAILED.is_some());
        for message in [
            "Result truncated",
            "Results truncated at 500",
            "The list was cut off after 200 advisories",
            "truncated",
            "Partial result: timeout",
            "Too many results",
        ] {
            assert!(is_left_out(message), "{message}");
        }
        for text in [
            "",
            "Secunia advisories for Linux",
            "The data may be incomplete. No warranty.",
            "Partial Fix",
            "The list of advisories of your account. Long descriptions are truncated",
        ] {
            assert!(!is_left_out(text), "{text}");
        }
    }
}
