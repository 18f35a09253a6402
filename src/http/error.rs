use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Why there is no answer. Texts from upstream are cut to 200 printable
/// characters and never hold the token; `url` is without user and password.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The settings make no client: certificates, proxy or base.
    #[error("{what}")]
    Unusable {
        /// Which setting, and what is wrong with it.
        what: String,
    },
    /// `upstream.ca_file` cannot be used.
    #[error("cannot read certificates (PEM) from {}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No connection, or it broke before the answer.
    #[error("{url} got no answer")]
    Network {
        /// What was asked for.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// Upstream said nothing for too long.
    #[error("{url} heard nothing for {}", humantime::format_duration(*.silence))]
    Timeout {
        /// What was asked for.
        url: String,
        /// How long.
        silence: Duration,
    },
    /// The answer ended before its end.
    #[error("{url} was cut short after {received_bytes} bytes")]
    CutShort {
        /// What was asked for.
        url: String,
        /// After decompression.
        received_bytes: u64,
        /// What happened.
        source: io::Error,
    },
    /// The compressed answer cannot be decompressed.
    #[error("{url} sent {encoding} that cannot be decompressed, after {received_bytes} bytes")]
    Undecodable {
        /// What was asked for.
        url: String,
        /// Name of the compression.
        encoding: String,
        /// After decompression.
        received_bytes: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// Upstream says: too many requests (429). All requests are held back for `wait`.
    #[error("{url} was throttled for {}: {detail}", humantime::format_duration(*.wait))]
    Throttled {
        /// What was asked for.
        url: String,
        /// How long upstream wants to be left alone, at most 10 minutes.
        wait: Duration,
        /// What upstream said.
        detail: String,
    },
    /// The limit of `requests_per_day` is used up; nothing was sent.
    #[error("the {limit} requests of `upstream.requests_per_day` are used up until {}", .until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))]
    DailyBudget {
        /// Requests in any 24 hours.
        limit: u32,
        /// When the next one is allowed.
        until: DateTime<Utc>,
    },
    /// Upstream does not accept the token (401, or 403 that speaks of it).
    #[error("{url}: upstream does not accept the token: {detail}")]
    TokenRejected {
        /// What was asked for.
        url: String,
        /// What upstream said.
        detail: String,
    },
    /// The account may not do this (403).
    #[error("{url} is not allowed to this account: {detail}")]
    Forbidden {
        /// What was asked for.
        url: String,
        /// What upstream said.
        detail: String,
    },
    /// There is no such thing (404).
    #[error("{url} was not found: {detail}")]
    NotFound {
        /// What was asked for.
        url: String,
        /// What upstream said.
        detail: String,
    },
    /// Any other status that means no.
    #[error("{url} was refused with status {status}: {detail}")]
    Refused {
        /// What was asked for.
        url: String,
        /// As it came.
        status: u16,
        /// What upstream said.
        detail: String,
    },
    /// Upstream is in trouble itself (5xx, 408, 425).
    #[error("{url} met status {status}: {detail}")]
    Server {
        /// What was asked for.
        url: String,
        /// As it came.
        status: u16,
        /// What upstream said.
        detail: String,
        /// How long upstream wants to be left alone, if it says so.
        wait: Option<Duration>,
    },
    /// A web page with status 200: a login, an error page, a captive portal.
    #[error("{url} was answered by a web page titled `{title}`")]
    Html {
        /// What was asked for.
        url: String,
        /// Its title, possibly empty.
        title: String,
    },
    /// Something else than what was asked for.
    #[error("{url} wanted {wanted} and got {got}")]
    WrongType {
        /// What was asked for.
        url: String,
        /// `XML` or `JSON`.
        wanted: &'static str,
        /// Its type, or how it begins.
        got: String,
    },
    /// It is JSON, and not what it should be.
    #[error("{url} sent JSON that cannot be read")]
    Json {
        /// What was asked for.
        url: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// More than `upstream.max_body`, or than a page of JSON may have.
    #[error("{url} sent more than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// After decompression.
        limit_bytes: u64,
    },
    /// A compression that nobody asked for.
    #[error("{url} was sent with the unknown compression `{encoding}`")]
    UnknownEncoding {
        /// What was asked for.
        url: String,
        /// As it came.
        encoding: String,
    },
    /// A `next` or a redirect leads elsewhere; the token does not go there.
    #[error("{url} leads to `{target}`, which is not on {origin}; not followed")]
    Elsewhere {
        /// What was asked for.
        url: String,
        /// Where it leads.
        target: String,
        /// Scheme, host and port of `upstream.base_url`.
        origin: String,
    },
    /// One redirect after the other.
    #[error("{url} was redirected more than {limit} times")]
    TooManyRedirects {
        /// What was asked for.
        url: String,
        /// The most that are followed.
        limit: usize,
    },
}

impl ClientError {
    /// Whether it can pass by itself: the same request may succeed later
    /// without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. }
            | Self::Timeout { .. }
            | Self::CutShort { .. }
            | Self::Throttled { .. }
            | Self::DailyBudget { .. }
            | Self::Server { .. }
            | Self::Html { .. } => true,
            Self::Unusable { .. }
            | Self::Certificates { .. }
            | Self::Undecodable { .. }
            | Self::TokenRejected { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::WrongType { .. }
            | Self::Json { .. }
            | Self::TooLarge { .. }
            | Self::UnknownEncoding { .. }
            | Self::Elsewhere { .. }
            | Self::TooManyRedirects { .. } => false,
        }
    }

    /// Whether a page past the last one was asked for (contract §4): on any
    /// page but the first that is the end and no failure.
    pub fn is_invalid_page(&self) -> bool {
        matches!(self, Self::NotFound { detail, .. } if detail.to_ascii_lowercase().contains("invalid page"))
    }

    /// Whether the same request is worth another attempt at once.
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

    /// How long upstream wants to be left alone by everybody.
    pub(super) fn retry_after_in(&self) -> Option<Duration> {
        match self {
            Self::Throttled { wait, .. } => Some(*wait),
            Self::Server { wait, .. } => *wait,
            _ => None,
        }
    }
}
