//! Several processes that deliver from one database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use advisoryd::job::alerts::attempt::settle;
use advisoryd::job::alerts::deliver::claim;
use advisoryd::model::Ending;
use advisoryd::startup::open_sinks;
use advisoryd::store::alerts::delivery::DeliveryAttempt;
use chrono::TimeDelta;

use crate::support::settings::{NEVER, Rule};
use crate::support::{PATIENCE, Receiver, World, eventually};

const WAITING: &str = "select count(*) from advisoryd.delivery where state = 'waiting'";
const LEASED: &str = "select count(*) from advisoryd.delivery where leased_until > now()";

async fn watched(receiver: &Receiver) -> World {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("soc", &["appeared"])];
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
    world.add_hook(receiver);
    world.pull_one().await;
    world.alert().await;
    world
}

async fn publish(world: &World, count: u32) {
    world.simulator.publish(count);
    world.pull_one().await;
}

async fn leases_end(world: &World) {
    sqlx::query("update advisoryd.delivery set leased_until = now() where leased_until > now()")
        .execute(world.pool())
        .await
        .unwrap();
}

async fn all_is_settled(world: &World) {
    eventually("the end of all deliveries", PATIENCE, async || {
        (world.count(WAITING).await == 0).then_some(())
    })
    .await;
}

/// How often each message came.
fn times(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for one in receiver.received() {
        *times
            .entry(one.header("webhook-id").to_owned())
            .or_default() += 1;
    }
    times
}

#[tokio::test]
async fn two_daemons_share_the_work_and_tell_nothing_twice() {
    let receiver = Receiver::start().await;
    receiver.slowly(Duration::from_millis(20));
    let world = watched(&receiver).await;
    let mut daemons = [world.run().await, world.run().await];
    for _ in 0..4 {
        publish(&world, 20).await;
    }
    receiver.wait_for(80).await;
    all_is_settled(&world).await;
    let times = times(&receiver);
    assert_eq!(times.len(), 80);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    for daemon in &mut daemons {
        daemon
            .event("a delivery of its own", |event| event["sink"] == "hook")
            .await;
        daemon.kill9();
    }
}

#[tokio::test]
async fn what_a_killed_daemon_was_sending_is_sent_by_another_when_its_lease_ends() {
    let receiver = Receiver::start().await;
    receiver.slowly(Duration::from_secs(15));
    let world = watched(&receiver).await;
    let mut first = world.run().await;
    publish(&world, 1).await;
    let sent = receiver.wait_for(1).await;
    first.kill9();
    receiver.slowly(Duration::ZERO);
    let mut second = world.run().await;
    // It is alive and works, and keeps its hands off what is leased.
    publish(&world, 1).await;
    receiver.wait_for(2).await;
    eventually("the other message", PATIENCE, async || {
        (world.count(WAITING).await == 1).then_some(())
    })
    .await;
    leases_end(&world).await;
    all_is_settled(&world).await;
    let times = times(&receiver);
    assert_eq!(times[sent[0].header("webhook-id")], 2, "{times:?}");
    assert_eq!(times.len(), 2);
    second.kill9();
}

#[tokio::test]
async fn who_lost_its_claim_settles_nothing() {
    let receiver = Receiver::start().await;
    let world = watched(&receiver).await;
    receiver.answer(500, None);
    publish(&world, 1).await;
    world.alert().await;
    world.later(TimeDelta::seconds(10));
    let context = world.context().await;
    let sink = open_sinks(&context.config).unwrap().remove(0);
    let lost = claim(&context, &sink, 8).await.unwrap().remove(0);
    assert!(claim(&context, &sink, 8).await.unwrap().is_empty());
    leases_end(&world).await;
    let ours = claim(&context, &sink, 8).await.unwrap().remove(0);
    let attempt = |ending| DeliveryAttempt {
        at: context.clock.now(),
        latency: TimeDelta::zero(),
        status: Some(200),
        answer: String::new(),
        ending,
    };
    let state = async || -> (String, i32) {
        sqlx::query_as("select state, failures from advisoryd.delivery")
            .fetch_one(world.pool())
            .await
            .unwrap()
    };
    let gave_up = Ending::Abandoned {
        error: "late".to_owned(),
    };
    settle(&context, &lost, (&attempt(gave_up), None))
        .await
        .unwrap();
    assert_eq!(state().await, ("waiting".to_owned(), 1));
    assert_eq!(
        world.count(LEASED).await,
        1,
        "the lease of the other is untouched"
    );
    settle(&context, &ours, (&attempt(Ending::Delivered), None))
        .await
        .unwrap();
    assert_eq!(state().await, ("delivered".to_owned(), 1));
    settle(&context, &lost, (&attempt(Ending::Delivered), None))
        .await
        .unwrap();
    let attempts = "select count(*) from advisoryd_v1.delivery_attempts";
    assert_eq!(world.count(attempts).await, 3, "each is written down");
}

#[tokio::test]
async fn a_machine_whose_clock_is_ahead_takes_nothing_from_another() {
    let receiver = Receiver::start().await;
    let world = watched(&receiver).await;
    publish(&world, 1).await;
    let context = world.context().await;
    let sinks = open_sinks(&context.config).unwrap();
    let rules = advisoryd::job::alerts::evaluate::RuleSet::of(&context, false);
    advisoryd::job::alerts::evaluate::evaluate(&context, &rules)
        .await
        .unwrap();
    let sink = Arc::new(sinks.into_iter().next().unwrap());
    assert_eq!(claim(&context, &sink, 8).await.unwrap().len(), 1);
    world.later(TimeDelta::hours(1));
    assert!(claim(&context, &sink, 8).await.unwrap().is_empty());
}
