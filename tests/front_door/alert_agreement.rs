//! What `rules test` says of a stored world is what the daemon has sent in it.

use std::collections::BTreeMap;

use advisoryd::job::feeds::feed::LookBack;
use chrono::TimeDelta;
use serde_json::Value;
use toml::toml;

use crate::support::settings::{Rule, WatchList};
use crate::support::{Receiver, World};

/// All that happens to an advisory.
const ALL: &[&str] = &[
    "appeared",
    "joined_watch_list",
    "revised",
    "escalated",
    "deescalated",
    "cves_added",
    "solution_available",
    "rejected",
    "reinstated",
];

async fn watched() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.lists = Some(Vec::new());
    world.settings.watch_lists = [1, 2]
        .map(|id| WatchList {
            id,
            ..WatchList::default()
        })
        .to_vec();
    world.settings.alerts.rules = vec![
        Rule::to_hook("all", ALL),
        Rule::to_hook("lists", &["appeared", "joined_watch_list"]),
        Rule {
            severity: Some("moderately_critical"),
            group: Some("1h"),
            ..Rule::to_hook("severe", &["escalated", "rejected", "revised"])
        },
        Rule {
            clauses: toml! { not = { where = "severity >= high" } },
            ..Rule::to_hook("mild", ALL)
        },
    ];
    world.add_hook(&receiver);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    (world, receiver)
}

async fn round(world: &World) {
    world.later(TimeDelta::minutes(5));
    world.pull_back(LookBack::Full).await;
    world.alert().await;
}

/// By rule: what was sent, in order, as key, kind of change and summary.
type Sent = BTreeMap<String, Vec<[String; 3]>>;

fn sent(receiver: &Receiver) -> Sent {
    let mut sent = Sent::new();
    for message in receiver.received() {
        let rule = message.body["rule"].as_str().unwrap().to_owned();
        let alerts = message.body["alerts"].as_array().unwrap().iter();
        sent.entry(rule).or_default().extend(alerts.map(facts));
    }
    sent
}

fn facts(alert: &Value) -> [String; 3] {
    ["key", "what", "summary"].map(|name| alert[name].as_str().unwrap().to_owned())
}

fn tried(world: &World) -> Sent {
    let lines = world.cli(&["rules", "test", "--since", "2d", "--json"]);
    let mut sent = Sent::new();
    for rule in lines.json_lines() {
        let messages = rule["messages"].as_array().unwrap().iter();
        let alerts = messages.flat_map(|one| one["alerts"].as_array().unwrap());
        let name = rule["rule"].as_str().unwrap().to_owned();
        sent.insert(name, alerts.map(facts).collect());
    }
    sent
}

/// Those of one time in any order: several messages are sent at once.
fn sorted(mut sent: Sent) -> Sent {
    for alerts in sent.values_mut() {
        alerts.sort();
    }
    sent.retain(|_, alerts| !alerts.is_empty());
    sent
}

#[tokio::test]
async fn rules_test_says_what_the_daemon_has_sent() {
    let (world, receiver) = watched().await;
    let stored = world.simulator.saids(1);
    let new = world.simulator.publish(4);
    for said in &new[..2] {
        world.simulator.join(said, 2);
    }
    // One that is silenced for the next rounds.
    let silenced = &new[0];
    let silence = [
        "silence",
        "add",
        &format!("key={silenced}"),
        "--reason",
        "r",
        "--until",
        "30m",
    ];
    assert_eq!(world.cli(&silence).code, 0);
    round(&world).await;
    // It joins a list within the hour: the silenced alert has reported nothing.
    for said in [silenced, &new[2]] {
        world.simulator.join(said, 1);
    }
    for said in [silenced, &stored[0], &stored[1]] {
        assert!(world.simulator.revise(said, true));
    }
    round(&world).await;
    for said in [silenced, &stored[1], &new[3]] {
        assert!(world.simulator.reject(said));
    }
    round(&world).await;
    world.later(TimeDelta::hours(1));
    for said in [silenced, &stored[1]] {
        assert!(world.simulator.reinstate(said));
    }
    assert!(world.simulator.revise(&stored[2], true));
    round(&world).await;

    let expected = sorted(sent(&receiver));
    assert!(
        expected.values().all(|alerts| alerts.len() >= 2) && expected.len() == 4,
        "{expected:?}"
    );
    assert_eq!(sorted(tried(&world)), expected);
    // Of one event, what resolves comes last, and so do messages of one alert each.
    let of = |sent: &Sent| {
        let all = sent["all"].iter();
        let of_one = all.filter(|[key, ..]| *key == stored[1]);
        of_one.cloned().collect::<Vec<_>>()
    };
    assert_eq!(of(&tried(&world)), of(&sent(&receiver)));
    let state = "select count(*) from advisoryd_v1.alerts where state = 'silenced'";
    assert!(world.count(state).await >= 3);
}
