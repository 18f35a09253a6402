//! Schedules keep to the clock on the wall.

use std::sync::Arc;
use std::time::Duration;

use advisoryd::config::Config;
use advisoryd::daemon::progress::Woken;
use advisoryd::daemon::schedules::Schedules;
use advisoryd::daemon::worker::Worker;
use advisoryd::daemon::workers::workers;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;

use crate::support::{PATIENCE, eventually};

/// One worker, every night at three, in Berlin.
fn nightly() -> (Vec<Worker>, chrono_tz::Tz) {
    let text = "[schedule]\ntimezone = \"Europe/Berlin\"\nfeeds = \"0 0 3 * * *\"\nfull_feeds = \"0 0 3 * * *\"\n\
                [tickets]\nenabled = false\n[[watch_lists]]\nid = 1\n";
    let config = Config::from_text("the test's configuration", text).unwrap();
    (workers(&config), config.schedule.timezone)
}

fn woken_of(workers: &[Worker]) -> Vec<Woken> {
    workers.iter().flat_map(Worker::woken).collect()
}

fn woken(workers: &[Worker]) -> bool {
    Arc::clone(&workers[0].tick)
        .notified()
        .now_or_never()
        .is_some()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_tick_that_falls_into_the_change_to_summer_time_is_not_lost() {
    let (workers, timezone) = nightly();
    let mut schedules = Schedules::start(woken_of(&workers), timezone, at("2026-03-29T00:59:58Z"))
        .await
        .unwrap();
    schedules.follow(at("2026-03-29T00:59:59Z")).await.unwrap();
    assert!(!woken(&workers), "it is not three yet");
    // 02:00 becomes 03:00.
    schedules.follow(at("2026-03-29T01:00:01Z")).await.unwrap();
    assert!(woken(&workers));
    schedules.follow(at("2026-03-29T01:00:02Z")).await.unwrap();
    assert!(!woken(&workers), "once is enough");
    assert!(schedules.pulse().is_alive());
    schedules.stop().await;
}

#[tokio::test]
async fn a_change_of_time_wakes_nothing_that_is_not_due() {
    let (workers, timezone) = nightly();
    let mut schedules = Schedules::start(woken_of(&workers), timezone, at("2026-10-25T00:59:59Z"))
        .await
        .unwrap();
    // 03:00 becomes 02:00; three o'clock comes an hour later.
    schedules.follow(at("2026-10-25T01:00:01Z")).await.unwrap();
    assert!(!woken(&workers));
    schedules.stop().await;
}

#[tokio::test]
async fn a_tick_that_the_scheduler_leaves_out_is_given_late() {
    let (workers, timezone) = nightly();
    // The scheduler goes by the machine's clock, where it is never three o'clock.
    let mut schedules = Schedules::start(woken_of(&workers), timezone, at("2020-07-01T00:59:58Z"))
        .await
        .unwrap();
    schedules.follow(at("2020-07-01T01:00:20Z")).await.unwrap();
    assert!(!woken(&workers), "it has half a minute to come by itself");
    schedules.follow(at("2020-07-01T01:00:31Z")).await.unwrap();
    assert!(woken(&workers));
    schedules.follow(at("2020-07-01T01:02:00Z")).await.unwrap();
    assert!(!woken(&workers), "once is enough");
    schedules.stop().await;
}

#[tokio::test]
async fn a_scheduler_that_stands_still_has_no_pulse() {
    let (workers, timezone) = nightly();
    let schedules = Schedules::start(woken_of(&workers), timezone, at("2020-07-01T00:59:58Z"))
        .await
        .unwrap();
    let pulse = schedules.pulse();
    let beat = Duration::from_millis(200);
    // The first second goes without one.
    for _ in 0..2 {
        eventually("a beat", PATIENCE, async || {
            (pulse.silent_for() < beat).then_some(())
        })
        .await;
    }
    schedules.stop().await;
    eventually("silence", PATIENCE, async || {
        (pulse.silent_for() > Duration::from_secs(4)).then_some(())
    })
    .await;
}
