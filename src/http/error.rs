//! Errors of the HTTP client: connection, timeout, status, token, type and size.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Why a request failed. Texts from upstream are cut to 200 printable characters and
/// never contain the token; `url` has no user and password.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client cannot be created from the settings: certificates, proxy or base URL.
    #[error("{what}")]
    Unusable {
        /// Which setting, and what is wrong with it.
        what: String,
    },
    /// `upstream.offline`: nothing is requested.
    #[error("{url} is not requested: [upstream] offline = true; use `advisoryd import BUNDLE`")]
    Offline {
        /// The request.
        url: String,
    },
    /// A saved response cannot be read or written.
    #[error("{}: cannot read or write the saved response", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// `upstream.ca_file` is unusable.
    #[error("cannot read CA certificates (PEM) from {}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection failed, or broke before the response.
    #[error("{url}: {}", unanswered(host, source))]
    Network {
        /// The request.
        url: String,
        /// What was to be connected to: the host of the URL, if there is no proxy.
        host: String,
        /// The underlying error.
        source: reqwest::Error,
    },
    /// Upstream sent no data within the read timeout.
    #[error("{url} timed out after {}", humantime::format_duration(*.silence))]
    Timeout {
        /// The request.
        url: String,
        /// The read timeout.
        silence: Duration,
    },
    /// The response did not end within the total timeout.
    #[error(
        "{url}: the response was not complete after waiting {} for it ({received_bytes} bytes received); the limit is [upstream] total_timeout, at most 10 minutes for a page of JSON",
        humantime::format_duration(*.limit)
    )]
    TooSlow {
        /// The request.
        url: String,
        /// `[upstream] total_timeout`, or ten minutes for a page of JSON.
        limit: Duration,
        /// After decompression.
        received_bytes: u64,
    },
    /// The response ended early.
    #[error("{url}: the response was cut short after {received_bytes} bytes")]
    CutShort {
        /// The request.
        url: String,
        /// After decompression.
        received_bytes: u64,
        /// The underlying error.
        source: io::Error,
    },
    /// The response cannot be decompressed.
    #[error("{url}: cannot decompress the response ({encoding}) after {received_bytes} bytes")]
    Undecodable {
        /// The request.
        url: String,
        /// Name of the compression.
        encoding: String,
        /// After decompression.
        received_bytes: u64,
        /// The error of the decompressor.
        source: io::Error,
    },
    /// Upstream's clock (`Date`) and ours are too far apart to know what a response covers.
    #[error(
        "{url}: upstream's clock says {}, the clock of this machine says {}. A difference of more than a day is not accepted: set the clock that is wrong",
        time(upstream),
        time(ours)
    )]
    ClockSkew {
        /// The request.
        url: String,
        /// Upstream's time.
        upstream: DateTime<Utc>,
        /// The time of this machine.
        ours: DateTime<Utc>,
    },
    /// Too many requests (429). All requests are paused for `wait`.
    #[error("{url} returned status 429 (too many requests), requests are paused for {}: {detail}", humantime::format_duration(*.wait))]
    Throttled {
        /// The request.
        url: String,
        /// How long to wait (`Retry-After`), at most 10 minutes.
        wait: Duration,
        /// Message of upstream.
        detail: String,
    },
    /// The daily quota `requests_per_day` is exhausted; nothing was sent.
    #[error(
        "the daily request limit of {limit} ([upstream] requests_per_day) is used up until {}",
        time(until)
    )]
    DailyBudget {
        /// Requests in any 24 hours.
        limit: u32,
        /// When the next one is allowed.
        until: DateTime<Utc>,
    },
    /// Upstream rejected the token (401, or 403 with a message about the token).
    #[error("{url}: upstream rejected the token: {detail}")]
    TokenRejected {
        /// The request.
        url: String,
        /// Message of upstream.
        detail: String,
    },
    /// The account has no permission (403).
    #[error("{url}: the account has no permission: {detail}")]
    Forbidden {
        /// The request.
        url: String,
        /// Message of upstream.
        detail: String,
        /// Whether it is an answer of the API, not of a proxy or firewall in between.
        is_upstreams: bool,
    },
    /// Not found (404).
    #[error("{url} returned status 404: {detail}")]
    NotFound {
        /// The request.
        url: String,
        /// Message of upstream.
        detail: String,
        /// Whether it is an older copy, so that it may exist by now.
        is_copy: bool,
    },
    /// Any other status that is not a success.
    #[error("{url} returned status {status}: {detail}")]
    Refused {
        /// The request.
        url: String,
        /// As received.
        status: u16,
        /// Message of upstream.
        detail: String,
        /// Whether it is an answer of the API, not of a proxy or firewall in between.
        is_upstreams: bool,
    },
    /// Server error (5xx, 408, 425).
    #[error("{url} returned status {status}: {detail}")]
    Server {
        /// The request.
        url: String,
        /// As received.
        status: u16,
        /// Message of upstream.
        detail: String,
        /// How long to wait (`Retry-After`), if upstream says so.
        wait: Option<Duration>,
    },
    /// A web page with status 200: a login, an error page, a captive portal.
    #[error("{url} returned {page}")]
    Html {
        /// The request.
        url: String,
        /// What came: the page with its title, or the content type and the beginning.
        page: String,
    },
    /// The response has another type than expected.
    #[error("{url}: expected {wanted}, got {got}")]
    WrongType {
        /// The request.
        url: String,
        /// `XML` or `JSON`.
        wanted: &'static str,
        /// Its media type, or its beginning.
        got: String,
    },
    /// The JSON has so many values that it would take too much memory.
    #[error("{url}: the response has more than {limit} JSON values, which is the limit")]
    TooManyValues {
        /// The request.
        url: String,
        /// The limit.
        limit: u64,
        /// The beginning of the response.
        head: Vec<u8>,
    },
    /// The response exceeds `upstream.max_body` or the limit for a page of JSON.
    #[error("{url}: the response exceeds the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The request.
        url: String,
        /// After decompression.
        limit_bytes: u64,
        /// The beginning of the response, if it is JSON.
        head: Vec<u8>,
    },
    /// An unsupported `Content-Encoding`.
    #[error("{url}: unsupported content encoding `{encoding}`")]
    UnknownEncoding {
        /// The request.
        url: String,
        /// As received.
        encoding: String,
    },
    /// A `next` link or redirect to another origin; the token is not sent there.
    #[error("{url} links or redirects to `{target}`, which is not on {origin}; not followed")]
    Elsewhere {
        /// The request.
        url: String,
        /// The target of the link or redirect.
        target: String,
        /// Scheme, host and port of `upstream.base_url`.
        origin: String,
    },
    /// A redirect that drops or changes a parameter of the request: the response would be to
    /// another one.
    #[error(
        "{url} redirects to `{target}`, which drops or changes the parameter `{name}`; not followed, because the response would belong to another request; check [upstream] base_url and the proxy"
    )]
    LostParameter {
        /// The request.
        url: String,
        /// The target of the redirect.
        target: String,
        /// The first parameter that is missing or different.
        name: String,
    },
    /// Too many redirects.
    #[error("{url} redirects more than {limit} times")]
    TooManyRedirects {
        /// The request.
        url: String,
        /// Maximum number of redirects that are followed.
        limit: usize,
    },
}

