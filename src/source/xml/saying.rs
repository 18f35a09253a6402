//! What a value around or beside records says by the words of its name, where the name as a
//! whole is not known: a count of records, that some are missing, or a message.

use std::sync::LazyLock;

use regex::Regex;

/// A longer text is a description, and no message.
const LONGEST_MESSAGE_BYTES: usize = 300;
/// Words of names of counts.
const TOTAL: [&str; 22] = [
    "total",
    "totals",
    "count",
    "counted",
    "size",
    "length",
    "found",
    "match",
    "matches",
    "matched",
    "matching",
    "hits",
    "available",
    "records",
    "rows",
    "items",
    "entries",
    "results",
    "advisories",
    "tickets",
    "elements",
    "documents",
];
/// Words of names of numbers that count or measure something else than records.
const OTHER: [&str; 57] = [
    "page",
    "pages",
    "per",
    "limit",
    "max",
    "maximum",
    "min",
    "offset",
    "start",
    "index",
    "from",
    "to",
    "time",
    "ms",
    "millis",
    "seconds",
    "took",
    "duration",
    "byte",
    "bytes",
    "kb",
    "mb",
    "file",
    "content",
    "version",
    "id",
    "ids",
    "status",
    "code",
    "year",
    "days",
    "day",
    "date",
    "timestamp",
    "list",
    "lists",
    "vendor",
    "vendors",
    "product",
    "products",
    "release",
    "releases",
    "cve",
    "cves",
    "user",
    "users",
    "since",
    "until",
    "at",
    "epoch",
    "unix",
    "rate",
    "score",
    "rank",
    "hash",
    "sequence",
    "serial",
];
/// Words of names of numbers that say how much is missing.
const LACK: [&str; 29] = [
    "failed",
    "failure",
    "failures",
    "skipped",
    "omitted",
    "dropped",
    "missing",
    "excluded",
    "hidden",
    "truncated",
    "lost",
    "unavailable",
    "incomplete",
    "partial",
    "ignored",
    "suppressed",
    "discarded",
    "unprocessed",
    "unread",
    "unreadable",
    "removed",
    "withheld",
    "denied",
    "errors",
    "timeouts",
    "timed",
    "aborted",
    "clipped",
    "cut",
];
/// Words of names of flags, beside those of [`LACK`], that say that something is missing.
const NOT_ALL: [&str; 34] = [
    "fewer",
    "limited",
    "capped",
    "short",
    "shortened",
    "reduced",
    "trimmed",
    "abridged",
    "elided",
    "exceeded",
    "overflow",
    "throttled",
    "stopped",
    "interrupted",
    "cancelled",
    "canceled",
    "timeout",
    "expired",
    "error",
    "fail",
    "fault",
    "broken",
    "corrupt",
    "damaged",
    "degraded",
    "degradation",
    "stale",
    "outdated",
    "obsolete",
    "fallback",
    "sample",
    "sampled",
    "preview",
    "maintenance",
];
/// Words of names of flags that say that more follows.
const FOLLOWS: [&str; 5] = ["more", "next", "remaining", "continued", "continues"];
/// Words of names of flags that must not be false.
const WHOLE: [&str; 14] = [
    "ok",
    "success",
    "successful",
    "succeeded",
    "complete",
    "completed",
    "done",
    "finished",
    "exhaustive",
    "all",
    "whole",
    "full",
    "valid",
    "exact",
];
/// Words of names of flags that deny what their other words say.
const NEGATION: [&str; 4] = ["no", "not", "non", "without"];
/// Words of names of messages that are always about something that went wrong.
const WARNING: [&str; 10] = [
    "warning",
    "warnings",
    "warn",
    "problem",
    "problems",
    "caveat",
    "caveats",
    "issue",
    "issues",
    "degradation",
];
/// Words of names of other messages.
const MESSAGE: [&str; 16] = [
    "message", "messages", "msg", "detail", "details", "reason", "note", "notes", "notice",
    "notices", "info", "hint", "hints", "remark", "remarks", "comment",
];
/// The same in a page of JSON, where a text stands only in place of something else.
const ANSWER: [&str; 5] = ["message", "messages", "msg", "detail", "reason"];
/// Beginnings of messages that say that all is well.
const WELL: [&str; 8] = [
    "ok", "success", "done", "complete", "none", "no ", "null", "n/a",
];

