//! Hook sink: HTTP requests rendered from templates, and objects outside that are
//! created once, then updated and resolved.

mod oauth2;
mod objects;
mod rendering;
mod request;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::facts::alerts;
use super::open::OpenError;
use super::outcome::{Refused, Sent};
use super::post::{Post, PostAnswer, PostRequest};
use super::render::{encoded, filled};
use super::scope::{Scene, Scope};
use super::secrets::Secrets;
use crate::config::{self, Per, SuccessTest, scalar_text};
use crate::model::{Alert, FailureReason, Message, RemoteObject};
use oauth2::Tokens;
use request::{CompiledRequest, Preparation};

/// The header that is the same in every attempt of a request, so that a receiver can
/// recognise a repetition.
/// How much longer several requests together may take than one.
const MARGIN: Duration = Duration::from_millis(100);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// HTTP requests rendered from templates.
#[derive(Debug)]
pub(super) struct HookSink {
    post: Post,
    scope: Arc<Scope>,
    per: Per,
    tokens: Option<Tokens>,
    success: Option<SuccessTest>,
    create: CompiledRequest,
    update: Option<CompiledRequest>,
    reopen: Option<CompiledRequest>,
    resolve: Option<CompiledRequest>,
    remember: Option<String>,
    lookup: Option<(CompiledRequest, String)>,
    timeout: Duration,
}

impl HookSink {
    pub(super) fn open(
        settings: &config::HookSettings,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let scope = Arc::new(scope(settings, secrets)?);
        let preparation = Preparation {
            scope: &scope,
            settings,
        };
        let optional = |request: &Option<config::HookRequest>| {
            let request = request.as_ref();
            request.map(|one| preparation.request(one)).transpose()
        };
        let lookup = settings.lookup.as_ref().map(|lookup| {
            let request = preparation.request(&lookup.request)?;
            Ok::<_, OpenError>((request, lookup.pointer.clone()))
        });
        let reads_whole = settings.success.is_some() || settings.remember.is_some();
        let headers = headers(settings, &scope, secrets)?;
        let mut target = settings.target.clone();
        target.headers.retain(|_, text| !text.contains("{{"));
        let tokens = match &settings.oauth2 {
            Some(oauth2) => Some(Tokens::open(oauth2, &target, timeout, secrets)?),
            None => None,
        };
        Ok(Self {
            post: Post::open(&target, timeout, secrets)?.with(headers, reads_whole),
            per: settings.per,
            tokens,
            success: settings.success.clone(),
            create: preparation.request(&settings.create)?,
            update: optional(&settings.update)?,
            reopen: optional(&settings.reopen)?,
            resolve: optional(&settings.resolve)?,
            remember: settings.remember.clone(),
            lookup: lookup.transpose()?,
            scope,
            timeout,
        })
    }

    /// How many alerts a request can have.
    pub(super) fn together(&self) -> usize {
        match self.per {
            Per::Message => usize::MAX,
            Per::Alert => 1,
        }
    }

    pub(super) fn resolves(&self) -> bool {
        self.resolve.is_some()
    }

    pub(super) fn remembers(&self) -> bool {
        self.remember.is_some()
    }

    /// Makes the request about a message, within the timeout. Its rendering does not count:
    /// it is no time of the receiver.
    pub(super) async fn send_whole(
        &self,
        message: &Message,
        now: DateTime<Utc>,
    ) -> Result<Sent, Refused> {
        let scene = Scene {
            message,
            alert: None,
            object: None,
        };
        let call = self.prepare(&self.create, scene).await?;
        let answer = self.within(self.judged(call, now)).await?;
        Ok(Sent::from(answer.receipt()))
    }

    /// Makes the requests about an alert of a message, within the timeout. `known` is the
    /// object outside that belongs to it.
    pub(super) async fn send_one(
        &self,
        (message, part): (&Message, usize),
        known: Option<&RemoteObject>,
        now: DateTime<Utc>,
    ) -> Result<Sent, Refused> {
        let all = alerts(message);
        let alert = all
            .get(part)
            .ok_or_else(|| Refused::unbuilt("the message has no such alert"))?;
        let single = single(message, alert);
        let sending = self.send_alert(&single, alert, known.cloned(), now);
        self.within(sending).await
    }

