//! Dead letters are dismissed: they are out of the way, and it stays known who did it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::settings::Rule;
use crate::support::{CommandResult, Receiver, World, assert_reads};

/// Two alerts of two rules, refused for good by the sink `hook`.
async fn refused() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![
        Rule::to_hook("first", &["appeared"]),
        Rule::to_hook("second", &["appeared"]),
    ];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(410, None);
    receiver.answer(410, None);
    world.alert().await;
    (world, receiver)
}

fn lines(result: &CommandResult) -> Vec<Value> {
    assert_eq!(result.code, 0, "{result}");
    result.json_lines()
}

/// The alerts that a list shows, by state and rule.
fn listed(world: &World, arguments: &[&str]) -> Vec<(String, String)> {
    let result = world.cli(&[&["alerts", "list", "--json"], arguments].concat());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = lines(&result)
        .iter()
        .map(|line| (text(&line["rule"]), text(&line["state"])))
        .collect();
    found.sort();
    found
}

fn pair(rule: &str, state: &str) -> (String, String) {
    (rule.to_owned(), state.to_owned())
}

fn dead_letters(world: &World) -> Value {
    let status = lines(&world.cli(&["status", "--json"])).remove(0);
    status["sinks"][0]["dead_letters"].clone()
}

fn id_of(world: &World, rule: &str) -> String {
    let result = world.cli(&["alerts", "list", "--rule", rule, "--json"]);
    lines(&result)[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_dismissed_alert_is_listed_only_when_asked_for_and_says_who_and_when() {
    let (world, receiver) = refused().await;
    assert_eq!(dead_letters(&world), 2);
    let id = id_of(&world, "first");
    let dismiss = ["alerts", "dismiss", &id[..8], "--note", "done by hand"];
    let done = world.cli(&dismiss);
    assert_eq!(done.code, 0, "{done}");
    let again = world.cli(&dismiss);
    assert_eq!(again.code, 0, "{again}");

    assert_eq!(listed(&world, &[]), [pair("second", "dead_letter")]);
    assert_eq!(
        listed(&world, &["--state", "dead_letter"]),
        [pair("second", "dead_letter")]
    );
    assert_eq!(
        listed(&world, &["--state", "dismissed"]),
        [pair("first", "dismissed")]
    );
    assert_eq!(dead_letters(&world), 1, "it is counted no more");
    let page = world.cli(&["alerts", "list"]);
    assert_reads!(page.stderr);
    let shown = lines(&world.cli(&["alerts", "show", &id, "--json"])).remove(0);
    let delivery = &shown["deliveries"][0];
    assert_eq!(delivery["state"], "dismissed");
    assert_eq!(delivery["dismissed_note"], "done by hand");
    let by = delivery["dismissed_by"].as_str().unwrap();
    assert!(!by.is_empty() && delivery["dismissed_at"].is_string());
    assert!(delivery["settled_at"].is_string(), "when it was given up");
    let shown = world.cli(&["alerts", "show", &id]);
    let named = format!("sink `hook`: dismissed by {by} at ");
    assert!(shown.stdout.contains(&named), "{shown}");
    let why = world.cli(&["explain", shown_key(&shown), "--rule", "first", "--json"]);
    let answers: Vec<Value> = lines(&why);
    assert!(
        answers.iter().any(|one| one["answer"] == "dismissed"),
        "{why}"
    );

    // It can still be sent, and then nothing is dismissed.
    assert_eq!(world.cli(&["alerts", "resend", &id]).code, 0);
    world.alert().await;
    assert_eq!(receiver.received().len(), 3);
    let trace = "select concat_ws(' ', state, dismissed_at, dismissed_by, dismissed_note)
                 from advisoryd_v1.deliveries where rule = 'first'";
    assert_eq!(world.texts(trace).await, ["delivered"]);
    let audit = "select concat_ws(' ', what, key, detail)
                 from advisoryd_v1.audit where who <> ''";
    let row = format!("dismiss_dead_letters {id} {{\"messages\": 1, \"deliveries\": 1}}");
    assert_eq!(world.texts(audit).await, [row], "that it was stays known");
    let delivered = world.cli(&["alerts", "dismiss", &id]);
    assert_eq!(delivered.code, 1);
    assert_reads!(done, again, page.stderr, delivered);
}

/// The advisory on the page of an alert.
fn shown_key(page: &CommandResult) -> &str {
    let mut lines = page.stdout.lines();
    let line = lines.find_map(|line| line.trim().strip_prefix("key "));
    line.unwrap().trim()
}

#[tokio::test]
async fn all_dead_letters_are_dismissed_by_sink_rule_and_time_as_they_are_sent_again() {
    let (world, receiver) = refused().await;
    let all = ["alerts", "dismiss", "--state", "dead_letter"];
    let with = |more: &[&'static str]| world.cli(&[&all[..], more].concat());
    for none in [
        ["--sink", "other"],
        ["--rule", "third"],
        ["--since", "2100-01-01"],
    ] {
        let none = with(&none);
        assert_eq!((none.code, none.stdout.as_str()), (0, "no dead letters\n"));
    }
    let one = with(&["--rule", "second", "--sink", "hook", "--since", "1d"]);
    assert_eq!(listed(&world, &[]), [pair("first", "dead_letter")]);
    let rest = with(&[]);
    assert_eq!(dead_letters(&world), 0);
    let empty = world.cli(&["alerts", "list"]);
    // What is dismissed is sent again by its id alone.
    let none = world.cli(&["alerts", "resend", "--state", "dead_letter"]);
    assert_eq!(none.stdout, "no dead letters\n");
    world.alert().await;
    assert_eq!(receiver.received().len(), 2);
    let audit = "select detail::text from advisoryd_v1.audit order by at";
    let detail = json!({"messages": 1, "deliveries": 1}).to_string();
    let details = world.texts(audit).await;
    let details: Vec<String> = details
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap().to_string())
        .collect();
    assert_eq!(details, [detail.clone(), detail]);
    let wrong = world.cli(&["alerts", "dismiss"]);
    assert_eq!(wrong.code, 2);
    assert_reads!(one, rest, empty);
}

#[tokio::test]
async fn a_person_is_erased_from_dismissals_too() {
    let (world, _receiver) = refused().await;
    let id = id_of(&world, "first");
    let dismiss = ["alerts", "dismiss", &id, "--note", "Jane Roe did it"];
    assert_eq!(world.cli(&dismiss).code, 0);
    let erased = world.cli(&["erase", "person", "Jane Roe", "--yes"]);
    assert_eq!(erased.code, 0, "{erased}");
    let note = "select dismissed_note from advisoryd_v1.deliveries where state = 'dismissed'";
    let note = world.texts(note).await.remove(0);
    assert!(!note.contains("Jane") && note.contains("did it"), "{note}");
}
