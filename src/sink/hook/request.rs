//! Requests of a hook: method, path and body, with framing and compression.

use std::io;

use async_compression::tokio::write::GzipEncoder;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, HeaderValue};
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt as _;
use url::form_urlencoded;

use super::super::facts::alerts;
use super::super::open::OpenError;
use super::super::post::Body;
use super::super::render::{Form, Template};
use super::super::scope::{Scene, Scope};
use crate::config::{self, Framing, scalar_text};

/// A request whose templates are compiled.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: Option<Template>,
    pub(super) body: Option<RequestBody>,
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct RequestBody {
    template: Template,
    framing: Framing,
    content_type: HeaderValue,
    is_compressed: bool,
}

/// What requests are compiled with.
#[derive(Clone, Copy)]
pub(super) struct Preparation<'a> {
    pub(super) scope: &'a Scope,
    pub(super) settings: &'a config::Hook,
}

impl Preparation<'_> {
    pub(super) fn request(&self, request: &config::HookRequest) -> Result<Request, OpenError> {
        let config::HookRequest { method, path, body } = request;
        let compiled = |template: &config::Template, form| {
            let about = (self.scope, self.settings.per);
            Template::compile_with(&template.name, &template.text, form, about)
        };
        let method = match method {
            config::Method::Get => Method::GET,
            config::Method::Post => Method::POST,
            config::Method::Put => Method::PUT,
            config::Method::Patch => Method::PATCH,
            config::Method::Delete => Method::DELETE,
        };
        let form = match self.settings.framing {
            Framing::Json | Framing::Form => Form::Json,
            Framing::Ndjson => Form::JsonLines,
            Framing::Text => Form::Text,
        };
        let path = path.as_ref().map(|path| compiled(path, Form::Path));
        let body = body.as_ref().map(|body| {
            Ok::<_, OpenError>(RequestBody {
                template: compiled(body, form)?,
                framing: self.settings.framing,
                content_type: HeaderValue::from_str(&self.settings.content_type).map_err(|_| {
                    OpenError::unusable("`content_type` contains characters that cannot be sent")
                })?,
                is_compressed: self.settings.is_compressed,
            })
        });
        Ok(Request {
            method,
            path: path.transpose()?,
            body: body.transpose()?,
        })
    }
}

impl RequestBody {
    pub(super) async fn render(&self, scope: &Scope, scene: Scene<'_>) -> Result<Body, String> {
        let text = match (self.framing, scene.alert) {
            (Framing::Ndjson, None) => {
                let mut lines = String::new();
                for alert in alerts(scene.message).iter() {
                    let scene = Scene {
                        alert: Some(alert),
                        ..scene
                    };
                    lines.push_str(&self.template.render_with(scope, scene)?);
                }
                lines
            }
            (Framing::Form, _) => form(&self.template.render_with(scope, scene)?)?,
            _ => self.template.render_with(scope, scene)?,
        };
        if !self.is_compressed {
            return Ok(Body::of(&self.content_type, text));
        }
        let bytes = compressed(text.as_bytes())
            .await
            .map_err(|error| format!("cannot be compressed: {error}"))?;
        let mut body = Body::of(&self.content_type, bytes);
        let encoding = HeaderValue::from_static("gzip");
        body.headers.insert(CONTENT_ENCODING, encoding);
        Ok(body)
    }
}

async fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await?;
    encoder.shutdown().await?;
    Ok(encoder.into_inner())
}

/// The values of a JSON object as a form. `null` is left out.
fn form(json: &str) -> Result<String, String> {
    let wrong = "renders no JSON object of strings, numbers and booleans, as a form needs";
    let Ok(Json::Object(fields)) = serde_json::from_str(json) else {
        return Err(wrong.to_owned());
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &fields {
        match value {
            Json::Null => {}
            value => {
                form.append_pair(name, &scalar_text(value).ok_or(wrong)?);
            }
        }
    }
    Ok(form.finish())
}
