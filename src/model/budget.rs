//! Request budget: which requests a process may send, where several use one account.
//!
//! The requests of all processes are spread over one line of time, evenly: a process
//! reserves the next places of it, a slice. A request is sent at its place or up to
//! [`MAX_LATE`] later. So no minute has more requests than allowed, whoever sends them.

use chrono::{DateTime, TimeDelta, Utc};

/// How much later than at its place a request may be sent.
pub const MAX_LATE: TimeDelta = TimeDelta::milliseconds(1_500);
/// The same, and the time to connect to upstream.
const MAX_DELAY: TimeDelta = TimeDelta::seconds(2);
/// Longest slice: what others wait for at least.
const MAX_SLICE: TimeDelta = TimeDelta::seconds(2);
/// How far ahead background requests are reserved, so that others need not wait for them.
const BACKGROUND_AHEAD: TimeDelta = TimeDelta::seconds(2);
/// How far ahead other requests are reserved.
const USUAL_AHEAD: TimeDelta = TimeDelta::seconds(8);
const MINUTE: TimeDelta = TimeDelta::minutes(1);
/// Longest pause that upstream can ask for, and a little more. A longer one was stored by
/// a clock that was ahead.
pub const MAX_PAUSE: TimeDelta = TimeDelta::minutes(11);
/// No place is reserved further ahead: a burst takes the places of a minute. One that is
/// was reserved by a clock that was ahead.
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(2);
/// Maximum burst after an idle time: enough for a list and its details.
const MAX_BURST: u32 = 4;
/// A burst is at most this fraction of the requests per minute.
const BURST_PART: u32 = 15;

/// Maximum burst after an idle time, for so many requests per minute.
pub fn burst(per_minute: u32) -> u32 {
    (per_minute / BURST_PART).clamp(1, MAX_BURST)
}

/// What a process asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetRequest {
    /// Requests that it sends one after the other, as their places come.
    Slice {
        /// So many.
        tokens: u32,
        /// Whether they are background requests.
        is_background: bool,
    },
    /// Requests that it sends at once. They take as many places before as after.
    Burst {
        /// So many.
        tokens: u32,
    },
}

impl BudgetRequest {
    fn tokens(self) -> u32 {
        match self {
            Self::Slice { tokens, .. } | Self::Burst { tokens } => tokens.max(1),
        }
    }

    /// Whether it leaves half of the day to others.
    pub fn is_background(self) -> bool {
        matches!(
            self,
            Self::Slice {
                is_background: true,
                ..
            }
        )
    }
}

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetState {
    /// The database's time.
    pub now: DateTime<Utc>,
    /// The first place that is not reserved.
    pub next_at: DateTime<Utc>,
    /// End of a pause.
    pub paused_until: Option<DateTime<Utc>>,
    /// Requests allowed in any minute.
    pub per_minute: u32,
    /// Requests that the day leaves to this request; `None` without a limit.
    pub left: Option<u64>,
}

/// Places for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// So many requests.
    pub tokens: u32,
    /// Place of the first one.
    pub first_at: DateTime<Utc>,
    /// Distance of places.
    pub interval: TimeDelta,
    /// The first place that is not reserved now.
    pub next_at: DateTime<Utc>,
}

/// What becomes of a request for places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetAnswer {
    /// They are reserved.
    Reserved(Reserved),
    /// Others have reserved enough; ask again at this time.
    Later(DateTime<Utc>),
    /// Upstream asked for a pause until this time.
    Paused(DateTime<Utc>),
    /// No request is left of the day.
    DayUsedUp,
}

/// Distance of places: with a burst, and requests that are late, a minute has at most
/// `per_minute` requests.
pub fn interval(per_minute: u32) -> TimeDelta {
    let burst = burst(per_minute);
    let requests = i64::from(per_minute.max(1) - burst + 1);
    let span = MINUTE + MAX_DELAY;
    let micros = span.num_microseconds().unwrap_or(i64::MAX);
    TimeDelta::microseconds((micros + requests - 1) / requests)
}

/// Most requests of one [`BudgetRequest::Burst`]: it takes nearly twice as many places,
/// which must fit in a minute.
pub fn max_burst(per_minute: u32) -> u32 {
    (per_minute - burst(per_minute)).div_ceil(2).max(1)
}

/// Reserves places, or says why not.
pub fn reserve(state: &BudgetState, request: BudgetRequest) -> BudgetAnswer {
    let BudgetState {
        now,
        next_at,
        paused_until,
        per_minute,
        left,
    } = *state;
    if let Some(until) = paused_until.filter(|until| *until > now && *until - now <= MAX_PAUSE) {
        return BudgetAnswer::Paused(until);
    }
    let is_believed = next_at - now <= MAX_AHEAD;
    let next_at = if is_believed { next_at } else { now };
    let left = left.map_or(u32::MAX, |left| u32::try_from(left).unwrap_or(u32::MAX));
    let interval = interval(per_minute);
    let ahead = if request.is_background() {
        BACKGROUND_AHEAD
    } else {
        USUAL_AHEAD
    };
    if left == 0 {
        return BudgetAnswer::DayUsedUp;
    }
    if next_at - now > ahead {
        return BudgetAnswer::Later(next_at - ahead);
    }
    let (tokens, idle, places) = match request {
        BudgetRequest::Slice { .. } => {
            let most = MAX_SLICE.num_microseconds().unwrap_or(0) / interval_micros(interval);
            let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
            let tokens = request.tokens().min(most).min(left);
            (tokens, burst(per_minute) - 1, tokens)
        }
        BudgetRequest::Burst { .. } => {
            let tokens = request.tokens();
            if tokens > left {
                return BudgetAnswer::DayUsedUp;
            }
            (tokens, tokens - 1, tokens * 2 - 1)
        }
    };
    let start = next_at.max(now - times(interval, idle));
    let first_at = match request {
        BudgetRequest::Slice { .. } => start,
        BudgetRequest::Burst { .. } => start + times(interval, tokens - 1),
    };
    BudgetAnswer::Reserved(Reserved {
        tokens,
        first_at,
        interval,
        next_at: start + times(interval, places),
    })
}

fn interval_micros(interval: TimeDelta) -> i64 {
    interval.num_microseconds().unwrap_or(i64::MAX).max(1)
}

fn times(interval: TimeDelta, count: u32) -> TimeDelta {
    TimeDelta::microseconds(interval_micros(interval).saturating_mul(i64::from(count)))
}

/// What a process is that sends requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKind {
    /// The daemon.
    Daemon,
    /// A command that ends by itself.
    Command,
    /// Requests of scripts, reserved by `budget take`.
    Script,
}

impl BudgetKind {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Command => "command",
            Self::Script => "script",
        }
    }
}

#[cfg(test)]
mod tests;
