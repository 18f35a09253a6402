//! What writes rows is called in a transaction: its beginning looks whose session the
//! connection has (`store/database/own_session.rs`), and what belongs together is written
//! together. By the convention that a connection on which one is open is called `transaction`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::support::source::rust_files;

/// A function: the last part of its module, and its name.
type Function = (String, String);

struct Body {
    /// The directories and the name of the file; without `mod`.
    module: Vec<String>,
    function: Function,
    text: String,
}

fn bodies() -> Vec<Body> {
    let definition =
        Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?(?:async\s+)?fn\s+(\w+)").unwrap();
    let comment = Regex::new(r"//[^\n]*").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut bodies = Vec::new();
    for file in rust_files(&root) {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let parts = path.iter().map(|part| part.to_str().unwrap().to_owned());
        let module: Vec<String> = parts.filter(|part| part != "mod").collect();
        if module.iter().any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let text = comment.replace_all(text, "");
        let starts: Vec<_> = definition.captures_iter(&text).collect();
        for (at, captures) in starts.iter().enumerate() {
            let start = captures.get(0).unwrap().start();
            let end = starts.get(at + 1);
            let end = end.map_or(text.len(), |next| next.get(0).unwrap().start());
            bodies.push(Body {
                function: (
                    module.last().cloned().unwrap_or_default(),
                    captures[1].to_owned(),
                ),
                module: module.clone(),
                text: text[start..end].to_owned(),
            });
        }
    }
    bodies
}

/// Calls in a text with what they pass first: the part before the name, the name, the argument.
fn calls(text: &str) -> impl Iterator<Item = (Option<&str>, &str, &str)> {
    static CALL: std::sync::LazyLock<Regex> = std::sync::LazyLock::new(|| {
        Regex::new(r"(?:\b(\w+)::)?\b(\w+)\(\s*(?:&mut\s+)?\**([\w.]+)").unwrap()
    });
    CALL.captures_iter(text).map(|found| {
        let part = |at| found.get(at).map(|part| part.as_str());
        (
            part(1),
            part(2).unwrap_or_default(),
            part(3).unwrap_or_default(),
        )
    })
}

/// The function that a call in a module means.
fn called(module: &[String], before: Option<&str>, name: &str) -> Function {
    let own = || module.last().cloned().unwrap_or_default();
    (before.map_or_else(own, str::to_owned), name.to_owned())
}

/// Whether an argument is a connection; which name it has says whether a transaction is open.
fn is_connection(argument: &str) -> bool {
    ["connection", "transaction", "savepoint"]
        .iter()
        .any(|name| argument.ends_with(name))
}

/// The functions that write rows on a connection of their caller, directly or not.
fn writers(bodies: &[Body]) -> BTreeSet<Function> {
    let sql = Regex::new(
        r"(?i)\b(?:insert\s+into|update\s+\w+(?:\s+as)?(?:\s+\w+)?\s+set|delete\s+from|truncate\s+\w+|copy\s+\w+\s*\()\b",
    )
    .unwrap();
    let takes_connection = Regex::new(r"^[^{]*&mut (?:\w+::)*PgConnection").unwrap();
    let candidates: Vec<&Body> = bodies
        .iter()
        .filter(|body| takes_connection.is_match(&body.text))
        .collect();
    let mut writers = BTreeSet::new();
    loop {
        let before = writers.len();
        for body in &candidates {
            let is_writer = sql.is_match(&body.text)
                || calls(&body.text).any(|(before, name, argument)| {
                    is_connection(argument) && writers.contains(&called(&body.module, before, name))
                });
            if is_writer {
                writers.insert(body.function.clone());
            }
        }
        if writers.len() == before {
            return writers;
        }
    }
}

#[test]
fn rows_are_written_in_transactions() {
    let bodies = bodies();
    let writers = writers(&bodies);
    assert!(writers.len() > 100, "{} functions write", writers.len());
    let outside = bodies.iter().filter(|body| {
        let first = body.module.first().map(String::as_str);
        matches!(first, Some("job" | "cli" | "daemon" | "startup"))
    });
    let mut wrong = BTreeSet::new();
    let mut count = 0;
    for body in outside {
        for (before, name, argument) in calls(&body.text) {
            let function = called(&body.module, before, name);
            if !is_connection(argument) || !writers.contains(&function) {
                continue;
            }
            count += 1;
            let is_open = argument.ends_with("transaction") || argument.ends_with("savepoint");
            let call = format!("{}::{}", function.0, function.1);
            if !is_open {
                wrong.insert(format!(
                    "`{}` passes `{argument}` to `{call}`, which writes; expected a transaction of that name",
                    body.module.join("::")
                ));
            }
        }
    }
    assert!(count > 100, "{count} calls");
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
