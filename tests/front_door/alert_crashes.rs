//! The daemon, killed at every commit between a change and the last settled
//! delivery: each place is visited in turn until a run comes to its end.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::support::{Edge, Gateway, PATIENCE, Received, Receiver, Running, World, eventually};

/// One rule tells at once, the other gathers; both tell the same receiver, and
/// the daemon has nothing else to do.
const RULES: &str = "[schedule]\nfeeds = \"0 0 0 1 1 *\"\n[tickets]\nenabled = false\n\
    [[alerts.rules]]\nname = \"each\"\non = [\"appeared\"]\nsinks = [\"hook\"]\n\
    [[alerts.rules]]\nname = \"together\"\non = [\"appeared\"]\nsinks = [\"hook\"]\ngroup = \"1s\"\n\
    [[alerts.rules]]\nname = \"shadow\"\non = [\"appeared\"]\nsinks = [\"hook\"]\nshadow = true\n";
/// As many places as there can be at most: beyond, the test counts something else.
const MOST_PLACES: u64 = 60;
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

/// What nobody has time to wait for: the end of a dead daemon's leases.
async fn leases_end(world: &World) {
    sqlx::query("update advisoryd.delivery set leased_until = now() where leased_until > now()")
        .execute(world.pool())
        .await
        .unwrap();
}

/// Two new advisories, a daemon that is killed at the place, and one that goes
/// on; false when the first came to its end.
async fn is_killed_at(world: &mut World, receiver: &Receiver, place: u64, edge: Edge) -> bool {
    let saids = world.simulator.publish(2);
    world.pull_one().await;
    let gateway = Gateway::to(&world.database, place, edge).await;
    let direct = std::mem::replace(&mut world.database.url, gateway.url.clone());
    let mut daemon = Running::start(&mut world.command(&["run"]));
    world.database.url = direct;
    gateway.watch(daemon.pid());
    eventually("the kill or the end", PATIENCE, async || {
        (gateway.has_struck() || is_done(world, &saids).await).then_some(())
    })
    .await;
    daemon.kill9();
    let was_killed = gateway.has_struck();
    drop(gateway);
    if was_killed {
        leases_end(world).await;
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
    world.more.push_str(RULES);
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    for place in 1..MOST_PLACES {
        if !is_killed_at(&mut world, &receiver, place, edge).await {
            return place - 1;
        }
    }
    panic!("more than {MOST_PLACES} commits");
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
