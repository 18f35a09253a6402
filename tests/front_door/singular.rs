//! No text says `1 advisories`: numbers are printed together with what they count.

use std::fs;
use std::path::Path;

use regex::Regex;

/// A number followed by a plural. `model::counted` writes both.
const COUNTED: &str = r#""[^"]*\{[^}"]*\} (?:[a-z]+ )?(?:advisories|alerts|changes|days|deliveries|gaps|lists|messages|migrations|problems|records|requests|rows|rules|runs|sinks|sources|texts|tickets|versions)\b"#;

/// Numbers that are never one, or not followed by what they count.
const OTHERS: &[&str] = &[
    // `2 of 7 tickets`, and limits.
    " of {",
    "of the {",
    " of the {",
    "more than {limit}",
    "at most {",
    "days\", minutes / 1440",
    "days\", seconds / 86_400",
    "the daily quota of {limit} requests",
    "none of the {records}",
    " for advisories",
    // Of several.
    "several => format!",
    "            days => format!",
    "several.len(), counted(several)",
    "received {rows} rows, and there are still more pages",
    // Constants of the demo.
    "{ADVISORIES} advisories",
    "{PRINTED_MESSAGES} messages",
];

fn sources(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            // The simulator is the vendor, and claims are figures for developers.
            if !["simulate", "claims", "tests"]
                .iter()
                .any(|name| path.ends_with(name))
            {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            found.extend(
                text.lines()
                    .map(|line| format!("{}: {line}", path.display())),
            );
        }
    }
}

#[test]
fn numbers_are_printed_with_the_singular_where_they_are_one() {
    let counted = Regex::new(COUNTED).unwrap();
    let mut lines = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut lines,
    );
    let wrong: Vec<&String> = lines
        .iter()
        .filter(|line| counted.is_match(line))
        .filter(|line| !OTHERS.iter().any(|other| line.contains(other)))
        .collect();
    assert!(wrong.is_empty(), "use model::counted: {wrong:#?}");
}
