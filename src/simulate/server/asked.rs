//! The parts of a request that responses depend on.

use axum::http::{HeaderMap, header};

use super::fault::AnswerFault;
use super::query::Query;

/// A request, as far as answers depend on it.
pub struct SimulatedRequest {
    pub method: String,
    pub path: String,
    pub query: Query,
    pub target: String,
    pub headers: HeaderMap,
    /// What goes wrong within the answer's content.
    pub fault: Option<AnswerFault>,
}

impl SimulatedRequest {
    /// A header's text; empty counts as missing.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        let value = self.headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then_some(value)
    }
}
