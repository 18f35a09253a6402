//! Log of received requests, for tests.

use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderName, header};
use chrono::{DateTime, Utc};

use super::lock::locked;

/// A request as the simulator saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    /// `GET`, and hopefully nothing else.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The header whole, token included: compare, never print.
    pub authorization: Option<String>,
    /// Must never be there (contract §2).
    pub cookie: Option<String>,
    /// As it came.
    pub accept: Option<String>,
    /// As it came.
    pub accept_encoding: Option<String>,
    /// As it came.
    pub user_agent: Option<String>,
    /// As it came.
    pub host: Option<String>,
    /// By the simulator's clock.
    pub at: DateTime<Utc>,
    /// What was answered.
    pub status: u16,
}

impl SeenRequest {
    /// What is of interest in a request.
    pub fn new(method: &str, target: &str, headers: &HeaderMap, at: DateTime<Utc>) -> Self {
        let value = |name: HeaderName| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            authorization: value(header::AUTHORIZATION),
            cookie: value(header::COOKIE),
            accept: value(header::ACCEPT),
            accept_encoding: value(header::ACCEPT_ENCODING),
            user_agent: value(header::USER_AGENT),
            host: value(header::HOST),
            at,
            status: 0,
        }
    }
}

/// More than any test sends; a simulator that runs for days stays small.
const MAX_SEEN: usize = 100_000;

/// The requests so far, in the order of their answers.
#[derive(Debug, Default)]
pub struct RequestLog {
    seen: Mutex<Vec<SeenRequest>>,
}

impl RequestLog {
    /// Remembers a request; the oldest half is forgotten when there are too many.
    pub fn push(&self, request: SeenRequest) {
        let mut seen = locked(&self.seen);
        if seen.len() >= MAX_SEEN {
            seen.drain(..MAX_SEEN / 2);
        }
        seen.push(request);
    }

    /// All that are remembered.
    pub fn all(&self) -> Vec<SeenRequest> {
        locked(&self.seen).clone()
    }

    /// Forgets them.
    pub fn clear(&self) {
        locked(&self.seen).clear();
    }
}
