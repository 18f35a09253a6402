//! Date filters of the ticket API.

use serde::Serialize;

/// The date filter that upstream supports for tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DateFilter {
    /// `modified__gte` and `modified__lt`: incremental runs are possible.
    Modified,
    /// Only `created__gte` and `created__lt`: finds new tickets; changes need a full scan.
    Created,
    /// None: only full scans.
    None,
}

impl DateFilter {
    /// The name in the database, and the prefix of upstream's parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modified => "modified",
            Self::Created => "created",
            Self::None => "none",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Modified, Self::Created, Self::None]
            .into_iter()
            .find(|filter| filter.name() == name)
    }
}
