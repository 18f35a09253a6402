use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

/// Most requests at once after a silence: enough for a list and its details, no storm at the start.
const MAX_BURST: u32 = 4;
/// A burst is at most this part of the minute's requests.
const BURST_PART: u32 = 15;
const MINUTE: Duration = Duration::from_mins(1);

/// The pace of all requests of this process: so many a minute, and none at all
/// while upstream wants to be left alone.
#[derive(Debug)]
pub(super) struct Pace {
    limiter: DefaultDirectRateLimiter,
    /// Requests leave in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    held_until: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(requests_per_minute: u32) -> Self {
        Self {
            limiter: RateLimiter::direct(quota(requests_per_minute)),
            turn: tokio::sync::Mutex::new(()),
            held_until: Mutex::new(None),
        }
    }

    /// Holds all requests back for at least `wait` from now.
    pub(super) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut held = self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held = Some(held.map_or(until, |earlier| earlier.max(until)));
    }

    /// For how much longer all requests are held back.
    pub(super) fn held_for(&self) -> Option<Duration> {
        let held = *self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.and_then(|until| until.checked_duration_since(Instant::now()))
            .filter(|wait| !wait.is_zero())
    }

    /// Waits until the next request may leave. Dropping it gives the turn to the next.
    pub(super) async fn turn(&self) {
        let _turn = self.turn.lock().await;
        // Looked at again after each sleep: a hold may have come meanwhile.
        loop {
            let wait = match self.held_for() {
                Some(wait) => wait,
                None => match self.limiter.check() {
                    Ok(()) => return,
                    Err(early) => early.wait_time_from(DefaultClock::default().now()),
                },
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// A quota that lets no more than `requests_per_minute` pass in *any* minute,
/// the burst included.
fn quota(requests_per_minute: u32) -> Quota {
    let requests = requests_per_minute.max(1);
    let burst = (requests / BURST_PART).clamp(1, MAX_BURST);
    let after_burst = (requests - burst + 1).max(1);
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(MINUTE / after_burst)
        .unwrap_or(Quota::per_minute(NonZeroU32::MIN))
        .allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use governor::RateLimiter;
    use governor::clock::FakeRelativeClock;

    use super::{MAX_BURST, Pace, quota};

    #[test]
    fn no_minute_has_more_requests_than_allowed_and_none_begins_with_a_storm() {
        for limit in [1, 5, 15, 60, 240, 250, 6000] {
            let clock = FakeRelativeClock::default();
            let limiter = RateLimiter::direct_with_clock(quota(limit), clock.clone());
            let mut sent = Vec::new();
            let step = Duration::from_millis(1);
            for tick in 0..150_000_u32 {
                while limiter.check().is_ok() {
                    sent.push(tick);
                }
                clock.advance(step);
            }
            let most = sent
                .iter()
                .map(|first| {
                    sent.iter()
                        .filter(|at| (*first..first + 60_000).contains(*at))
                        .count()
                })
                .take(50)
                .max();
            assert!(
                most.is_some_and(|most| most <= limit as usize),
                "{limit}: {most:?}"
            );
            assert!(
                most.is_some_and(|most| most + 1 >= limit as usize),
                "{limit}: {most:?}"
            );
            let at_once = sent.iter().filter(|at| **at == 0).count();
            assert!(at_once <= MAX_BURST as usize, "{limit}: {at_once}");
        }
    }

    #[tokio::test]
    async fn a_hold_keeps_everybody_and_a_shorter_one_does_not_shorten_it() {
        let pace = Pace::new(60_000);
        pace.hold(Duration::from_millis(300));
        pace.hold(Duration::from_millis(1));
        let start = Instant::now();
        tokio::join!(pace.turn(), pace.turn());
        assert!(start.elapsed() >= Duration::from_millis(290));
        assert_eq!(pace.held_for(), None);
    }
}
