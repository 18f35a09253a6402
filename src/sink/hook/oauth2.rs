//! OAuth 2.0 access tokens by client credentials (RFC 6749, 4.4): cached until shortly
//! before they expire, and requested again when one is rejected.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::super::open::OpenError;
use super::super::outcome::Refused;
use super::super::post::{Post, PostBody, PostRequest};
use super::super::secrets::Secrets;
use crate::config::{Address, Oauth2, Oauth2Login, PostTarget};
use crate::model::{FailureReason, keep_token};

/// Lifetime of a token that does not state its own.
const DEFAULT_LIFETIME_SECONDS: i64 = 300;
/// A token is not used in its last minute: clocks differ, and requests take time.
const MARGIN_SECONDS: i64 = 60;
const MAX_LIFETIME_SECONDS: i64 = 24 * 3600;
/// No server of tokens grants longer ones, and each text that leaves is searched for them.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Requests tokens and keeps the last one.
pub(super) struct Tokens {
    post: Post,
    form: String,
    headers: HeaderMap,
    last: Mutex<Option<(AccessToken, DateTime<Utc>)>>,
}

/// An access token.
#[derive(Clone)]
pub(super) struct AccessToken {
    pub(super) text: String,
}

/// The response to a request for a token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Tokens({:?})", self.post)
    }
}

impl AccessToken {
    /// One that was granted; from now on no outgoing text contains it.
    fn new(text: String) -> Result<Self, Refused> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(auth("no access token: it is longer than 16 KiB"));
        }
        keep_token(&text);
        Ok(Self { text })
    }

    pub(super) fn header(&self) -> Result<HeaderValue, Refused> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.text))
            .map_err(|_| auth("the access token contains characters that cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Tokens {
    pub(super) fn open(
        oauth2: &Oauth2,
        target: &PostTarget,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let secret = oauth2.secret.line()?;
        secrets.add_login(&oauth2.client_id, secret.expose());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        form.extend_pairs(oauth2.scope.iter().map(|scope| ("scope", scope)));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        match oauth2.login {
            Oauth2Login::Body => {
                form.append_pair("client_id", &oauth2.client_id);
                form.append_pair("client_secret", secret.expose());
            }
            Oauth2Login::Basic => {
                let encoded = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let both = format!(
                    "{}:{}",
                    encoded(&oauth2.client_id),
                    encoded(secret.expose())
                );
                let basic = STANDARD.encode(both);
                secrets.add(&basic);
                if let Ok(mut value) = HeaderValue::from_str(&format!("Basic {basic}")) {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
            }
        }
        // The same proxy, certificates and check for public addresses; none of the
        // headers.
        let target = PostTarget {
            address: Address::Url(oauth2.token_url.clone()),
            auth: None,
            headers: std::collections::BTreeMap::new(),
            headers_file: None,
            ..target.clone()
        };
        Ok(Self {
            post: Post::open(&target, timeout, secrets)?.with(HeaderMap::new(), true),
            form: form.finish(),
            headers,
            last: Mutex::new(None),
        })
    }

    /// A token that is not the rejected one.
    pub(super) async fn get(
        &self,
        rejected: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, Refused> {
        let mut last = self.last.lock().await;
        if let Some((token, until)) = &*last
            && rejected != Some(token.text.as_str())
            && now < *until
        {
            return Ok(token.clone());
        }
        *last = None;
        let (token, until) = self.request(now).await?;
        *last = Some((token.clone(), until));
        Ok(token)
    }

    async fn request(&self, now: DateTime<Utc>) -> Result<(AccessToken, DateTime<Utc>), Refused> {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let call = PostRequest {
            method: Method::POST,
            url: self.post.url_at(""),
            body: Some(PostBody::of(&form, self.form.clone())),
            headers: self.headers.clone(),
        };
        let answer = self.post.call(call, now).await.map_err(|refused| Refused {
            reason: format!("no access token: {}", refused.reason),
            // RFC 6749: a wrong client is answered with 400 or 401.
            kind: match refused.status {
                Some(400 | 401 | 403) => FailureReason::Auth,
                _ => refused.kind,
            },
            can_repeat: true,
            answer: without_token(refused.answer),
            ..refused
        })?;
        // The answer contains the token and is not kept.
        let granted: Granted = serde_json::from_str(&answer.text)
            .map_err(|_| auth("no access token: the response has no `access_token`"))?;
        let lifetime = granted.expires_in.as_ref().and_then(|value| match value {
            serde_json::Value::String(text) => text.parse().ok(),
            value => value.as_i64(),
        });
        let lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME_SECONDS);
        let usable = (lifetime - MARGIN_SECONDS).clamp(0, MAX_LIFETIME_SECONDS);
        Ok((
            AccessToken::new(granted.access_token)?,
            now + TimeDelta::seconds(usable),
        ))
    }
}

/// The answer of a server that granted no token. One that names a token nevertheless is not
/// kept.
fn without_token(answer: String) -> String {
    if answer.contains("access_token") {
        "the answer contains `access_token` and is not kept".to_owned()
    } else {
        answer
    }
}

/// A failure that another token may mend.
fn auth(reason: &str) -> Refused {
    Refused {
        kind: FailureReason::Auth,
        ..Refused::repeatable(reason)
    }
}
