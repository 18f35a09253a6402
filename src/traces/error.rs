//! Why spans cannot be sent.

use crate::config::OtlpHeadersError;

/// Spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The headers cannot be read.
    #[error(transparent)]
    Headers(#[from] OtlpHeadersError),
    /// There is no HTTP client.
    #[error("cannot set up TLS for [log] otlp_endpoint: {0}")]
    Client(#[source] reqwest::Error),
}
