//! Change detection: the events of a new version of an advisory or ticket.

use super::{Advisory, ChangeKind, Named, Severity, Ticket};

/// The content of an advisory that events depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdvisoryContent {
    /// Severity; `None` for a missing or unknown code.
    pub severity: Option<Severity>,
    /// Whether upstream has rejected it.
    pub is_rejected: bool,
    /// Whether it was exploited before a fix was available.
    pub is_zero_day: bool,
    /// Solution status, upstream's name.
    pub solution_status: Option<String>,
    /// CVE identifiers.
    pub cves: Vec<String>,
}

impl From<&Advisory> for AdvisoryContent {
    fn from(advisory: &Advisory) -> Self {
        Self {
            severity: advisory.severity(),
            is_rejected: advisory.is_rejected,
            is_zero_day: advisory.is_zero_day.unwrap_or(false),
            solution_status: advisory.solution_status.clone(),
            cves: advisory.cves.clone(),
        }
    }
}

impl AdvisoryContent {
    /// Whether a fix or a workaround is available.
    fn has_solution(&self) -> bool {
        let status = self.solution_status.as_deref();
        !matches!(status, None | Some("None" | "No Fix"))
    }
}

/// The events of a new version of an advisory, besides the new version itself.
/// It is compared with all of `former` together, so that no event is repeated:
/// with the previous version and, where it only completes that one, also with the
/// revision before. Without a former version there are no events.
pub fn advisory_facts(former: &[AdvisoryContent], now: &AdvisoryContent) -> Vec<ChangeKind> {
    if former.is_empty() {
        return Vec::new();
    }
    let any = |is_true: fn(&AdvisoryContent) -> bool| former.iter().any(is_true);
    let known = || former.iter().filter_map(|one| one.severity);
    let worst = known().max().unwrap_or(Severity::Rejected);
    let named = |cve: &String| former.iter().any(|one| one.cves.contains(cve));
    let was_rejected = any(|one| one.is_rejected);
    true_kinds([
        (
            ChangeKind::Escalated,
            now.severity > Some(worst) && !was_rejected,
        ),
        (
            ChangeKind::Deescalated,
            now.severity.is_some() && now.severity < known().min() && !now.is_rejected,
        ),
        (
            ChangeKind::BecameZeroDay,
            now.is_zero_day && !any(|one| one.is_zero_day),
        ),
        (
            ChangeKind::SolutionAvailable,
            now.has_solution() && !any(AdvisoryContent::has_solution),
        ),
        (ChangeKind::CvesAdded, !now.cves.iter().all(named)),
        (ChangeKind::Rejected, now.is_rejected && !was_rejected),
        (
            ChangeKind::Reinstated,
            !now.is_rejected && former.iter().all(|one| one.is_rejected),
        ),
    ])
}

/// The content of a ticket that events depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketStatement {
    /// Defined by the customer.
    pub status: Named,
    /// Defined by the customer.
    pub priority: Named,
    /// Assignee.
    pub assignee: Named,
    /// Whether it no longer exists upstream.
    pub is_gone: bool,
}

impl From<&Ticket> for TicketStatement {
    fn from(ticket: &Ticket) -> Self {
        Self {
            status: ticket.status.clone(),
            priority: ticket.priority.clone(),
            assignee: ticket.assignee.clone(),
            is_gone: false,
        }
    }
}

/// The events of a new version of a ticket, besides the new version itself.
pub fn ticket_facts(former: &TicketStatement, now: &TicketStatement) -> Vec<ChangeKind> {
    true_kinds([
        (ChangeKind::TicketStatus, now.status != former.status),
        (ChangeKind::TicketPriority, now.priority != former.priority),
        (ChangeKind::TicketAssigned, now.assignee != former.assignee),
        (ChangeKind::TicketGone, now.is_gone && !former.is_gone),
        (ChangeKind::TicketReturned, former.is_gone && !now.is_gone),
    ])
}

