//! The commands of alerts.

use chrono::TimeDelta;
use serde_json::Value;

use crate::support::{HOOK_SECRET, Receiver, Running, Told, World};

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
    told.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// As [`World::told`], beside a receiver of this process.
async fn told(world: &World, arguments: &'static [&'static str]) -> Told {
    let mut command = world.command(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    Told {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn a_sink_is_tried_truly_and_its_own_answer_is_told() {
    let (world, receiver) = watched().await;
    let good = told(&world, &["alerts", "test", "hook"]).await;
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.stdout.contains("(200): taken"), "{good:?}");
    let sent = &receiver.received()[0];
    assert_eq!(sent.body["purpose"], "test");
    assert_eq!(sent.header("webhook-id"), sent.body["id"]);

    receiver.answer(403, None);
    let bad = told(&world, &["alerts", "test", "hook"]).await;
    assert_eq!(bad.code, 1);
    assert!(bad.stderr.contains("sink `hook` did not take"), "{bad:?}");
    assert!(bad.stderr.contains("403"), "{bad:?}");

    let unknown = told(&world, &["alerts", "test", "hok"]).await;
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("the configuration has: hook"),
        "{unknown:?}"
    );
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
    let page = world.told(&["rules", "test"]);
    assert!(
        page.stdout
            .starts_with("rule `new`: 3 alerts in 3 messages"),
        "{}",
        page.stdout
    );
    let listed = world.told(&["rules", "list"]);
    assert!(
        listed.stdout.contains("anything; on appeared"),
        "{}",
        listed.stdout
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
    let page = world.told(&["alerts", "show", &id]);
    assert!(
        page.stdout.contains("sink `hook`: dead_letter"),
        "{}",
        page.stdout
    );
    assert!(page.stdout.contains("attempt 1"), "{}", page.stdout);

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
    assert_eq!(world.told(&["silence", "expire", &number]).code, 1);
    assert_eq!(world.told(&["silence", "list"]).stdout, "no silences\n");
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
    assert!(
        wrong
            .stderr
            .contains("`colour` cannot be matched; write one of"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn sync_tells_what_it_brought() {
    let (world, receiver) = watched().await;
    assert_eq!(told(&world, &["sync", "feeds"]).await.code, 0);
    world.simulator.publish(2);
    let second = told(&world, &["sync", "feeds"]).await;
    assert_eq!(second.code, 0, "{second:?}");
    assert!(
        second
            .stdout
            .contains("alerts: 2 raised, 2 messages delivered"),
        "{second:?}"
    );
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_backlog_is_told_only_where_somebody_asks_for_it() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    let all = told(&world, &["sync", "feeds", "--alert-backlog"]).await;
    assert_eq!(all.code, 0, "{all:?}");
    assert_eq!(receiver.received().len(), 60);
}

#[tokio::test]
async fn a_sink_that_cannot_be_used_keeps_nobody_from_reading_and_is_owed_what_it_missed() {
    let (world, receiver) = watched().await;
    assert_eq!(told(&world, &["sync", "feeds"]).await.code, 0);
    let secret = world.token_file().with_file_name("hook-secret");
    std::fs::remove_file(&secret).unwrap();
    world.simulator.publish(1);
    let without = told(&world, &["sync", "feeds"]).await;
    assert_eq!(without.code, 1);
    assert!(
        without.stderr.contains("sink `hook` cannot be used"),
        "{without:?}"
    );
    assert!(
        without.stdout.contains("1 new"),
        "it read all the same: {without:?}"
    );
    let check = world.told(&["check", "--offline"]);
    assert!(check.stdout.contains("FAIL  sink hook: "), "{check:?}");
    let mut daemon = Running::start(&mut world.command(&["run"]));
    daemon.line("sink `hook` cannot be used").await;
    daemon.kill9();
    std::fs::write(&secret, HOOK_SECRET).unwrap();
    assert_eq!(told(&world, &["sync", "feeds"]).await.code, 0);
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
