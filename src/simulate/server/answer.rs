//! Request handler: applies faults, authentication and compression to every response.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Response, header};
use chrono::TimeDelta;
use serde_json::json;

use super::asked::SimulatedRequest;
use super::body::{self, Then};
use super::connection::ConnectionControl;
use super::fault::AnswerFault;
use super::query::Query;
use super::reply::{Content, Reply};
use super::seen::SeenRequest;
use super::shared::SharedState;
use super::throttled::throttled;
use super::{control, route};

/// Everything goes through one door: faults must be able to strike anywhere.
pub fn router(shared: Arc<SharedState>) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(
    State(shared): State<Arc<SharedState>>,
    ConnectInfo(connection): ConnectInfo<ConnectionControl>,
    request: Request,
) -> Response<Body> {
    if shared.options.control && request.uri().path().starts_with(control::PREFIX) {
        let reply = control::reply(&shared, request).await;
        return reply.into_response(shared.clock.now());
    }
    let target = request.uri().to_string();
    let asked = SimulatedRequest {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: Query::parse(request.uri().query().unwrap_or_default()),
        headers: request.headers().clone(),
        fault: shared.faults.strike(&target),
        target,
    };
    let now = shared.clock.now();
    let mut seen = SeenRequest::new(&asked.method, &asked.target, &asked.headers, now);
    let reply = match instead(&shared, &asked).await {
        Some(reply) => reply,
        None => route::reply(&shared, &asked),
    };
    seen.status = reply.status;
    shared.log.push(seen);
    let date = match asked.fault {
        Some(AnswerFault::DateShift { seconds }) => now + TimeDelta::seconds(seconds),
        _ => now,
    };
    deliver(&shared, &connection, &asked, reply).into_response(date)
}

/// The answers that come instead of any other, before the token is looked at.
async fn instead(shared: &SharedState, asked: &SimulatedRequest) -> Option<Reply> {
    let reply = match asked.fault.as_ref()? {
        AnswerFault::Status(status @ (502..=504)) => Reply::html(*status),
        AnswerFault::Status(status) => Reply::detail(*status, "A server error occurred."),
        AnswerFault::Throttled { form, seconds } => throttled(shared, *form, *seconds),
        AnswerFault::Html200 => Reply::html(200),
        AnswerFault::WrongType if asked.path.contains("xml-feed") => Reply::json(
            200,
            &json!({"count": 0, "next": null, "previous": null, "results": []}),
        ),
        AnswerFault::WrongType => Reply::new(200, "text/plain", "OK\n"),
        AnswerFault::RedirectTo(url) => {
            Reply::new(302, "text/plain", "").with(header::LOCATION, url)
        }
        AnswerFault::GzipBomb { mebibytes } => match body::bomb(*mebibytes).await {
            Ok(pieces) => Reply {
                content: Content::Pieces(pieces),
                ..Reply::new(200, "application/xml", "").with(header::CONTENT_ENCODING, "gzip")
            },
            Err(error) => Reply::new(500, "text/plain", error.to_string()),
        },
        _ => return None,
    };
    Some(reply)
}

/// Compresses the body if it may, and lets befall it what is to befall it.
fn deliver(
    shared: &Arc<SharedState>,
    connection: &ConnectionControl,
    asked: &SimulatedRequest,
    mut reply: Reply,
) -> Reply {
    let cut =
        |content, bytes, then| Content::Pieces(body::interrupt(body::pieces(content), bytes, then));
    if let Some(AnswerFault::Truncate {
        after_bytes,
        clean: true,
    }) = asked.fault
    {
        // Before compression: what arrives unpacks well and is cut nevertheless.
        reply.content = cut(reply.content, after_bytes, Then::End);
    }
    let mut reply = compressed(shared, asked, reply);
    match &asked.fault {
        Some(AnswerFault::Reset { after_bytes: 0 }) => connection.reset(),
        Some(AnswerFault::Reset { after_bytes }) => {
            reply.content = cut(reply.content, *after_bytes, Then::Reset(connection.clone()));
        }
        Some(AnswerFault::Stall { after_bytes }) => {
            reply.content = cut(reply.content, *after_bytes, Then::Stall);
        }
        Some(AnswerFault::Truncate {
            after_bytes,
            clean: false,
        }) => {
            reply.content = cut(reply.content, *after_bytes, Then::End);
            let promised = (after_bytes + PROMISED_TOO_MUCH).to_string();
            reply = reply.with(header::CONTENT_LENGTH, promised);
        }
        Some(AnswerFault::Cached) => reply = reply.with(header::AGE, "60"),
        Some(AnswerFault::Slow { bytes_per_second }) => {
            let pieces = body::pieces(reply.content);
            reply.content = Content::Pieces(body::slow(pieces, *bytes_per_second));
        }
        Some(AnswerFault::Hold { after_bytes, gate }) => {
            let then = Then::Hold(Arc::clone(shared), gate.clone());
            reply.content = cut(reply.content, *after_bytes, then);
        }
        _ => {}
    }
    reply
}

/// How much more a truncated body's `Content-Length` says than comes.
const PROMISED_TOO_MUCH: usize = 4096;

fn compressed(shared: &SharedState, asked: &SimulatedRequest, mut reply: Reply) -> Reply {
    let accepted = asked.header(header::ACCEPT_ENCODING).unwrap_or_default();
    let encoded = reply
        .headers
        .iter()
        .any(|(name, _)| name == header::CONTENT_ENCODING);
    let Some(compression) = shared.options.feed.compression.filter(|_| !encoded) else {
        return reply;
    };
    let name = compression.name;
    if !accepted
        .split(',')
        .any(|coding| coding.trim().starts_with(name))
    {
        return reply;
    }
    reply.content = Content::Pieces((compression.pack)(body::pieces(reply.content)));
    reply.with(header::CONTENT_ENCODING, name)
}
