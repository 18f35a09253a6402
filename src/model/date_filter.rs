use serde::Serialize;

/// Which date filter upstream honours on tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DateFilter {
    /// `modified__gte` and `modified__lt`: differences can be read.
    Modified,
    /// Only `created__gte` and `created__lt`: new tickets can be read, changes need a full walk.
    Created,
    /// None: only full walks.
    None,
}

impl DateFilter {
    /// The name in the database, and the stem of upstream's parameters.
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
