//! The answers as they are to be written.

use super::report::Report;
use super::taken::Taken;

/// What a folder is made of.
#[derive(Debug)]
pub struct Captured {
    /// Which statements of the contract held.
    pub report: Report,
    /// The answers with the bodies as they are to be written.
    pub answers: Vec<Written>,
}

/// An answer as it is to be written.
#[derive(Debug)]
pub struct Written {
    /// As it was taken.
    pub taken: Taken,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body; `None` for one that cannot be disguised safely.
    pub body: Option<Vec<u8>>,
}
