//! Change kinds: the fixed set of events in the change log.

use serde::{Deserialize, Serialize};

/// What happened to an advisory or ticket: the fixed set of `advisoryd_v1.changes.what`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// First received, from any source.
    Appeared,
    /// A known advisory is now also in this watch list.
    JoinedWatchList,
    /// A complete full pull of this watch list no longer contained it.
    LeftWatchList,
    /// Any new version.
    Revised,
    /// Feed and JSON together have more details of the same revision.
    Completed,
    /// Severity rose.
    Escalated,
    /// Severity fell.
    Deescalated,
    /// It is exploited before a fix is available.
    BecameZeroDay,
    /// A fix or workaround is available.
    SolutionAvailable,
    /// CVEs were added.
    CvesAdded,
    /// Rejected by upstream.
    Rejected,
    /// No longer rejected.
    Reinstated,
    /// One of its CVEs was added to the KEV catalogue, and none was in it before.
    KevAdded,
    /// The highest EPSS score of its CVEs rose to the threshold.
    EpssCrossed,
    /// A replay parsed the same raw text differently.
    Corrected,
    /// Upstream changed it without a new modification date.
    Drifted,
    /// A ticket was first received.
    TicketOpened,
    /// Any new version of a ticket.
    TicketRevised,
    /// Its status changed.
    TicketStatus,
    /// Its priority changed.
    TicketPriority,
    /// Its assignee changed.
    TicketAssigned,
    /// A complete full scan did not find it.
    TicketGone,
    /// A missing ticket was found again.
    TicketReturned,
}

impl ChangeKind {
    /// Whether it happens to tickets.
    pub fn is_of_tickets(self) -> bool {
        match self {
            Self::TicketOpened
            | Self::TicketRevised
            | Self::TicketStatus
            | Self::TicketPriority
            | Self::TicketAssigned
            | Self::TicketGone
            | Self::TicketReturned => true,
            Self::Appeared
            | Self::JoinedWatchList
            | Self::LeftWatchList
            | Self::Revised
            | Self::Completed
            | Self::Escalated
            | Self::Deescalated
            | Self::BecameZeroDay
            | Self::SolutionAvailable
            | Self::CvesAdded
            | Self::Rejected
            | Self::Reinstated
            | Self::KevAdded
            | Self::EpssCrossed
            | Self::Corrected
            | Self::Drifted => false,
        }
    }

    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 23] = [
        Self::Appeared,
        Self::JoinedWatchList,
        Self::LeftWatchList,
        Self::Revised,
        Self::Completed,
        Self::Escalated,
        Self::Deescalated,
        Self::BecameZeroDay,
        Self::SolutionAvailable,
        Self::CvesAdded,
        Self::Rejected,
        Self::Reinstated,
        Self::KevAdded,
        Self::EpssCrossed,
        Self::Corrected,
        Self::Drifted,
        Self::TicketOpened,
        Self::TicketRevised,
        Self::TicketStatus,
        Self::TicketPriority,
        Self::TicketAssigned,
        Self::TicketGone,
        Self::TicketReturned,
    ];

    /// The name used in SQL and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::JoinedWatchList => "joined_watch_list",
            Self::LeftWatchList => "left_watch_list",
            Self::Revised => "revised",
            Self::Completed => "completed",
            Self::Escalated => "escalated",
            Self::Deescalated => "deescalated",
            Self::BecameZeroDay => "became_zero_day",
            Self::SolutionAvailable => "solution_available",
            Self::CvesAdded => "cves_added",
            Self::Rejected => "rejected",
            Self::Reinstated => "reinstated",
            Self::KevAdded => "kev_added",
            Self::EpssCrossed => "epss_crossed",
            Self::Corrected => "corrected",
            Self::Drifted => "drifted",
            Self::TicketOpened => "ticket_opened",
            Self::TicketRevised => "ticket_revised",
            Self::TicketStatus => "ticket_status",
            Self::TicketPriority => "ticket_priority",
            Self::TicketAssigned => "ticket_assigned",
            Self::TicketGone => "ticket_gone",
            Self::TicketReturned => "ticket_returned",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it reports something that was not known before. A first load creates
    /// thousands of these.
    pub fn is_first_sight(self) -> bool {
        matches!(
            self,
            Self::Appeared | Self::JoinedWatchList | Self::TicketOpened
        )
    }

    /// Whether the severity fell: the severity before counts, too.
    pub fn is_fall(self) -> bool {
        matches!(self, Self::Rejected | Self::Deescalated)
    }
}

#[cfg(test)]
mod tests {
    use super::ChangeKind;

    #[test]
    fn names_are_the_same_in_sql_and_json() {
        for kind in ChangeKind::ALL {
            let name = format!("\"{}\"", kind.name());
            assert_eq!(serde_json::to_string(&kind).ok(), Some(name));
            assert_eq!(ChangeKind::from_name(kind.name()), Some(kind));
        }
    }
}
