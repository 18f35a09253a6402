//! Throttling of requests per account.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::simulate::options::LimitOptions;

use super::lock::locked;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Counts the account's calls in real time: the simulator's clock may jump, patience cannot.
#[derive(Debug)]
pub struct Throttle {
    limits: LimitOptions,
    calls: Mutex<VecDeque<Instant>>,
    advisories: Mutex<VecDeque<Instant>>,
}

impl Throttle {
    pub fn new(limits: LimitOptions) -> Self {
        Self {
            limits,
            calls: Mutex::default(),
            advisories: Mutex::default(),
        }
    }

    /// Counts a call, or says in how many seconds the next one is welcome. A
    /// call that is refused is not counted.
    pub fn admit(&self) -> Result<(), u32> {
        let limits = [(self.limits.per_minute, MINUTE), (self.limits.per_day, DAY)];
        admit(&mut locked(&self.calls), &limits)
    }

    /// The same for a call that asks for a whole advisory, which has a limit of its own.
    pub fn admit_advisory(&self) -> Result<(), u32> {
        let limits = [(self.limits.advisories_per_day, DAY)];
        admit(&mut locked(&self.advisories), &limits)
    }
}

fn admit(calls: &mut VecDeque<Instant>, limits: &[(u32, Duration)]) -> Result<(), u32> {
    let now = Instant::now();
    while calls
        .front()
        .is_some_and(|call| now.duration_since(*call) >= DAY)
    {
        calls.pop_front();
    }
    for (limit, period) in limits {
        let Some(limit) = usize::try_from(*limit).ok().filter(|limit| *limit > 0) else {
            continue;
        };
        // The call that must be out of the period before one more fits.
        let Some(oldest) = calls.len().checked_sub(limit).and_then(|at| calls.get(at)) else {
            continue;
        };
        let age = now.duration_since(*oldest);
        if age < *period {
            let wait = period.saturating_sub(age).as_secs_f64().ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and the seconds of a day"
            )]
            return Err(wait as u32);
        }
    }
    calls.push_back(now);
    Ok(())
}
