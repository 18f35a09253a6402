use super::super::section::Section;
use super::super::tree::Node;
use super::super::values::texts;

/// Longest command line, in words.
const MAX_WORDS: usize = 64;

/// `kind = "command"`: a program that reads the message as JSON from its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// An absolute path and its arguments; no shell reads them.
    pub program: Vec<String>,
}

impl Command {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        if !section.has("program") {
            let advice = "write path and arguments, such as `program = [\"/usr/local/bin/page\"]`";
            section.missing("program", advice);
        }
        let program = section.optional("program", program)?;
        Some(Self { program })
    }
}

fn program(node: &Node) -> Result<Vec<String>, String> {
    let advice = "write a list of texts whose first is a path that begins with `/`, \
                  such as `[\"/usr/local/bin/page\", \"--team\", \"soc\"]`";
    let words = texts(node).map_err(|_| advice)?;
    let is_path = words.first().is_some_and(|first| first.starts_with('/'));
    if !is_path || words.len() > MAX_WORDS || words.iter().any(|word| word.contains('\0')) {
        return Err(advice.into());
    }
    Ok(words)
}
