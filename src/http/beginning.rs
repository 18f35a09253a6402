//! Reads the beginning of a response body, limited in size and time.

use std::io;
use std::time::Duration;

use futures_util::TryStreamExt;
use reqwest::Response;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::decoder::{decoder, encoding};

/// The first `most_bytes` of a body, decompressed, or as much as arrives within `patience`.
/// Later data is ignored, because these bodies only explain a status. Empty if the encoding
/// is unknown.
pub async fn beginning(response: Response, most_bytes: usize, patience: Duration) -> Vec<u8> {
    let encoding = encoding(&response);
    let stream = response.bytes_stream().map_err(io::Error::other);
    let mut body = Vec::new();
    let Some(source) = decoder(&encoding, StreamReader::new(Box::pin(stream))) else {
        return body;
    };
    let most_bytes = u64::try_from(most_bytes).unwrap_or(u64::MAX);
    let mut source = source.take(most_bytes);
    // What came before an error or the end of the time explains the status as well.
    let _ = tokio::time::timeout(patience, source.read_to_end(&mut body)).await;
    body
}
