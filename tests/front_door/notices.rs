//! What the repository says of itself: THIRD-PARTY-NOTICES names every locked package,
//! deny.toml every licence, docs/security.md only tests that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;
use toml::{Table, Value};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names and versions of all packages that come from a registry.
fn locked() -> BTreeSet<String> {
    let lock: Table = read("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let name = |package: &Value| {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        format!("{} {}", text("name"), text("version"))
    };
    let registered = |package: &&Value| package.get("source").is_some();
    packages.iter().filter(registered).map(name).collect()
}

#[test]
fn the_notices_name_every_locked_package() {
    let notices = read("THIRD-PARTY-NOTICES");
    let lists = notices.split("======").next().unwrap();
    let (linked, others) = lists.split_once("Locked, and not part").unwrap();
    let linked = linked.lines().filter_map(|line| line.split_once(": "));
    let linked: Vec<&str> = linked.map(|(name, _)| name).collect();
    assert!(linked.len() > 100, "{}", linked.len());
    let others = others.lines().skip(2).filter(|line| !line.is_empty());
    let named: BTreeSet<String> = linked
        .into_iter()
        .chain(others)
        .map(str::to_owned)
        .collect();
    let locked = locked();
    let differ: Vec<&String> = named.symmetric_difference(&locked).collect();
    assert!(differ.is_empty(), "run `make notices`: {differ:?}");
}

#[test]
fn every_licence_of_the_binary_is_allowed() {
    let rules: Table = read("deny.toml").parse().unwrap();
    let allowed = rules["licenses"]["allow"].as_array().unwrap();
    let allowed: BTreeSet<&str> = allowed.iter().filter_map(Value::as_str).collect();
    let notices = read("THIRD-PARTY-NOTICES");
    let list = notices.split("Locked, and not part").next().unwrap();
    for (name, licence) in list.lines().filter_map(|line| line.split_once(": ")) {
        let is_allowed = licence.split(" AND ").all(|part| {
            let part = part.trim_matches(['(', ')', ' ']).replace('/', " OR ");
            part.split(" OR ").any(|one| allowed.contains(one.trim()))
        });
        assert!(is_allowed, "{name}: {licence}");
    }
}

#[test]
fn a_release_checks_for_overflow() {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    let checks = &manifest["profile"]["release"]["overflow-checks"];
    assert_eq!(checks.as_bool(), Some(true));
}

/// Every Rust file below a directory.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("tests"), &mut files);
    sources(&root.join("src"), &mut files);
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let name = Regex::new("`([a-z0-9]+(?:_[a-z0-9]+){3,})`").unwrap();
    let page = read("docs/security.md");
    let named: BTreeSet<&str> = name
        .captures_iter(&page)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert!(named.len() > 30, "{}", named.len());
    let missing: Vec<&&str> = named
        .iter()
        .filter(|name| !text.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
