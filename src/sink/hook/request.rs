//! Requests of a hook: method, path and body, with framing and compression.

use std::io;
use std::sync::Arc;

use async_compression::tokio::write::GzipEncoder;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, HeaderValue};
use tokio::io::AsyncWriteExt as _;

use super::super::open::OpenError;
use super::super::outcome::Refused;
use super::super::post::PostBody;
use super::super::render::{CompiledTemplate, MAX_BODY_BYTES, TemplateFormat};
use super::super::scope::{Scene, Scope};
use super::rendering::{Owned, Rendering};
use crate::config::{self, Framing};

/// A request whose templates are compiled.
#[derive(Debug)]
pub(super) struct CompiledRequest {
    pub(super) method: Method,
    pub(super) path: Option<CompiledTemplate>,
    pub(super) body: Option<RequestBody>,
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct RequestBody {
    rendering: Arc<Rendering>,
    content_type: HeaderValue,
    is_compressed: bool,
    /// Maximum size before compression, of several alerts.
    most: usize,
}

/// What requests are compiled with.
#[derive(Clone, Copy)]
pub(super) struct Preparation<'a> {
    pub(super) scope: &'a Arc<Scope>,
    pub(super) settings: &'a config::HookSettings,
}

impl Preparation<'_> {
    pub(super) fn request(
        &self,
        request: &config::HookRequest,
    ) -> Result<CompiledRequest, OpenError> {
        let config::HookRequest { method, path, body } = request;
        let compiled = |template: &config::TemplateSettings, form| {
            let about = (&**self.scope, self.settings.per);
            CompiledTemplate::compile_with(&template.name, &template.text, form, about)
        };
        let method = match method {
            config::Method::Get => Method::GET,
            config::Method::Post => Method::POST,
            config::Method::Put => Method::PUT,
            config::Method::Patch => Method::PATCH,
            config::Method::Delete => Method::DELETE,
        };
        let form = match self.settings.framing {
            Framing::Json => TemplateFormat::Json,
            Framing::Form => TemplateFormat::Fields,
            Framing::Ndjson => TemplateFormat::JsonLines,
            Framing::Text => TemplateFormat::Text,
        };
        let path = path
            .as_ref()
            .map(|path| compiled(path, TemplateFormat::Path));
        let body = body.as_ref().map(|body| {
            Ok::<_, OpenError>(RequestBody {
                rendering: Arc::new(Rendering {
                    template: compiled(body, form)?,
                    scope: Arc::clone(self.scope),
                    is_by_line: self.settings.framing == Framing::Ndjson,
                }),
                content_type: HeaderValue::from_str(&self.settings.content_type).map_err(|_| {
                    OpenError::unusable("`content_type` contains characters that cannot be sent")
                })?,
                is_compressed: self.settings.is_compressed,
                most: self.settings.max_bytes.unwrap_or(MAX_BODY_BYTES),
            })
        });
        Ok(CompiledRequest {
            method,
            path: path.transpose()?,
            body: body.transpose()?,
        })
    }
}

impl RequestBody {
    /// Renders the body. The alerts of a message are not rendered on the threads that
    /// everything else needs.
    pub(super) async fn render(&self, scene: Scene<'_>) -> Result<PostBody, Refused> {
        let text = match scene.alert {
            Some(_) => self.rendering.render(scene),
            None => Owned::of(scene).render(&self.rendering).await,
        };
        let text = text.map_err(|why| Refused::unbuilt(format!("the template {why}")))?;
        let is_divisible = scene.alert.is_none() && scene.message.alerts.len() > 1;
        if text.len() > self.most && is_divisible {
            let too_large = Refused::too_large("body", self.most);
            let reason = format!("{}; raise it, or shorten the template", too_large.reason);
            return Err(Refused {
                reason,
                ..too_large
            });
        }
        if text.len() > MAX_BODY_BYTES {
            let why = format!("the template renders more than {MAX_BODY_BYTES} bytes");
            return Err(Refused::unbuilt(why));
        }
        if !self.is_compressed {
            return Ok(PostBody::of(&self.content_type, text));
        }
        let bytes = compressed(text.as_bytes())
            .await
            .map_err(|error| Refused::unbuilt(format!("the body cannot be compressed: {error}")))?;
        let mut body = PostBody::of(&self.content_type, bytes);
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
