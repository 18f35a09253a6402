//! Which file of `src` uses which other, read from the source text. Tests within
//! files are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use regex::Regex;

use crate::support::source::rust_files;

/// A module by its path within the crate; the crate's root is empty.
pub type Module = Vec<String>;

/// All files and who uses whom.
pub struct Imports {
    texts: BTreeMap<Module, String>,
    arrows: BTreeMap<Module, BTreeSet<Module>>,
}

static IMPORTS: OnceLock<Imports> = OnceLock::new();

impl Imports {
    /// Reads `src`, once for all tests.
    pub fn read() -> &'static Self {
        IMPORTS.get_or_init(Self::of_source)
    }

    fn of_source() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut texts = BTreeMap::new();
        for file in rust_files(&root) {
            let module = module_of(file.strip_prefix(&root).unwrap());
            if module.iter().any(|name| name == "tests") {
                continue;
            }
            texts.insert(module, without_tests(&fs::read_to_string(&file).unwrap()));
        }
        let names: Vec<(Module, Vec<Vec<String>>)> = texts
            .iter()
            .map(|(module, text)| (module.clone(), named_paths(module, text, &texts)))
            .collect();
        let published = published(&texts);
        let mut arrows = BTreeMap::<Module, BTreeSet<Module>>::new();
        for (module, paths) in names {
            for path in paths {
                let Some(target) = file_of(path, &published, &texts) else {
                    continue;
                };
                if target != module && !target.is_empty() {
                    arrows.entry(module.clone()).or_default().insert(target);
                }
            }
        }
        assert!(arrows.len() > 100, "hardly any import was found");
        Self { texts, arrows }
    }

    /// Each use of one file by another.
    pub fn arrows(&self) -> impl Iterator<Item = (&Module, &Module)> {
        self.arrows
            .iter()
            .flat_map(|(from, all)| all.iter().map(move |to| (from, to)))
    }

    /// Each file's text.
    pub fn texts(&self) -> impl Iterator<Item = (&Module, &String)> {
        self.texts.iter()
    }

    /// Sets of files each of which leads to every other: what stays when files
    /// that use nothing, or that nothing uses, are taken away again and again.
    pub fn circles(&self) -> Vec<Vec<Module>> {
        let reach: BTreeMap<&Module, BTreeSet<&Module>> = self
            .texts
            .keys()
            .map(|module| (module, self.reachable(module)))
            .collect();
        let mut circles: BTreeSet<Vec<Module>> = BTreeSet::new();
        for (module, reached) in &reach {
            if reached.contains(module) {
                let circle = reached
                    .iter()
                    .filter(|other| reach[**other].contains(module));
                circles.insert(circle.map(|other| (*other).clone()).collect());
            }
        }
        circles.into_iter().collect()
    }

    fn reachable(&self, from: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![from];
        while let Some(module) = waiting.pop() {
            for used in self.arrows.get(module).into_iter().flatten() {
                if reached.insert(used) {
                    waiting.push(used);
                }
            }
        }
        reached
    }
}

/// `store/alerts/mod.rs` and `store/alerts.rs` are `store::alerts`.
fn module_of(file: &Path) -> Module {
    let mut names: Module = file
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        names.pop();
    }
    names
}

/// The text without comments, without the contents of strings and without its
/// module of tests.
pub(super) fn without_tests(text: &str) -> String {
    let code = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let left_out = Regex::new(r##"(?s)r#".*?"#|'"'|"(?:[^"\\]|\\.)*"|//[^\n]*"##).unwrap();
    left_out.replace_all(code, "").into_owned()
}

/// Every path of this crate that a file names, from the crate's root.
fn named_paths(module: &Module, text: &str, files: &BTreeMap<Module, String>) -> Vec<Vec<String>> {
    let mut paths: Vec<Vec<String>> = uses(text)
        .into_iter()
        .filter_map(|(_, path, _)| absolute(module, &path, files))
        .collect();
    let inline = Regex::new(r"(?:^|[^\w:])((?:\w+)(?:::\w+)+)").unwrap();
    for found in inline.captures_iter(text) {
        let path: Vec<String> = found[1].split("::").map(str::to_owned).collect();
        paths.extend(absolute(module, &path, files));
    }
    paths
}

/// Names that a module passes on, and what is behind each.
fn published(files: &BTreeMap<Module, String>) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut all = BTreeMap::new();
    for (module, text) in files {
        for (is_public, path, alias) in uses(text) {
            if let (true, Some(target)) = (is_public, absolute(module, &path, files)) {
                let mut name = module.clone();
                name.push(alias);
                if name != target {
                    all.insert(name, target);
                }
            }
        }
    }
    all
}

/// Each leaf of each `use`: whether it is passed on, its path, and its name here.
fn uses(text: &str) -> Vec<(bool, Vec<String>, String)> {
    let uses = Regex::new(r"(?:^|\n)[ \t]*(pub(?:\([^)]*\))? )?use ([^;]+);").unwrap();
    let mut all = Vec::new();
    for found in uses.captures_iter(text) {
        for leaf in leaves(&found[2]) {
            let (path, alias) = leaf.split_once(" as ").unwrap_or((&leaf, ""));
            let mut path: Vec<String> = path
                .split("::")
                .map(|name| name.trim().to_owned())
                .collect();
            if path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let alias = match (alias.trim(), path.last()) {
                ("", Some(last)) => last.clone(),
                (alias, _) => alias.to_owned(),
            };
            all.push((found.get(1).is_some(), path, alias));
        }
    }
    all
}

/// `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let mut depth = 0;
    let parts = inner.split(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    });
    parts
        .filter(|part| !part.trim().is_empty())
        .flat_map(|part| leaves(part.trim()))
        .map(|leaf| format!("{before}{leaf}"))
        .collect()
}

/// A path from the crate's root; `None` for one that leads out of the crate.
fn absolute(
    module: &Module,
    path: &[String],
    files: &BTreeMap<Module, String>,
) -> Option<Vec<String>> {
    let mut start = module.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" | "advisoryd" => {
            start.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                start.pop()?;
                rest = &rest[1..];
            }
        }
        child => {
            start.push(child.to_owned());
            if !files.contains_key(&start) {
                return None;
            }
            rest = &rest[1..];
        }
    }
    start.extend(rest.iter().cloned());
    Some(start)
}

/// The file that a path leads to, through what modules pass on.
fn file_of(
    mut path: Vec<String>,
    published: &BTreeMap<Vec<String>, Vec<String>>,
    files: &BTreeMap<Module, String>,
) -> Option<Module> {
    for _ in 0..8 {
        let passed_on = (1..=path.len())
            .rev()
            .find_map(|length| Some((length, published.get(&path[..length])?)));
        let Some((length, target)) = passed_on else {
            break;
        };
        let mut next = target.clone();
        next.extend_from_slice(&path[length..]);
        path = next;
    }
    (1..=path.len())
        .rev()
        .map(|length| path[..length].to_vec())
        .find(|module| files.contains_key(module))
}
