//! Permits: each is used at its time or not at all.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what failed by panicking"
)]

use std::time::Duration;

use tokio::time::Instant;

use super::{NotNow, PermitEvent, Permits, Slice};
use crate::clock::Moment;
use crate::http::priority::Priority::{Background, Usual};

/// Time between two tokens, and for how long each can be used.
const INTERVAL: Duration = Duration::from_secs(5);
const USABLE_FOR: Duration = Duration::from_secs(50);

/// A slice whose first token was due some time ago.
fn slice(tokens: u32, for_background: bool, ago: Duration) -> Slice {
    let first = Instant::now()
        .checked_sub(ago)
        .expect("a machine that runs for a minute");
    Slice {
        asked: Moment::now(),
        first,
        first_until: first + USABLE_FOR,
        interval: INTERVAL,
        tokens,
        for_background,
        minute: None,
        ends_at: None,
    }
}

#[tokio::test]
async fn a_token_is_used_at_its_time_or_not_at_all() {
    let permits = Permits::default();
    assert!(matches!(permits.is_ready(Usual, 3), Err(NotNow::Wait(_))));
    let wanted = PermitEvent::Wanted {
        usual: 3,
        background: false,
    };
    assert_eq!(permits.event().await, wanted);
    permits.give(slice(2, true, Duration::ZERO));
    assert_eq!(permits.is_ready(Usual, 1), Ok(()));
    permits.take(Usual);
    let Err(NotNow::Wait(wait)) = permits.is_ready(Usual, 1) else {
        panic!("the second token is not due yet");
    };
    assert!(wait <= INTERVAL, "{wait:?}");
}

#[tokio::test]
async fn tokens_whose_time_has_passed_are_not_used() {
    let permits = Permits::default();
    // Three of them are over, the fourth is not.
    permits.give(slice(4, true, USABLE_FOR + INTERVAL * 5 / 2));
    assert_eq!(permits.is_ready(Usual, 1), Ok(()));
    permits.take(Usual);
    assert!(matches!(permits.is_ready(Usual, 1), Err(NotNow::Wait(_))));
    let spent = permits.spent();
    assert_eq!(spent.len(), 1);
    assert_eq!(spent.first().map(|one| (one.given, one.used)), Some((4, 1)));
}

#[tokio::test]
async fn what_was_not_given_for_the_background_is_not_used_by_it() {
    let permits = Permits::default();
    permits.give(slice(2, false, Duration::ZERO));
    assert!(permits.is_ready(Background, 1).is_err());
    assert_eq!(permits.is_ready(Usual, 1), Ok(()));
    let back = permits.take_back();
    assert_eq!(
        back.first().map(|one| (one.slice.tokens, one.used)),
        Some((2, 0))
    );
    assert!(!permits.has_slices());
}

#[tokio::test]
async fn what_a_suspended_machine_has_left_is_not_used() {
    let permits = Permits::default();
    let mut slept = slice(3, true, Duration::ZERO);
    slept.asked.system -= chrono::TimeDelta::seconds(30);
    permits.give(slept);
    assert!(matches!(permits.is_ready(Usual, 1), Err(NotNow::Wait(_))));
    assert!(!permits.has_slices());
    let spent = permits.spent();
    assert_eq!((spent[0].given, spent[0].used), (3, 0), "{spent:?}");
}