    async fn within<T>(
        &self,
        attempt: impl Future<Output = Result<T, Refused>>,
    ) -> Result<T, Refused> {
        // A single request has the same limit, and its error names it: that one comes first.
        match tokio::time::timeout(self.timeout + MARGIN, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Refused::late("the request", self.timeout)),
        }
    }

    /// Makes a request and tests the response.
    async fn call(
        &self,
        request: &CompiledRequest,
        scene: Scene<'_>,
        now: DateTime<Utc>,
    ) -> Result<PostAnswer, Refused> {
        let call = self.prepare(request, scene).await?;
        self.judged(call, now).await
    }

    async fn judged(&self, call: PostRequest, now: DateTime<Utc>) -> Result<PostAnswer, Refused> {
        let answer = self.call_once_or_twice(call, now).await?;
        let Some(SuccessTest { pointer, equals }) = &self.success else {
            return Ok(answer);
        };
        let json: Option<Json> = serde_json::from_str(&answer.text).ok();
        let value = json.as_ref().and_then(|json| json.pointer(pointer));
        match value.and_then(scalar_text) {
            Some(value) if value == *equals => Ok(answer),
            value => {
                let got = value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
                Err(Refused {
                    status: Some(i32::from(answer.status.as_u16())),
                    answer: answer.text,
                    kind: FailureReason::Refused,
                    ..Refused::repeatable(format!(
                        "the response has {got} at {pointer}, expected `{equals}`"
                    ))
                })
            }
        }
    }

    /// Makes a request; once more with a new access token if the token was rejected.
    async fn call_once_or_twice(
        &self,
        call: PostRequest,
        now: DateTime<Utc>,
    ) -> Result<PostAnswer, Refused> {
        let Some(tokens) = &self.tokens else {
            return self.post.call(call, now).await;
        };
        let mut rejected = None;
        loop {
            let token = tokens.get(rejected.as_deref(), now).await?;
            let mut call = call.clone();
            call.headers.insert(AUTHORIZATION, token.header()?);
            match self.post.call(call, now).await {
                Err(refused) if refused.status == Some(401) && rejected.is_none() => {
                    rejected = Some(token.text);
                }
                outcome => return outcome,
            }
        }
    }

    async fn prepare(
        &self,
        request: &CompiledRequest,
        scene: Scene<'_>,
    ) -> Result<PostRequest, Refused> {
        let url = match &request.path {
            Some(path) => {
                let path = path
                    .render_with(&self.scope, scene)
                    .map_err(|why| Refused::unbuilt(format!("the path {why}")))?;
                self.post.url_at(path.trim())
            }
            None => self.post.url_at(""),
        };
        let body = match &request.body {
            Some(body) => Some(body.render(scene).await?),
            None => None,
        };
        let mut headers = HeaderMap::new();
        let id = scene.alert.map_or(&scene.message.id, |alert| &alert.id);
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(IDEMPOTENCY_KEY, id);
        }
        Ok(PostRequest {
            method: request.method.clone(),
            url,
            body,
            headers,
        })
    }
}

/// A message of one of its alerts.
fn single(message: &Message, alert: &Alert) -> Message {
    let title = if message.alerts.len() <= 1 {
        message.title.clone()
    } else {
        Message::title_of(&message.rule, std::slice::from_ref(alert))
    };
    // Not a copy of all alerts for each of them.
    Message {
        title,
        alerts: vec![alert.clone()],
        id: message.id.clone(),
        rule: message.rule.clone(),
        ..*message
    }
}

fn scope(settings: &config::HookSettings, secrets: &mut Secrets) -> Result<Scope, OpenError> {
    let mut scope = Scope {
        vars: settings.vars.clone(),
        ..Scope::default()
    };
    for (name, file) in &settings.secrets {
        let secret = file.line()?;
        secrets.add(secret.expose());
        // As it stands in a path.
        secrets.add(&encoded(secret.expose()));
        scope
            .secrets
            .insert(name.clone(), secret.expose().to_owned());
    }
    Ok(scope)
}

/// Headers with secrets and variables.
fn headers(
    settings: &config::HookSettings,
    scope: &Scope,
    secrets: &mut Secrets,
) -> Result<HeaderMap, OpenError> {
    let mut headers = HeaderMap::new();
    for (name, text) in &settings.target.headers {
        if !text.contains("{{") {
            continue;
        }
        let label = format!("the header `{name}`");
        let value = filled(&label, text, scope)?;
        let (Ok(name), Ok(mut sendable)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) else {
            return Err(OpenError::unusable(format!(
                "{label} contains characters that cannot be sent"
            )));
        };
        secrets.add_header(name.as_str(), &value);
        sendable.set_sensitive(true);
        headers.insert(name, sendable);
    }
    Ok(headers)
}
