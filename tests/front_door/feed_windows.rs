//! How far back each pull asks, and that no clock and no outage loses anything.

use advisoryd::simulate::Simulator;
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::{Running, World};

/// The `days` of every feed request so far.
fn asked(simulator: &Simulator) -> Vec<u32> {
    let requests = simulator.requests();
    let days = requests
        .iter()
        .filter_map(|request| request.target.split_once("days=")?.1.parse().ok());
    days.collect()
}

/// The `days` of the requests of one more successful pull.
async fn asks(world: &World) -> Vec<u32> {
    world.simulator.forget_requests();
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    asked(&world.simulator)
}

#[tokio::test]
async fn the_first_pull_asks_for_first_days() {
    let mut world = World::new().await;
    world.settings.feeds.first_days = Some(40);
    assert_eq!(asks(&world).await, [40]);
}

#[tokio::test]
async fn later_pulls_ask_for_what_is_missing_and_for_at_least_one_day() {
    let world = World::new().await;
    assert_eq!(asks(&world).await, [365]);
    assert_eq!(asks(&world).await, [1]);
    world.later(TimeDelta::hours(17));
    assert_eq!(asks(&world).await, [1], "17 h and 6 h of overlap");
    world.later(TimeDelta::hours(19));
    assert_eq!(asks(&world).await, [2], "19 h and 6 h of overlap");
}

#[tokio::test]
async fn downtime_is_caught_up_with_in_one_request() {
    let world = World::new().await;
    world.pull_one().await;
    let revised = world.simulator.saids(1)[3].clone();
    world.later(TimeDelta::minutes(1));
    world.simulator.revise(&revised, true);
    world.simulator.publish(2);
    world.later(TimeDelta::days(5));
    assert_eq!(asks(&world).await, [6]);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_failed_pull_is_made_up_for_by_the_next() {
    use advisoryd::simulate::{AnswerFault, FaultRule};
    let world = World::new().await;
    world.pull_one().await;
    world.simulator.publish(1);
    for _ in 0..3 {
        world.later(TimeDelta::days(1));
        let fault = FaultRule::new(AnswerFault::Status(500)).times(2);
        world.simulator.inject(fault);
        assert_eq!(world.pull_one().await.outcome.name(), "failed");
    }
    assert_eq!(asks(&world).await, [4], "since the last complete pull");
    world.assert_all_is_stored().await;
}

async fn gaps(world: &World) -> Vec<Value> {
    let mut status = Running::start(&mut world.command(&["status", "--json"]));
    assert!(status.ended().await.success(), "{}", status.stderr());
    let status: Value = serde_json::from_str(&status.stdout()).unwrap();
    let sources = status["sources"].as_array().unwrap();
    let list = sources.iter().find(|source| source["kind"] == "watch_list");
    list.unwrap()["gaps"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_outage_beyond_max_days_leaves_a_gap_that_is_shown_and_closed_when_reachable() {
    let mut world = World::new().await;
    world.settings.feeds.first_days = Some(5);
    world.settings.feeds.max_days = Some(5);
    assert_eq!(asks(&world).await, [5]);
    let said = world.simulator.publish(1).remove(0);
    world.later(TimeDelta::days(12));
    assert_eq!(asks(&world).await, [5]);
    assert!(!world.versions().await.contains_key(&said), "out of reach");
    assert_eq!(gaps(&world).await.len(), 1);

    world.settings.feeds.max_days = Some(30);
    assert_eq!(asks(&world).await, [13], "from the beginning of the gap");
    assert!(world.versions().await.contains_key(&said));
    assert_eq!(gaps(&world).await, Vec::<Value>::new());
    assert_eq!(asks(&world).await, [1]);
}

#[tokio::test]
async fn upstreams_clock_decides_how_many_days_are_asked_for() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.publish(1).remove(0);
    // By our clock 10 hours have passed, by upstream's 30.
    world.later(TimeDelta::hours(10));
    world.simulator.set_clock(TimeDelta::hours(30));
    assert_eq!(asks(&world).await, [1, 2], "its `Date` shows a hole");
    assert!(world.versions().await.contains_key(&said));
}

#[tokio::test]
async fn a_clock_ahead_or_behind_loses_nothing() {
    for hours in [-20, -3, 3, 20] {
        let world = World::new().await;
        world.simulator.set_clock(TimeDelta::hours(hours));
        world.pull_one().await;
        for _ in 0..3 {
            world.simulator.publish(1);
            let revised = world.simulator.saids(1)[7].clone();
            world.simulator.revise(&revised, false);
            assert_eq!(world.pull_one().await.outcome.name(), "ok");
        }
        world.assert_all_is_stored().await;
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_and_is_set_right_loses_nothing() {
    let world = World::new().await;
    world.simulator.set_clock(TimeDelta::hours(12));
    world.pull_one().await;
    world.simulator.set_clock(TimeDelta::zero());
    world.pull_one().await;
    world.later(TimeDelta::minutes(10));
    world.simulator.publish(1);
    // Less the hours it was ahead, this would be less than three days.
    world.later(TimeDelta::hours(3 * 24 + 1));
    assert_eq!(asks(&world).await, [4]);
    world.assert_all_is_stored().await;
}
