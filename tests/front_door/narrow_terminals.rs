//! What people read on a terminal of 80 columns.

use chrono::TimeDelta;
use console::measure_text_width;

use crate::support::settings::Rule;
use crate::support::{Receiver, World, on_terminal};

const COLUMNS: u16 = 80;

/// What a command prints; with its colours.
fn shown(world: &World, arguments: &[&str]) -> String {
    let mut command = world.command(arguments);
    command.env("PAGER", "cat");
    on_terminal(command, COLUMNS).0
}

/// Alerts of one rule for one sink, which refuses them.
async fn refused() -> World {
    let receiver = Receiver::start().await;
    receiver.answer(400, None);
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(3);
    world.pull_one().await;
    world.alert().await;
    world
}

#[tokio::test]
async fn lines_end_between_words_and_within_the_terminal() {
    let world = refused().await;
    let said = &world.texts("select key from advisoryd_v1.alerts").await[0];
    let alert = &world
        .texts("select id::text from advisoryd_v1.alerts")
        .await[0];
    for arguments in [
        &["--help"][..],
        &["changes", "--help"],
        &["advisories", "--help"],
        &["status"],
        &["verify"],
        &["explain", said],
        &["alerts", "show", alert],
        &["alerts", "list"],
        &["rules", "test", "--since", "180d"],
        &["changes", "--severity", "worst"],
        &["show", "SA1"],
    ] {
        let shown = shown(&world, arguments);
        assert!(!shown.trim().is_empty(), "{arguments:?}");
        for line in shown.lines() {
            // What is to be copied is one line, and a word is not cut.
            let is_whole = line.contains("psql ") || line.contains("  advisoryd ");
            let words = line.split_whitespace().count();
            assert!(
                is_whole || words == 1 || measure_text_width(line) <= usize::from(COLUMNS),
                "{arguments:?}: {line}"
            );
        }
    }
}

#[tokio::test]
async fn examples_are_not_broken() {
    let world = World::new().await;
    let shown = shown(&world, &["budget", "--help"]);
    let example = "  advisoryd budget take 1 && curl -H \"Authorization: Token $(cat token)\" \\";
    let mut lines = shown.lines().skip_while(|line| line.trim_end() != example);
    assert!(lines.next().is_some(), "{shown}");
    assert_eq!(
        lines.next().map(str::trim),
        Some("https://api.app.secunia.com/api/tickets/"),
        "{shown}"
    );
    assert!(!shown.contains('\u{a0}'), "{shown}");
}

#[tokio::test]
async fn a_list_of_alerts_tells_once_what_all_have() {
    let world = refused().await;
    let shown = shown(&world, &["alerts", "list"]);
    let first = shown.lines().next().unwrap_or_default();
    assert!(first.starts_with("all: rule new, sink hook"), "{shown}");
    let heading = shown.lines().nth(1).unwrap_or_default();
    let names: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(names.first(), Some(&"id"), "{shown}");
    assert!(
        names.contains(&"key") && names.ends_with(&["alert"]),
        "{shown}"
    );
    assert!(
        !names.contains(&"rule") && !names.contains(&"sink"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_table_of_products_has_one_line_for_each() {
    let world = refused().await;
    let shown = shown(&world, &["products", "--limit", "20"]);
    let rows: Vec<&str> = shown
        .lines()
        .filter(|line| !line.contains("it is not known"))
        .collect();
    for line in &rows {
        assert!(measure_text_width(line) <= usize::from(COLUMNS), "{line}");
    }
    let heading = rows.iter().position(|line| line.starts_with("product"));
    assert_eq!(heading, Some(0), "{shown}");
    assert!(rows[0].contains("  released (EST)  watch l"), "{shown}");
}
