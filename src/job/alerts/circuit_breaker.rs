//! Circuit breaker of a sink, with backoff: while a receiver is down or asks to wait
//! (`Retry-After`), pending messages are held back and do not use up their attempts.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Ending;

/// Messages sent to one sink at the same time.
pub(crate) const MAX_CONCURRENT: usize = 8;
/// After this many consecutive failures only one message at a time is tried, with
/// pauses.
const FAILURES_TO_OPEN: u32 = 4;
/// Pause between two such tries.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// The longest time that one response holds back all other messages: a wrong
/// `Retry-After` must not silence a receiver for a day.
const MAX_OPEN: Duration = Duration::from_hours(1);

/// Recent failures of a sink.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl CircuitBreaker {
    /// For a sink that has this many consecutive failures already.
    pub(crate) fn after(failures: u32) -> Self {
        Self {
            failures,
            open_until: None,
        }
    }

    /// Records the outcome of an attempt, and how long the receiver asked to wait.
    pub(crate) fn record(&mut self, ending: &Ending, retry_after: Option<Duration>, now: Instant) {
        if *ending == Ending::Delivered {
            self.failures = 0;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = if self.failures >= FAILURES_TO_OPEN {
            PROBE_EVERY
        } else {
            Duration::ZERO
        };
        let until = now + pause.max(retry_after.unwrap_or_default().min(MAX_OPEN));
        self.open_until = self.open_until.max(Some(until));
    }

    /// How much longer nothing is sent.
    pub(crate) fn open_for(&self, now: Instant) -> Option<Duration> {
        let left = self.open_until?.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// How many messages may be sent in addition to those in progress.
    pub(crate) fn capacity(&self, in_progress: usize, now: Instant) -> usize {
        let limit = match self.open_for(now) {
            Some(_) => 0,
            // Each failure halves it.
            None => MAX_CONCURRENT >> self.failures.min(FAILURES_TO_OPEN - 1),
        };
        limit.saturating_sub(in_progress)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use tokio::time::Instant;

    use super::{CircuitBreaker, MAX_CONCURRENT, MAX_OPEN, PROBE_EVERY};
    use crate::model::Ending;

    fn failed() -> Ending {
        Ending::Postponed {
            until: DateTime::UNIX_EPOCH,
            error: "no".to_owned(),
        }
    }

    #[test]
    fn a_sink_that_is_down_is_tried_with_one_message_at_a_time_until_it_accepts_one() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::default();
        for capacity in [4, 2, 1] {
            breaker.record(&failed(), None, now);
            assert_eq!(breaker.capacity(0, now), capacity);
        }
        breaker.record(&failed(), None, now);
        assert_eq!(breaker.capacity(0, now), 0);
        assert_eq!(breaker.capacity(0, now + PROBE_EVERY), 1);
        assert_eq!(breaker.capacity(1, now + PROBE_EVERY), 0);
        breaker.record(&Ending::Delivered, None, now + PROBE_EVERY);
        assert_eq!(breaker.capacity(3, now + PROBE_EVERY), MAX_CONCURRENT - 3);
    }

    #[test]
    fn retry_after_pauses_all_messages_but_not_for_ever() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::default();
        breaker.record(&failed(), Some(Duration::from_mins(2)), now);
        breaker.record(&Ending::Delivered, None, now);
        assert_eq!(breaker.open_for(now), Some(Duration::from_mins(2)));
        assert_eq!(
            breaker.capacity(0, now + Duration::from_mins(2)),
            MAX_CONCURRENT
        );
        breaker.record(&failed(), Some(Duration::from_hours(24)), now);
        assert_eq!(breaker.open_for(now), Some(MAX_OPEN));
    }
}
