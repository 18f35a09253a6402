//! Hook sink: Slack, Teams, Mattermost, or a template.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderValue;

use super::open::OpenError;
use super::outcome::{Receipt, Refused};
use super::post::{Body, Post};
use super::render::{Form, Template};
use super::secrets::Secrets;
use crate::config::{self, HookBody};
use crate::model::Message;

const SLACK: &str = include_str!("templates/slack.json.j2");
const TEAMS: &str = include_str!("templates/teams.json.j2");
const MATTERMOST: &str = include_str!("templates/mattermost.json.j2");

/// An incoming webhook whose body is rendered from a template.
#[derive(Debug)]
pub(super) struct Hook {
    post: Post,
    template: Template,
    content_type: HeaderValue,
}

impl Hook {
    pub(super) fn open(
        settings: &config::Hook,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let post = Post::open(&settings.target, timeout, secrets)?;
        let content_type = HeaderValue::from_str(&settings.content_type).map_err(|_| {
            OpenError::unusable("`content_type` contains characters that cannot be sent")
        })?;
        let form = if settings.is_json() {
            Form::Json
        } else {
            Form::Text
        };
        Ok(Self {
            post,
            template: template(&settings.body, form)?,
            content_type,
        })
    }

    pub(super) async fn send(
        &self,
        message: &Message,
        now: DateTime<Utc>,
    ) -> Result<Receipt, Refused> {
        let text = self
            .template
            .render(message)
            .map_err(|why| Refused::unbuilt(format!("the template {why}")))?;
        let body = Body {
            content_type: self.content_type.clone(),
            ..Body::json(text)
        };
        self.post.send(body, now).await
    }
}

pub(super) fn template(body: &HookBody, form: Form) -> Result<Template, OpenError> {
    match body {
        HookBody::Slack => Template::compile("preset `slack`", SLACK, Form::Json),
        HookBody::Teams => Template::compile("preset `teams`", TEAMS, Form::Json),
        HookBody::Mattermost => Template::compile("preset `mattermost`", MATTERMOST, Form::Json),
        HookBody::Template(template) => {
            let name = template.path.display().to_string();
            Template::compile(&name, &template.text, form)
        }
    }
}
