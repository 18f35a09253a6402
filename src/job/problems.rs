//! What is wrong at present: shown by the service manager, next to what is followed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::model::{ConditionState, shortened};

/// Maximum length of one reason, in characters: `systemctl status` shows one line.
const MAX_REASON_CHARS: usize = 200;
/// More conditions are only counted.
const MAX_CONDITIONS: usize = 3;

/// An outage is logged at most this often: on a full disk small writes succeed in between,
/// and each of them ends it.
const LOG_EVERY: Duration = Duration::from_mins(5);

/// What is wrong with the database, the worst last. Of several, the worst is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OutageKind {
    /// It does not answer, or accepts no writes.
    Unavailable,
    /// It answers and cannot store anything.
    DiskFull,
    /// It answers, and hardly any statement works.
    LockTableFull,
}

/// An outage of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OngoingOutage {
    /// Why the database cannot be used, as a clause; `None` if it can.
    clause: Option<String>,
    /// What is wrong, while something is.
    kind: Option<OutageKind>,
    /// Workers that cannot go on.
    workers: BTreeSet<String>,
    /// Whether this outage was logged.
    is_logged: bool,
    /// When one was logged last.
    logged_at: Option<Instant>,
}

impl OngoingOutage {
    /// A worker cannot go on, for the reason `clause`.
    pub fn begin(&mut self, worker: &str, (clause, kind): (&str, OutageKind)) {
        self.workers.insert(worker.to_owned());
        if self.kind < Some(kind) {
            self.clause = Some(clause.to_owned());
            self.kind = Some(kind);
        }
    }

    /// What is wrong, if anything is known.
    pub fn kind(&self) -> Option<OutageKind> {
        self.kind
    }

    /// Why the database cannot store anything although it answers.
    pub fn full(&self) -> Option<&str> {
        self.clause
            .as_deref()
            .filter(|_| self.kind > Some(OutageKind::Unavailable))
    }

    /// Why the database cannot even be read although it answers.
    pub fn unreadable(&self) -> Option<&str> {
        self.clause
            .as_deref()
            .filter(|_| self.kind == Some(OutageKind::LockTableFull))
    }

    /// Whether the outage is to be logged now; it then counts as logged.
    pub fn log(&mut self, now: Instant) -> bool {
        let is_due = |at: Instant| now.duration_since(at) >= LOG_EVERY;
        let is_new = !self.is_logged && self.logged_at.is_none_or(is_due);
        if is_new {
            self.is_logged = true;
            self.logged_at = Some(now);
        }
        is_new
    }

    /// A worker can go on. Returns whether a logged outage ends with that: no worker is left
    /// that cannot.
    pub fn end(&mut self, worker: &str) -> bool {
        let is_last = self.workers.remove(worker) && self.workers.is_empty();
        if !is_last {
            return false;
        }
        self.clause = None;
        self.kind = None;
        std::mem::take(&mut self.is_logged)
    }
}

/// Outage of the database, and active conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ActiveProblems {
    /// Outage of the database.
    pub database: OngoingOutage,
    /// Active health conditions, in words.
    pub conditions: Vec<String>,
}

impl ActiveProblems {
    /// The conditions that are active among `states`, in words.
    pub fn conditions(states: &[ConditionState]) -> Vec<String> {
        let active = states.iter().filter(|state| state.is_found());
        active
            .map(|state| format!("{} ({})", state.condition.title(true), state.key))
            .collect()
    }

    /// What is wrong, the worst first, each one as a clause.
    pub fn clauses(&self) -> Vec<String> {
        let database = self.database.clause.iter().cloned();
        let conditions = self.conditions.iter().take(MAX_CONDITIONS).cloned();
        let more = self.conditions.len().saturating_sub(MAX_CONDITIONS);
        let more = (more > 0).then(|| format!("{more} more conditions"));
        let clauses = database.chain(conditions).chain(more);
        clauses
            .map(|clause| shortened(&clause, MAX_REASON_CHARS))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LOG_EVERY, OngoingOutage, OutageKind};

    #[test]
    fn an_outage_begins_with_the_first_worker_and_ends_with_the_last() {
        let now = Instant::now();
        let mut outage = OngoingOutage::default();
        outage.begin("feed 1", ("unreachable", OutageKind::Unavailable));
        assert_eq!(outage.full(), None);
        assert!(outage.log(now));
        outage.begin("tickets", ("disk full", OutageKind::DiskFull));
        assert_eq!(outage.full(), Some("disk full"));
        assert!(!outage.log(now), "one line for all workers");
        assert!(!outage.end("heartbeat"), "it was never affected");
        assert!(!outage.end("feed 1"));
        outage.begin("feed 1", ("disk full", OutageKind::DiskFull));
        assert!(!outage.end("tickets"));
        assert!(outage.end("feed 1"));
        assert_eq!((outage.clause.as_deref(), outage.full()), (None, None));
    }

    #[test]
    fn an_outage_that_small_writes_interrupt_is_logged_rarely() {
        let now = Instant::now();
        let mut outage = OngoingOutage::default();
        let mut logged = Vec::new();
        for second in (0..=600).step_by(12) {
            outage.begin("feed 1", ("disk full", OutageKind::DiskFull));
            if outage.log(now + Duration::from_secs(second)) {
                logged.push(second);
            }
            outage.end("feed 1");
        }
        let every = LOG_EVERY.as_secs();
        assert_eq!(logged, [0, every, 2 * every]);
    }
}
