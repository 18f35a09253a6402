//! Raw requests and responses with any status, for `advisoryd capture`.

use chrono::{DateTime, Utc};
use url::Url;

use super::body::ResponseBody;
use super::request::Request;
use crate::config::ApiToken;

/// HTTP method. There is none that could change data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Requests a resource.
    Get,
    /// Requests the allowed methods of a resource.
    Options,
}

impl Verb {
    /// The name of the method.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Options => "OPTIONS",
        }
    }

    pub(super) fn method(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Options => reqwest::Method::OPTIONS,
        }
    }
}

/// A raw request.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// The method.
    pub verb: Verb,
    /// Path and query.
    pub request: Request,
    /// Sent instead of the account's token.
    pub token: Option<ApiToken>,
    /// Whether redirects within the origin are followed.
    pub follows: bool,
}

/// A response with any status. Its body has not been read yet.
#[derive(Debug)]
pub struct RawResponse {
    /// Status code.
    pub status: u16,
    /// Final URL, after redirects.
    pub url: Url,
    /// Headers as received.
    pub headers: Vec<(String, String)>,
    /// Time of the response by upstream's clock (`Date`), if present and plausible.
    pub date: Option<DateTime<Utc>>,
    /// The body, decompressed.
    pub body: ResponseBody,
}
