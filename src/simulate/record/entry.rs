//! Stored state of a simulated advisory.

use chrono::{DateTime, Utc};

/// First identifier: advisory 0 is `SA70000`. A million advisories stay within seven digits.
pub const FIRST_SAID: u64 = 70_000;

/// First number in URLs: advisory 0 has 200000.
pub const FIRST_ID: u64 = 200_000;

/// What the simulator remembers of an advisory; all else is made again when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvisoryEntry {
    /// Its number, from 0.
    pub index: u64,
    /// How often it was revised.
    pub revision: u32,
    /// How many levels worse it became since its release.
    pub escalations: u8,
    /// Whether it was withdrawn after its release.
    pub rejected: bool,
    /// Whether its severity is drawn in the vendor's proportions.
    pub in_proportion: bool,
    /// First published.
    pub released_at: DateTime<Utc>,
    /// Last revised.
    pub modified_at: DateTime<Utc>,
    /// The watch lists it is in: bit 0 for list 1.
    pub lists: u64,
}

impl AdvisoryEntry {
    /// Such as `SA70000`.
    pub fn said(self) -> String {
        format!("SA{}", FIRST_SAID + self.index)
    }

    /// The number in URLs.
    pub fn id(self) -> u64 {
        FIRST_ID + self.index
    }

    /// Whether it is in the watch list with this number.
    pub fn is_in(self, list: i64) -> bool {
        (1..=64).contains(&list) && self.lists >> (list - 1) & 1 == 1
    }
}
