//! The fenced blocks of README.md, SECURITY.md and docs/.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its page, such as `docs/alerts.md`.
    pub page: String,
    /// Number of its first line in the page.
    pub line: usize,
    /// The word after the fence.
    pub language: String,
    /// Its lines, without the indentation of the fence.
    pub lines: Vec<String>,
}

impl Block {
    /// The whole block.
    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// A command line, and the output that the page shows for it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where it is, such as `README.md:37`.
    pub place: String,
    /// What a reader types, in one line, with its comment.
    pub text: String,
    /// What the page shows below it.
    pub output: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages, by path. What is in progress is for us only.
pub fn pages() -> Vec<(String, String)> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("work-in-progress") {
                below(&path, found);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md"), root().join("SECURITY.md")];
    below(&root().join("docs"), &mut found);
    found.sort();
    let page = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("below the root");
        let text = fs::read_to_string(&path).expect("a page");
        (name.display().to_string(), text)
    };
    found.into_iter().map(page).collect()
}

/// All fenced blocks, in the order of the pages.
pub fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (page, text) in pages() {
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let fence = line.trim_start().strip_prefix("```");
            match (&mut open, fence) {
                (None, Some(language)) => {
                    let block = Block {
                        page: page.clone(),
                        line: number + 1,
                        language: language.to_owned(),
                        lines: Vec::new(),
                    };
                    open = Some((line.len() - line.trim_start().len(), block));
                }
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((indent, block)), None) => {
                    block
                        .lines
                        .push(line.get(*indent..).unwrap_or("").to_owned());
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{page}: a block does not end");
    }
    blocks
}

/// The command lines of a block: after `#` or `$` in a transcript (`console`), each line in
/// `sh`, the commands of a crontab. A script (`#!`) is no command line.
pub fn command_lines(block: &Block) -> Vec<Line> {
    let crontab = regex::Regex::new(r"^(?:[\d*/,-]+\s+){5}root\s+(.+)$").expect("a pattern");
    let mut found: Vec<Line> = Vec::new();
    let mut end_of_text: Option<String> = None;
    for (number, line) in (block.line..).zip(&block.lines) {
        if let Some(end) = &end_of_text {
            if line == end {
                end_of_text = None;
            }
            continue;
        }
        let typed = match block.language.as_str() {
            "console" => line.strip_prefix("# ").or(line.strip_prefix("$ ")),
            "sh" if !line.starts_with('#') => Some(line.as_str()),
            "" => crontab
                .captures(line)
                .and_then(|part| part.get(1))
                .map(|part| part.as_str()),
            _ => None,
        };
        let last = found.last_mut();
        match (last, typed) {
            (Some(last), _) if last.text.ends_with('\\') => {
                last.text.pop();
                last.text.push_str(line.trim());
            }
            (_, Some(typed)) => {
                end_of_text = typed.split_once("<<").map(|(_, end)| end.to_owned());
                found.push(Line {
                    place: format!("{}:{number}", block.page),
                    text: typed.to_owned(),
                    output: Vec::new(),
                });
            }
            (Some(last), None) => last.output.push(line.clone()),
            (None, None) => {}
        }
    }
    found.retain(|line| !line.text.trim().is_empty());
    found
}
