//! What every command that prints a table, a list or a page shows in one fixed world: in a
//! pipe, and on terminals of 80 and 120 columns.

use std::fmt::Write as _;
use std::fs;

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule as Broken};
use chrono::TimeDelta;

use crate::support::settings::{Rule, WatchList};
use crate::support::{Receiver, World, on_terminal, without, words};

/// The commands; `SAID` is an advisory with two versions and an alert, `DIR` a fleet.
const COMMANDS: [&str; 22] = [
    "ack --list",
    "advisories --limit 4 --sort severity",
    "alerts list",
    "budget",
    "changes --limit 4",
    "check",
    "explain SAID",
    "fleet status DIR",
    "products --limit 4",
    "quarantine list",
    "rules list",
    "rules test",
    "show #1",
    "show SAID",
    "show SAID --history",
    "silence list",
    "sinks list",
    "sinks presets",
    "status",
    "status --check",
    "tickets --limit 4",
    "verify",
];

async fn world(receiver: &Receiver) -> World {
    let mut world = World::new().await;
    world.lists = Some(Vec::new());
    world.settings.watch_lists.push(WatchList {
        id: 1,
        name: Some("Linux servers"),
        source: Some("feed"),
        ..WatchList::default()
    });
    world.settings.feeds.details = Some("never");
    world.settings.alerts.rules = vec![Rule::to_hook("soc", &["appeared", "revised"])];
    world.add_hook(receiver);
    let damaged = Broken::new(AnswerFault::Damaged(Damage::OneBadRecord));
    world.simulator.inject(damaged.times(1));
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    assert!(world.simulator.revise(&world.simulator.saids(1)[0], false));
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    world
}

/// What a command prints: in a pipe, and on both terminals.
fn shown(world: &World, command: &str, arguments: &[&str]) -> String {
    let result = world.cli(arguments);
    let mut text = format!(
        "exit status {}\n\nin a pipe\n{}{}",
        result.code, result.stdout, result.stderr
    );
    for columns in [80, 120] {
        let mut command_line = world.command(arguments);
        command_line.env("NO_COLOR", "1");
        let (page, code) = on_terminal(command_line, columns);
        assert_eq!(code, result.code, "{command}: {page}");
        let _ = write!(text, "\n{columns} columns\n{page}");
    }
    let text = without(&text, r"\b[0-9a-f]{12,}\b", "[hash]");
    let text = if command == "budget" {
        // A process, and what it has requested in the minute that has just begun.
        let text = without(&text, r"\d+ on \S+ +\d+ ", "[process]  [n] ");
        let text = without(&text, r"this minute: .*", "this minute: [n]");
        without(&text, r" {2,}", "  ")
    } else {
        text
    };
    // On a terminal, a command goes on in the next line.
    let is_of_psql = |line: &&str| {
        line.contains(". Connect") || line.contains("psql ") || line.starts_with("    -")
    };
    let lines = text.lines().filter(|line| !is_of_psql(line));
    words(&lines.collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_reads_well_in_a_pipe_and_on_terminals() {
    let receiver = Receiver::start().await;
    let world = world(&receiver).await;
    let said = world.simulator.saids(1)[0].clone();
    for arguments in [
        &["ack", &said, "--note", "next window"][..],
        &[
            "silence", "add", "rule=soc", "--reason", "moving", "--until", "1h",
        ],
    ] {
        let done = world.cli(arguments);
        assert_eq!(done.code, 0, "{done}");
    }
    let folder = world.dir().join("fleet");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("one.toml"), world.toml()).unwrap();
    let folder = folder.display().to_string();
    for command in COMMANDS {
        let typed: Vec<&str> = command
            .split(' ')
            .map(|part| match part {
                "SAID" => said.as_str(),
                "DIR" => folder.as_str(),
                other => other,
            })
            .collect();
        let text = shown(&world, command, &typed);
        let name = command.replace(|one: char| !one.is_ascii_alphanumeric(), "_");
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
    }
}
