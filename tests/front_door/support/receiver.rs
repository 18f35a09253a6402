//! A server that plays whoever is told of alerts: it remembers what it was sent
//! and answers as a test says.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::servers::serve;
use super::wait::{PATIENCE, eventually};

/// What a request is answered with.
#[derive(Clone)]
pub enum Reply {
    /// A status, headers and a body.
    With(u16, Vec<(&'static str, String)>, String),
    /// 400, and all that was sent.
    Echo,
    /// 200, and a body that never ends.
    Endless,
    /// Nothing, and the connection stays open.
    Never,
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        let body = if status < 300 { "taken" } else { "refused" };
        Self::With(status, Vec::new(), body.to_owned())
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    /// As it came, for signatures.
    pub bytes: Bytes,
    /// The same as JSON, where it is some.
    pub body: Value,
}

impl Received {
    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).expect(name);
        value.to_str().expect("a text")
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

struct Memory {
    received: Vec<Received>,
    next: VecDeque<Reply>,
    usual: Reply,
    pause: Duration,
    most_alerts: Option<usize>,
}

/// Listens on a port of its own until it is dropped.
pub struct Receiver {
    memory: Arc<Mutex<Memory>>,
    /// Where it listens.
    pub addr: SocketAddr,
    /// The same as an address of a sink.
    pub url: String,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Answers 200 until told otherwise.
    pub async fn start() -> Self {
        let memory = Arc::new(Mutex::new(Memory {
            received: Vec::new(),
            next: VecDeque::new(),
            usual: 200.into(),
            pause: Duration::ZERO,
            most_alerts: None,
        }));
        let router = Router::new().fallback(take).with_state(Arc::clone(&memory));
        let (addr, serving) = serve(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let addr = listener.local_addr().expect("its address");
            let serving = tokio::spawn(async move {
                axum::serve(listener, router).await.expect("it serves");
            });
            (addr, serving)
        })
        .await;
        Self {
            memory,
            addr,
            url: format!("http://{addr}"),
            serving,
        }
    }

    /// The next request is answered so; `retry_after` is the header's text.
    pub fn answer(&self, status: u16, retry_after: Option<&str>) {
        let headers = retry_after.map(|text| ("retry-after", text.to_owned()));
        let reply = Reply::With(status, headers.into_iter().collect(), "later".to_owned());
        self.memory().next.push_back(reply);
    }

    /// Requests of which no [`Receiver::answer`] speaks are answered so from now on.
    pub fn usually(&self, reply: impl Into<Reply>) {
        self.memory().usual = reply.into();
    }

    /// Lists of more alerts, as Alertmanager gets them, are too large from now on.
    pub fn takes_at_most(&self, alerts: usize) {
        self.memory().most_alerts = Some(alerts);
    }

    /// Answers come after this time from now on.
    pub fn slowly(&self, pause: Duration) {
        self.memory().pause = pause;
    }

    /// All that came so far.
    pub fn received(&self) -> Vec<Received> {
        self.memory().received.clone()
    }

    /// What came last.
    pub fn last(&self) -> Received {
        self.received().pop().expect("a message")
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

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().expect("the memory")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State(memory): State<Arc<Mutex<Memory>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let received = Received {
        at: Instant::now(),
        method,
        uri,
        headers,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
        bytes,
    };
    let echo = format!("{received:?}");
    let alerts = received.body.as_array().map_or(0, Vec::len);
    let (reply, pause) = {
        let mut memory = memory.lock().expect("the memory");
        memory.received.push(received);
        let is_too_large = memory.most_alerts.is_some_and(|most| alerts > most);
        let too_large = is_too_large.then(|| Reply::from(413));
        let next = memory.next.pop_front().or(too_large);
        (next.unwrap_or_else(|| memory.usual.clone()), memory.pause)
    };
    tokio::time::sleep(pause).await;
    match reply {
        Reply::With(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).expect("an answer")
        }
        Reply::Echo => (StatusCode::BAD_REQUEST, echo).into_response(),
        Reply::Endless => {
            let chunk = Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 16 * 1024]));
            Body::from_stream(stream::repeat(chunk)).into_response()
        }
        Reply::Never => std::future::pending().await,
    }
}
