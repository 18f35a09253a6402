//! What people read, pinned by the files in `snapshots/`. A test asserts exit
//! statuses, states and data itself and leaves the wording to
//! [`assert_reads!`]: a change of wording is then a change of those files alone,
//! made by `INSTA_UPDATE=always cargo test --locked` and read in the diff.

use std::fmt::Display;
use std::sync::LazyLock;

use regex::Regex;

/// What differs from one run to the next, and what stands for it.
const VARIES: [(&str, &str); 19] = [
    // Roles belong to the whole server: another test may just have a member of this one.
    (
        r"(?m)^ok +database: members of advisoryd_reader may take advisory locks.*\n",
        "",
    ),
    (r"/[\w/.-]*/advisoryd-tests-\d+/run-\w+/state-\w+", "[dir]"),
    (r"/tmp/\.tmp\w+", "[dir]"),
    (r"\btest_\d+\b", "[database]"),
    (r"(127\.0\.0\.1|localhost|\]):\d+", "$1:[port]"),
    (
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "[id]",
    ),
    (
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC| E[DS]T|[+-]\d\d(:?\d\d)?)?",
        "[time]",
    ),
    (r"\b\d{4}-\d\d-\d\d\b", "[date]"),
    (r"\b[0-2]\d:[0-5]\d(:\d\d(\.\d+)?)?\b", "[time]"),
    (r"process \d+ on [\w.-]+", "process [pid] on [host]"),
    (r"pid \d+ on [\w.-]+", "pid [pid] on [host]"),
    (r"(acknowledged +by) [\w.-]+", "$1 [user]"),
    // As a query of a request has it.
    (r"=\d{10}\b", "=[time]"),
    (r"  \d+\.\d m?s  ", "  [latency]  "),
    (r"-?\b\d+(\.\d+)? (s|min|h|days?)\b", "[span]"),
    (r"\b\d+(\.\d+)? (B|[KM]iB)\b", "[size]"),
    // The largest come first.
    (r"\w+ \[size\](, \w+ \[size\])+", "[tables]"),
    // Columns are as wide as what stands in them.
    (r"(\]( ago)?) {2,}", "$1  "),
    (r"(?m) +$", ""),
];

/// A text as it reads in every run.
pub fn words(text: &impl Display) -> String {
    static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let compiled = |(pattern, name)| (Regex::new(pattern).expect("a pattern"), name);
        VARIES.into_iter().map(compiled).collect()
    });
    VARYING
        .iter()
        .fold(text.to_string(), |text, (pattern, name)| {
            pattern.replace_all(&text, *name).into_owned()
        })
}

/// The text with something else for what only this test knows to vary.
pub fn without(text: &impl Display, pattern: &str, name: &str) -> String {
    let pattern = Regex::new(pattern).expect("a pattern");
    pattern.replace_all(&text.to_string(), name).into_owned()
}

/// Asserts that these texts, one below the other, read as the file of the test
/// in `snapshots/` says.
macro_rules! assert_reads {
    ($($text:expr),+ $(,)?) => {{
        let words = [$($crate::support::words(&$text)),+].join("\n");
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(words);
        });
    }};
}
pub(crate) use assert_reads;
