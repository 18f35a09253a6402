//! What a record in quarantine is: it decides how the record is read again and shown.

/// What is kept of a record in quarantine, and in which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineKind {
    /// A record of a feed, in XML.
    FeedRecord,
    /// The beginning of one: it was too large, or the database refused all of it.
    FeedRecordBeginning,
    /// A row of a collection of the JSON API, or a response with details.
    Json,
    /// The beginning of one that was too large to be read.
    JsonBeginning,
    /// A row that is only a part of a ticket.
    PartOfTicket,
}

impl QuarantineKind {
    const ALL: [Self; 5] = [
        Self::FeedRecord,
        Self::FeedRecordBeginning,
        Self::Json,
        Self::JsonBeginning,
        Self::PartOfTicket,
    ];

    /// The name in the column `quarantine.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeedRecord => "feed_record",
            Self::FeedRecordBeginning => "feed_record_beginning",
            Self::Json => "json",
            Self::JsonBeginning => "json_beginning",
            Self::PartOfTicket => "part_of_ticket",
        }
    }

    /// From its name; a check constraint allows no other.
    pub fn from_name(name: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name).unwrap_or(Self::Json)
    }

    /// Whether it is in XML.
    pub fn is_xml(self) -> bool {
        matches!(self, Self::FeedRecord | Self::FeedRecordBeginning)
    }

    /// Whether the whole record is kept, so that it can be parsed again.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::FeedRecord | Self::Json)
    }

    /// The same of a record of which only the beginning is kept.
    #[must_use]
    pub fn beginning(self) -> Self {
        match self {
            Self::FeedRecord | Self::FeedRecordBeginning => Self::FeedRecordBeginning,
            Self::Json | Self::JsonBeginning | Self::PartOfTicket => Self::JsonBeginning,
        }
    }
}
