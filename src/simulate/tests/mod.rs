#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod access;
mod collections;
mod control;
mod documents;
mod faults;
mod feed;
mod world;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{DEFAULT_TOKEN, Simulator, SimulatorOptions, start};

/// Longer than any answer takes: what comes after it does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it came over the wire, unchunked.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// How the connection ended, and whether the body was whole.
    end: io::Result<bool>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| {
            let key = line.split(':').next().unwrap_or_default();
            key.eq_ignore_ascii_case(name)
        })?;
        Some(line.split_once(':')?.1.trim())
    }
}

async fn simulator(change: impl FnOnce(&mut SimulatorOptions)) -> Simulator {
    let mut options = SimulatorOptions {
        advisories: 150,
        tickets: 130,
        ..SimulatorOptions::default()
    };
    change(&mut options);
    start(options).await.unwrap()
}

/// With the right token and no other header.
async fn get(simulator: &Simulator, target: &str) -> Answer {
    let authorization = format!("Authorization: Token {DEFAULT_TOKEN}\r\n");
    send(simulator.addr(), "GET", target, &authorization).await
}

async fn send(to: SocketAddr, method: &str, target: &str, headers: &str) -> Answer {
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: {to}\r\n{headers}Connection: close\r\n\r\n");
    exchange(to, request.as_bytes()).await
}

/// Sends and reads to the end of the connection, however it ends.
async fn exchange(to: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    parse(&bytes, read.unwrap().map(drop))
}

fn parse(bytes: &[u8], end: io::Result<()>) -> Answer {
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let split = split.map_or(bytes.len(), |at| at + 4);
    let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let mut answer = Answer {
        status: status.unwrap_or(0),
        head,
        body: bytes[split..].to_vec(),
        end: Ok(true),
    };
    let mut whole = true;
    if answer.header("transfer-encoding").is_some() {
        (answer.body, whole) = unchunk(&answer.body);
    } else if let Some(length) = answer.header("content-length") {
        whole = answer.body.len() == length.parse::<usize>().unwrap();
    }
    answer.end = end.map(|()| whole);
    answer
}

/// The content of a chunked body, and whether its last chunk came.
fn unchunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Some(line) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&bytes[..line]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        let rest = &bytes[line + 2..];
        if length == 0 {
            return (content, true);
        }
        content.extend_from_slice(&rest[..length.min(rest.len())]);
        bytes = rest.get(length + 2..).unwrap_or_default();
    }
    (content, false)
}
