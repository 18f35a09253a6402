//! Whether what the schedules wake comes back: what the watchdog lives on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::CronExpression;
use crate::job::context::Progress;

/// Within this time whoever is idle takes a tick. Long enough for a machine that
/// was suspended or is swapping.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// A run may show nothing for this long: several attempts that time out, upstream
/// asking for ten minutes of patience each time, a lock of the database.
const SHOWS_WITHIN: Duration = Duration::from_hours(2);

/// Something that a schedule wakes.
#[derive(Debug, Clone)]
pub struct Woken {
    /// When.
    pub schedule: CronExpression,
    /// Rung by each tick; ticks during a run fold into one.
    pub tick: Arc<Notify>,
    /// What became of the ticks.
    pub watch: Watch,
}

impl Woken {
    /// Woken by this schedule.
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

/// What is known of one worker: shared by who wakes it, itself, and who watches.
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
    /// At work; when it last showed that it moves on, and how far it was.
    Busy { shown_at: Instant, mark: u64 },
    /// For its turn, or for a database that is away: degraded is not dead.
    Waiting,
}

/// Why a worker does not move on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stuck {
    /// It is idle and takes no tick.
    TakesNoTick,
    /// It runs, and nothing shows.
    ShowsNothing,
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::TakesNoTick => "takes no tick",
            Self::ShowsNothing => "runs, and nothing has come of it for hours",
        })
    }
}

impl Watch {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn ticked(&self) {
        self.change(|state| state.ticked(Instant::now()));
    }

    /// How many ticks there were.
    pub(super) fn ticks(&self) -> u64 {
        let mut ticks = 0;
        self.change(|state| ticks = state.ticks);
        ticks
    }

    /// What runs under this watch counts here.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Takes what is due.
    pub fn begins(&self) {
        let mark = self.mark();
        self.change(|state| state.begins(mark, Instant::now()));
    }

    /// Comes back, or had nothing to do.
    pub fn ends(&self) {
        self.change(|state| {
            state.work = Work::Idle;
            state.has_settled = true;
        });
    }

    /// Waits for what is not in its hands, however long that takes.
    pub async fn waits<T>(&self, what: impl Future<Output = T>) -> T {
        self.change(|state| state.work = Work::Waiting);
        let came = what.await;
        self.begins();
        came
    }

    /// Whether what was due at the start has come back.
    pub(super) fn has_settled(&self) -> bool {
        let mut settled = false;
        self.change(|state| settled = state.has_settled);
        settled
    }

    /// Why it does not move on, if so. `is_held` says that upstream has asked for
    /// patience. Asked again and again: what it shows is what moved in between.
    pub fn stuck(&self, is_held: bool) -> Option<Stuck> {
        let mark = self.mark();
        let mut stuck = None;
        self.change(|state| stuck = state.stuck(mark, is_held, Instant::now()));
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
            shown_at: now,
            mark,
        };
    }

    fn stuck(&mut self, mark_now: u64, is_held: bool, now: Instant) -> Option<Stuck> {
        match &mut self.work {
            Work::Waiting => None,
            Work::Idle => {
                let is_late = |since: Instant| now - since >= TAKEN_WITHIN;
                let is_stuck = self.due_since.is_some_and(is_late);
                is_stuck.then_some(Stuck::TakesNoTick)
            }
            Work::Busy { shown_at, mark } => {
                if is_held || *mark != mark_now {
                    *shown_at = now;
                    *mark = mark_now;
                }
                (now - *shown_at >= SHOWS_WITHIN).then_some(Stuck::ShowsNothing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{SHOWS_WITHIN, State, Stuck, TAKEN_WITHIN, Work};

    #[test]
    fn a_lane_that_takes_no_tick_is_stuck() {
        let (mut worker, now) = (State::default(), Instant::now());
        assert_eq!(worker.stuck(0, false, now + SHOWS_WITHIN * 9), None);
        worker.ticked(now);
        worker.ticked(now + TAKEN_WITHIN / 2);
        assert_eq!(worker.stuck(0, false, now + TAKEN_WITHIN / 2), None);
        let then = now + TAKEN_WITHIN;
        assert_eq!(worker.stuck(0, false, then), Some(Stuck::TakesNoTick));
        worker.begins(0, then);
        worker.work = Work::Idle;
        assert_eq!(worker.stuck(0, false, then + SHOWS_WITHIN), None);
    }

    #[test]
    fn a_run_may_take_as_long_as_it_likes_while_something_comes() {
        let (mut worker, mut now) = (State::default(), Instant::now());
        worker.begins(0, now);
        for mark in 1..50 {
            // Ticks meanwhile fold into one, and that one waits.
            worker.ticked(now);
            now += SHOWS_WITHIN / 2;
            assert_eq!(worker.stuck(mark, false, now), None);
        }
        assert_eq!(
            worker.stuck(49, false, now + SHOWS_WITHIN),
            Some(Stuck::ShowsNothing)
        );
    }

    #[test]
    fn patience_that_upstream_asked_for_and_waiting_are_no_standstill() {
        let (mut worker, now) = (State::default(), Instant::now());
        worker.begins(7, now);
        assert_eq!(worker.stuck(7, true, now + SHOWS_WITHIN), None);
        worker.work = Work::Waiting;
        assert_eq!(worker.stuck(7, false, now + SHOWS_WITHIN * 100), None);
    }
}
