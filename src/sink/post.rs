//! HTTP POST for all HTTP sinks: one attempt, no redirects, no cookies, no retries.

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
use crate::model::{FailureReason, chain};

/// How much of a response is read: the beginning is enough for display.
const MAX_READ_BYTES: usize = 16 * 1024;
/// How long to wait for the body after the status, which alone decides the result.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// Posts to one URL: TLS by `rustls`, no redirects, no cookies, no retries, and only
/// to public addresses unless `allow_private` is set.
pub(super) struct Post {
    client: reqwest::Client,
    url: Url,
    /// The URL for display, without secrets.
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
}

/// The content of a POST request.
pub(super) struct Body {
    pub(super) content_type: HeaderValue,
    pub(super) bytes: Bytes,
    /// Headers of this message.
    pub(super) headers: HeaderMap,
}

impl fmt::Debug for Post {
    /// The URL and the headers may contain secrets.
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

    /// Appends a path to the URL.
    pub(super) fn at(mut self, path: &str) -> Self {
        let whole = format!("{}{path}", self.url.path().trim_end_matches('/'));
        self.url.set_path(&whole);
        self
    }

    /// Makes one attempt. `now` is compared with dates if the receiver sends no
    /// `Date` header.
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
                "; redirects are not followed, configure the target URL"
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; check the credentials of this sink"
            }
            StatusCode::NOT_FOUND => "; check the URL of this sink",
            StatusCode::GONE => "; the receiver accepts no more messages at this URL",
            _ => "",
        };
        let shown = &self.shown;
        Err(Refused {
            reason: format!("POST {shown} returned status {status}{advice}"),
            status: code,
            answer,
            kind: kind(status),
            can_repeat: can_repeat(status),
            wait,
        })
    }
}

fn kind(status: StatusCode) -> FailureReason {
    match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => FailureReason::Auth,
        StatusCode::TOO_MANY_REQUESTS => FailureReason::RateLimited,
        _ => FailureReason::Refused,
    }
}

/// Whether a status is temporary and not caused by the message.
fn can_repeat(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// `Retry-After`, in seconds or as a date, which is compared with the
/// receiver's `Date` header if there is one.
fn asked_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let theirs = text(DATE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(|| SystemTime::from(now));
    retry_after_in(text(RETRY_AFTER)?, DateTime::from(theirs)).map(|wait| wait.min(MAX_WAIT))
}
