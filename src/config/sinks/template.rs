//! Template files of sinks.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::super::tree::Node;
use super::super::values::absolute_path;

/// Maximum size of a template, in bytes: many pages of text.
const MAX_TEMPLATE_BYTES: u64 = 256 * 1024;

/// A user-defined template, read and compiled when the configuration is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Path of the file.
    pub path: PathBuf,
    /// Content of the file.
    pub text: String,
}

/// Reads the file and checks its syntax.
pub(super) fn template(node: &Node) -> Result<Template, String> {
    let path = absolute_path(node)?;
    let mut text = String::new();
    let length = File::open(&path)
        .and_then(|file| file.take(MAX_TEMPLATE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("expected the path of a readable template ({error})"))?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_TEMPLATE_BYTES) {
        return Err(format!(
            "expected a template of at most {MAX_TEMPLATE_BYTES} bytes"
        ));
    }
    if let Err(error) = minijinja::Environment::new().template_from_str(&text) {
        let line = error.line().unwrap_or_default();
        let what = error.detail().unwrap_or("syntax error").to_owned();
        return Err(format!("invalid template, line {line}: {what}"));
    }
    Ok(Template { path, text })
}
