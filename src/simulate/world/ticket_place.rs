//! Stored state of a simulated ticket.

use chrono::{DateTime, Utc};

/// What the simulator remembers of a ticket.
#[derive(Debug, Clone, Copy)]
pub struct TicketPlace {
    /// Key in URLs, from 1.
    pub id: u64,
    /// How often it was touched.
    pub revision: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last touched.
    pub modified_at: DateTime<Utc>,
    /// Number of the advisory it is about, if there is any.
    pub(super) advisory: Option<u64>,
}

impl TicketPlace {
    /// The number for people.
    pub fn pretty_id(&self) -> u64 {
        1000 + self.id
    }
}
