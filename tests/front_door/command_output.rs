//! What commands write beside their data: no log unless it is asked for, and what matters as
//! lines of their own, each once.

use std::collections::BTreeSet;

use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions, TicketFilters, TicketOptions};
use regex::Regex;

use crate::support::settings::Rule;
use crate::support::{CommandResult, Receiver, World, on_terminal, small};

/// A world whose tickets have no filter by date, and whose sink refuses everything.
async fn troubled() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::with(SimulatorOptions {
        ticket: TicketOptions {
            filters: TicketFilters {
                modified: false,
                created: false,
            },
            ..TicketOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"])];
    world.add_hook(&receiver);
    (world, receiver)
}

/// No line of a log, and no text twice.
fn assert_is_no_log(result: &CommandResult) {
    let log = Regex::new(r"\b(WARN|INFO|ERROR|DEBUG)\b|\d\d:\d\d:\d\d\.\d").unwrap();
    let mut texts = BTreeSet::new();
    for line in result.stderr.lines() {
        assert!(line.starts_with("advisoryd: "), "{line}\n{result}");
        assert!(!log.is_match(line), "{line}\n{result}");
        assert!(texts.insert(line), "twice: {line}\n{result}");
    }
}

#[tokio::test]
async fn commands_have_no_log_and_say_what_matters_once() {
    let (world, receiver) = troubled().await;
    let first = world.cli(&["sync"]);
    assert_eq!(first.code, 0, "{first}");
    assert_is_no_log(&first);
    let about_filter = "tickets: upstream supports no date filter";
    assert_eq!(first.stderr.matches(about_filter).count(), 1, "{first}");

    world.simulator.publish(2);
    receiver.usually(503_u16);
    let rule = FaultRule::new(AnswerFault::Status(400)).on("/api/tickets");
    world.simulator.inject(rule.times(9));
    let failed = world.cli(&["sync", "--full"]);
    assert_eq!(failed.code, 1, "{failed}");
    assert_is_no_log(&failed);
    let about = |what: &str| {
        failed
            .stderr
            .lines()
            .filter(|line| line.contains(what))
            .count()
    };
    assert_eq!(about("status 400"), 1, "{failed}");
    assert_eq!(about("sink `hook`: "), 1, "{failed}");
    assert_eq!(failed.stderr.lines().count(), 2, "{failed}");

    // The terminal gets the same.
    let (shown, _) = on_terminal(world.command(&["sync", "--full"]), 200);
    assert!(
        !shown.contains("WARN") && !shown.contains("ERROR"),
        "{shown}"
    );
    let quiet = world.cli(&["sync", "--full", "-q"]);
    assert_is_no_log(&quiet);
}

#[tokio::test]
async fn a_log_that_is_asked_for_has_no_repeated_fields() {
    let (world, _receiver) = troubled().await;
    let result = world.cli(&["sync", "-v"]);
    assert_eq!(result.code, 0, "{result}");
    let is_log = |line: &&str| !line.starts_with("advisoryd: ");
    let lines: Vec<&str> = result.stderr.lines().filter(is_log).collect();
    assert!(lines.len() > 3, "{result}");
    let field = Regex::new(r" ([a-z_.]+)=(\S+)").unwrap();
    for line in lines {
        let Some(begin) = field.find(line).map(|field| field.start()) else {
            continue;
        };
        let (message, fields) = line.split_at(begin);
        let mut names = BTreeSet::new();
        for field in field.captures_iter(fields) {
            assert!(names.insert(field[1].to_owned()), "twice: {line}");
            let pattern =
                Regex::new(&format!(r"(^|\W){}(\W|$)", regex::escape(&field[2]))).unwrap();
            assert!(!pattern.is_match(message), "{}: {line}", &field[2]);
        }
    }
    let json = world.cli(&["sync", "--log-format", "json"]);
    let about = |event: &serde_json::Value| {
        let message = event["message"].as_str();
        message.is_some_and(|message| message.contains("alert") || message.contains("tickets"))
    };
    let events = json.stderr.lines().map(serde_json::from_str);
    let events: Vec<serde_json::Value> = events.filter_map(Result::ok).collect();
    assert!(
        events.iter().all(|event| event["level"] != "INFO"),
        "{json}"
    );
    assert!(
        events.iter().filter(|event| about(event)).count() < 2,
        "{json}"
    );
}

#[tokio::test]
async fn pipes_get_whole_texts() {
    let (world, receiver) = troubled().await;
    world.pull_one().await;
    world.later(chrono::TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.usually(400_u16);
    world.alert().await;
    let long = |text: &str| text.repeat(40).trim().to_owned();
    let (summary, error) = (long("a summary that goes on "), long("reason "));
    sqlx::query(
        "update advisoryd.alert set body = jsonb_set(body, '{summary}', to_jsonb($1::text))",
    )
    .bind(&summary)
    .execute(world.pool())
    .await
    .unwrap();
    sqlx::query("update advisoryd.delivery set last_error = $1")
        .bind(&error)
        .execute(world.pool())
        .await
        .unwrap();
    let piped = world.cli(&["alerts", "list"]).stdout;
    assert!(
        piped.contains(&summary) && piped.contains(&error),
        "{piped}"
    );
    let (shown, _) = on_terminal(world.command(&["alerts", "list"]), 100);
    assert!(!shown.contains(&summary), "{shown}");
}