/// Whether the host has no address, as far as this machine knows, does not answer, or answers
/// with something else than HTTP.
fn unanswered(host: &str, error: &reqwest::Error) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        // No type of the HTTP library has it.
        if cause.to_string() == "dns error" {
            return format!("cannot resolve {host}");
        }
        if is_of_response(&cause.to_string()) {
            return "invalid HTTP response".to_owned();
        }
        source = cause.source();
    }
    "upstream does not answer".to_owned()
}

/// Whether an error of the HTTP library is about the head of a response, so that there was one.
fn is_of_response(text: &str) -> bool {
    let is_invalid = text.starts_with("invalid ") || text.starts_with("unexpected ");
    is_invalid && text.ends_with(" parsed") || text == "message head is too large"
}

fn time(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

impl ClientError {
    /// Whether the error is temporary: the same request may succeed later
    /// without any change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. }
            | Self::Timeout { .. }
            | Self::CutShort { .. }
            | Self::TooSlow { .. }
            | Self::ClockSkew { .. }
            | Self::Throttled { .. }
            | Self::DailyBudget { .. }
            | Self::Server { .. }
            | Self::Html { .. } => true,
            Self::Unusable { .. }
            | Self::Offline { .. }
            | Self::File { .. }
            | Self::Certificates { .. }
            | Self::Undecodable { .. }
            | Self::TokenRejected { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::WrongType { .. }
            | Self::TooLarge { .. }
            | Self::TooManyValues { .. }
            | Self::UnknownEncoding { .. }
            | Self::Elsewhere { .. }
            | Self::LostParameter { .. }
            | Self::TooManyRedirects { .. } => false,
        }
    }

    /// Whether a page past the last one was requested (contract §4): except for the
    /// first page, this is the end and not a failure.
    pub fn is_invalid_page(&self) -> bool {
        matches!(self, Self::NotFound { detail, .. } if detail.to_ascii_lowercase().contains("invalid page"))
    }

    /// Whether there is a response that is too large to be read.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::TooManyValues { .. })
    }

    /// Whether the request should be retried immediately.
    pub(super) fn is_retried(&self) -> bool {
        matches!(
            self,
            Self::Network { .. }
                | Self::Timeout { .. }
                | Self::CutShort { .. }
                | Self::Throttled { .. }
                | Self::Server { .. }
        )
    }

    /// How long all requests should wait, if upstream asked for it.
    pub(super) fn retry_after_in(&self) -> Option<Duration> {
        match self {
            Self::Throttled { wait, .. } => Some(*wait),
            Self::Server { wait, .. } => *wait,
            _ => None,
        }
    }
}
