//! Rate limiter (token bucket) with a background priority.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter as TokenBucket};
use tokio::sync::watch;
use tokio::time::Instant;

use super::permits::{NotNow, Permits, UsedUp};
use super::priority::Priority;
use crate::model::burst;

const MINUTE: Duration = Duration::from_mins(1);

/// The rate limiter of all requests of this process: a maximum per minute, and none
/// during a pause that upstream asked for (`Retry-After`).
#[derive(Debug)]
pub(super) struct RateLimiter {
    limiter: DefaultDirectRateLimiter,
    /// Requests are sent in the order of arrival.
    turn: tokio::sync::Mutex<()>,
    /// Number of normal requests that wait for a permit.
    waiting: watch::Sender<usize>,
    paused_until: Mutex<Option<Instant>>,
    background_paused_until: Mutex<Option<Instant>>,
    /// The permits of a budget that other processes share; only ours if there is none.
    shared: OnceLock<Arc<Permits>>,
}

impl Drop for RateLimiter {
    fn drop(&mut self) {
        if let Some(permits) = self.shared.get() {
            permits.close();
        }
    }
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
            paused_until: Mutex::new(None),
            background_paused_until: Mutex::new(None),
            shared: OnceLock::new(),
        }
    }

    /// The permits from now on: each request also needs one of them.
    pub(super) fn share(&self) -> Arc<Permits> {
        Arc::clone(self.shared.get_or_init(Arc::default))
    }

    /// Whether requests need a permit of a shared budget.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.get().is_some()
    }

    /// Announces a pause to those who share the budget.
    pub(super) fn report_pause(&self, wait: Duration, is_background: bool) {
        if let Some(permits) = self.shared.get() {
            permits.report_pause(wait, is_background);
        }
    }

    /// Pauses all requests for at least `wait` from now.
    pub(super) fn pause_all(&self, wait: Duration) {
        extend(&self.paused_until, wait);
    }

    /// Pauses background requests for at least `wait` from now.
    pub(super) fn pause_background(&self, wait: Duration) {
        extend(&self.background_paused_until, wait);
    }

    /// Remaining time for which all requests are paused.
    pub(super) fn paused_for(&self) -> Option<Duration> {
        self.paused(Priority::Usual)
    }

    fn paused(&self, priority: Priority) -> Option<Duration> {
        let own = match priority {
            Priority::Usual => None,
            Priority::Background => paused_for(&self.background_paused_until),
        };
        let shared = self.shared.get();
        let shared = shared.and_then(|permits| permits.paused_for(priority));
        paused_for(&self.paused_until).max(own).max(shared)
    }

    /// Waits until the next request may be sent; the error if a shared budget has none
    /// left today. Dropping the future passes the turn on.
    pub(super) async fn permit(&self, priority: Priority) -> Result<(), UsedUp> {
        match priority {
            Priority::Usual => self.usual_turn().await,
            Priority::Background => self.background_turn().await,
        }
    }

    async fn usual_turn(&self) -> Result<(), UsedUp> {
        let _waiting = Waiting::begins(&self.waiting);
        let _turn = self.turn.lock().await;
        let mut changes = self.changes();
        // Checked again after each sleep: a pause may have been added meanwhile.
        loop {
            let Err(reason) = self.try_permit(Priority::Usual) else {
                return Ok(());
            };
            tokio::select! {
                () = tokio::time::sleep(wait(reason)?) => {}
                () = changed(&mut changes) => {}
            }
        }
    }

    /// Never waits in the queue of normal requests, and takes a permit only while that
    /// queue is empty: a normal request is delayed by at most one permit.
    async fn background_turn(&self) -> Result<(), UsedUp> {
        let mut waiting = self.waiting.subscribe();
        let mut changes = self.changes();
        loop {
            // The sender lives as long as `self`, so waiting cannot fail.
            let _ = waiting.wait_for(|count| *count == 0).await;
            let Err(reason) = self.try_permit(Priority::Background) else {
                return Ok(());
            };
            tokio::select! {
                () = tokio::time::sleep(wait(reason)?) => {}
                () = changed(&mut changes) => {}
                _ = waiting.changed() => {}
            }
        }
    }

    fn changes(&self) -> Option<watch::Receiver<()>> {
        self.shared.get().map(|permits| permits.changes())
    }

    /// Takes a permit, or returns how long to wait.
    fn try_permit(&self, priority: Priority) -> Result<(), NotNow> {
        if let Some(wait) = self.paused(priority) {
            return Err(NotNow::Wait(wait));
        }
        let shared = self.shared.get();
        if let Some(permits) = shared {
            permits.is_ready(priority, *self.waiting.borrow())?;
        }
        self.limiter
            .check()
            .map_err(|early| NotNow::Wait(early.wait_time_from(DefaultClock::default().now())))?;
        if let Some(permits) = shared {
            permits.take(priority);
        }
        Ok(())
    }
}

fn wait(reason: NotNow) -> Result<Duration, UsedUp> {
    match reason {
        NotNow::Wait(wait) => Ok(wait),
        NotNow::UsedUp(used_up) => Err(used_up),
    }
}

/// Waits for the next change of the shared budget, for ever if there is none.
async fn changed(changes: &mut Option<watch::Receiver<()>>) {
    let is_over = match changes {
        Some(changes) => changes.changed().await.is_err(),
        None => true,
    };
    if is_over {
        std::future::pending::<()>().await;
    }
}

fn extend(until: &Mutex<Option<Instant>>, wait: Duration) {
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
    let burst = burst(requests);
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

    use super::{Priority, RateLimiter, quota};

    const MAX_BURST: u32 = 4;

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
    async fn a_pause_keeps_everybody_and_a_shorter_one_does_not_shorten_it() {
        let limiter = RateLimiter::new(60_000);
        limiter.pause_all(Duration::from_millis(300));
        limiter.pause_all(Duration::from_millis(1));
        let start = Instant::now();
        let _ = tokio::join!(
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
            let _ = limiter.permit(Priority::Usual).await;
        }
        let left = std::sync::Mutex::new(Vec::new());
        let leaves = async |priority| {
            let _ = limiter.permit(priority).await;
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
    async fn a_pause_of_the_background_pauses_nothing_else() {
        let limiter = RateLimiter::new(60_000);
        limiter.pause_background(Duration::from_mins(10));
        let _ = limiter.permit(Priority::Usual).await;
        let turn = limiter.permit(Priority::Background);
        let waited = tokio::time::timeout(Duration::from_millis(50), turn).await;
        assert!(waited.is_err());
    }
}
