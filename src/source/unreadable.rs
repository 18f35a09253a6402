//! Records that cannot be understood.

/// A record that was received and could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its identifier, where one could be found.
    pub key: Option<String>,
    /// Why it could not be understood.
    pub reason: String,
    /// As it came.
    pub raw: String,
}
