//! Pauses of sources: how long upstream is not asked after it refused something.
//!
//! The end of a pause is stored by this machine's clock, which can be set. A process also
//! measures each pause by a clock that cannot be set: the pause is over at the earlier of
//! the two ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::SourceKey;

/// How much longer than its length a stored pause may seem: clocks are corrected by seconds.
const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// The pauses that this process knows. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourcePauses(Arc<Mutex<HashMap<SourceKey, Pause>>>);

#[derive(Debug, Clone, Copy)]
struct Pause {
    /// The stored end.
    until: DateTime<Utc>,
    /// The end by a clock that cannot be set.
    ends: Instant,
}

impl SourcePauses {
    /// Whether the pause of a source that is stored until `until`, and lasts at most
    /// `length`, is not over at `now`. One that would last longer was stored by a clock
    /// that was ahead, and does not count.
    pub(crate) fn is_in_force(
        &self,
        key: &SourceKey,
        until: Option<DateTime<Utc>>,
        length: TimeDelta,
        now: DateTime<Utc>,
    ) -> bool {
        let Some(until) = until.filter(|until| *until > now && *until - now <= length + TOLERANCE)
        else {
            return false;
        };
        let left = (until - now).min(length).to_std();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = known.get(key).filter(|pause| pause.until == until).copied();
        let pause = pause.unwrap_or_else(|| Pause {
            until,
            ends: Instant::now() + left.unwrap_or(Duration::ZERO),
        });
        known.insert(key.clone(), pause);
        Instant::now() < pause.ends
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::time::Duration;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::SourcePauses;
    use crate::model::SourceKey;

    #[test]
    fn a_clock_that_is_set_back_within_a_pause_does_not_prolong_it() {
        let now: DateTime<Utc> = "2026-01-02T00:00:00Z".parse().unwrap();
        let length = TimeDelta::milliseconds(100);
        let until = Some(now + length);
        let (pauses, key) = (SourcePauses::default(), SourceKey::Details);
        let is_in_force = |at| pauses.is_in_force(&key, until, length, at);
        assert!(is_in_force(now));
        assert!(
            !is_in_force(now + length),
            "it is over by this machine's clock"
        );
        let back = now - TimeDelta::seconds(30);
        assert!(is_in_force(back));
        std::thread::sleep(Duration::from_millis(100));
        assert!(
            !is_in_force(back),
            "it is over by a clock that cannot be set"
        );
        let ahead = Some(now + TimeDelta::days(1));
        assert!(
            !pauses.is_in_force(&key, ahead, length, now),
            "it is too long"
        );
    }
}
