//! A test server that replies byte by byte and records the requests.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Reaction of the server to a request.
pub(super) enum Act {
    /// Sends these bytes and closes the connection.
    Say(Vec<u8>),
    /// Sends these bytes and then nothing more.
    Stall(Vec<u8>),
    /// Closes the connection with a reset.
    Reset,
}

/// A server that simulates upstream byte by byte and records the requests.
pub(super) struct ByteServer {
    pub(super) base: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for ByteServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ByteServer {
    /// `act` gets the number of the request, from 0, and its head.
    pub(super) async fn start(act: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, act) = (Arc::clone(&requests), Arc::new(act));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, act) = (Arc::clone(&seen), Arc::clone(&act));
                tokio::spawn(async move { converse(stream, &seen, &*act).await });
            }
        });
        Self {
            base,
            requests,
            task,
        }
    }

    /// The heads of all requests so far, with header names in lower case.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn converse(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    act: &(impl Fn(usize, &str) -> Act + ?Sized),
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(head.clone());
        seen.len() - 1
    };
    match act(number, &head) {
        Act::Say(bytes) => {
            // The client may have closed the connection.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Act::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Act::Reset => stream.set_zero_linger().unwrap(),
    }
}

/// A response with its length and additional header lines.
pub(super) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A JSON response.
pub(super) fn json(status: &str, body: &str) -> Act {
    Act::Say(answer(status, &["Content-Type: application/json"], body))
}

/// An XML response.
pub(super) fn xml(body: &str) -> Act {
    Act::Say(answer("200 OK", &["Content-Type: application/xml"], body))
}
