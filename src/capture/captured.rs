//! Capture: the responses as they are written.

use super::report::CaptureReport;
use super::response::CapturedResponse;

/// Contents of a capture directory.
#[derive(Debug)]
pub struct Captured {
    /// The report: which statements of the contract are true.
    pub report: CaptureReport,
    /// The responses as they are written.
    pub answers: Vec<Written>,
}

/// A response as it is written.
#[derive(Debug)]
pub struct Written {
    /// The original response.
    pub response: CapturedResponse,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body; `None` if it cannot be anonymised safely.
    pub body: Option<Vec<u8>>,
}
