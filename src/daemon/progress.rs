//! Progress monitoring for the systemd watchdog: does a worker take its ticks, and do its
//! runs make progress?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::CronExpression;
use crate::job::context::Progress;

/// An idle worker must take a tick within this time. Long enough for a machine that was
/// suspended or is swapping.
const TICK_TIMEOUT: Duration = Duration::from_secs(30);
/// A run may make no progress for this long: requests that time out, upstream asking for
/// ten minutes of pause each time, a lock in the database.
const PROGRESS_TIMEOUT: Duration = Duration::from_hours(2);

/// Who is notified when a run has ended: each may have something to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunEnded {
    /// Health checks.
    pub health: Arc<Notify>,
    /// The fetch queue.
    pub details: Arc<Notify>,
}

impl RunEnded {
    /// A run has ended.
    pub fn notify(&self) {
        self.health.notify_one();
        self.details.notify_one();
    }
}

/// Something that a schedule wakes.
#[derive(Debug, Clone)]
pub struct Woken {
    /// The schedule.
    pub schedule: CronExpression,
    /// Notified by each tick; several ticks during a run count as one.
    pub tick: Arc<Notify>,
    /// Its progress.
    pub watch: Watch,
}

impl Woken {
    /// Something woken by this schedule.
    pub fn by(schedule: &CronExpression) -> Self {
        Self {
            schedule: schedule.clone(),
            tick: Arc::new(Notify::new()),
            watch: Watch::default(),
        }
    }

    /// Gives a tick.
    pub fn wake(&self) {
        self.watch.ticked();
        self.tick.notify_one();
    }
}

/// Progress of a worker, shared by the scheduler, the worker and the watchdog.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    state: Arc<Mutex<State>>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct State {
    ticks: u64,
    /// The first tick that was not taken yet.
    due_since: Option<Instant>,
    work: Work,
    has_settled: bool,
}

#[derive(Debug, Default)]
enum Work {
    #[default]
    Idle,
    /// Running; when it last made progress, and the counter at that time.
    Busy { progress_at: Instant, mark: u64 },
    /// Waiting for a run slot, or for an unreachable database: degraded, not stuck.
    Waiting,
}

/// Why a worker is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// It is idle but does not take its tick.
    TakesNoTick,
    /// It runs but makes no progress.
    NoProgress,
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::TakesNoTick => "does not react to its schedule",
            Self::NoProgress => "has made no progress for hours",
        })
    }
}

impl Watch {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn ticked(&self) {
        self.change(|state| state.ticked(Instant::now()));
    }

    /// The number of ticks so far.
    pub(super) fn ticks(&self) -> u64 {
        let mut ticks = 0;
        self.change(|state| ticks = state.ticks);
        ticks
    }

    /// The counters of runs under this watch.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Marks it as running; its tick is taken.
    pub fn begins(&self) {
        let mark = self.mark();
        self.change(|state| state.begins(mark, Instant::now()));
    }

    /// Marks it as idle.
    pub fn ends(&self) {
        self.change(|state| {
            state.work = Work::Idle;
            state.has_settled = true;
        });
    }

    /// Awaits something external. However long it takes, the worker is not stuck.
    pub async fn waits<T>(&self, what: impl Future<Output = T>) -> T {
        self.change(|state| state.work = Work::Waiting);
        let output = what.await;
        self.begins();
        output
    }

    /// Whether the run that was due at the start has ended.
    pub(super) fn has_settled(&self) -> bool {
        let mut settled = false;
        self.change(|state| settled = state.has_settled);
        settled
    }

    /// Why it is stuck, if it is. `is_paused`: upstream asked for a pause. Must be called
    /// regularly, because it compares the counters with those of the last call.
    pub(crate) fn stuck(&self, is_paused: bool) -> Option<Stuck> {
        let mark = self.mark();
        let mut stuck = None;
        self.change(|state| stuck = state.stuck(mark, is_paused, Instant::now()));
        stuck
    }

    fn mark(&self) -> u64 {
        self.progress.bytes().wrapping_add(self.progress.records())
    }
}

impl State {
    fn ticked(&mut self, now: Instant) {
        self.ticks += 1;
        self.due_since.get_or_insert(now);
    }

    fn begins(&mut self, mark: u64, now: Instant) {
        self.due_since = None;
        self.work = Work::Busy {
            progress_at: now,
            mark,
        };
    }

    fn stuck(&mut self, mark_now: u64, is_paused: bool, now: Instant) -> Option<Stuck> {
        match &mut self.work {
            Work::Waiting => None,
            Work::Idle => {
                let is_late = |since: Instant| now - since >= TICK_TIMEOUT;
                let is_stuck = self.due_since.is_some_and(is_late);
                is_stuck.then_some(Stuck::TakesNoTick)
            }
            Work::Busy { progress_at, mark } => {
                if is_paused || *mark != mark_now {
                    *progress_at = now;
                    *mark = mark_now;
                }
                (now - *progress_at >= PROGRESS_TIMEOUT).then_some(Stuck::NoProgress)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{PROGRESS_TIMEOUT, State, Stuck, TICK_TIMEOUT, Work};

    #[test]
    fn a_worker_that_takes_no_tick_is_stuck() {
        let (mut worker, now) = (State::default(), Instant::now());
        assert_eq!(worker.stuck(0, false, now + PROGRESS_TIMEOUT * 9), None);
        worker.ticked(now);
        worker.ticked(now + TICK_TIMEOUT / 2);
        assert_eq!(worker.stuck(0, false, now + TICK_TIMEOUT / 2), None);
        let then = now + TICK_TIMEOUT;
        assert_eq!(worker.stuck(0, false, then), Some(Stuck::TakesNoTick));
        worker.begins(0, then);
        worker.work = Work::Idle;
        assert_eq!(worker.stuck(0, false, then + PROGRESS_TIMEOUT), None);
    }

    #[test]
    fn a_run_may_take_any_time_while_it_makes_progress() {
        let (mut worker, mut now) = (State::default(), Instant::now());
        worker.begins(0, now);
        for mark in 1..50 {
            // Several ticks during a run count as one, which waits.
            worker.ticked(now);
            now += PROGRESS_TIMEOUT / 2;
            assert_eq!(worker.stuck(mark, false, now), None);
        }
        assert_eq!(
            worker.stuck(49, false, now + PROGRESS_TIMEOUT),
            Some(Stuck::NoProgress)
        );
    }

    #[test]
    fn a_pause_that_upstream_asked_for_and_waiting_are_not_stuck() {
        let (mut worker, now) = (State::default(), Instant::now());
        worker.begins(7, now);
        assert_eq!(worker.stuck(7, true, now + PROGRESS_TIMEOUT), None);
        worker.work = Work::Waiting;
        assert_eq!(worker.stuck(7, false, now + PROGRESS_TIMEOUT * 100), None);
    }
}
