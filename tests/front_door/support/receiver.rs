//! A receiver of webhooks that remembers what it was told and answers as a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::wait::{PATIENCE, eventually};

/// One request.
#[derive(Debug, Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Value,
    /// As it came, for signatures.
    pub bytes: Bytes,
}

impl Received {
    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("a text")
    }

    /// Facts in it: what happened to which key.
    pub fn facts(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let alerts = self.body["alerts"].as_array().expect("alerts");
        alerts
            .iter()
            .map(|alert| (text(&alert["what"]), text(&alert["key"])))
            .collect()
    }
}

/// A status, and `Retry-After`.
/// A status, and the text of `Retry-After`.
type Answer = (u16, Option<&'static str>);

#[derive(Clone, Default)]
struct Memory {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    usual: Arc<Mutex<Option<u16>>>,
    pause: Arc<Mutex<Duration>>,
}

/// Listens on a port of its own until it is dropped.
pub struct Receiver {
    memory: Memory,
    /// Where it listens.
    pub url: String,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Answers 200 until told otherwise.
    pub async fn start() -> Self {
        let memory = Memory::default();
        let router = Router::new().fallback(take).with_state(memory.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!(
            "http://{}/hook",
            listener.local_addr().expect("its address")
        );
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self {
            memory,
            url,
            serving,
        }
    }

    /// The next request is answered so; `retry_after` is the header's text.
    pub fn answer(&self, status: u16, retry_after: Option<&'static str>) {
        let mut answers = self.memory.answers.lock().expect("the answers");
        answers.push_back((status, retry_after));
    }

    /// Requests of which no [`Receiver::answer`] speaks are answered so from now on.
    pub fn usually(&self, status: u16) {
        *self.memory.usual.lock().expect("the answer") = Some(status);
    }

    /// Answers come after this time from now on.
    pub fn slowly(&self, pause: Duration) {
        *self.memory.pause.lock().expect("the pause") = pause;
    }

    /// All that came so far.
    pub fn received(&self) -> Vec<Received> {
        self.memory.received.lock().expect("the memory").clone()
    }

    /// Every fact that came so far, in order.
    pub fn facts(&self) -> Vec<(String, String)> {
        self.received().iter().flat_map(Received::facts).collect()
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, requests: usize) -> Vec<Received> {
        eventually(&format!("{requests} requests"), PATIENCE, async || {
            let received = self.received();
            (received.len() >= requests).then_some(received)
        })
        .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(memory): State<Memory>, headers: HeaderMap, bytes: Bytes) -> Response {
    let body = serde_json::from_slice(&bytes).expect("JSON");
    let received = Received {
        headers,
        body,
        bytes,
    };
    memory.received.lock().expect("the memory").push(received);
    let answer = memory.answers.lock().expect("the answers").pop_front();
    let pause = *memory.pause.lock().expect("the pause");
    tokio::time::sleep(pause).await;
    let usual = memory.usual.lock().expect("the answer").unwrap_or(200);
    let (status, retry_after) = answer.unwrap_or((usual, None));
    let status = StatusCode::from_u16(status).expect("a status");
    match retry_after {
        Some(text) => (status, [("retry-after", text)], "later").into_response(),
        None => (status, "taken").into_response(),
    }
}
