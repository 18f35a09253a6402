use reqwest::header::HeaderValue;

use super::super::environment::Environment;
use super::super::section::Section;
use super::super::tree::Node;
use super::super::values::text;
use super::target::{MAX_VALUE_CHARS, Target};
use super::template::{Template, template};

/// `kind = "hook"`: an incoming hook whose body a template makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where it goes.
    pub target: Target,
    /// What makes the body.
    pub body: HookBody,
    /// Default: `application/json`; the body is then checked to be JSON.
    pub content_type: String,
}

/// What makes the body of a hook.
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

    /// Whether what is posted has to be JSON.
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
        _ => Err("write `slack`, `teams` or `mattermost`, or use `template_file`".into()),
    });
    let has_template = section.has("template_file");
    let template = section.optional("template_file", template);
    if has_preset && has_template {
        let advice = "write `preset` or `template_file`, not both";
        section.wrong("preset", "[not shown]", advice);
    }
    if !has_preset && !has_template {
        let advice = "write `slack`, `teams` or `mattermost`, or use `template_file`";
        section.missing("preset", advice);
    }
    preset.or(template.map(HookBody::Template))
}

fn content_type(node: &Node) -> Result<String, String> {
    let text = text(node)?;
    let is_type = text.contains('/') && text.len() <= MAX_VALUE_CHARS;
    match HeaderValue::from_str(&text) {
        Ok(_) if is_type => Ok(text.to_ascii_lowercase()),
        _ => Err("write a media type such as `application/json` or `text/plain`".into()),
    }
}
