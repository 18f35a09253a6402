//! What somebody meets who does not know the program yet: wrong ports, new directories,
//! names that are nearly right, and tables that do not fit.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use console::measure_text_width;

use crate::support::settings::Rule;
use crate::support::{
    CommandResult, Receiver, World, assert_reads, binary, free_port, on_terminal, state_dir,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_at_once_that_nobody_listens_at_the_databases_port() {
    let world = World::new().await;
    let port = free_port();
    for arguments in [
        &["status"][..],
        &["advisories"],
        &["quarantine", "list"],
        &["sync", "feeds"],
        &["status", "--check"],
    ] {
        let began = Instant::now();
        let mut command = world.command(arguments);
        let url = format!("postgres://advisoryd@127.0.0.1:{port}/advisoryd?sslmode=disable");
        command.env("ADVISORYD_DATABASE__URL", url);
        let result: CommandResult = command.output().expect("the command").into();
        assert!(result.code != 0, "{arguments:?}: {result}");
        let said = result.to_string();
        let expected = [
            "the database cannot be used: ".to_owned(),
            format!("127.0.0.1:{port}"),
            "Connection refused".to_owned(),
            "check [database] url".to_owned(),
        ];
        for expected in expected {
            assert!(said.contains(&expected), "{arguments:?}: {result}");
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_creates_no_database() {
    let dir = state_dir();
    let file = dir.path().join("config.toml");
    let state = dir.path().join("mistyped");
    let text = format!(
        "[state]\ndir = \"{}\"\n[[watch_lists]]\nid = 1\n",
        state.display()
    );
    std::fs::write(&file, text).unwrap();
    for arguments in [
        &["status"][..],
        &["advisories"],
        &["quarantine", "list"],
        &["alerts", "list"],
        &["budget"],
        &["verify"],
    ] {
        let mut command = binary();
        command.arg("--config").arg(&file).args(arguments);
        let result: CommandResult = command.output().expect("the command").into();
        assert_eq!(result.code, 1, "{arguments:?}: {result}");
        let said = format!("there is no database in {} yet; start", state.display());
        assert!(result.stderr.contains(&said), "{arguments:?}: {result}");
        assert!(!state.exists(), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_are_nearly_right_are_answered_with_the_right_ones() {
    let world = World::new().await;
    world.pull_one().await;
    for (arguments, expected) in [
        (
            &["advisories", "--since", "2026-11-20..2026-11-10"][..],
            "the time ends before it begins",
        ),
        (
            &["advisories", "--since", "1h", "--until", "2h"],
            "the time ends before it begins",
        ),
        (
            &["tickets", "--since", "1h", "--until", "2h"],
            "the time ends before it begins",
        ),
        (
            &["changes", "--since", "1h", "--until", "2h"],
            "the time ends before it begins",
        ),
        (&["sinks", "ls"], "commands: list, presets, preset"),
        (
            &["alerts", "ls"],
            "commands: list, show, resend, dismiss, test",
        ),
        (
            &["changes", "--what", "modified"],
            "did you mean `revised`?",
        ),
        (&["advisories", "--limit", "x"], "expected a number from 1"),
        (&["show", "SA99999"], "check its ID"),
    ] {
        let result = world.cli(arguments);
        assert!(result.code == 2 || arguments[0] == "show", "{result}");
        assert!(result.stderr.contains(expected), "{arguments:?}: {result}");
    }
    let good = world.cli(&["alerts", "list", "--state", "failed"]);
    assert_eq!(good.code, 0, "{good}");
    let none = world.cli(&["ack", "--list"]);
    assert_eq!(
        none.stdout, "no active acknowledgements or assignments\n",
        "{none}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_with_an_error_does_not_make_its_rules_wrong() {
    let dir = state_dir();
    let file = dir.path().join("config.toml");
    let text = "[[watch_lists]]\nid = 1\n\
        [[alerts.sinks]]\nname = \"soc-hook\"\nkind = \"webhook\"\nurl = \"https://soc.example.org\"\n\
        secret_file = \"/nowhere/secret\"\ntimeout = \"x\"\n\
        [[alerts.sinks]]\nname = \"journal\"\nkind = \"nosuch\"\n\
        [[alerts.rules]]\nname = \"soc\"\nsinks = [\"soc-hook\", \"journal\", \"other\"]\n";
    std::fs::write(&file, text).unwrap();
    let mut command = binary();
    command
        .arg("--config")
        .arg(&file)
        .args(["check", "--offline"]);
    let result: CommandResult = command.output().expect("the command").into();
    assert_eq!(result.code, 78, "{result}");
    let unknown: Vec<&str> = result
        .stderr
        .lines()
        .filter(|line| line.contains("unknown sink"))
        .collect();
    assert_eq!(unknown.len(), 1, "{result}");
    assert!(unknown[0].contains("`other`"), "{result}");
}

fn shown(world: &World, arguments: &[&str], columns: u16) -> String {
    let mut command = world.command(arguments);
    command.env("NO_COLOR", "1");
    let (page, code) = on_terminal(command, columns);
    assert_eq!(code, 0, "{page}");
    page
}

fn assert_fits(page: &str, columns: u16) {
    for line in page.lines() {
        let width = measure_text_width(line);
        assert!(width <= usize::from(columns), "{width}: {line}\n{page}");
    }
}

/// A page without line ends and columns.
fn words(page: &str) -> String {
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_texts_and_failures_fit_a_terminal_and_lose_no_word() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("soc", &["appeared"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    receiver.answer(410, None);
    let said = world.simulator.publish(1).remove(0);
    world.later(TimeDelta::minutes(5));
    world.pull_one().await;
    world.alert().await;
    let acked = world.cli(&["ack", &said, "--note", "mine"]);
    assert_eq!(acked.code, 0, "{acked}");
    let minute = regex::Regex::new(r"  \d{4}-\d\d-\d\d \d\d:\d\d  ").unwrap();
    for columns in [80, 120] {
        let alerts = shown(&world, &["alerts", "list"], columns);
        assert_fits(&alerts, columns);
        assert!(words(&alerts).contains("410"), "{alerts}");
        assert!(alerts.contains("    hook: "), "{alerts}");
        let rules = shown(&world, &["rules", "list"], columns);
        assert_fits(&rules, columns);
        assert!(!rules.contains('…'), "{rules}");
        let presets = shown(&world, &["sinks", "presets"], columns);
        assert_fits(&presets, columns);
        assert!(
            words(&presets).contains("vars.issue_type, vars.transition"),
            "{presets}"
        );
        let advisories = shown(&world, &["advisories", "--released", "1d"], columns);
        assert_fits(&advisories, columns);
        assert!(advisories.contains(&said) && !advisories.contains("_critical"));
        assert!(minute.is_match(&advisories), "{advisories}");
        let acked = shown(&world, &["ack", "--list", "--all"], columns);
        assert_fits(&acked, columns);
        assert!(acked.contains("until withdrawn"), "{acked}");
    }
    let status = world.cli(&["status"]).stdout;
    let line = status.lines().find(|line| line.contains("dead letter"));
    assert_reads!(line.expect("it is told"));
    assert!(!status.contains("failing since"), "{status}");
}
