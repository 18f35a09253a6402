//! The arrows of docs/architecture.md, held: layers, chapters, and no circle of files.

mod imports;
mod names;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imports::{Imports, Module};

/// Each layer and what it may use of this crate besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("files", &[]),
    ("instance", &[]),
    ("config", &["model"]),
    ("http", &["model", "config", "clock"]),
    ("source", &["model", "config", "http"]),
    ("sink", &["model", "config", "http"]),
    ("store", &["model", "instance"]),
    ("cluster", &["model"]),
    ("signals", &[]),
    ("measures", &["model", "http", "store"]),
    ("traces", &["model", "config"]),
    (
        "job",
        &[
            "model", "clock", "config", "files", "http", "source", "store", "sink", "measures",
            "traces",
        ],
    ),
    ("capture", &["model", "config", "http", "source"]),
    ("transfer", &["model", "config", "cluster", "files"]),
    ("simulate", &["model", "clock"]),
    ("logging", &["model", "config"]),
    (
        "startup",
        &[
            "model", "clock", "cluster", "config", "http", "job", "sink", "source", "store",
        ],
    ),
    (
        "daemon",
        &[
            "model", "clock", "cluster", "config", "files", "http", "job", "measures", "signals",
            "sink", "startup", "store",
        ],
    ),
    (
        "cli",
        &[
            "model", "capture", "clock", "cluster", "config", "daemon", "files", "http", "job",
            "logging", "signals", "simulate", "sink", "source", "startup", "store", "traces",
            "transfer",
        ],
    ),
    ("main", &["cli"]),
];

/// Each chapter of `store` and which others it may use.
const STORE: &[(&str, &[&str])] = &[
    ("origin", &[]),
    ("database", &[]),
    ("notify", &[]),
    ("change", &["notify", "origin"]),
    ("budget", &["database"]),
    ("bundle", &[]),
    ("enrichment", &["change"]),
    ("ledger", &["database", "origin"]),
    ("wanted", &["origin"]),
    ("lists", &["ledger"]),
    ("health", &["ledger"]),
    ("reports", &["advisories", "ledger"]),
    ("alerts", &["notify"]),
    ("advisories", &["change", "ledger", "origin", "wanted"]),
    ("tickets", &["advisories", "change", "origin"]),
    ("trust", &["advisories", "ledger", "tickets"]),
];

/// Each chapter of `job` and which others it may use.
const JOB: &[(&str, &[&str])] = &[
    ("failure", &[]),
    ("caught", &["failure"]),
    ("problems", &[]),
    ("budget", &[]),
    ("account", &[]),
    ("coverage", &[]),
    ("pauses", &[]),
    ("context", &["budget", "failure", "pauses", "problems"]),
    ("outage", &["context", "failure", "problems"]),
    ("transaction", &["failure"]),
    ("run", &["context", "coverage", "failure", "transaction"]),
    ("collection", &["context", "failure"]),
    ("health", &["context", "failure", "problems"]),
    ("enrichment", &["context", "failure"]),
    (
        "lists",
        &["collection", "context", "failure", "transaction"],
    ),
    ("alerts", &["context", "failure", "health", "outage"]),
    (
        "details",
        &[
            "caught",
            "collection",
            "context",
            "failure",
            "run",
            "transaction",
        ],
    ),
    (
        "feeds",
        &[
            "caught",
            "collection",
            "context",
            "details",
            "failure",
            "lists",
            "run",
            "transaction",
        ],
    ),
    (
        "tickets",
        &["caught", "collection", "context", "failure", "run"],
    ),
    (
        "trust",
        &[
            "context",
            "details",
            "failure",
            "feeds",
            "run",
            "tickets",
            "transaction",
        ],
    ),
    (
        "bundle",
        &[
            "collection",
            "context",
            "details",
            "enrichment",
            "failure",
            "feeds",
            "lists",
            "run",
            "tickets",
        ],
    ),
];

