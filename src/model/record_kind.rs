//! Record kinds: advisory or ticket.

/// The kind of a stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// An advisory.
    Advisory,
    /// A ticket.
    Ticket,
}

impl RecordKind {
    /// The name used in SQL and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Ticket => "ticket",
        }
    }
}
