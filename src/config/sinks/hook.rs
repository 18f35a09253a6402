//! Hook sink settings: Slack, Teams, Mattermost, or a template.

use reqwest::header::HeaderValue;

use super::super::environment::Environment;
use super::super::section::Section;
use super::super::tree::Node;
use super::super::values::text;
use super::target::{MAX_VALUE_CHARS, Target};
use super::template::{Template, template};

/// `kind = "hook"`: an incoming webhook whose body is rendered from a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// URL and HTTP settings.
    pub target: Target,
    /// Template of the body.
    pub body: HookBody,
    /// Media type. Default: `application/json`; the body must then be valid JSON.
    pub content_type: String,
}

/// Template of the body of a hook: a preset or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookBody {
    /// `preset = "slack"`
    Slack,
    /// `preset = "teams"`
    Teams,
    /// `preset = "mattermost"`
    Mattermost,
    /// `template_file`
    Template(Template),
}

impl Hook {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let target = Target::read(section, env);
        let body = body(section);
        let json = "application/json".to_owned();
        let content_type = section.value("content_type", json, content_type);
        Some(Self {
            target: target?,
            body: body?,
            content_type,
        })
    }

    /// Whether the body must be valid JSON.
    pub fn is_json(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        essence.trim().ends_with("json")
    }
}

fn body(section: &mut Section<'_>) -> Option<HookBody> {
    let has_preset = section.has("preset");
    let preset = section.optional("preset", |node| match text(node)?.as_str() {
        "slack" => Ok(HookBody::Slack),
        "teams" => Ok(HookBody::Teams),
        "mattermost" => Ok(HookBody::Mattermost),
        _ => Err("expected `slack`, `teams` or `mattermost`, or use `template_file`".into()),
    });
    let has_template = section.has("template_file");
    let template = section.optional("template_file", template);
    if has_preset && has_template {
        let advice = "expected `preset` or `template_file`, not both";
        section.wrong("preset", "[not shown]", advice);
    }
    if !has_preset && !has_template {
        let advice = "set it to `slack`, `teams` or `mattermost`, or use `template_file`";
        section.missing("preset", advice);
    }
    preset.or(template.map(HookBody::Template))
}

fn content_type(node: &Node) -> Result<String, String> {
    let text = text(node)?;
    let is_type = text.contains('/') && text.len() <= MAX_VALUE_CHARS;
    match HeaderValue::from_str(&text) {
        Ok(_) if is_type => Ok(text.to_ascii_lowercase()),
        _ => Err("expected a media type such as `application/json` or `text/plain`".into()),
    }
}
