//! Rate limiter (token bucket) with a background priority.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter as TokenBucket};
use tokio::sync::watch;
use tokio::time::Instant;

/// Maximum burst after an idle time: enough for a list and its details, without overload at startup.
const MAX_BURST: u32 = 4;
/// A burst is at most this fraction of the requests per minute.
const BURST_PART: u32 = 15;
const MINUTE: Duration = Duration::from_mins(1);

/// Priority of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Priority {
    /// Feeds, tickets and interactive requests.
    #[default]
    Usual,
    /// Background requests: sent only while no normal request waits.
    Background,
}

/// The rate limiter of all requests of this process: a maximum per minute, and none
/// during a pause that upstream asked for (`Retry-After`).
#[derive(Debug)]
pub(super) struct RateLimiter {
    limiter: DefaultDirectRateLimiter,
    /// Requests are sent in the order of arrival.
    turn: tokio::sync::Mutex<()>,
    /// Number of normal requests that wait for a permit.
    waiting: watch::Sender<usize>,
    held_until: Mutex<Option<Instant>>,
    background_held_until: Mutex<Option<Instant>>,
}

/// Guard that counts a waiting normal request.
struct Waiting<'p>(&'p watch::Sender<usize>);

impl<'p> Waiting<'p> {
    fn begins(waiting: &'p watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl RateLimiter {
    pub(super) fn new(requests_per_minute: u32) -> Self {
        Self {
            limiter: TokenBucket::direct(quota(requests_per_minute)),
            turn: tokio::sync::Mutex::new(()),
            waiting: watch::Sender::new(0),
            held_until: Mutex::new(None),
            background_held_until: Mutex::new(None),
        }
    }

    /// Pauses all requests for at least `wait` from now.
    pub(super) fn hold(&self, wait: Duration) {
        hold(&self.held_until, wait);
    }

    /// Pauses background requests for at least `wait` from now.
    pub(super) fn hold_background(&self, wait: Duration) {
        hold(&self.background_held_until, wait);
    }

    /// Remaining time for which all requests are paused.
    pub(super) fn paused_for(&self) -> Option<Duration> {
        paused_for(&self.held_until)
    }

    /// Waits until the next request may be sent. Dropping the future passes the turn on.
    pub(super) async fn permit(&self, priority: Priority) {
        match priority {
            Priority::Usual => self.usual_turn().await,
            Priority::Background => self.background_turn().await,
        }
    }

    async fn usual_turn(&self) {
        let _waiting = Waiting::begins(&self.waiting);
        let _turn = self.turn.lock().await;
        // Checked again after each sleep: a pause may have been added meanwhile.
        loop {
            let Err(wait) = self.try_permit(None) else {
                return;
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Never waits in the queue of normal requests, and takes a permit only while that
    /// queue is empty: a normal request is delayed by at most one permit.
    async fn background_turn(&self) {
        let mut waiting = self.waiting.subscribe();
        loop {
            // The sender lives as long as `self`, so waiting cannot fail.
            let _ = waiting.wait_for(|count| *count == 0).await;
            let Err(wait) = self.try_permit(paused_for(&self.background_held_until)) else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = waiting.changed() => {}
            }
        }
    }

    /// Takes a permit, or returns how long to wait.
    fn try_permit(&self, held: Option<Duration>) -> Result<(), Duration> {
        match self.paused_for().max(held) {
            Some(wait) => Err(wait),
            None => self
                .limiter
                .check()
                .map_err(|early| early.wait_time_from(DefaultClock::default().now())),
        }
    }
}

fn hold(until: &Mutex<Option<Instant>>, wait: Duration) {
    let end = Instant::now() + wait;
    let mut held = until.lock().unwrap_or_else(PoisonError::into_inner);
    *held = Some(held.map_or(end, |earlier| earlier.max(end)));
}

fn paused_for(until: &Mutex<Option<Instant>>) -> Option<Duration> {
    let held = *until.lock().unwrap_or_else(PoisonError::into_inner);
    held.and_then(|until| until.checked_duration_since(Instant::now()))
        .filter(|wait| !wait.is_zero())
}

/// A quota that allows at most `requests_per_minute` in *any* minute, including the
/// burst.
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

    use governor::RateLimiter as TokenBucket;
    use governor::clock::FakeRelativeClock;

    use super::{MAX_BURST, Priority, RateLimiter, quota};

    #[test]
    fn no_minute_has_more_requests_than_allowed_and_none_begins_with_a_storm() {
        for limit in [1, 5, 15, 60, 240, 250, 6000] {
            let clock = FakeRelativeClock::default();
            let limiter = TokenBucket::direct_with_clock(quota(limit), clock.clone());
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
        let limiter = RateLimiter::new(60_000);
        limiter.hold(Duration::from_millis(300));
        limiter.hold(Duration::from_millis(1));
        let start = Instant::now();
        tokio::join!(
            limiter.permit(Priority::Usual),
            limiter.permit(Priority::Background)
        );
        assert!(start.elapsed() >= Duration::from_millis(290));
        assert_eq!(limiter.paused_for(), None);
    }

    #[tokio::test]
    async fn the_background_takes_a_permit_only_while_nothing_usual_waits() {
        // Ten per second after the burst.
        let limiter = RateLimiter::new(604);
        for _ in 0..MAX_BURST {
            limiter.permit(Priority::Usual).await;
        }
        let left = std::sync::Mutex::new(Vec::new());
        let leaves = async |priority| {
            limiter.permit(priority).await;
            left.lock().map(|mut left| left.push(priority)).ok();
        };
        let (usual, background) = (Priority::Usual, Priority::Background);
        // It arrived first and is sent last.
        tokio::join!(
            leaves(background),
            leaves(usual),
            leaves(usual),
            leaves(usual)
        );
        let left = left.into_inner().unwrap_or_default();
        assert_eq!(left, [usual, usual, usual, background]);
    }

    #[tokio::test]
    async fn a_hold_of_the_background_holds_nothing_else() {
        let limiter = RateLimiter::new(60_000);
        limiter.hold_background(Duration::from_mins(10));
        limiter.permit(Priority::Usual).await;
        let turn = limiter.permit(Priority::Background);
        let waited = tokio::time::timeout(Duration::from_millis(50), turn).await;
        assert!(waited.is_err());
    }
}
