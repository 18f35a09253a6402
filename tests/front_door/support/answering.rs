//! A server that plays whoever is told of alerts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the server answers.
#[derive(Clone)]
pub enum Reply {
    /// With a status, headers and a body.
    With(u16, Vec<(&'static str, String)>, String),
    /// With 400, and all that it was sent.
    Echo,
    /// With 200, and a body that never ends.
    Endless,
    /// With 200, after a while.
    After(Duration),
    /// Not at all.
    Never,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::With(status, Vec::new(), String::new())
    }
}

/// What the server was sent.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.expect(name).expect(name)
    }
}

#[derive(Clone)]
struct Told {
    reply: Arc<Mutex<Reply>>,
    received: Arc<Mutex<Vec<Received>>>,
}

pub struct Answering {
    pub addr: SocketAddr,
    told: Told,
    serving: JoinHandle<()>,
}

impl Answering {
    pub async fn start(reply: Reply) -> Self {
        let told = Told {
            reply: Arc::new(Mutex::new(reply)),
            received: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(told.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("its address");
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server");
        });
        Self {
            addr,
            told,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on.
    pub fn reply(&self, reply: Reply) {
        *self.told.reply.lock().expect("the reply") = reply;
    }

    pub fn received(&self) -> Vec<Received> {
        self.told.received.lock().expect("the received").clone()
    }

    pub fn last(&self) -> Received {
        self.received().pop().expect("a message")
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(told): State<Told>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let received = Received {
        method,
        uri,
        headers,
        body,
    };
    let echo = format!("{received:?}");
    told.received.lock().expect("the received").push(received);
    let reply = told.reply.lock().expect("the reply").clone();
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
        Reply::After(pause) => {
            tokio::time::sleep(pause).await;
            StatusCode::OK.into_response()
        }
        Reply::Never => std::future::pending().await,
    }
}
