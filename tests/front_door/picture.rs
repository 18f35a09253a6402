//! The picture of a terminal in README.md is what the program prints.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use console::truncate_str;

use crate::support::picture::picture;
use crate::support::settings::{Alerts, Schedule, WatchList};
use crate::support::{Shell, World, on_terminal, small, words};

const COLUMNS: u16 = 104;
const FILE: &str = "docs/terminal.svg";

/// The part of an output that is shown.
struct Part {
    /// In its first line.
    from: &'static str,
    lines: usize,
}

const ALL: Part = Part {
    from: "",
    lines: 12,
};

/// What is typed.
const SHOWN: [(&str, Part); 3] = [
    ("advisoryd status", ALL),
    ("advisoryd advisories --severity high+ --limit 5", ALL),
    (
        "advisoryd show SA70025 --history",
        Part {
            from: "version 2",
            lines: 16,
        },
    ),
];

async fn world() -> World {
    let mut options = small();
    options.advisories = 300;
    options.tickets = 40;
    options.watch_lists = 3;
    let mut world = World::with(options).await;
    world.lists = Some(Vec::new());
    for (id, name) in (1..).zip(["Linux servers", "Office clients", "Network equipment"]) {
        let (name, source) = (Some(name), Some("feed"));
        world.settings.watch_lists.push(WatchList {
            id,
            name,
            source,
            ..WatchList::default()
        });
    }
    world.settings.schedule = Schedule {
        full_feeds: Some("0 0 2 * * *"),
        ..Schedule::default()
    };
    world.settings.alerts = Alerts::to_log(&["escalated"]);
    "soc".clone_into(&mut world.settings.alerts.rules[0].name);
    world.pull().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    world.simulator.revise("SA70025", true);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    world
}

/// `make picture` writes it anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_picture_in_the_readme_shows_what_is_printed() {
    let world = world().await;
    let daemon = world.run().await;
    let shell = Shell::new();
    let config = world.config_file();
    let mut text = String::new();
    for (line, part) in SHOWN {
        let (shown, code) = on_terminal(shell.command(line, &config), COLUMNS);
        assert_eq!(code, 0, "{shown}");
        writeln!(text, "\u{1b}[1m$ {line}\u{1b}[0m").unwrap();
        let shown = shown.lines().skip_while(|line| !line.contains(part.from));
        let shown = shown.filter(|line| !line.contains(". Connect") && !line.contains("psql "));
        for line in shown.take(part.lines) {
            // A terminal would break it.
            writeln!(text, "{}", truncate_str(line, COLUMNS.into(), "…")).unwrap();
        }
        text.truncate(text.trim_end().len());
        text.push_str("\n\n");
    }
    drop(daemon);
    let host = regex::Regex::new(r"(pid \d+ on )[\w.-]+").unwrap();
    let svg = picture(
        host.replace_all(text.trim_end(), "${1}svr").trim_end(),
        COLUMNS,
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("ADVISORYD_UPDATE_PICTURE").is_some() {
        fs::write(&file, &svg).unwrap();
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(words(&stored), words(&svg), "make picture");
}
