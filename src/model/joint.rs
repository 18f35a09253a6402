//! One version, one alert: what happened to an advisory or ticket at once is reported by one
//! alert of a rule, which names all of it.

use super::{Alert, ChangeKind, Subject};

/// Kinds of changes that are reported together, the most important first. What appears in
/// watch lists is joined by list, and not here.
const BY_IMPORTANCE: [ChangeKind; 20] = [
    ChangeKind::Rejected,
    ChangeKind::Reinstated,
    ChangeKind::BecameZeroDay,
    ChangeKind::KevAdded,
    ChangeKind::Escalated,
    ChangeKind::EpssCrossed,
    ChangeKind::SolutionAvailable,
    ChangeKind::CvesAdded,
    ChangeKind::Deescalated,
    ChangeKind::Completed,
    ChangeKind::Drifted,
    ChangeKind::Corrected,
    ChangeKind::Revised,
    ChangeKind::TicketOpened,
    ChangeKind::TicketGone,
    ChangeKind::TicketReturned,
    ChangeKind::TicketStatus,
    ChangeKind::TicketPriority,
    ChangeKind::TicketAssigned,
    ChangeKind::TicketRevised,
];

impl Subject {
    /// Whether both happened at once: they are of one version, and were stored together.
    pub fn is_same_event(&self, other: &Self) -> bool {
        let event = |one: &Self| (one.is_ticket, one.version, one.at);
        self.key == other.key && event(self) == event(other)
    }
}

/// The places of the changes that one alert reports, of those that happened at once and that
/// a rule reports: the most important first. `None` if there is nothing to join.
pub fn joint(whats: &[ChangeKind]) -> Option<Vec<usize>> {
    let rank = |what: ChangeKind| BY_IMPORTANCE.iter().position(|one| *one == what);
    let places = whats.iter().enumerate();
    let mut ranked: Vec<(usize, usize)> = places
        .filter_map(|(place, what)| Some((rank(*what)?, place)))
        .collect();
    ranked.sort_unstable();
    (ranked.len() > 1).then(|| ranked.into_iter().map(|(_, place)| place).collect())
}

impl Alert {
    /// Reports what other alerts would have reported of the same version.
    pub fn report(&mut self, others: impl IntoIterator<Item = Self>) {
        for other in others {
            if !self.implies(&other.what) {
                self.summary = format!("{}; {}", self.summary, other.summary);
            }
            self.further_events.push(other.what);
        }
    }

    /// Whether its summary says that, too.
    fn implies(&self, what: &str) -> bool {
        match ChangeKind::from_name(what) {
            Some(ChangeKind::Revised | ChangeKind::TicketRevised) => true,
            Some(ChangeKind::Deescalated) => self.what == ChangeKind::Rejected.name(),
            Some(ChangeKind::Escalated) => self.what == ChangeKind::Reinstated.name(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BY_IMPORTANCE, joint};
    use crate::model::ChangeKind;

    #[test]
    fn every_kind_has_a_rank_but_those_that_are_joined_by_list() {
        for kind in ChangeKind::ALL {
            let is_of_list = matches!(
                kind,
                ChangeKind::Appeared | ChangeKind::JoinedWatchList | ChangeKind::LeftWatchList
            );
            let count = BY_IMPORTANCE.iter().filter(|one| **one == kind).count();
            assert_eq!(count, usize::from(!is_of_list), "{}", kind.name());
        }
    }

    #[test]
    fn the_most_important_leads() {
        let whats = [
            ChangeKind::Revised,
            ChangeKind::Appeared,
            ChangeKind::BecameZeroDay,
        ];
        assert_eq!(joint(&whats), Some(vec![2, 0]));
        assert_eq!(joint(&whats[..2]), None);
    }
}
