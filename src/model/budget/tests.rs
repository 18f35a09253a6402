//! The request budget against a model of a minute.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    BudgetAnswer, BudgetRequest, BudgetState, MAX_LATE, burst, interval, max_burst, reserve, times,
};

const BACKGROUND: BudgetRequest = BudgetRequest::Slice {
    tokens: 6,
    is_background: true,
};

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default()
}

fn account_state(now: DateTime<Utc>, next_at: DateTime<Utc>, per_minute: u32) -> BudgetState {
    BudgetState {
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
            reserve(&account_state(now, next_at, per_minute), request)
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
            let late = TimeDelta::microseconds(random.i64(0..=MAX_LATE.num_milliseconds() * 1000));
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
        &account_state(start(), start() - TimeDelta::hours(1), 240),
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
        &account_state(start(), start() - TimeDelta::hours(1), 240),
        burst,
    );
    let BudgetAnswer::Reserved(slice) = answer else {
        unreachable!("{answer:?}");
    };
    assert_eq!((slice.first_at, slice.tokens), (start(), 50));
}

#[test]
fn the_background_reserves_less_far_ahead_than_others() {
    let booked = account_state(start(), start() + TimeDelta::seconds(4), 240);
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
    let mut account = account_state(start(), start(), 240);
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
