//! One version, one alert: what happens to an advisory at once is reported by one alert of a
//! rule, which names all of it.

use advisoryd::job::feeds::feed::LookBack;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::settings::Rule;
use crate::support::{Receiver, World};

async fn watched(group: Option<&'static str>) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        group,
        ..Rule::to_hook(
            "soc",
            &[
                "revised",
                "escalated",
                "deescalated",
                "cves_added",
                "rejected",
            ],
        )
    }];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    (world, receiver)
}

/// Pulls and evaluates; the messages that were sent then.
async fn notified(world: &World, receiver: &Receiver) -> Vec<Value> {
    let before = receiver.received().len();
    world.later(TimeDelta::minutes(5));
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let requests = receiver.received();
    requests[before..]
        .iter()
        .map(|one| one.body.clone())
        .collect()
}

/// Kinds of the changes of an advisory since it appeared, without those of a former step.
async fn kinds(world: &World, said: &str, version: i64) -> Vec<String> {
    let sql = "select what from advisoryd_v1.changes where key = $1 and version = $2 order by what";
    sqlx::query_scalar(sql)
        .bind(said)
        .bind(version)
        .fetch_all(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn what_one_revision_changes_is_one_alert_in_one_message_that_names_all_of_it() {
    let (world, receiver) = watched(None).await;
    // One that can become worse.
    let mild = "select said from advisoryd_v1.advisories where severity_rank between 1 and 3 order by said limit 1";
    let said = world.texts(mild).await.remove(0);
    assert!(world.simulator.revise(&said, true));
    let messages = notified(&world, &receiver).await;
    let changes = kinds(&world, &said, 2).await;
    assert!(
        changes.contains(&"escalated".to_owned()) && changes.contains(&"revised".to_owned()),
        "{changes:?}"
    );
    assert_eq!(messages.len(), 1, "{messages:?}");
    let alerts = messages[0]["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!(alert["what"], "escalated");
    let further = alert["further_events"].as_array().unwrap();
    assert!(further.contains(&json!("revised")), "{alert}");
    assert!(!further.contains(&json!("escalated")), "{alert}");
    let summary = alert["summary"].as_str().unwrap();
    assert!(summary.starts_with("severity rose from"), "{summary}");
    // The id is that of the alert about the most important of them.
    let namespace = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, b"advisoryd");
    let name = format!("soc\n{said}\n2\nescalated\n1");
    let id = uuid::Uuid::new_v5(&namespace, name.as_bytes()).to_string();
    assert_eq!(alert["id"], id.as_str());
    let explained = world.cli(&["explain", &said, "--rule", "soc", "--json"]);
    let answer = |what: &str| {
        let lines = explained.json_lines();
        let found = lines.iter().find(|one| one["what"] == what).cloned();
        found.unwrap()["answer"].as_str().unwrap().to_owned()
    };
    assert_eq!(answer("escalated"), "delivered");
    assert_eq!(answer("revised"), "already_reported");
    let tried = world.cli(&["rules", "test", "--since", "1h", "--json"]);
    let tried = &tried.json_lines()[0];
    assert_eq!(tried["messages"].as_array().unwrap().len(), 1, "{tried}");
    assert_eq!(
        tried["messages"][0]["alerts"].as_array().unwrap().len(),
        1,
        "{tried}"
    );
    let again = notified(&world, &receiver).await;
    assert!(again.is_empty(), "{again:?}");
}

#[tokio::test]
async fn a_rejection_is_one_alert_and_the_first_line_counts_advisories() {
    let (world, receiver) = watched(Some("1h")).await;
    let said = world.simulator.saids(1)[0].clone();
    assert!(world.simulator.reject(&said));
    let messages = notified(&world, &receiver).await;
    let changes = kinds(&world, &said, 2).await;
    assert_eq!(changes, ["rejected", "revised"]);
    assert_eq!(messages.len(), 1, "{messages:?}");
    let alerts = messages[0]["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["what"], "rejected");
    assert_eq!(alerts[0]["resolved"], true);
    assert_eq!(alerts[0]["further_events"], json!(["revised"]));
    let title = messages[0]["title"].as_str().unwrap();
    assert!(title.starts_with(&format!("{said}: ")), "{title}");

    let others: Vec<String> = world.simulator.saids(1)[1..3].to_vec();
    for said in &others {
        assert!(world.simulator.revise(said, true));
    }
    let messages = notified(&world, &receiver).await;
    let title = messages[0]["title"].as_str().unwrap();
    assert!(title.starts_with("soc: 2 advisories: "), "{title}");
}
