//! The arrows of docs/architecture.md, held.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer and what it may use of this crate besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("config", &["model"]),
    ("http", &["model", "config", "clock"]),
    ("source", &["model", "config", "http"]),
    ("sink", &["model", "config", "http"]),
    ("store", &["model"]),
    ("cluster", &["model"]),
    ("signals", &[]),
    ("measures", &["model", "http", "store"]),
    (
        "job",
        &[
            "model", "clock", "config", "http", "source", "store", "sink", "measures",
        ],
    ),
    ("capture", &["model", "config", "http", "source"]),
    ("simulate", &["model", "clock"]),
    ("logging", &["config"]),
    (
        "startup",
        &[
            "model", "clock", "cluster", "config", "http", "job", "sink", "source", "store",
        ],
    ),
    (
        "daemon",
        &[
            "model", "clock", "cluster", "config", "http", "job", "measures", "signals", "sink",
            "startup", "store",
        ],
    ),
];

/// What the innermost layer may not name: it does no I/O and knows no format or table.
const NOT_IN_MODEL: &[&str] = &["sqlx", "reqwest", "quick_xml", "tokio"];

#[test]
fn arrows_point_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (layer, allowed) in ARROWS {
        for file in files(&source, layer) {
            let text = fs::read_to_string(&file).unwrap();
            for used in used_layers(&text) {
                let known = used == *layer || allowed.contains(&used.as_str());
                if !known && is_layer(&source, &used) {
                    wrong.push(format!("`{layer}` uses `{used}` ({})", file.display()));
                }
            }
            if *layer == "model" {
                for name in NOT_IN_MODEL.iter().filter(|name| text.contains(*name)) {
                    wrong.push(format!("`model` names `{name}` ({})", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_layer(source: &Path, name: &str) -> bool {
    source.join(name).is_dir() || source.join(format!("{name}.rs")).is_file()
}

fn files(source: &Path, layer: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let alone = source.join(format!("{layer}.rs"));
    if alone.is_file() {
        found.push(alone);
    }
    let mut waiting = vec![source.join(layer)];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    assert!(!found.is_empty(), "there is no layer `{layer}`");
    found
}

/// The names after `crate::`, also within braces.
fn used_layers(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split(';').next().unwrap_or_default();
            used.extend(list.split(',').map(|item| first_word(item.trim())));
        } else {
            used.push(first_word(rest));
        }
    }
    used
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}
