//! Restraint towards a receiver that is down or asks to be left alone: what
//! waits for it is not all tried, and does not use up its attempts meanwhile.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Ending;

/// Messages that a sink is sent at the same time.
pub(crate) const AT_ONCE: usize = 8;
/// After so many failures in a row a sink is tried with one message at a time,
/// now and then.
const TRIES: u32 = 4;
/// Pause between two such trials.
const TRY_EVERY: Duration = Duration::from_secs(5);
/// The longest that one answer keeps all other messages back: a mistaken
/// `Retry-After` must not silence a receiver for a day.
const MAX_HOLD: Duration = Duration::from_hours(1);

/// How a sink answered lately.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreaker {
    failures: u32,
    held_until: Option<Instant>,
}

impl CircuitBreaker {
    /// Of a sink that has already failed so often in a row.
    pub(crate) fn after(failures: u32) -> Self {
        Self {
            failures,
            held_until: None,
        }
    }

    /// Notes what came of an attempt, and how long the receiver asked to be left
    /// alone.
    pub(crate) fn note(&mut self, ending: &Ending, asked: Option<Duration>, now: Instant) {
        if *ending == Ending::Delivered {
            self.failures = 0;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = if self.failures >= TRIES {
            TRY_EVERY
        } else {
            Duration::ZERO
        };
        let until = now + pause.max(asked.unwrap_or_default().min(MAX_HOLD));
        self.held_until = self.held_until.max(Some(until));
    }

    /// How long nothing is sent.
    pub(crate) fn holds_for(&self, now: Instant) -> Option<Duration> {
        let left = self.held_until?.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// How many messages may be sent beside those that are under way.
    pub(crate) fn room(&self, under_way: usize, now: Instant) -> usize {
        let most = match self.holds_for(now) {
            Some(_) => 0,
            // Each failure halves it.
            None => AT_ONCE >> self.failures.min(TRIES - 1),
        };
        most.saturating_sub(under_way)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use tokio::time::Instant;

    use super::{AT_ONCE, CircuitBreaker, MAX_HOLD, TRY_EVERY};
    use crate::model::Ending;

    fn failed() -> Ending {
        Ending::Postponed {
            until: DateTime::UNIX_EPOCH,
            error: "no".to_owned(),
        }
    }

    #[test]
    fn a_sink_that_is_down_is_tried_with_one_message_at_a_time_until_it_takes_one() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::default();
        for room in [4, 2, 1] {
            breaker.note(&failed(), None, now);
            assert_eq!(breaker.room(0, now), room);
        }
        breaker.note(&failed(), None, now);
        assert_eq!(breaker.room(0, now), 0);
        assert_eq!(breaker.room(0, now + TRY_EVERY), 1);
        assert_eq!(breaker.room(1, now + TRY_EVERY), 0);
        breaker.note(&Ending::Delivered, None, now + TRY_EVERY);
        assert_eq!(breaker.room(3, now + TRY_EVERY), AT_ONCE - 3);
    }

    #[test]
    fn who_asks_to_be_left_alone_is_sent_nothing_else_either_but_not_for_ever() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::default();
        breaker.note(&failed(), Some(Duration::from_mins(2)), now);
        breaker.note(&Ending::Delivered, None, now);
        assert_eq!(breaker.holds_for(now), Some(Duration::from_mins(2)));
        assert_eq!(breaker.room(0, now + Duration::from_mins(2)), AT_ONCE);
        breaker.note(&failed(), Some(Duration::from_hours(24)), now);
        assert_eq!(breaker.holds_for(now), Some(MAX_HOLD));
    }
}
