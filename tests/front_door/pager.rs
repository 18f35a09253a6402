//! Long output on a terminal goes to a pager, as git's does; nothing else does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::{World, on_terminal, state_dir};

async fn filled() -> World {
    let mut world = World::new().await;
    world.settings.feeds.details = Some("never");
    world.pull_one().await;
    world
}

/// A pager that keeps what it was given, and its environment.
fn pager(dir: &Path) -> (PathBuf, impl Fn() -> Option<String>) {
    let program = dir.join("pager");
    let text = format!(
        "#!/bin/sh\ncat >'{0}/page'\nenv >'{0}/env'\n",
        dir.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let page = dir.join("page");
    let take = move || {
        let text = fs::read_to_string(&page).ok();
        let _ = fs::remove_file(&page);
        text
    };
    (program, take)
}

#[tokio::test]
async fn only_what_is_longer_than_the_terminal_goes_to_the_pager() {
    let world = filled().await;
    let dir = state_dir();
    let (program, page) = pager(dir.path());
    let run = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command
            .env("ADVISORYD_PAGER", &program)
            .env("PAGER", "false");
        on_terminal(command, 120)
    };
    let (shown, code) = run(&["advisories"]);
    assert_eq!(code, 0, "{shown}");
    let paged = page().expect("a page");
    assert_eq!(
        paged.lines().count(),
        51,
        "the heading and all rows: {paged}"
    );
    // The hint would be in the middle of the page.
    assert!(
        !paged.contains("--limit N") && shown.contains("--limit N"),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 1, "{shown}");
    let environment = fs::read_to_string(dir.path().join("env")).unwrap();
    assert!(environment.contains("LESS=FRX"), "{environment}");
    assert!(!environment.contains("ADVISORYD_"), "{environment}");

    for arguments in [
        &["advisories", "--limit", "30"][..],
        &["advisories", "--json"],
        &["advisories", "--csv"],
        &["advisories", "--no-pager"],
    ] {
        let (shown, code) = run(arguments);
        assert_eq!((code, page()), (0, None), "{arguments:?}: {shown}");
        assert!(shown.lines().count() > 30, "{arguments:?}: {shown}");
    }
    let mut piped = world.command(&["advisories"]);
    let piped = piped.env("ADVISORYD_PAGER", &program).output().unwrap();
    assert!(piped.status.success() && page().is_none());
    assert!(String::from_utf8(piped.stdout).unwrap().lines().count() == 51);
}

#[tokio::test]
async fn lines_that_the_terminal_breaks_count_as_several() {
    let world = filled().await;
    let dir = state_dir();
    let (program, page) = pager(dir.path());
    let run = |columns| {
        let mut command = world.command(&["advisories", "--limit", "30"]);
        command.env("PAGER", &program);
        let (shown, code) = on_terminal(command, columns);
        assert_eq!(code, 0, "{shown}");
        page()
    };
    assert_eq!(run(500), None, "it fits");
    assert!(run(20).is_some(), "it does not");
}

#[tokio::test]
async fn a_pager_that_is_left_or_missing_is_no_failure() {
    let world = filled().await;
    let run = |pager: &str| {
        let mut command = world.command(&["changes"]);
        command.env("PAGER", pager);
        on_terminal(command, 120)
    };
    let (shown, code) = run("true");
    assert_eq!((shown.as_str(), code), ("", 0));
    let (shown, code) = run("/nonexistent/pager");
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.lines().count() >= 60,
        "the terminal takes its place: {shown}"
    );
    let (shown, code) = run("sed 's/^/> /' | head -n 2");
    assert_eq!((shown.lines().count(), code), (2, 0), "{shown}");
    assert!(shown.lines().all(|line| line.starts_with("> ")), "{shown}");
}
