//! Permits to send requests from a budget that is shared with other processes. Whoever
//! asks for the budget gives slices; they are used at their times, or not at all.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::priority::Priority;
use crate::clock::Moment;

/// How long the answer that the day is used up holds for other requests that wait.
const REFUSAL_VALID_FOR: Duration = Duration::from_secs(1);
/// How long a waiting request sleeps at most: it is woken when a slice comes.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Requests that may be sent at certain times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Before it was asked for. The times below are of a clock that stands still while the
    /// machine is suspended; others may have used the account since.
    pub(crate) asked: Moment,
    /// The first may not be sent earlier.
    pub first: Instant,
    /// Nor later.
    pub first_until: Instant,
    /// Each further one so much later than the one before.
    pub interval: Duration,
    /// So many requests.
    pub tokens: u32,
    /// Whether background requests may use it.
    pub for_background: bool,
    /// The minute to which its requests are counted; `None` if they are not counted yet.
    pub minute: Option<DateTime<Utc>>,
    /// The end of the slice by the clock of the database.
    pub ends_at: Option<DateTime<Utc>>,
}

/// A slice that is over, or was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// What is left of it.
    pub slice: Slice,
    /// Requests that it allowed.
    pub given: u32,
    /// Requests that were sent.
    pub used: u32,
}

/// What the owner of the budget is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermitEvent {
    /// Requests wait for a slice.
    Wanted {
        /// So many, feeds and tickets.
        usual: u32,
        /// Whether background requests wait.
        background: bool,
    },
    /// Upstream asked for a pause.
    Pause {
        /// From now on.
        wait: Duration,
        /// Of background requests alone.
        is_background: bool,
    },
    /// No request will be sent any more.
    Closed,
}

/// The permits of one client.
#[derive(Debug)]
pub struct Permits {
    state: Mutex<State>,
    /// Notified when a request can go on, or must end.
    changed: watch::Sender<()>,
    /// Notified when the owner has something to do.
    asked: Notify,
}

#[derive(Debug, Default)]
struct State {
    slices: VecDeque<Spent>,
    spent: Vec<Spent>,
    usual: u32,
    background: bool,
    paused_until: Option<Instant>,
    background_paused_until: Option<Instant>,
    pauses: VecDeque<(Instant, bool)>,
    used_up: Option<UsedUp>,
    is_closed: bool,
}

/// The day is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedUp {
    /// When that was said.
    pub recorded_at: Instant,
    /// Whether only background requests have to wait.
    pub is_background: bool,
    /// Requests in any 24 hours.
    pub limit: u32,
    /// When the next one is allowed.
    pub until: DateTime<Utc>,
}

/// Why a request may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotNow {
    /// Wait so long, or until something changes.
    Wait(Duration),
    /// The day is used up.
    UsedUp(UsedUp),
}

impl Default for Permits {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
            asked: Notify::new(),
        }
    }
}

impl Permits {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to do.
    pub async fn event(&self) -> PermitEvent {
        loop {
            if let Some(event) = self.state().event(Instant::now()) {
                return event;
            }
            self.asked.notified().await;
        }
    }

    /// Waits until a request waits that is not of the background, if `is_background`, or a
    /// pause is to be announced.
    pub async fn more_urgent(&self, is_background: bool) {
        loop {
            let is_urgent = {
                let state = self.state();
                !state.pauses.is_empty() || (is_background && state.usual > 0) || state.is_closed
            };
            if is_urgent {
                return;
            }
            self.asked.notified().await;
        }
    }

    /// Gives a slice.
    pub fn give(&self, slice: Slice) {
        let mut state = self.state();
        state.usual = 0;
        state.background = false;
        let given = slice.tokens;
        state.slices.push_back(Spent {
            slice,
            given,
            used: 0,
        });
        drop(state);
        self.changed.send_replace(());
    }

    /// Says that no request is left of the day.
    pub fn refuse(&self, used_up: UsedUp) {
        let mut state = self.state();
        if used_up.is_background {
            state.background = false;
        } else {
            state.usual = 0;
        }
        state.used_up = Some(used_up);
        drop(state);
        self.changed.send_replace(());
    }

    /// Pauses requests, because another process was asked to; `None` ends no pause.
    pub fn pause(&self, all: Option<Duration>, background: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.state();
        let until = |wait: Option<Duration>| wait.map(|wait| now + wait);
        state.paused_until = state.paused_until.max(until(all));
        state.background_paused_until = state.background_paused_until.max(until(background));
    }

