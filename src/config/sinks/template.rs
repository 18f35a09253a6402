use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::super::tree::Node;
use super::super::values::absolute_path;

/// Longest template, in bytes: a page of text, many times over.
const MAX_TEMPLATE_BYTES: u64 = 256 * 1024;

/// A template of the operator's, read and checked when the configuration is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Where it came from.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// Reads the file and checks that it is a template.
pub(super) fn template(node: &Node) -> Result<Template, String> {
    let path = absolute_path(node)?;
    let mut text = String::new();
    let length = File::open(&path)
        .and_then(|file| file.take(MAX_TEMPLATE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("write the path of a template that can be read ({error})"))?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_TEMPLATE_BYTES) {
        return Err(format!(
            "write a template of at most {MAX_TEMPLATE_BYTES} bytes"
        ));
    }
    if let Err(error) = minijinja::Environment::new().template_from_str(&text) {
        let line = error.line().unwrap_or_default();
        let what = error.detail().unwrap_or("syntax error").to_owned();
        return Err(format!("correct line {line} of the template ({what})"));
    }
    Ok(Template { path, text })
}
