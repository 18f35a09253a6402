//! Colours, links, CSV for spreadsheets, failures and progress, as a terminal or a pipe
//! gets them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{FeedOptions, Note, SimulatorOptions};
use console::measure_text_width;

use crate::support::settings::{Upstream, WatchList};
use crate::support::{World, free_port, on_terminal, small, state_dir};

/// Begins a link (OSC 8) and a colour.
const LINK: &str = "\u{1b}]8;;";
const COLOUR: &str = "\u{1b}[3";

async fn filled() -> World {
    let mut world = World::new().await;
    world.settings.upstream.advisory_url = Some("https://svr.example.org/a/{said}?id={id}");
    world.settings.upstream.ticket_url = Some("https://svr.example.org/t/{number}");
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world
}

fn command(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = world.command(arguments);
    command.env("TERM", "xterm-256color");
    command.envs(environment.iter().copied());
    command
}

fn shown(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (shown, code) = on_terminal(command(world, arguments, environment), 120);
    assert_eq!(code, 0, "{shown}");
    shown
}

fn piped(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = command(world, arguments, environment).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn colours_are_where_the_option_and_the_environment_want_them() {
    let world = filled().await;
    let list = ["advisories", "--severity", "high+"];
    let with = |more: &[&'static str]| [&list[..], more].concat();
    let always = with(&["--color", "always"]);
    let never = with(&["--color=never"]);
    assert!(shown(&world, &list, &[]).contains(COLOUR));
    for (arguments, environment) in [
        (&never, ("TERM", "xterm")),
        (&list.to_vec(), ("NO_COLOR", "1")),
        (&list.to_vec(), ("TERM", "dumb")),
    ] {
        let shown = shown(&world, arguments, &[environment]);
        assert!(!shown.contains(COLOUR), "{environment:?}: {shown:?}");
    }
    assert!(!piped(&world, &list, &[]).contains('\u{1b}'));
    assert!(piped(&world, &always, &[("NO_COLOR", "1")]).contains(COLOUR));
    assert!(piped(&world, &list, &[("CLICOLOR_FORCE", "1")]).contains(COLOUR));
    let off = [("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")];
    assert!(!piped(&world, &list, &off).contains('\u{1b}'));
    // What programs read never has any.
    for form in ["--json", "--csv"] {
        let text = piped(&world, &[&always[..], &[form]].concat(), &[]);
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    let wrong = world.cli(&["--color", "pink", "status"]);
    assert_eq!(wrong.code, 2, "{wrong}");
}

#[tokio::test]
async fn keys_lead_to_the_vendors_pages_on_a_terminal_only() {
    let world = filled().await;
    let said = world.simulator.saids(1)[0].clone();
    let list = ["advisories", "--limit", "5"];
    let text = shown(&world, &list, &[]);
    let link = regex::Regex::new(
        r"\x1b\]8;;https://svr\.example\.org/a/(SA\d+)\?id=\d+\x1b\\(SA\d+)\x1b\]8;;\x1b\\",
    )
    .unwrap();
    let links: Vec<_> = link.captures_iter(&text).collect();
    assert_eq!(links.len(), 5, "{text:?}");
    assert!(links.iter().all(|link| link[1] == link[2]), "{text:?}");
    for arguments in [
        &["tickets", "--limit", "5"][..],
        &["show", &said],
        &["show", "1"],
    ] {
        assert!(
            shown(&world, arguments, &[]).contains(LINK),
            "{arguments:?}"
        );
    }
    let never = ["--color", "never", "advisories", "--limit", "5"];
    assert!(!shown(&world, &never, &[]).contains('\u{1b}'));
    assert!(!shown(&world, &list, &[("TERM", "dumb")]).contains('\u{1b}'));
    let always = ["--color", "always", "advisories", "--limit", "5"];
    for piped in [piped(&world, &list, &[]), piped(&world, &always, &[])] {
        assert!(!piped.contains(LINK), "{piped}");
    }
    // Only less is known to understand them.
    let dir = state_dir();
    let pager = dir.path().join("pager");
    let page = dir.path().join("page");
    fs::write(&pager, format!("#!/bin/sh\ncat >'{}'\n", page.display())).unwrap();
    fs::set_permissions(&pager, fs::Permissions::from_mode(0o755)).unwrap();
    let long = ["advisories", "--limit", "50"];
    let pager = pager.display().to_string();
    shown(&world, &long, &[("ADVISORYD_PAGER", &pager)]);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("SA7") && !page.contains(LINK), "{page}");
}

#[tokio::test]
async fn csv_begins_with_a_mark_where_a_spreadsheet_needs_it() {
    let world = filled().await;
    for list in ["advisories", "tickets"] {
        let plain = piped(&world, &[list, "--csv"], &[]);
        let marked = piped(&world, &[list, "--csv", "--bom"], &[]);
        assert!(!plain.starts_with('\u{feff}'));
        assert_eq!(marked.strip_prefix('\u{feff}'), Some(plain.as_str()));
    }
    let wrong = world.cli(&["advisories", "--bom"]);
    assert_eq!(wrong.code, 2, "{wrong}");
}

#[tokio::test]
async fn texts_of_show_end_between_words_on_a_terminal_and_are_whole_in_a_pipe() {
    const URL: &str = "https://vendor.example.org/security/bulletins/2026/11/30/a-very-long-name-that-no-terminal-of-eighty-columns-can-show-in-one-line/index.html";
    let wide = "これは長い説明です。".repeat(12);
    let words = "attackers can exploit this vulnerability ".repeat(9);
    let text = format!("{words}see {URL} and {wide} end");
    let world = World::with(SimulatorOptions {
        note: Some(Note {
            text: text.clone(),
            author: "Ada".to_owned(),
        }),
        ..small()
    })
    .await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    let whole = piped(&world, &["show", &said], &[]);
    assert!(whole.contains(&text), "{whole}");
    for columns in [80, 120] {
        let mut command = command(&world, &["show", &said], &[]);
        command.env("NO_COLOR", "1");
        let (page, code) = on_terminal(command, columns);
        assert_eq!(code, 0, "{page}");
        assert!(page.contains(URL), "it can be copied: {page}");
        let mut is_wrapped = false;
        for line in page.lines().filter(|line| !line.contains(URL)) {
            let width = measure_text_width(line);
            assert!(
                width <= usize::from(columns),
                "{width} of {columns}: {line}"
            );
            is_wrapped |= width > usize::from(columns) - 12;
            assert!(
                !line.ends_with(' ') && !line.trim_start().starts_with('。'),
                "{line:?}"
            );
        }
        assert!(is_wrapped, "{page}");
        // Only line ends were added, and only between words.
        let joined = page.replace("\n  ", "\n").replace('\n', " ");
        assert!(joined.contains(words.trim_end()), "{columns}: {page}");
        let ideographs = |text: &str| text.chars().filter(|one| *one > '\u{2fff}').count();
        assert_eq!(ideographs(&page), ideographs(&whole));
    }
}

/// A world whose upstream is not there.
async fn without_upstream(attempts: u32) -> World {
    let mut world = World::new().await;
    world.settings.upstream = Upstream {
        base_url: Some(format!("http://127.0.0.1:{}", free_port())),
        max_attempts: Some(attempts),
        ..Upstream::default()
    };
    world
}

#[tokio::test]
async fn a_failure_is_one_line() {
    let world = without_upstream(1).await;
    for quiet in [&["sync"][..], &["sync", "--quiet"]] {
        let result = world.cli(quiet);
        assert_eq!((result.code, result.stdout.as_str()), (1, ""), "{result}");
        let lines: Vec<&str> = result.stderr.lines().collect();
        let sources = ["watch list 1", "tickets"];
        assert_eq!(lines.len(), sources.len(), "{result}");
        for (line, source) in lines.iter().zip(sources) {
            let start = format!("advisoryd: {source}: failed (");
            assert!(line.starts_with(&start), "{result}");
            assert!(line.contains(" after 1 request, "), "{result}");
        }
    }
    // With -v, the log tells more.
    let result = world.cli(&["sync", "feeds", "-v"]);
    assert!(result.stderr.lines().count() > 1, "{result}");
}

#[tokio::test]
async fn a_wait_says_how_long_and_how_often() {
    let world = without_upstream(4).await;
    let (shown, code) = on_terminal(world.command(&["sync", "feeds"]), 120);
    assert_eq!(code, 1, "{shown}");
    let retry = regex::Regex::new(r"watch list 1  \S+ retrying in \d+ s \([234] of 4\): ").unwrap();
    assert!(retry.is_match(&shown), "{shown:?}");
    // On a narrow terminal, too, it is one line: what does not fit is left out.
    let (narrow, _) = on_terminal(world.command(&["sync", "feeds"]), 60);
    let drawn = regex::Regex::new(r"watch list 1  \S+ retrying in [^\r\x1b]*").unwrap();
    let mut drawn = drawn.find_iter(&narrow).peekable();
    assert!(drawn.peek().is_some(), "{narrow:?}");
    for line in drawn {
        let width = measure_text_width(line.as_str());
        assert!(width <= 60, "{width}: {line:?}");
        assert!(line.as_str().contains(": upstream "), "{line:?}");
    }
}

#[tokio::test]
async fn details_have_a_total_and_one_line() {
    let mut world = World::with(SimulatorOptions {
        advisories: 150,
        feed: FeedOptions {
            is_sparse: true,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds.details = None;
    let (shown, code) = on_terminal(world.command(&["sync"]), 120);
    assert_eq!(code, 0, "{shown}");
    let total = world.count("select count(*) from advisoryd.detail").await;
    assert!(total > 100, "more than one batch: {total}");
    for part in [format!("/{total}  "), " left".to_owned()] {
        assert!(shown.contains(&part), "{part}: {shown:?}");
    }
    let lines = shown.matches("details: ok").count();
    assert_eq!(lines, 1, "{shown:?}");
    // Details take longest, so they come last.
    let place = |text| shown.find(text).unwrap();
    assert!(place("tickets: ok") < place("details: ok"), "{shown:?}");
}

#[tokio::test]
async fn tickets_have_a_total() {
    let mut world = World::with(SimulatorOptions {
        max_page_size: 2,
        ..small()
    })
    .await;
    // Four pages at once, then five a second; the bar is drawn ten times a second.
    world.settings.upstream.requests_per_minute = Some(300);
    let (shown, code) = on_terminal(world.command(&["sync", "tickets"]), 120);
    assert_eq!(code, 0, "{shown}");
    for part in ["/25  ", " left"] {
        assert!(shown.contains(part), "{part}: {shown:?}");
    }
}

#[tokio::test]
async fn what_a_new_user_types_is_understood_or_answered_with_what_to_type() {
    let mut world = World::with(small()).await;
    world.lists = Some(Vec::new());
    world.settings.watch_lists.push(WatchList {
        id: 1,
        name: Some("Linux servers"),
        source: Some("feed"),
        ..WatchList::default()
    });
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let same = |one: &[&str], other: &[&str]| {
        assert_eq!(
            piped(&world, one, &[]),
            piped(&world, other, &[]),
            "{one:?}"
        );
    };
    let found = ["advisories", "--search", "denial service"];
    assert!(piped(&world, &found, &[]).contains("Denial of Service"));
    same(&["search", "denial", "service"], &found);
    same(&["advisories", "denial", "service"], &found);
    same(
        &["list", "--severity", "critical"],
        &["advisories", "--severity", "critical"],
    );
    same(&["ticket"], &["tickets"]);
    same(&["log"], &["changes"]);
    let cve = &world
        .texts("select cves[1] from advisoryd_v1.advisories where cves <> '{}'")
        .await[0];
    let page = piped(&world, &["advisories", "--cve", cve], &[]);
    same(&["search", cve], &["advisories", "--cve", cve]);
    let mut lines = page.lines();
    assert!(lines.next().unwrap().contains("  watch lists  "), "{page}");
    assert!(
        lines.all(|line| line.contains("  Linux servers  ")),
        "{page}"
    );
    for (arguments, code, answer) in [
        (
            ["--list", "Linnux"],
            1,
            "no watch list `Linnux`; known: Linux servers (1)",
        ),
        (["--severity", "critcal"], 2, "did you mean `critical`?"),
        (["--severity", "hihg+"], 2, "did you mean `high`?"),
    ] {
        let result = world.cli(&[&["advisories"], &arguments[..]].concat());
        assert_eq!(result.code, code, "{result}");
        assert!(result.stderr.contains(answer), "{result}");
    }
}

#[tokio::test]
async fn help_is_in_groups_and_changes_take_one_line_each() {
    let world = filled().await;
    let help = piped(&world, &["--help"], &[]);
    for part in [
        "\nQueries:\n  advisories ",
        "\nAlerts:\n  alerts ",
        "Exit status: 0 success",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let help = piped(&world, &["tickets", "--help"], &[]);
    let (own, global) = help.split_once("\nGlobal options:\n").unwrap();
    assert!(
        own.contains("--assignee") && !own.contains("--utc"),
        "{own}"
    );
    assert!(
        global.contains("--utc") && !global.contains("--assignee"),
        "{global}"
    );
    let mut command = command(&world, &["changes"], &[("NO_COLOR", "1")]);
    command.env("PAGER", "cat");
    let (shown, code) = on_terminal(command, 70);
    assert_eq!(code, 0);
    let widths = shown.lines().map(|line| line.chars().count());
    assert_eq!(widths.max(), Some(70), "{shown}");
}

/// `--columns` prints times as other tables do: the user's own on a terminal, UTC elsewhere.
#[tokio::test]
async fn chosen_columns_have_local_times_on_a_terminal_only() {
    let world = filled().await;
    let list = [
        "advisories",
        "--limit",
        "1",
        "--columns",
        "modified_at,said",
    ];
    let sql = "select to_char(modified_at at time zone 'America/New_York', 'YYYY-MM-DD HH24:MI:SS')
               from advisoryd_v1.advisories order by modified_at desc, said limit 1";
    let local = world.texts(sql).await.remove(0);
    let page = shown(&world, &list, &[]);
    let row = page.lines().nth(1).unwrap();
    assert!(
        row.starts_with(&format!("{local} E")),
        "{local} EST or EDT: {page}"
    );
    let utc = shown(&world, &[&list[..], &["--utc"]].concat(), &[]);
    assert!(utc.lines().nth(1).unwrap().contains(" UTC "), "{utc}");
    let sql = "select to_char(modified_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')
               from advisoryd_v1.advisories order by modified_at desc, said limit 1";
    let stored = world.texts(sql).await.remove(0);
    let machine = piped(&world, &list, &[("TZ", "America/New_York")]);
    assert!(
        machine.lines().nth(1).unwrap().starts_with(&stored),
        "{machine}"
    );
}

#[tokio::test]
async fn programs_and_pipes_get_the_pages_that_terminals_link_to() {
    let world = filled().await;
    let said = &world.simulator.saids(1)[0];
    let page = format!("https://svr.example.org/a/{said}?id=");
    let table = piped(&world, &["advisories", "--csv"], &[]);
    assert!(table.lines().next().unwrap().ends_with(",url"), "{table}");
    let row = table.lines().find(|line| line.starts_with(said)).unwrap();
    assert!(row.rsplit(',').next().unwrap().starts_with(&page), "{row}");
    let lines = piped(
        &world,
        &["advisories", "--json", "--where", &format!("said = {said}")],
        &[],
    );
    assert!(lines.contains(&format!("\"url\":\"{page}")), "{lines}");
    let shown_page = piped(&world, &["show", said], &[]);
    assert!(
        shown_page.contains(&format!("Page: {page}")),
        "{shown_page}"
    );
    let document = piped(&world, &["show", said, "--json"], &[]);
    assert!(
        document.contains(&format!("\"url\":\"{page}")),
        "{document}"
    );
    let linked = shown(&world, &["show", said], &[]);
    assert!(!linked.contains("Page: "), "it is a link there: {linked}");
}

#[tokio::test]
async fn days_beyond_the_configured_limit_are_told() {
    let world = World::new().await;
    let result = world.cli(&["sync", "feeds", "--days", "9999"]);
    assert_eq!(result.code, 0, "{result}");
    let note = "--days 9999 is more than [feeds] max_days; 3650 days are requested";
    assert!(result.stderr.contains(note), "{result}");
    let fewer = world.cli(&["sync", "feeds", "--days", "30"]);
    assert!(!fewer.stderr.contains("max_days"), "{fewer}");
}
