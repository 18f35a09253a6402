//! Templates of sinks: a file (`template_file`), or the text itself (`template`).

use std::io::Read;

use super::super::regular_file::open_regular;
use super::super::section::Section;
use super::super::setting_error::NOT_SHOWN;
use super::super::tree::SettingNode;
use super::super::values::{absolute_path, text};
use crate::config::advice::Advice;

/// Maximum size of a template, in bytes: many pages of text.
const MAX_TEMPLATE_BYTES: u64 = 256 * 1024;

/// A template of a message, read and compiled when the configuration is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSettings {
    /// Its name in errors: the path of the file, or where the text stands.
    pub name: String,
    /// The template itself.
    pub text: String,
}

impl TemplateSettings {
    /// Checks the syntax of a template.
    pub(super) fn new(name: &str, text: &str) -> Result<Self, String> {
        if let Err(error) = minijinja::Environment::new().template_from_str(text) {
            let line = error.line().unwrap_or_default();
            let what = error.detail().unwrap_or("syntax error").to_owned();
            return Err(format!("invalid template, line {line}: {what}"));
        }
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
        })
    }
}

/// Reads the file and checks its syntax.
pub(super) fn template(node: &SettingNode) -> Result<TemplateSettings, Advice> {
    let path = absolute_path(node)?;
    let mut text = String::new();
    let length = open_regular(&path)
        .and_then(|file| file.take(MAX_TEMPLATE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("expected the path of a readable template ({error})"))?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_TEMPLATE_BYTES) {
        return Err(format!("expected a template of at most {MAX_TEMPLATE_BYTES} bytes").into());
    }
    TemplateSettings::new(&path.display().to_string(), &text).map_err(Advice::from)
}

/// `template` or `template_file`. The second is false if one of them is invalid.
pub(super) fn either(section: &mut Section<'_>, name: &str) -> (Option<TemplateSettings>, bool) {
    let (has_text, has_file) = (section.has("template"), section.has("template_file"));
    let inline = section.secret("template", |node| {
        TemplateSettings::new(name, &text(node)?).map_err(Advice::from)
    });
    let file = section.optional("template_file", template);
    if has_text && has_file {
        let advice = "expected `template` or `template_file`, not both";
        section.wrong("template", NOT_SHOWN, advice);
        return (None, false);
    }
    let found = inline.or(file);
    let is_valid = found.is_some() == (has_text || has_file);
    (found, is_valid)
}
