//! The published files, which are nobody's API: no token, and conditional requests.

use std::sync::Arc;

use axum::http::header;
use xxhash_rust::xxh3::xxh3_64;

use super::asked::SimulatedRequest;
use super::reply::Reply;
use super::shared::SharedState;

/// Below this path.
const PREFIX: &str = "/published/";

/// The answer if one of them is asked for.
pub fn reply(shared: &Arc<SharedState>, asked: &SimulatedRequest) -> Option<Reply> {
    let name = asked.path.strip_prefix(PREFIX)?;
    if asked.header(header::AUTHORIZATION).is_some() {
        return Some(Reply::new(400, "text/plain", "nobody asked for a token\n"));
    }
    let (content_type, text) = match name {
        "kev.json" => ("application/json", shared.kev()),
        "epss-current.csv.gz" => {
            let reply = Reply::new(302, "text/plain", "");
            return Some(reply.with(header::LOCATION, "/published/epss-today.csv.gz"));
        }
        "epss-today.csv.gz" => ("text/csv", shared.epss()),
        _ => return Some(Reply::html(404)),
    };
    let tag = format!("\"{:x}\"", xxh3_64(text.as_bytes()));
    let reply = if asked.header(header::IF_NONE_MATCH) == Some(&tag) {
        Reply::new(304, content_type, "")
    } else {
        Reply::new(200, content_type, text)
    };
    Some(reply.with(header::ETAG, tag))
}
