//! The one place that asks what time it is.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

/// What the machine's clock says: for the edges that compare it with upstream's
/// or play upstream. Everything else is handed a [`Clock`] or a time.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

/// A clock. Jobs are handed one and pass plain times on, so that tests can set it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(machine_now))
    }

    /// A clock that says what `tell` says.
    pub fn told_by(tell: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The time, in whole microseconds as PostgreSQL keeps it: two columns that
    /// are told one time then hold one time, however it travels.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)().trunc_subsecs(6)
    }
}
