//! The only place that reads the system clock.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// How much the clocks of [`Moment`] may differ, because one of them is adjusted.
const ADJUSTED: TimeDelta = TimeDelta::milliseconds(500);

/// The system time, for code that compares it with upstream's clock or simulates
/// upstream. Everything else gets a [`Clock`] or a time.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

/// A clock. Jobs get one and pass plain times on, so that tests can set it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        Self(Arc::new(machine_now))
    }

    /// A clock that returns the time of `now`, for tests.
    pub fn from_fn(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time in whole microseconds, the precision of PostgreSQL, so that a stored time
    /// equals the original.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)().trunc_subsecs(6)
    }
}

/// A moment by two clocks: one that cannot be set, but that stands still while the machine is
/// suspended, and the system time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// By the clock that cannot be set.
    pub steady: Instant,
    /// The system time.
    pub system: DateTime<Utc>,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self {
            steady: Instant::now(),
            system: machine_now(),
        }
    }

    /// Whether the machine was suspended between this moment and `now`: the system time
    /// advanced further than the other clock. Setting the system time ahead looks the same.
    pub(crate) fn was_suspended(self, now: Self) -> bool {
        let noticed = now.steady.saturating_duration_since(self.steady);
        let noticed = TimeDelta::from_std(noticed).unwrap_or(TimeDelta::MAX);
        now.system - self.system > noticed + ADJUSTED
    }
}
