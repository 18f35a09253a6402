//! The sign of life: one at each time, signed, and honest.

use std::collections::BTreeSet;

use advisoryd::job::health::check;
use advisoryd::job::health::heartbeat::{First, beat};
use chrono::TimeDelta;
use nix::sys::signal::Signal;

use crate::support::{HOOK_SECRET, PATIENCE, Receiver, Running, World, assert_reads, eventually};

async fn beating(schedule: &str) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.more =
        format!("[tickets]\nenabled = false\n[alerts.heartbeat]\nschedule = \"{schedule}\"\n");
    world.add_hook(&receiver);
    (world, receiver)
}

#[tokio::test]
async fn two_daemons_send_one_signed_heartbeat_at_each_time() {
    let (world, receiver) = beating("* * * * * *").await;
    let mut daemons = [0, 1].map(|_| Running::start(&mut world.command(&["run"])));
    let messages = receiver.wait_for(5).await;
    for daemon in &mut daemons {
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.ended().await.success());
    }
    let webhook = standardwebhooks::Webhook::new(HOOK_SECRET).unwrap();
    let mut times = BTreeSet::new();
    for message in &messages {
        webhook.verify(&message.bytes, &message.headers).unwrap();
        assert_eq!(message.body["purpose"], "heartbeat");
        let alert = &message.body["alerts"][0];
        assert_eq!(alert["id"], message.header("webhook-id"));
        let at = alert["at"].as_str().unwrap().to_owned();
        assert!(times.insert(at.clone()), "{at} twice");
    }
    let last = &messages.last().unwrap().body["alerts"][0];
    assert_reads!(
        last["title"].as_str().unwrap(),
        last["summary"].as_str().unwrap()
    );
}

#[tokio::test]
async fn after_a_downtime_one_is_made_up_for_and_not_all() {
    let (world, receiver) = beating("0 0 8 * * *").await;
    world.pull_one().await;
    let context = world.context().await;
    let beat = async |first| beat(&context, first).await.unwrap();
    assert!(!beat(First::IsPassedOver).await, "there was none to miss");
    assert!(!beat(First::IsSent).await, "this time is seen to");
    world.later(TimeDelta::days(3));
    assert!(beat(First::IsPassedOver).await);
    assert!(!beat(First::IsSent).await);
    world.alert().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_heartbeat_says_what_is_wrong() {
    let (world, receiver) = beating("0 0 8 * * *").await;
    world.pull_one().await;
    let context = world.context().await;
    beat(&context, First::IsPassedOver).await.unwrap();
    world.later(TimeDelta::days(2));
    check::look(&context).await.unwrap();
    beat(&context, First::IsSent).await.unwrap();
    world.alert().await;
    let alert = &receiver.received()[0].body["alerts"][0];
    assert_reads!(
        alert["title"].as_str().unwrap(),
        alert["summary"].as_str().unwrap()
    );
}

#[tokio::test]
async fn a_heartbeat_that_nobody_took_is_not_tried_beyond_the_next() {
    let (world, receiver) = beating("0 0 8 * * *").await;
    world.pull_one().await;
    let context = world.context().await;
    beat(&context, First::IsPassedOver).await.unwrap();
    for answer in [500, 200] {
        receiver.answer(answer, Some("100000"));
        world.later(TimeDelta::days(1));
        assert!(beat(&context, First::IsSent).await.unwrap());
        world.alert().await;
    }
    world.later(TimeDelta::days(2));
    world.alert().await;
    let states: Vec<(String, Option<String>)> =
        sqlx::query_as("select state, last_error from advisoryd_v1.deliveries order by id")
            .fetch_all(world.pool())
            .await
            .unwrap();
    assert_eq!(states[0].0, "dead_letter");
    assert_reads!(states[0].1.as_deref().unwrap());
    assert_eq!(states[1].0, "delivered");
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_daemon_makes_up_for_the_heartbeat_it_missed() {
    let (world, receiver) = beating("0 0 0 1 1 *").await;
    let mut first = Running::start(&mut world.command(&["run"]));
    eventually("the last time is seen to", PATIENCE, async || {
        let seen = world
            .count("select count(*) from advisoryd.alerting where heartbeat_at is not null")
            .await;
        (seen == 1).then_some(())
    })
    .await;
    first.kill9();
    sqlx::query("update advisoryd.alerting set heartbeat_at = heartbeat_at - interval '1 year'")
        .execute(world.pool())
        .await
        .unwrap();
    let mut second = Running::start(&mut world.command(&["run"]));
    receiver.wait_for(1).await;
    // Killed before it is written down, the next one would wait for the lease.
    eventually("it is delivered", PATIENCE, async || {
        let delivered = world
            .count("select count(*) from advisoryd_v1.deliveries where state = 'delivered'")
            .await;
        (delivered == 1).then_some(())
    })
    .await;
    second.kill9();
    let mut third = Running::start(&mut world.command(&["run"]));
    third.line("following").await;
    let beats = world
        .count("select count(*) from advisoryd_v1.alerts where what = 'heartbeat'")
        .await;
    assert_eq!((beats, receiver.received().len()), (1, 1));
}

#[tokio::test]
async fn a_heartbeat_says_to_when_all_is_complete_whatever_details_are_wanted() {
    let (mut world, receiver) = beating("* * * * * *").await;
    world.feeds = "sweep = false\ndetails = \"always\"".to_owned();
    world.pull_one().await;
    world.fetch_details().await;
    let context = world.context().await;
    assert!(beat(&context, First::IsSent).await.unwrap());
    world.alert().await;
    let alert = &receiver.received()[0].body["alerts"][0];
    assert_reads!(alert["summary"].as_str().unwrap());
}