    /// Slices that are over since the last call.
    pub fn spent(&self) -> Vec<Spent> {
        let mut state = self.state();
        state.expire(Instant::now());
        std::mem::take(&mut state.spent)
    }

    /// Takes back what is left of all slices.
    pub fn take_back(&self) -> Vec<Spent> {
        let mut state = self.state();
        state.expire(Instant::now());
        let left = std::mem::take(&mut state.slices);
        state.spent.extend(left);
        std::mem::take(&mut state.spent)
    }

    /// Whether there is a slice that is not over.
    pub fn has_slices(&self) -> bool {
        let mut state = self.state();
        state.expire(Instant::now());
        !state.slices.is_empty()
    }

    /// Announces a pause to others.
    pub(super) fn report_pause(&self, wait: Duration, is_background: bool) {
        let until = Instant::now() + wait;
        self.state().pauses.push_back((until, is_background));
        self.asked.notify_one();
    }

    /// No request will be sent any more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.asked.notify_one();
    }

    /// Changes that a waiting request has to look at.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Remaining time of a pause that another process was asked for.
    pub(super) fn paused_for(&self, priority: Priority) -> Option<Duration> {
        let state = self.state();
        let until = match priority {
            Priority::Usual => state.paused_until,
            Priority::Background => state.paused_until.max(state.background_paused_until),
        };
        until
            .and_then(|until| until.checked_duration_since(Instant::now()))
            .filter(|wait| !wait.is_zero())
    }

    /// Whether a request may be sent now; if there is no slice, one is asked for.
    /// `waiting` requests of this priority wait.
    pub(super) fn is_ready(&self, priority: Priority, waiting: usize) -> Result<(), NotNow> {
        let now = Instant::now();
        let mut state = self.state();
        state.expire(now);
        let is_background = priority == Priority::Background;
        if let Some(held) = state.usable(is_background) {
            return match held.slice.first.checked_duration_since(now) {
                Some(wait) if !wait.is_zero() => Err(NotNow::Wait(wait)),
                _ => Ok(()),
            };
        }
        let used_up = state.used_up.filter(|used_up| {
            let applies = is_background || !used_up.is_background;
            applies && now.duration_since(used_up.recorded_at) < REFUSAL_VALID_FOR
        });
        if let Some(used_up) = used_up {
            return Err(NotNow::UsedUp(used_up));
        }
        if is_background {
            state.background = true;
        } else {
            state.usual = u32::try_from(waiting).unwrap_or(u32::MAX).max(1);
        }
        drop(state);
        self.asked.notify_one();
        Err(NotNow::Wait(ASK_AGAIN))
    }

    /// Uses a permit that [`Permits::is_ready`] has found.
    pub(super) fn take(&self, priority: Priority) {
        let mut state = self.state();
        if let Some(held) = state.usable(priority == Priority::Background) {
            held.used += 1;
            held.slice.advance();
        }
        state.expire(Instant::now());
    }
}

impl Slice {
    /// Passes one token.
    fn advance(&mut self) {
        self.tokens = self.tokens.saturating_sub(1);
        self.first += self.interval;
        self.first_until += self.interval;
    }
}

impl State {
    fn event(&mut self, now: Instant) -> Option<PermitEvent> {
        if let Some((until, is_background)) = self.pauses.pop_front() {
            let wait = until.saturating_duration_since(now);
            return Some(PermitEvent::Pause {
                wait,
                is_background,
            });
        }
        if self.is_closed {
            return Some(PermitEvent::Closed);
        }
        (self.usual > 0 || self.background).then_some(PermitEvent::Wanted {
            usual: self.usual,
            background: self.background,
        })
    }

    fn usable(&mut self, is_background: bool) -> Option<&mut Spent> {
        let mut slices = self.slices.iter_mut();
        slices.find(|held| held.slice.for_background || !is_background)
    }

    /// Tokens whose time has passed may not be used any more, nor those that the machine
    /// has slept through.
    fn expire(&mut self, now: Instant) {
        let moment = Moment::now();
        for held in &mut self.slices {
            let is_over = held.slice.asked.was_suspended(moment);
            while held.slice.tokens > 0 && (is_over || held.slice.first_until < now) {
                held.slice.advance();
            }
        }
        let slices: Vec<Spent> = self.slices.drain(..).collect();
        let (kept, over): (Vec<Spent>, Vec<Spent>) =
            slices.into_iter().partition(|held| held.slice.tokens > 0);
        self.slices = kept.into();
        self.spent.extend(over);
    }
}

#[cfg(test)]
mod tests;
