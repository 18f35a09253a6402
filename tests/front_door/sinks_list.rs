//! `sinks list`: where alerts are sent to, without secrets, who uses it, and what waits there.

use chrono::TimeDelta;
use serde_json::{Value, json};
use toml::Table;

use crate::support::settings::{Rule, Sink};
use crate::support::{CommandResult, Receiver, World, assert_reads, without};

fn more(text: &str) -> Table {
    toml::from_str(text).unwrap()
}

fn add(world: &mut World, name: &str, kind: &'static str, text: &str) {
    world.settings.alerts.sinks.push(Sink {
        name: name.to_owned(),
        kind,
        more: more(text),
        ..Sink::default()
    });
}

fn lines(result: &CommandResult) -> Vec<Value> {
    assert_eq!(result.code, 0, "{result}");
    result.json_lines()
}

/// Sinks of several kinds, whose settings contain what may be secret.
fn add_others(world: &mut World) {
    let file = world.token_file().with_file_name("chat-url");
    std::fs::write(&file, "https://chat.example.org/hooks/hunter2").unwrap();
    let file = format!("url_file = {:?}", file.display().to_string());
    add(world, "chat", "slack", &file);
    world.settings.alerts.sinks.push(Sink {
        name: "team".to_owned(),
        kind: "teams",
        url: Some("https://teams.example.org/webhook/hunter2?sig=hunter2".to_owned()),
        ..Sink::default()
    });
    let mail = "host = \"mail.example.org\"\nfrom = \"a@example.org\"\nto = [\"SOC <soc@example.org>\", \"b@example.org\"]";
    add(world, "mail", "email", mail);
    add(
        world,
        "siem",
        "syslog",
        "address = \"tls://siem.example.org:6514\"",
    );
    add(
        world,
        "pager",
        "command",
        "program = [\"/bin/true\", \"--password\", \"hunter2\"]\nuser = \"nobody\"",
    );
    add(world, "journal", "log", "");
}

#[tokio::test]
async fn sinks_are_listed_with_where_they_send_to_and_what_waits_there() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    let none = world.cli(&["sinks", "list"]);
    world.settings.alerts.rules = vec![
        Rule::to_hook("soc", &["appeared"]),
        Rule::to_hook("night", &["escalated"]),
    ];
    world.add_hook(&receiver);
    add_others(&mut world);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(2);
    world.pull_one().await;
    receiver.answer(410, None);
    world.alert().await;

    let result = world.cli(&["sinks", "list", "--json"]);
    let all = lines(&result);
    let names: Vec<&str> = all
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["hook", "chat", "team", "mail", "siem", "pager", "journal"]
    );
    let hook = &all[0];
    assert_eq!(hook["rules"], json!(["soc", "night"]));
    assert_eq!(
        (&hook["dead_letters"], &hook["waiting"]),
        (&json!(1), &json!(0))
    );
    assert!(hook["last_success_at"].is_string(), "{hook}");
    assert!(all[1]["last_success_at"].is_null());
    let page = world.cli(&["sinks", "list"]);
    for shown in [&result, &page] {
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
    }
    // Another daemon's sink that is gone from the configuration, while something is left.
    world.settings.alerts.sinks.remove(0);
    for rule in &mut world.settings.alerts.rules {
        rule.sinks = &["journal"];
    }
    let former = world.cli(&["sinks", "list", "--json"]);
    let former = lines(&former).pop().unwrap();
    assert_eq!(
        (&former["name"], &former["configured"], &former["to"]),
        (&json!("hook"), &json!(false), &Value::Null)
    );
    // Columns are as wide as the path of this run's directory, and either of the two
    // deliveries may be the last one.
    let narrow =
        |page: &CommandResult| without(&without(page, " {2,}", "  "), "failing since ", "");
    assert_reads!(none, narrow(&page), narrow(&world.cli(&["sinks", "list"])));
}
