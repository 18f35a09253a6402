//! HTTP responses.

use std::io;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use serde_json::{Value, json};

/// A body that comes in pieces.
pub type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// What a body is made of.
pub enum Content {
    /// Known in full; its length is sent.
    Whole(Bytes),
    /// Made on the way.
    Pieces(Pieces),
}

/// An answer before it is sent.
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub headers: Vec<(HeaderName, String)>,
    pub content: Content,
}

impl Reply {
    /// An answer with a body known in full.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            content: Content::Whole(body.into()),
        }
    }

    /// JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// `{"detail": …}`, as Django REST framework says what is wrong.
    pub fn detail(status: u16, detail: &str) -> Self {
        Self::json(status, &json!({ "detail": detail }))
    }

    /// A page for people.
    pub fn html(status: u16) -> Self {
        let page = "<!DOCTYPE html>\n<html><head><title>Web API</title></head>\
            <body><h1>Web API</h1><p>Please log in &amp; try again.</p></body></html>\n";
        Self::new(status, "text/html; charset=utf-8", page)
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As sent: with upstream's time and the cookie that no script may keep.
    pub fn into_response(self, now: DateTime<Utc>) -> Response<Body> {
        let mut response = Response::new(match self.content {
            Content::Whole(bytes) => Body::from(bytes),
            Content::Pieces(pieces) => Body::from_stream(pieces),
        });
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let cookie = "sessionid=not-for-scripts; HttpOnly; Path=/; SameSite=Lax";
        let fixed = [
            (header::CONTENT_TYPE, self.content_type),
            (header::DATE, httpdate::fmt_http_date(now.into())),
            (header::SET_COOKIE, cookie.to_owned()),
            (header::VARY, "Accept, Cookie".to_owned()),
            (header::ALLOW, "GET, OPTIONS".to_owned()),
            (header::SERVER, "web-7.backend.corp.test".to_owned()),
        ];
        for (name, value) in fixed.into_iter().chain(self.headers) {
            // A header that cannot be written is left out: tests would miss it.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
