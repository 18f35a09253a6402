//! The daemon's own web server, asked plainly.

use std::net::TcpListener;

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// Status and body of a plain GET.
pub async fn get(port: u16, path: &str) -> (u16, String) {
    ask(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n")).await
}

/// Status and body of the response to a request line and headers, each with its line end.
pub async fn ask(port: u16, request: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("an answer");
    let request = format!("{request}Connection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("an answer");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let status = answer
        .split(' ')
        .nth(1)
        .expect("an answer")
        .parse()
        .expect("an answer");
    let body = answer
        .split_once("\r\n\r\n")
        .expect("an answer")
        .1
        .to_owned();
    (status, body)
}
