//! Sources: what is read from upstream, and its name.

/// Identifies a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SourceKey {
    /// A watch list's feed.
    WatchList(i64),
    /// An extra feed, by its configured name.
    ExtraFeed(String),
    /// The tickets.
    Tickets,
    /// The modification times of all advisories.
    RevisionScan,
    /// Whole advisories, one by one.
    Details,
}

impl SourceKey {
    /// The kind's name in SQL and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WatchList(_) => "watch_list",
            Self::ExtraFeed(_) => "extra_feed",
            Self::Tickets => "tickets",
            Self::RevisionScan => "sweep",
            Self::Details => "details",
        }
    }

    /// The task of its runs, as named in the run log.
    pub fn job(&self) -> &'static str {
        match self {
            Self::WatchList(_) | Self::ExtraFeed(_) => "feed",
            Self::Tickets => "tickets",
            Self::RevisionScan => "sweep",
            Self::Details => "details",
        }
    }

    /// Its name for people: in messages and tables.
    pub fn label(&self) -> String {
        match self {
            Self::RevisionScan => "revision scan".to_owned(),
            other => other.to_string(),
        }
    }

    /// Whether it is a feed: a watch list's or an extra one.
    pub fn is_feed(&self) -> bool {
        matches!(self, Self::WatchList(_) | Self::ExtraFeed(_))
    }

    /// The name of its records.
    pub fn records(&self) -> &'static str {
        match self {
            Self::WatchList(_) | Self::ExtraFeed(_) | Self::RevisionScan => "advisories",
            Self::Tickets => "tickets",
            Self::Details => "details",
        }
    }
}

/// The name for people of a source that is known by its other name only.
pub fn label_of(name: &str) -> &str {
    if name == "sweep" {
        "revision scan"
    } else {
        name
    }
}

/// Its name in JSON, in fields of the log, in metrics and in ids: it never changes.
impl std::fmt::Display for SourceKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WatchList(id) => write!(formatter, "watch list {id}"),
            Self::ExtraFeed(name) => write!(formatter, "extra feed `{name}`"),
            Self::Tickets => write!(formatter, "tickets"),
            Self::RevisionScan => write!(formatter, "sweep"),
            Self::Details => write!(formatter, "details"),
        }
    }
}
