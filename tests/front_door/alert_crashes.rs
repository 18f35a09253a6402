//! The daemon, killed at every commit between a change and the last settled
//! delivery: each place is visited in turn until a run comes to its end.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::support::settings::{NEVER, Rule};
use crate::support::{
    Edge, Gateway, PATIENCE, Received, Receiver, Running, World, eventually, every_commit,
};

/// One rule tells at once, the other gathers; both tell the same receiver, and
/// the daemon has nothing else to do.
fn idle_with_rules(world: &mut World) {
    let each = Rule::to_hook("each", &["appeared"]);
    let together = Rule {
        group: Some("1s"),
        ..Rule::to_hook("together", &["appeared"])
    };
    let shadow = Rule {
        shadow: Some(true),
        ..Rule::to_hook("shadow", &["appeared"])
    };
    world.settings.alerts.rules = vec![each, together, shadow];
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
}

const WAITING: &str = "select count(*) from advisoryd.delivery where state = 'waiting'";

/// The alerts that these advisories deserve, and which of them are sent.
fn deserved(saids: &[String]) -> BTreeMap<String, bool> {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"advisoryd");
    let mut alerts = BTreeMap::new();
    for said in saids {
        for (rule, is_sent) in [("each", true), ("together", true), ("shadow", false)] {
            let fact = format!("{rule}\n{said}\n1\nappeared\n1");
            alerts.insert(
                Uuid::new_v5(&namespace, fact.as_bytes()).to_string(),
                is_sent,
            );
        }
    }
    alerts
}

async fn raised(world: &World, saids: &[String]) -> BTreeSet<String> {
    sqlx::query_scalar("select id::text from advisoryd_v1.alerts where key = any($1)")
        .bind(saids)
        .fetch_all(world.pool())
        .await
        .unwrap()
        .into_iter()
        .collect()
}

async fn is_done(world: &World, saids: &[String]) -> bool {
    raised(world, saids).await.len() == deserved(saids).len() && world.count(WAITING).await == 0
}

/// Two new advisories, a daemon that is killed at the place, and one that goes
/// on; false when the first came to its end.
async fn is_killed_at(world: &mut World, receiver: &Receiver, place: u64, edge: Edge) -> bool {
    let saids = world.simulator.publish(2);
    world.pull_one().await;
    let gateway = Gateway::to(&world.database, place, edge).await;
    let mut daemon = world.start_behind(&gateway, &["run"]);
    eventually("the kill or the end", PATIENCE, async || {
        (gateway.has_struck() || is_done(world, &saids).await).then_some(())
    })
    .await;
    daemon.kill9();
    let was_killed = gateway.has_struck();
    drop(gateway);
    if was_killed {
        world.dead_are_gone().await;
        let mut next = Running::start(&mut world.command(&["run"]));
        eventually("the work of the dead", PATIENCE, async || {
            is_done(world, &saids).await.then_some(())
        })
        .await;
        next.kill9();
    }
    let expected = deserved(&saids);
    let all: BTreeSet<String> = expected.keys().cloned().collect();
    assert_eq!(raised(world, &saids).await, all, "{edge:?} {place}");
    told_as_deserved(
        &expected,
        &receiver.received(),
        &format!("{edge:?} {place}"),
    );
    was_killed
}

/// Every alert came, always in the same message, whose bytes are always the same.
fn told_as_deserved(expected: &BTreeMap<String, bool>, received: &[Received], place: &str) {
    let mut carriers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for one in received {
        let id = one.header("webhook-id");
        let body = bodies.entry(id).or_insert(&one.bytes);
        assert_eq!(*body, &one.bytes[..], "{place}: {id} says something else");
        for alert in one.body["alerts"].as_array().unwrap() {
            let alert = alert["id"].as_str().unwrap();
            carriers.entry(alert).or_default().insert(id);
        }
    }
    for (alert, is_sent) in expected {
        let messages = carriers.get(alert.as_str()).map_or(0, BTreeSet::len);
        assert_eq!(messages, usize::from(*is_sent), "{place}: alert {alert}");
    }
}

async fn every_place(edge: Edge) -> u64 {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    idle_with_rules(&mut world);
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    every_commit(async |place| is_killed_at(&mut world, &receiver, place, edge).await).await
}

#[tokio::test]
async fn killed_before_any_commit_the_daemon_loses_and_doubles_no_alert() {
    let places = every_place(Edge::Before).await;
    // Evaluated; claimed and settled, at least once; sealed.
    assert!(places >= 4, "only {places} places");
}

#[tokio::test]
async fn killed_after_any_commit_the_daemon_loses_and_doubles_no_alert() {
    let places = every_place(Edge::After).await;
    assert!(places >= 4, "only {places} places");
}