/// What the innermost layer may not name: it does no I/O and knows no format or table.
const NOT_IN_MODEL: &[&str] = &["sqlx", "reqwest", "quick_xml", "tokio"];

/// Maximum length of a file, in lines: what is longer has a second subject.
const MAX_LINES: usize = 400;

#[test]
fn the_page_about_the_architecture_names_each_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let is_named = |layer: &str| {
        let row = |path: String| page.contains(&format!("\n| `{path}` |"));
        row(format!("{layer}/")) || row(format!("{layer}.rs"))
    };
    let layers = LAYERS.iter().map(|(layer, _)| *layer);
    let unnamed = layers.filter(|layer| *layer != "main" && !is_named(layer));
    assert_eq!(unnamed.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn no_file_is_too_long() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![src.clone()];
    let mut wrong = Vec::new();
    let mut count = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                count += 1;
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines > MAX_LINES {
                    let name = path.strip_prefix(&src).unwrap().display();
                    wrong.push(format!(
                        "{name} has {lines} lines, expected at most {MAX_LINES}"
                    ));
                }
            }
        }
    }
    assert!(count > 300, "{count} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_between_layers_point_one_way() {
    let imports = Imports::read();
    let top = |module: &Module| module.first().cloned();
    let wrong = wrong_arrows(imports, LAYERS, top);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_between_chapters_point_one_way() {
    let imports = Imports::read();
    let mut wrong = Vec::new();
    for (layer, chapters) in [("store", STORE), ("job", JOB)] {
        let chapter = |module: &Module| {
            let (first, rest) = module.split_first()?;
            (first == layer).then(|| rest.first().cloned()).flatten()
        };
        wrong.extend(wrong_arrows(imports, chapters, chapter));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_model_names_no_table_and_no_network() {
    let imports = Imports::read();
    let wrong: Vec<String> = imports
        .texts()
        .filter(|(module, _)| module.first().is_some_and(|first| first == "model"))
        .flat_map(|(module, text)| {
            let named = NOT_IN_MODEL.iter().filter(move |name| text.contains(*name));
            named.map(move |name| format!("`{}` names `{name}`", module.join("::")))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = Imports::read();
    let circles: Vec<String> = imports
        .circles()
        .into_iter()
        .map(|circle| {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            names.join(", ")
        })
        .collect();
    assert!(
        circles.is_empty(),
        "move what both sides use into a file of its own:\n{}",
        circles.join("\n")
    );
}

/// The driver's own `begin` does not look whose session the connection has.
#[test]
fn every_transaction_begins_in_the_session_of_its_connection() {
    const OF_THE_DRIVER: [&str; 4] = [
        "pool.begin()",
        "pool.begin_with(",
        "connection.begin()",
        "connection.begin_with(",
    ];
    let imports = Imports::read();
    let wrong: Vec<String> = imports
        .texts()
        .flat_map(|(module, text)| {
            let named = OF_THE_DRIVER
                .iter()
                .filter(move |name| text.contains(*name));
            named.map(move |name| {
                let module = module.join("::");
                format!("`{module}` has `{name}`, expected `database::begin`")
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Arrows that are not allowed, and parts that no table names.
fn wrong_arrows(
    imports: &Imports,
    allowed: &[(&str, &[&str])],
    part: impl Fn(&Module) -> Option<String>,
) -> Vec<String> {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = allowed
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let mut wrong = BTreeSet::new();
    for (from, to) in imports.arrows() {
        let (Some(from_part), Some(to_part)) = (part(from), part(to)) else {
            continue;
        };
        if from_part == to_part {
            continue;
        }
        match allowed.get(from_part.as_str()) {
            None => wrong.insert(format!("`{from_part}` is in no table of this test")),
            Some(uses) if !uses.contains(to_part.as_str()) => wrong.insert(format!(
                "`{from_part}` uses `{to_part}` ({} → {})",
                from.join("::"),
                to.join("::")
            )),
            Some(_) => false,
        };
    }
    wrong.into_iter().collect()
}
