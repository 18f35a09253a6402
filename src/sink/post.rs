//! HTTP requests for all HTTP sinks: one attempt, no redirects, no cookies, no retries.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::connection;
use super::open::OpenError;
use super::outcome::{DeliveryReceipt, MAX_WAIT, Refused};
use super::secrets::Secrets;
use crate::config::PostTarget;
use crate::http::{beginning, retry_after_in};
use crate::model::{FailureReason, chain};

/// How much of a response is read: the beginning is enough for display.
const MAX_READ_BYTES: usize = 16 * 1024;
/// How much is read where the content of the response matters.
const MAX_WHOLE_BYTES: usize = 1 << 20;
/// How long to wait for the body after the status, which alone decides the result.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// Requests to one host: TLS by `rustls`, no redirects, no cookies, no retries, and only
/// to public addresses unless `allow_private` is set.
pub(super) struct Post {
    client: reqwest::Client,
    url: Url,
    /// The URL for display, without secrets.
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
    /// Whether the content of responses matters.
    reads_whole: bool,
}

/// A request.
#[derive(Clone)]
pub(super) struct PostRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<PostBody>,
    pub(super) headers: HeaderMap,
}

/// A response with a status of 2xx.
pub(super) struct PostAnswer {
    pub(super) status: StatusCode,
    /// Its beginning, or all of it where it matters.
    pub(super) text: String,
}

/// The content of a request.
#[derive(Clone)]
pub(super) struct PostBody {
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

impl PostBody {
    pub(super) fn json(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: HeaderValue::from_static("application/json"),
            bytes: bytes.into(),
            headers: HeaderMap::new(),
        }
    }
}

impl PostBody {
    pub(super) fn of(content_type: &HeaderValue, bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: content_type.clone(),
            ..Self::json(bytes)
        }
    }
}

impl PostAnswer {
    pub(super) fn receipt(self) -> DeliveryReceipt {
        DeliveryReceipt {
            status: Some(i32::from(self.status.as_u16())),
            answer: self.text,
        }
    }
}

impl Post {
    pub(super) fn open(
        target: &PostTarget,
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
            reads_whole: false,
        })
    }

    /// Appends a path to the URL.
    pub(super) fn at(mut self, path: &str) -> Self {
        self.url = self.url_at(path);
        self
    }

    /// The same with headers that replace those of the configuration, and with responses
    /// whose content matters, if `reads_whole`.
    pub(super) fn with(mut self, headers: HeaderMap, reads_whole: bool) -> Self {
        self.headers.extend(headers);
        self.reads_whole = reads_whole;
        self
    }

    /// The URL with a path, and a query, appended.
    pub(super) fn url_at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let whole = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);
        if query.is_some() {
            url.set_query(query);
        }
        url
    }

    /// Posts to the URL.
    pub(super) async fn send(
        &self,
        body: PostBody,
        now: DateTime<Utc>,
    ) -> Result<DeliveryReceipt, Refused> {
        let call = PostRequest {
            method: Method::POST,
            url: self.url.clone(),
            body: Some(body),
            headers: HeaderMap::new(),
        };
        self.call(call, now).await.map(PostAnswer::receipt)
    }

    /// Makes one attempt. `now` is compared with dates if the receiver sends no
    /// `Date` header.
    pub(super) async fn call(
        &self,
        call: PostRequest,
        now: DateTime<Utc>,
    ) -> Result<PostAnswer, Refused> {
        let PostRequest {
            method,
            url,
            body,
            headers,
        } = call;
        let what = format!("{method} {}", self.shown);
        let mut request = self
            .client
            .request(method, url)
            .headers(self.headers.clone())
            .headers(headers);
        if let Some(body) = body {
            let PostBody {
                content_type,
                bytes,
                headers,
            } = body;
            request = request
                .headers(headers)
                .header(CONTENT_TYPE, content_type)
                .body(bytes);
        }
        match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(Ok(response)) => self.judge(&what, response, now).await,
            Ok(Err(error)) if !error.is_timeout() => {
                let error = chain(&error.without_url());
                Err(Refused::repeatable(format!("{what}: {error}")))
            }
            _ => Err(Refused::late(&what, self.timeout)),
        }
    }

    async fn judge(
        &self,
        what: &str,
        response: Response,
        now: DateTime<Utc>,
    ) -> Result<PostAnswer, Refused> {
        let status = response.status();
        let wait = asked_wait(response.headers(), now);
        let is_redirect = response.headers().contains_key(LOCATION);
        let (most, patience) = if self.reads_whole && status.is_success() {
            (MAX_WHOLE_BYTES, self.timeout)
        } else {
            (MAX_READ_BYTES, ANSWER_PATIENCE)
        };
        let text = beginning(response, most, patience).await;
        let text = String::from_utf8_lossy(&text).into_owned();
        if status.is_success() {
            return Ok(PostAnswer { status, text });
        }
        let advice = match status {
            _ if status.is_redirection() && is_redirect => {
                "; redirects are not followed, configure the target URL"
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; check the credentials of this sink"
            }
            StatusCode::NOT_FOUND => "; check the URL of this sink",
            StatusCode::PAYLOAD_TOO_LARGE => {
                "; the message is too large for the receiver; several alerts are sent in smaller requests, a single one in fewer words"
            }
            StatusCode::GONE => "; the receiver accepts no more messages at this URL",
            _ => "",
        };
        Err(Refused {
            reason: format!("{what} returned status {status}{advice}"),
            status: Some(i32::from(status.as_u16())),
            answer: text,
            kind: kind(status),
            can_repeat: can_repeat(status),
            wait,
            is_created: false,
            is_reopened: false,
            is_too_large: status == StatusCode::PAYLOAD_TOO_LARGE,
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
