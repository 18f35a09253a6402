//! Simulated clock of upstream.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::clock::machine_now;

/// The simulator's clock: this machine's, moved by an offset. Everything that
/// upstream calls "now" comes from here, the `Date` header included.
#[derive(Debug)]
pub struct SimulatedClock {
    offset_seconds: AtomicI64,
}

impl SimulatedClock {
    /// A clock that says `at` now, or runs with this machine's.
    pub fn starting(at: Option<DateTime<Utc>>) -> Self {
        let offset = at.map_or(0, |at| (at - machine_now()).num_seconds());
        Self {
            offset_seconds: AtomicI64::new(offset),
        }
    }

    /// Upstream's time, in whole seconds as upstream writes it.
    pub fn now(&self) -> DateTime<Utc> {
        let offset = TimeDelta::try_seconds(self.offset_seconds.load(Ordering::Relaxed));
        (machine_now() + offset.unwrap_or_default()).trunc_subsecs(0)
    }

    /// Lets the clock differ from this machine's by `offset`.
    pub fn set_offset(&self, offset: TimeDelta) {
        self.offset_seconds
            .store(offset.num_seconds(), Ordering::Relaxed);
    }
}