fn true_kinds<const N: usize>(facts: [(ChangeKind, bool); N]) -> Vec<ChangeKind> {
    facts
        .into_iter()
        .filter(|(_, is_true)| *is_true)
        .map(|(what, _)| what)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{AdvisoryContent, TicketStatement, advisory_facts, ticket_facts};
    use crate::model::ChangeKind::{
        BecameZeroDay, CvesAdded, Deescalated, Escalated, Reinstated, Rejected, SolutionAvailable,
        TicketAssigned, TicketGone, TicketPriority, TicketReturned, TicketStatus,
    };
    use crate::model::Named;
    use crate::model::Severity::{self, HighlyCritical, LessCritical, NotCritical};

    fn of(severity: impl Into<Option<Severity>>) -> AdvisoryContent {
        let severity = severity.into();
        AdvisoryContent {
            severity,
            is_rejected: severity == Some(Severity::Rejected),
            ..AdvisoryContent::default()
        }
    }

    fn zero_day() -> AdvisoryContent {
        AdvisoryContent {
            is_zero_day: true,
            ..of(None)
        }
    }

    fn solved(status: &str) -> AdvisoryContent {
        AdvisoryContent {
            solution_status: Some(status.to_owned()),
            ..of(None)
        }
    }

    fn names(cves: &[&str]) -> AdvisoryContent {
        AdvisoryContent {
            cves: cves.iter().map(ToString::to_string).collect(),
            ..of(None)
        }
    }

    #[test]
    fn a_version_is_compared_with_the_one_before() {
        let rejected = Severity::Rejected;
        for (former, now, facts) in [
            (of(LessCritical), of(HighlyCritical), &[Escalated][..]),
            (of(HighlyCritical), of(LessCritical), &[Deescalated]),
            (of(LessCritical), of(LessCritical), &[]),
            (of(None), of(NotCritical), &[Escalated]),
            (of(NotCritical), of(None), &[]),
            (of(None), of(None), &[]),
            (of(HighlyCritical), of(rejected), &[Rejected]),
            (of(rejected), of(HighlyCritical), &[Reinstated]),
            (of(rejected), of(rejected), &[]),
            (of(None), zero_day(), &[BecameZeroDay]),
            (zero_day(), zero_day(), &[]),
            (zero_day(), of(None), &[]),
            (of(None), solved("Vendor Patched"), &[SolutionAvailable]),
            (solved("None"), solved("Partial Fix"), &[SolutionAvailable]),
            (solved("No Fix"), solved("6"), &[SolutionAvailable]),
            (of(None), solved("No Fix"), &[]),
            (solved("Partial Fix"), solved("Vendor Patched"), &[]),
            (solved("Vendor Patched"), of(None), &[]),
            (of(None), names(&["CVE-1"]), &[CvesAdded]),
            (names(&["CVE-1"]), names(&["CVE-2"]), &[CvesAdded]),
            (names(&["CVE-1", "CVE-2"]), names(&["CVE-2"]), &[]),
        ] {
            let former = [former];
            assert_eq!(advisory_facts(&former, &now), facts, "{former:?} {now:?}");
        }
    }

    #[test]
    fn facts_are_reported_in_one_order() {
        let now = AdvisoryContent {
            is_zero_day: true,
            solution_status: Some("Vendor Patched".to_owned()),
            cves: vec!["CVE-1".to_owned()],
            ..of(HighlyCritical)
        };
        let facts = [Escalated, BecameZeroDay, SolutionAvailable, CvesAdded];
        assert_eq!(advisory_facts(&[of(LessCritical)], &now), facts);
    }

    /// The revision before, the version with a part of the next revision, and the
    /// version that completes it.
    #[test]
    fn a_completing_version_reports_what_is_new_beside_both_before() {
        let rejected = Severity::Rejected;
        for (before, replaced, now, facts) in [
            (
                of(LessCritical),
                of(None),
                of(HighlyCritical),
                &[Escalated][..],
            ),
            (
                of(LessCritical),
                of(HighlyCritical),
                of(HighlyCritical),
                &[],
            ),
            (
                of(HighlyCritical),
                of(LessCritical),
                of(HighlyCritical),
                &[],
            ),
            (
                of(HighlyCritical),
                of(None),
                of(LessCritical),
                &[Deescalated],
            ),
            (of(HighlyCritical), of(LessCritical), of(LessCritical), &[]),
            (of(None), of(None), of(NotCritical), &[Escalated]),
            (of(LessCritical), of(None), of(rejected), &[Rejected]),
            (of(LessCritical), of(rejected), of(rejected), &[]),
            (of(rejected), of(rejected), of(LessCritical), &[Reinstated]),
            (of(rejected), of(LessCritical), of(LessCritical), &[]),
            (of(None), zero_day(), zero_day(), &[]),
            (zero_day(), of(None), zero_day(), &[]),
            (of(None), of(None), zero_day(), &[BecameZeroDay]),
            (solved("Partial Fix"), of(None), solved("Partial Fix"), &[]),
            (
                of(None),
                of(None),
                solved("Partial Fix"),
                &[SolutionAvailable],
            ),
            (
                names(&["CVE-1"]),
                names(&["CVE-2"]),
                names(&["CVE-1", "CVE-2"]),
                &[],
            ),
            (
                names(&["CVE-1"]),
                names(&[]),
                names(&["CVE-1", "CVE-3"]),
                &[CvesAdded],
            ),
        ] {
            let former = [before, replaced];
            assert_eq!(advisory_facts(&former, &now), facts, "{former:?} {now:?}");
        }
    }

    #[test]
    fn with_nothing_to_compare_with_nothing_is_reported() {
        assert_eq!(advisory_facts(&[], &of(HighlyCritical)), []);
        assert_eq!(advisory_facts(&[], &of(Severity::Rejected)), []);
    }

    #[test]
    fn a_ticket_is_compared_with_its_version_before() {
        let named = |id: i64, name: &str| Named {
            id: Some(id),
            name: Some(name.to_owned()),
        };
        let plain = TicketStatement::default;
        let open = TicketStatement {
            status: named(1, "Open"),
            ..plain()
        };
        let renamed = TicketStatement {
            status: named(1, "Opened"),
            ..plain()
        };
        let gone = TicketStatement {
            is_gone: true,
            ..plain()
        };
        let all = TicketStatement {
            status: named(1, "Open"),
            priority: named(2, "High"),
            assignee: named(3, "ada"),
            is_gone: true,
        };
        for (former, now, facts) in [
            (&plain(), &open, &[TicketStatus][..]),
            (&open, &renamed, &[TicketStatus]),
            (&open, &open, &[]),
            (&plain(), &gone, &[TicketGone]),
            (&gone, &gone, &[]),
            (&gone, &plain(), &[TicketReturned]),
            (
                &plain(),
                &all,
                &[TicketStatus, TicketPriority, TicketAssigned, TicketGone],
            ),
        ] {
            assert_eq!(ticket_facts(former, now), facts, "{former:?} {now:?}");
        }
    }
}
