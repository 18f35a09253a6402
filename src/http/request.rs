//! A request to upstream: path, query parameters and what is expected.

use super::answer::BodyType;

/// A GET request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path below the base URL, such as `/api/tickets/`; always with a trailing slash (contract §1).
    pub path: String,
    /// Query parameters, in this order.
    pub query: Vec<(String, String)>,
    /// Expected type of the response.
    pub kind: BodyType,
}

impl Request {
    /// A path without query parameters.
    pub fn new(path: impl Into<String>, kind: BodyType) -> Self {
        Self {
            path: path.into(),
            query: Vec::new(),
            kind,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }
}
