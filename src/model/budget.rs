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
pub struct BudgetStanding {
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
pub fn reserve(standing: &BudgetStanding, request: BudgetRequest) -> BudgetAnswer {
    let BudgetStanding {
        now,
        next_at,
        paused_until,
        per_minute,
        left,
    } = *standing;
    if let Some(until) = paused_until.filter(|until| *until > now) {
        return BudgetAnswer::Paused(until);
    }
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
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{
        BudgetAnswer, BudgetRequest, BudgetStanding, MAX_LATE, burst, interval, max_burst, reserve,
        times,
    };

    const BACKGROUND: BudgetRequest = BudgetRequest::Slice {
        tokens: 6,
        is_background: true,
    };

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default()
    }

    fn standing(now: DateTime<Utc>, next_at: DateTime<Utc>, per_minute: u32) -> BudgetStanding {
        BudgetStanding {
            now,
            next_at,
            paused_until: None,
            per_minute,
            left: None,
        }
    }

    /// Sends for ten minutes as `ask` says: at each step, what is asked for; requests of a
    /// slice are late by a random time. Returns when they were sent.
    fn sent(per_minute: u32, mut ask: impl FnMut(u32) -> Option<BudgetRequest>) -> Vec<i64> {
        let mut random = fastrand::Rng::with_seed(u64::from(per_minute));
        let (mut next_at, mut sent) = (DateTime::UNIX_EPOCH, Vec::new());
        for tick in 0..6_000_u32 {
            let now = start() + TimeDelta::milliseconds(100) * i32::try_from(tick).unwrap_or(0);
            let Some(request) = ask(tick) else { continue };
            let BudgetAnswer::Reserved(slice) =
                reserve(&standing(now, next_at, per_minute), request)
            else {
                continue;
            };
            next_at = slice.next_at;
            let is_burst = matches!(request, BudgetRequest::Burst { .. });
            for place in 0..slice.tokens {
                let at = if is_burst {
                    slice.first_at
                } else {
                    slice.first_at + times(slice.interval, place)
                };
                let late =
                    TimeDelta::microseconds(random.i64(0..=MAX_LATE.num_milliseconds() * 1000));
                let at = at.max(now).max(at + late);
                sent.push((at - start()).num_microseconds().unwrap_or(0));
            }
        }
        sent.sort_unstable();
        sent
    }

    fn most_in_a_minute(sent: &[i64]) -> usize {
        let from = |first: &i64| sent.partition_point(|at| at < first);
        let to = |first: &i64| sent.partition_point(|at| *at < first + 60_000_000);
        sent.iter().map(|at| to(at) - from(at)).max().unwrap_or(0)
    }

    #[test]
    fn no_minute_has_more_requests_than_allowed_and_a_loaded_one_has_nine_tenths() {
        for limit in [1, 5, 15, 30, 60, 240, 250, 1200, 6000] {
            let all = sent(limit, |_| Some(BACKGROUND));
            let most = most_in_a_minute(&all);
            assert!(most <= limit as usize, "{limit}: {most}");
            // One question each 100 ms cannot use up more.
            if limit <= 1200 {
                assert!(all.len() >= limit as usize * 9, "{limit}: {}", all.len());
            }
        }
    }

    #[test]
    fn bursts_of_scripts_between_others_stay_within_the_limit() {
        for limit in [15, 60, 240, 1200] {
            let tokens = max_burst(limit);
            let all = sent(limit, |tick| {
                Some(if tick % 700 == 350 {
                    BudgetRequest::Burst { tokens }
                } else {
                    BACKGROUND
                })
            });
            let most = most_in_a_minute(&all);
            assert!(most <= limit as usize, "{limit}: {most}");
        }
    }

    #[test]
    fn after_an_idle_time_a_burst_may_be_sent_at_once() {
        let answer = reserve(
            &standing(start(), start() - TimeDelta::hours(1), 240),
            BACKGROUND,
        );
        let BudgetAnswer::Reserved(slice) = answer else {
            unreachable!("{answer:?}");
        };
        assert_eq!(
            slice.first_at,
            start() - times(interval(240), burst(240) - 1)
        );
        let burst = BudgetRequest::Burst { tokens: 50 };
        let answer = reserve(
            &standing(start(), start() - TimeDelta::hours(1), 240),
            burst,
        );
        let BudgetAnswer::Reserved(slice) = answer else {
            unreachable!("{answer:?}");
        };
        assert_eq!((slice.first_at, slice.tokens), (start(), 50));
    }

    #[test]
    fn the_background_reserves_less_far_ahead_than_others() {
        let booked = standing(start(), start() + TimeDelta::seconds(4), 240);
        let usual = BudgetRequest::Slice {
            tokens: 1,
            is_background: false,
        };
        assert_eq!(
            reserve(&booked, BACKGROUND),
            BudgetAnswer::Later(start() + TimeDelta::seconds(2))
        );
        assert!(matches!(reserve(&booked, usual), BudgetAnswer::Reserved(_)));
    }

    #[test]
    fn a_pause_and_a_used_day_stop_everything() {
        let until = start() + TimeDelta::seconds(30);
        let mut account = standing(start(), start(), 240);
        account.paused_until = Some(until);
        assert_eq!(reserve(&account, BACKGROUND), BudgetAnswer::Paused(until));
        account.paused_until = None;
        account.left = Some(0);
        assert_eq!(reserve(&account, BACKGROUND), BudgetAnswer::DayUsedUp);
        account.left = Some(2);
        let BudgetAnswer::Reserved(slice) = reserve(&account, BACKGROUND) else {
            unreachable!("two are left");
        };
        assert_eq!(slice.tokens, 2);
    }
}
