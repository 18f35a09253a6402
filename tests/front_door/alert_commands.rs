//! The commands of alerts.

use chrono::TimeDelta;
use serde_json::Value;

use crate::support::{HOOK_SECRET, Receiver, Running, Told, World, assert_reads};

const RULE: &str = "[[alerts.rules]]\nname = \"new\"\non = [\"appeared\"]\nsinks = [\"hook\"]\n";

async fn watched() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.more.push_str(RULE);
    world.add_hook(&receiver);
    (world, receiver)
}

fn lines(told: &Told) -> Vec<Value> {
    assert_eq!(told.code, 0, "{told:?}");
    told.json_lines()
}

#[tokio::test]
async fn a_sink_is_tried_truly_and_its_own_answer_is_told() {
    let (world, receiver) = watched().await;
    let good = world.told(&["alerts", "test", "hook"]);
    assert_eq!(good.code, 0, "{good:?}");
    let sent = &receiver.received()[0];
    assert_eq!(sent.body["purpose"], "test");
    assert_eq!(sent.header("webhook-id"), sent.body["id"]);

    receiver.answer(403, None);
    let bad = world.told(&["alerts", "test", "hook"]);
    assert_eq!(bad.code, 1);

    let unknown = world.told(&["alerts", "test", "hok"]);
    assert_eq!(unknown.code, 1);
    assert_reads!(good, bad, unknown);
}

#[tokio::test]
async fn rules_are_tried_on_what_is_stored_and_nothing_is_sent() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(3);
    world.pull_one().await;
    let tried = world.told(&["rules", "test", "--since", "1d", "--json"]);
    let tried = &lines(&tried)[0];
    assert_eq!(
        tried["messages"].as_array().unwrap().len(),
        3,
        "one each: {tried}"
    );
    assert_eq!(tried["verdicts"]["baseline"], 60);
    assert_eq!(tried["verdicts"]["matched"], 3);
    assert!(receiver.received().is_empty());
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.alerts")
            .await,
        0
    );
    assert_reads!(
        world.told(&["rules", "test"]),
        world.told(&["rules", "list"])
    );
}

#[tokio::test]
async fn alerts_are_listed_shown_and_told_again_under_the_same_id() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(400, None);
    world.alert().await;
    let listed = lines(&world.told(&["alerts", "list", "--state", "dead_letter", "--json"]));
    assert_eq!(listed.len(), 1);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_reads!(world.told(&["alerts", "show", &id]));

    let again = world.told(&["alerts", "resend", &id]);
    assert_eq!(again.code, 0, "{again:?}");
    world.alert().await;
    let ids: Vec<String> = receiver
        .received()
        .iter()
        .map(|one| one.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids, [id.clone(), id.clone()]);
    let document = &lines(&world.told(&["alerts", "show", &id, "--json"]))[0];
    assert_eq!(document["state"], "delivered");
    assert_eq!(
        document["deliveries"][0]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_silenced_alert_can_be_told_after_all_and_a_silence_can_be_ended() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let add = [
        "silence", "add", "key=SA*", "--reason", "audit", "--until", "1h",
    ];
    assert_eq!(world.told(&add).code, 0);
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    world.alert().await;
    assert!(receiver.received().is_empty());
    let listed = lines(&world.told(&["alerts", "list", "--json"]));
    assert_eq!(listed[0]["state"], "silenced");
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.told(&["alerts", "resend", &id]).code, 0);
    world.alert().await;
    assert_eq!(receiver.received().len(), 1);

    let silences = lines(&world.told(&["silence", "list", "--json"]));
    let number = silences[0]["id"].to_string();
    assert_eq!(silences[0]["matchers"]["key"], "SA*");
    assert_eq!(world.told(&["silence", "expire", &number]).code, 0);
    let twice = world.told(&["silence", "expire", &number]);
    assert_eq!(twice.code, 1);
    let none = world.told(&["silence", "list"]);
    let wrong = world.told(&[
        "silence",
        "add",
        "colour=red",
        "--reason",
        "x",
        "--until",
        "1h",
    ]);
    assert_eq!(wrong.code, 1);
    assert_reads!(twice, none, wrong);
}

#[tokio::test]
async fn sync_tells_what_it_brought() {
    let (world, receiver) = watched().await;
    assert_eq!(world.told(&["sync", "feeds"]).code, 0);
    world.simulator.publish(2);
    let second = world.told(&["sync", "feeds"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert_reads!(second);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_backlog_is_told_only_where_somebody_asks_for_it() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    let all = world.told(&["sync", "feeds", "--alert-backlog"]);
    assert_eq!(all.code, 0, "{all:?}");
    assert_eq!(receiver.received().len(), 60);
}

#[tokio::test]
async fn a_sink_that_cannot_be_used_keeps_nobody_from_reading_and_is_owed_what_it_missed() {
    let (world, receiver) = watched().await;
    assert_eq!(world.told(&["sync", "feeds"]).code, 0);
    let secret = world.token_file().with_file_name("hook-secret");
    std::fs::remove_file(&secret).unwrap();
    world.simulator.publish(1);
    let without = world.told(&["sync", "feeds"]);
    assert_eq!(without.code, 1);
    let stored = world.versions().await.len();
    assert_eq!(stored, 61, "it read all the same");
    let check = world.told(&["check", "--offline"]);
    assert_eq!(check.code, 1);
    assert_reads!(without, check);
    let mut daemon = Running::start(&mut world.command(&["run"]));
    daemon.line("sink `hook` cannot be used").await;
    daemon.kill9();
    std::fs::write(&secret, HOOK_SECRET).unwrap();
    assert_eq!(world.told(&["sync", "feeds"]).code, 0);
    assert_eq!(receiver.received().len(), 1, "nothing was lost");
}

#[tokio::test]
async fn a_dead_letter_is_listed_while_another_sink_is_still_to_be_told() {
    let (mut world, receiver) = watched().await;
    let other = Receiver::start().await;
    world.add_webhook("other", &other);
    world.more = world.more.replace("[\"hook\"]", "[\"hook\", \"other\"]");
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(410, None);
    other.answer(500, None);
    world.alert().await;
    for state in ["dead_letter", "waiting"] {
        let arguments = ["alerts", "list", "--state", state, "--json"];
        assert_eq!(lines(&world.told(&arguments)).len(), 1, "{state}");
    }
}