/// Messages that say that something is missing.
static LESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r"(?ix)
        \bonly\s+(the\s+)?(first|last|newest|latest|top|\d|some|part) | \b(first|top)\s+\d
        | \b(limited|restricted|reduced|capped|shortened)\s+(to|at|by)\b
        | \blimit\s+(was\s+|is\s+|has\s+been\s+)?(reached|exceeded|of)\b | \bexceed(s|ed)\b
        | \bstopped\b | \baborted\b | \bskipped\b | \bomitted\b | \bmissing\b | \bdropped\b
        | \bleft\s+out\b | \bcut\s+(off|short)\b | \btruncated\b | \bwithheld\b
        | \b(could|can|did|was|were|has|have|is|are)\s?(not|n't)\b | \bcannot\b
        | \bfail(ed|ure|ures|s)\b | \btimed?[\s-]?out\b | \bunavailable\b | \bdegraded\b
        | \b(is|are|was|were|be)\s+(incomplete|partial|stale|outdated)\b | \bstale\b
        | \bpartial\s+(result|answer|response|list|data|output)s?\b
        | \b(more|further|remaining)\s+(results|records|rows|entries|items|advisories|tickets)\b";
    // A test holds that it can be compiled.
    Regex::new(pattern).ok()
});

/// Whether a name is that of a count of records.
pub(in crate::source) fn is_total(name: &str) -> bool {
    let words = words(name);
    has(&words, &TOTAL) && !has(&words, &OTHER) && !has(&words, &LACK)
}

/// Whether a flag of a name that is not known says that more follows.
pub(super) fn is_more(name: &str, value: &str) -> bool {
    let words = words(name);
    is_true(value) && has(&words, &FOLLOWS) && !has(&words, &NEGATION)
}

fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("yes")
}

/// Whether the value of a name that is not known says that something is missing. In a page of
/// JSON (`is_key`) a text has no other reason to be there.
pub(super) fn is_lack(name: &str, value: &str, is_key: bool) -> bool {
    let words = words(name);
    let is = |word: &str| value.eq_ignore_ascii_case(word);
    if is_true(value) {
        // A flag of another name is new, and is reported as that. `no_more` denies.
        return !has(&words, &NEGATION) && (has(&words, &LACK) || has(&words, &NOT_ALL));
    }
    if is("false") || is("no") {
        return has(&words, &WHOLE);
    }
    if let Ok(number) = value.parse::<f64>() {
        return number > 0.0 && has(&words, &LACK) && !has(&words, &OTHER);
    }
    let is_well = WELL
        .iter()
        .any(|well| value.to_lowercase().starts_with(well));
    if value.is_empty() || is_well || value == "[]" || value == "{}" {
        return false;
    }
    has(&words, &WARNING)
        || is_key && has(&words, &ANSWER)
        || has(&words, &MESSAGE) && is_less(value)
}

/// Whether a name is that of a message.
pub(super) fn is_message(name: &str) -> bool {
    let words = words(name);
    has(&words, &WARNING) || has(&words, &MESSAGE)
}

fn is_less(text: &str) -> bool {
    text.len() <= LONGEST_MESSAGE_BYTES
        && LESS.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

fn has(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| known.contains(&word.as_str()))
}

/// The words of a name, in lower case: `numFound`, `num_found` and `x:num-found` have the same.
pub(in crate::source) fn words(name: &str) -> Vec<String> {
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{LESS, is_lack, is_more, is_total, words};

    #[test]
    fn names_are_read_by_their_words() {
        assert!(LESS.is_some());
        for name in ["numFound", "num_found", "x:num-found", "NUM_FOUND"] {
            assert_eq!(words(name), ["num", "found"], "{name}");
        }
        for total in [
            "size",
            "matches",
            "totalMatches",
            "found",
            "tickets_available",
        ] {
            assert!(is_total(total), "{total}");
        }
        for other in [
            "page_size",
            "limit",
            "took_ms",
            "list_count",
            "version",
            "failed_count",
        ] {
            assert!(!is_total(other), "{other}");
        }
    }

    #[test]
    fn what_says_that_something_is_missing_is_distinguished_from_what_does_not() {
        for (name, value) in [
            ("timed_out", "true"),
            ("resultsClipped", "true"),
            ("everything_complete", "false"),
            ("preview", "true"),
            ("isDegraded", "yes"),
            ("skipped", "3"),
            ("shards_failed", "1"),
            ("warning", "Licence expires"),
            ("note", "Output stopped after 2 advisories"),
            ("notice", "3 advisories could not be rendered"),
        ] {
            assert!(is_lack(name, value, false), "{name}: {value}");
        }
        for (name, value) in [
            ("is_valid", "true"),
            ("is_premium", "true"),
            ("no_rows_omitted", "true"),
            ("read_only", "true"),
            ("timed_out", "false"),
            ("skipped", "0"),
            ("took", "15"),
            ("rejected", "3"),
            ("recordsFiltered", "3"),
            ("note", "For licensed users only. No warranty."),
            ("message", "Done"),
            ("warning", "none"),
            ("warnings", "[]"),
            ("title", "Only the first 3"),
        ] {
            assert!(!is_lack(name, value, true), "{name}: {value}");
        }
        assert!(is_more("has_more_rows", "true"));
        assert!(!is_more("has_more_rows", "false"));
        assert!(!is_more("no_more_rows", "true"));
        assert!(is_lack("detail", "Some words", true));
        assert!(!is_lack("detail", "Some words", false));
    }
}
