//! The one way in which messages are posted over HTTP.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use url::Url;

use super::connection;
use super::open::OpenError;
use super::outcome::{MAX_WAIT, Receipt, Refused};
use super::secrets::Secrets;
use crate::config::Target;
use crate::http::{beginning, retry_after_in};
use crate::model::chain;

/// How much of an answer is read: its beginning is what people look at.
const MAX_READ_BYTES: usize = 16 * 1024;
/// How long an answer is waited for once its status is there, which alone decides.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// Posts to one address: TLS by `rustls`, no redirects, no cookies, nothing
/// repeated, and only to public addresses unless others are allowed.
pub(super) struct Post {
    client: reqwest::Client,
    url: Url,
    /// The URL as people may see it.
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
}

/// What is posted.
pub(super) struct Body {
    pub(super) content_type: HeaderValue,
    pub(super) bytes: Bytes,
    /// Headers of this one message.
    pub(super) headers: HeaderMap,
}

impl fmt::Debug for Post {
    /// The URL may be the secret, and so may a header.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Post({})", self.shown)
    }
}

impl Body {
    pub(super) fn json(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: HeaderValue::from_static("application/json"),
            bytes: bytes.into(),
            headers: HeaderMap::new(),
        }
    }
}

impl Post {
    pub(super) fn open(
        target: &Target,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let (url, shown) = connection::url(target, secrets)?;
        Ok(Self {
            client: connection::client(target, &url, timeout)?,
            headers: connection::headers(target, secrets)?,
            url,
            shown,
            timeout,
        })
    }

    /// Puts a path behind the one of the URL.
    pub(super) fn at(mut self, path: &str) -> Self {
        let whole = format!("{}{path}", self.url.path().trim_end_matches('/'));
        self.url.set_path(&whole);
        self
    }

    /// Posts once. `now` is what dates are compared with when the receiver
    /// does not tell its own time.
    pub(super) async fn send(&self, body: Body, now: DateTime<Utc>) -> Result<Receipt, Refused> {
        let Body {
            content_type,
            bytes,
            headers,
        } = body;
        let request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .headers(headers)
            .header(CONTENT_TYPE, content_type)
            .body(bytes);
        match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(Ok(response)) => self.judge(response, now).await,
            Ok(Err(error)) if !error.is_timeout() => {
                let error = chain(&error.without_url());
                Err(Refused::repeatable(format!("POST {}: {error}", self.shown)))
            }
            _ => Err(Refused::late(&format!("POST {}", self.shown), self.timeout)),
        }
    }

    async fn judge(&self, response: Response, now: DateTime<Utc>) -> Result<Receipt, Refused> {
        let status = response.status();
        let wait = asked_wait(response.headers(), now);
        let is_redirect = response.headers().contains_key(LOCATION);
        let answer = beginning(response, MAX_READ_BYTES, ANSWER_PATIENCE).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let code = Some(i32::from(status.as_u16()));
        if status.is_success() {
            return Ok(Receipt {
                status: code,
                answer,
            });
        }
        let advice = match status {
            _ if status.is_redirection() && is_redirect => {
                "; redirects are not followed, write the address it leads to"
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; check the secrets of this sink",
            StatusCode::NOT_FOUND => "; check the address of this sink",
            StatusCode::GONE => "; the receiver wants no more messages",
            _ => "",
        };
        let shown = &self.shown;
        Err(Refused {
            reason: format!("POST {shown} was answered with status {status}{advice}"),
            status: code,
            answer,
            can_repeat: can_repeat(status),
            wait,
        })
    }
}

/// Whether a status speaks of now and not of the message.
fn can_repeat(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// `Retry-After`, in seconds or as a date, which is compared with the
/// receiver's own clock where it tells it.
fn asked_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let theirs = text(DATE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(|| SystemTime::from(now));
    retry_after_in(text(RETRY_AFTER)?, DateTime::from(theirs)).map(|wait| wait.min(MAX_WAIT))
}
