//! Tests of the HTTP client for upstream.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bodies;
mod json_rows;
mod origin;
mod refusals;
mod retries;
mod server;

use std::time::Duration;

use super::{Answer, BodyType, Client, Request};
use crate::config::{ApiToken, BackoffSettings, Upstream};

const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// Settings with very short retry delays.
fn settings(base: &str) -> Upstream {
    Upstream {
        requests_per_minute: 60_000,
        read_timeout: Duration::from_millis(400),
        connect_timeout: Duration::from_secs(2),
        max_attempts: 3,
        backoff: BackoffSettings {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(5),
        },
        ..Upstream::new(base.parse().unwrap())
    }
}

fn client_with(settings: &Upstream) -> Client {
    Client::new(
        settings,
        ApiToken::parse(TOKEN).unwrap(),
        Vec::new(),
        crate::clock::Clock::system(),
    )
    .unwrap()
}

fn client(base: &str) -> Client {
    client_with(&settings(base))
}

/// The whole body.
async fn as_json(answer: &mut Answer) -> serde_json::Value {
    let body = answer.bytes().await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn feed() -> Request {
    Request::new("/api/xml-feed/", BodyType::Xml).with("days", "1")
}

fn page() -> Request {
    Request::new("/api/tickets/", BodyType::Json).with("page", "1")
}
