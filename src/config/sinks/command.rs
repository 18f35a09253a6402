//! Command sink settings.

use nix::unistd::User;

use super::super::section::Section;
use super::super::tree::SettingNode;
use super::super::values::{number, text, texts};
use crate::config::advice::Advice;

/// Maximum length of a command line, in arguments.
const MAX_WORDS: usize = 64;
/// Upper limit of `max_bytes`, as for the body of a hook.
const MAX_BYTES: usize = 8 << 20;

/// `kind = "command"`: a program that reads the message as JSON from standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSettings {
    /// An absolute path and its arguments; no shell is involved.
    pub program: Vec<String>,
    /// The user whose rights the program has; that of the daemon if none is named.
    pub user: Option<String>,
    /// Maximum length of the input of several alerts, in bytes.
    pub max_bytes: usize,
}

impl CommandSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        if !section.has("program") {
            let advice = "add path and arguments, such as `program = [\"/usr/local/bin/page\"]`";
            section.missing("program", advice);
        }
        let program = section.optional("program", program);
        let user = section.optional("user", user);
        let max_bytes = section.value("max_bytes", MAX_BYTES, number(1..=MAX_BYTES));
        Some(Self {
            program: program?,
            user,
            max_bytes,
        })
    }
}

fn user(node: &SettingNode) -> Result<String, Advice> {
    let name = text(node)?;
    match User::from_name(&name) {
        Ok(Some(_)) => Ok(name),
        _ => Err("expected the name of a user of this machine".into()),
    }
}

fn program(node: &SettingNode) -> Result<Vec<String>, Advice> {
    let advice = "expected a list of strings that starts with an absolute path, \
                  such as `[\"/usr/local/bin/page\", \"--team\", \"soc\"]`";
    let words = texts(node).map_err(|_| advice)?;
    let is_path = words.first().is_some_and(|first| first.starts_with('/'));
    if !is_path || words.len() > MAX_WORDS || words.iter().any(|word| word.contains('\0')) {
        return Err(advice.into());
    }
    Ok(words)
}
