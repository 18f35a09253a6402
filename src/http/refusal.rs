//! Mapping of error responses (status other than 200) to errors (contract §2, §3).

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::answer::{is_html, web_page};
use super::beginning::beginning;
use super::error::ClientError;
use super::quote::quote;
use super::staleness::Staleness;
use super::throttle::{retry_after, wait};

/// How much of an error response is read: the reason is at the beginning.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;
/// How long to wait for the reason: the status alone is sufficient.
const REASON_PATIENCE: Duration = Duration::from_secs(10);

/// Maps an error response to an error. `now` is upstream's time.
pub(super) async fn refusal(response: Response, url: String, now: DateTime<Utc>) -> ClientError {
    let status = response.status();
    let staleness = Staleness::of(response.headers(), now);
    let is_copy = staleness.made_before(now).is_some();
    let header = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let header = header.as_deref();
    let body = beginning(response, MAX_REFUSAL_BYTES, REASON_PATIENCE).await;
    let reason = Reason::of(&body);
    let detail = match &reason.text {
        text if text.is_empty() => status.canonical_reason().unwrap_or("no reason").to_owned(),
        text => quote(text),
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS => ClientError::Throttled {
            wait: wait(header, &reason.text, now),
            url,
            detail,
        },
        StatusCode::UNAUTHORIZED => ClientError::TokenRejected { url, detail },
        StatusCode::FORBIDDEN if reason.is_about_the_token() => {
            ClientError::TokenRejected { url, detail }
        }
        StatusCode::FORBIDDEN => ClientError::Forbidden {
            url,
            detail,
            is_upstreams: reason.is_upstreams && !is_copy,
        },
        StatusCode::NOT_FOUND => ClientError::NotFound {
            url,
            detail,
            is_copy,
        },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => ClientError::Server {
            status: status.as_u16(),
            wait: header.and_then(|header| retry_after(header, now)),
            url,
            detail,
        },
        _ if status.is_server_error() => ClientError::Server {
            status: status.as_u16(),
            wait: header.and_then(|header| retry_after(header, now)),
            url,
            detail,
        },
        _ => ClientError::Refused {
            status: status.as_u16(),
            url,
            detail,
            is_upstreams: reason.is_upstreams && !is_copy,
        },
    }
}

struct Reason {
    text: String,
    /// Upstream returns errors as JSON; a web page comes from a proxy or firewall in between.
    is_upstreams: bool,
}

impl Reason {
    fn of(body: &[u8]) -> Self {
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            return Self {
                text: detail(&value),
                is_upstreams: true,
            };
        }
        let text = if is_html(None, body) {
            web_page(body)
        } else {
            String::from_utf8_lossy(body).into_owned()
        };
        Self {
            text,
            is_upstreams: false,
        }
    }

    /// "Invalid token.", "Authentication credentials were not provided.",
    /// "User inactive or deleted." (contract §2), and not "You do not have
    /// permission to perform this action."
    fn is_about_the_token(&self) -> bool {
        self.is_upstreams && is_about_the_token(&self.text)
    }
}

/// Whether upstream rejected the token. Only the text of the reason shows this.
pub fn is_about_the_token(detail: &str) -> bool {
    let text = detail.to_ascii_lowercase();
    [
        "token",
        "authentication",
        "credentials",
        "inactive",
        "not authenticated",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// The field `detail` of Django REST framework, or a common alternative; else the whole body.
fn detail(value: &Value) -> String {
    ["detail", "message", "error"]
        .iter()
        .find_map(|key| value.get(key)?.as_str())
        .map_or_else(|| value.to_string(), str::to_owned)
}
