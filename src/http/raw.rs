//! Answers as they are, whatever they say: for `advisoryd capture`.

use chrono::{DateTime, Utc};
use url::Url;

use super::body::Body;
use super::request::Request;
use crate::config::Token;

/// How to ask. There is no verb that could change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// For a thing.
    Get,
    /// For what may be done with it.
    Options,
}

impl Verb {
    /// As in a request.
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

/// What to look at.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// How to ask.
    pub verb: Verb,
    /// What for.
    pub request: Request,
    /// Sent in place of the account's token.
    pub token: Option<Token>,
    /// Whether redirects within the origin are followed.
    pub follows: bool,
}

/// An answer with whatever status. Its body is still on its way.
#[derive(Debug)]
pub struct RawResponse {
    /// As it came.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: Url,
    /// As they came.
    pub headers: Vec<(String, String)>,
    /// Upstream's clock when it answered, if it says so and is believed.
    pub date: Option<DateTime<Utc>>,
    /// What it says, unpacked.
    pub body: Body,
}
