//! Clocks that jump while messages gather and are retried.

use std::sync::Arc;

use advisoryd::job::alerts::deliver::keep_delivering;
use advisoryd::job::alerts::evaluate::{RuleSet, evaluate};
use advisoryd::job::context::Context;
use advisoryd::startup::open_sinks;
use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::support::settings::Rule;
use crate::support::{PATIENCE, Receiver, World, eventually};

/// A deliverer at work under the world's clock.
struct Work {
    context: Context,
    bell: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Work {
    async fn begin(world: &World) -> Self {
        let context = world.context().await;
        let sink = open_sinks(&context.config).unwrap().remove(0);
        let bell = Arc::new(Notify::new());
        let quick = context.pool.clone();
        let work = keep_delivering(context.clone(), quick, Arc::new(sink), Arc::clone(&bell));
        let task = tokio::spawn(work);
        Self {
            context,
            bell,
            task,
        }
    }

    async fn evaluate(&self) {
        let rules = RuleSet::of(&self.context, false);
        evaluate(&self.context, &rules).await.unwrap();
        self.bell.notify_one();
    }

    async fn end(self, world: &World) {
        world.stop.cancel();
        self.task.await.unwrap();
    }
}

async fn watched(group: &'static str) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        group: Some(group),
        ..Rule::to_hook("soc", &["appeared"])
    }];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.simulator.publish(3);
    world.pull_one().await;
    (world, receiver)
}

async fn all_is_delivered(world: &World) {
    eventually("the delivery", PATIENCE, async || {
        let left = "select count(*) from advisoryd_v1.alerts where state <> 'delivered'";
        (world.count(left).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_jumps_while_alerts_gather_costs_neither_an_alert_nor_an_hour() {
    for hours in [1, -1] {
        let (world, receiver) = watched("5m").await;
        let work = Work::begin(&world).await;
        work.evaluate().await;
        assert_eq!(receiver.received().len(), 0, "they gather");
        world.later(TimeDelta::hours(hours));
        work.bell.notify_one();
        all_is_delivered(&world).await;
        let messages = receiver.received();
        assert_eq!((messages.len(), messages[0].facts().len()), (1, 3));
        work.end(&world).await;
    }
}

#[tokio::test]
async fn a_clock_that_jumps_while_messages_are_retried_makes_no_storm_and_loses_none() {
    let (world, receiver) = watched("0s").await;
    receiver.usually(500);
    let work = Work::begin(&world).await;
    work.evaluate().await;
    let failed = async |failures: i64| {
        eventually("the failures", PATIENCE, async || {
            let sum = world
                .count("select sum(failures) from advisoryd.delivery")
                .await;
            (sum == failures).then_some(())
        })
        .await;
    };
    failed(3).await;
    world.later(TimeDelta::hours(-1));
    work.bell.notify_one();
    // Forth again: the first pause is over, the second one is not.
    world.later(TimeDelta::hours(2));
    work.bell.notify_one();
    failed(6).await;
    assert_eq!(receiver.received().len(), 6);
    receiver.usually(200);
    world.later(TimeDelta::hours(1));
    work.bell.notify_one();
    all_is_delivered(&world).await;
    assert_eq!(receiver.received().len(), 9);
    work.end(&world).await;
}
