//! A type that other files can use has a name that no type of another file has: a search
//! for the name finds one definition.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

use super::imports::without_tests;
use crate::support::source::rust_files;

#[test]
fn types_that_other_files_can_use_have_names_of_their_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let definition =
        Regex::new(r"(?m)^\s*pub(?:\([^)]*\))?\s+(?:struct|enum|union|trait|type)\s+(\w+)")
            .unwrap();
    let mut files = BTreeMap::<String, BTreeSet<String>>::new();
    for file in rust_files(&root) {
        let text = without_tests(&fs::read_to_string(&file).unwrap());
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        for captures in definition.captures_iter(&text) {
            files
                .entry(captures[1].to_owned())
                .or_default()
                .insert(name.clone());
        }
    }
    assert!(files.len() > 500, "{} types", files.len());
    let shared: Vec<String> = files
        .into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|(name, files)| {
            let files: Vec<String> = files.into_iter().collect();
            format!("`{name}` is defined in {}", files.join(", "))
        })
        .collect();
    assert!(shared.is_empty(), "{}", shared.join("\n"));
}
