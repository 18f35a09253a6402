//! Reads the beginning of a response body, limited in size and time.

use std::time::Duration;

use reqwest::Response;

/// The first `most_bytes` of a body, or as much as arrives within `patience`. Later
/// data is ignored, because these bodies only explain a status.
pub async fn beginning(mut response: Response, most_bytes: usize, patience: Duration) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = most_bytes - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == most_bytes {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(patience, reading).await;
    body
}
