//! The only place that reads the system clock.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

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
