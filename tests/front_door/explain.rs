//! Every answer that `advisoryd explain` has, reached through its front door.

use std::collections::BTreeMap;

use advisoryd::job::alerts::evaluate::{self, Rules};
use advisoryd::job::feeds::feed::LookBack;
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::{Receiver, World};

/// Each rule leads to another answer for an advisory that is new.
const RULES: &str = r#"
[[alerts.rules]]
name = "told"
on = ["appeared"]
sinks = ["hook"]
[[alerts.rules]]
name = "false"
on = ["appeared"]
title = "no title reads like this"
[[alerts.rules]]
name = "missing"
on = ["appeared"]
threat_score = 1
product = ["*"]
cvss4 = 0.1
cvss2 = 0.0
missing = "skip"
[[alerts.rules]]
name = "shadow"
on = ["appeared"]
shadow = true
sinks = ["hook"]
[[alerts.rules]]
name = "nobody"
on = ["appeared"]
[[alerts.rules]]
name = "group"
on = ["appeared"]
group = "5m"
sinks = ["hook"]
[[alerts.rules]]
name = "other"
on = ["became_zero_day"]
sinks = ["hook"]
"#;

async fn watched() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.more.push_str(RULES);
    world.add_hook(&receiver);
    (world, receiver)
}

/// Answers and sentences by change and rule.
fn explained(world: &World, key: &str) -> BTreeMap<(String, String), (String, String)> {
    let told = world.told(&["explain", key, "--json"]);
    assert_eq!(told.code, 0, "{told:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    told.stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|one| {
            let of = (text(&one["what"]), text(&one["rule"]));
            (of, (text(&one["answer"]), text(&one["text"])))
        })
        .collect()
}

/// The answer for an advisory that appeared.
fn appeared(world: &World, key: &str, rule: &str) -> (String, String) {
    explained(world, key)[&("appeared".to_owned(), rule.to_owned())].clone()
}

async fn new_advisory(world: &World) -> String {
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    world.simulator.saids(1).last().unwrap().clone()
}

#[tokio::test]
async fn what_was_stored_before_is_a_baseline_and_what_is_not_stored_was_not_followed() {
    let (mut world, _receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[0].clone();
    let (answer, text) = appeared(&world, &said, "told");
    assert_eq!(answer, "baseline");
    assert_eq!(
        text,
        "baseline: it came with the first load of watch list 1"
    );

    world
        .more
        .push_str("\n[[alerts.rules]]\nname = \"late\"\non = [\"appeared\"]\n");
    world.alert().await;
    let (answer, text) = appeared(&world, &said, "late");
    assert_eq!(answer, "before_rule");
    assert_eq!(text, "baseline: it happened while the rule was not there");

    let nothing = explained(&world, "SA1");
    let (answer, text) = &nothing[&(String::new(), "told".to_owned())];
    assert_eq!(answer, "not_followed");
    assert_eq!(text, "not in a followed list then");
}

#[tokio::test]
async fn each_way_not_to_be_told_has_its_sentence() {
    let (world, _receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let said = new_advisory(&world).await;
    let (answer, text) = appeared(&world, &said, "told");
    assert_eq!(answer, "not_evaluated", "{text}");

    let context = world.context().await;
    evaluate::evaluate(&context, &Rules::of(&context, false))
        .await
        .unwrap();
    let all = explained(&world, &said);
    let of = |rule: &str| all[&("appeared".to_owned(), rule.to_owned())].clone();
    assert_eq!(
        of("other").1,
        "changes of kind `appeared` are not asked for"
    );
    let (answer, text) = of("false");
    assert_eq!(answer, "clause_false");
    assert!(
        text.starts_with(
            "clause `title` is false: it asks for no title reads like this, and was shown "
        ),
        "{text}"
    );
    assert_eq!(of("missing").0, "value_missing", "{all:?}");
    assert!(
        of("missing")
            .1
            .ends_with("is missing, and the rule says to skip then")
    );
    assert_eq!(
        of("shadow").1,
        "shadow: it matched, and the rule sends nothing"
    );
    assert_eq!(of("nobody").1, "it matched, and the rule names no sink");
    let (answer, text) = of("group");
    assert_eq!(answer, "gathering");
    assert!(text.starts_with("grouped into message "), "{text}");
    let (answer, text) = of("told");
    assert_eq!(answer, "waiting");
    assert!(
        text.starts_with("waiting for attempt 1 to tell `hook` at "),
        "{text}"
    );
}

#[tokio::test]
async fn a_message_that_is_told_waits_or_is_given_up_says_so() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    let said = new_advisory(&world).await;
    for _ in 0..3 {
        receiver.answer(503, None);
    }
    world.alert().await;
    let (answer, text) = appeared(&world, &said, "told");
    assert_eq!(answer, "waiting");
    let part = "waiting for attempt 2 to tell `hook` at ";
    assert!(text.starts_with(part), "{text}");

    world.later(TimeDelta::seconds(10));
    world.alert().await;
    let (answer, text) = appeared(&world, &said, "group");
    assert_eq!(answer, "delivered");
    assert!(text.starts_with("delivered to `hook` at "), "{text}");
    assert!(text.contains(" with 200; grouped into message "), "{text}");
    assert!(text.ends_with(" with 1 others"), "{text}");

    let said = new_advisory(&world).await;
    receiver.answer(400, None);
    receiver.answer(400, None);
    world.alert().await;
    let (answer, text) = appeared(&world, &said, "told");
    assert_eq!(answer, "dead_letter");
    assert!(
        text.starts_with("dead letter: `hook` was given up at "),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_silenced_is_recorded_and_says_why_and_until_when() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let added = world.told(&[
        "silence",
        "add",
        "rule=told",
        "--reason",
        "moving house",
        "--until",
        "8h",
    ]);
    assert_eq!(added.code, 0, "{added:?}");
    let said = new_advisory(&world).await;
    world.alert().await;
    let (answer, text) = appeared(&world, &said, "told");
    assert_eq!(answer, "silenced");
    assert!(
        text.starts_with("silenced until ") && text.ends_with(": moving house"),
        "{text}"
    );
    let told_of: Vec<String> = receiver
        .received()
        .iter()
        .map(|one| one.body["rule"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        told_of,
        ["group"],
        "only the rule that is not silenced was sent"
    );
}

#[tokio::test]
async fn a_change_that_a_rule_does_not_ask_for_is_told_apart_from_one_that_it_does() {
    let (world, _receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[0].clone();
    world.later(TimeDelta::minutes(5));
    world.simulator.revise(&said, true);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let all = explained(&world, &said);
    let (answer, _) = &all[&("revised".to_owned(), "told".to_owned())];
    assert_eq!(answer, "not_asked");
    let page = world.told(&["explain", &said.to_lowercase(), "--rule", "told"]);
    assert_eq!(page.code, 0);
    assert!(page.stdout.contains("revised  v2"), "{}", page.stdout);
    let unknown = world.told(&["explain", &said, "--rule", "nobody knows"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("no rule is called `nobody knows`"),
        "{unknown:?}"
    );
}
