//! The commands as a person or a script meets them.

use std::process::{Command, Output};

use advisoryd::simulate::{Fault, Rule};
use nix::sys::signal::Signal;

use crate::support::{Documents, Running, World, binary, state_dir};

fn said(output: &Output) -> (Option<i32>, String, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn run(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    said(&world.command(arguments).output().unwrap())
}

#[test]
fn an_unusable_configuration_ends_with_78_and_tells_every_mistake() {
    let dir = state_dir();
    let file = dir.path().join("config.toml");
    let text = "[schedule]\nfeeds = \"*/15 * * * *\"\n[feeds]\nfirst_dais = 3\n[[watch_lists]]\nid = 4\n[[watch_lists]]\nid = 4\n";
    std::fs::write(&file, text).unwrap();
    let (code, stdout, stderr) = said(
        &binary()
            .arg("--config")
            .arg(&file)
            .arg("check")
            .output()
            .unwrap(),
    );
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stdout.is_empty(), "{stdout}");
    assert_eq!(stderr.lines().count(), 3, "three mistakes: {stderr}");
    for part in [
        "config.toml",
        "six fields",
        "first_dais",
        "first_days",
        "watch_lists",
        "4",
    ] {
        assert!(stderr.contains(part), "{part} is missing in {stderr}");
    }
}

#[test]
fn a_named_configuration_that_is_missing_ends_with_78() {
    let (code, _, stderr) = said(
        &binary()
            .args(["--config", "/nonexistent/advisoryd.toml", "status"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stderr.contains("/nonexistent/advisoryd.toml"), "{stderr}");
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    for arguments in [
        vec!["synk"],
        vec!["sync", "--days", "0"],
        vec!["sync", "--days", "1", "--full"],
        vec![],
    ] {
        let (code, _, stderr) = said(&binary().args(&arguments).output().unwrap());
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
    }
    for command in [
        "run", "sync", "check", "status", "migrate", "demo", "simulate", "changes", "show",
    ] {
        let (code, stdout, _) = said(&binary().args([command, "--help"]).output().unwrap());
        assert_eq!(code, Some(0));
        assert!(stdout.contains("Usage: advisoryd"), "{stdout}");
    }
}

#[test]
fn completions_and_man_page_are_printed() {
    let (code, script, _) = said(&binary().args(["completions", "bash"]).output().unwrap());
    assert!(
        code == Some(0) && script.contains("_advisoryd()"),
        "{script}"
    );
    let (code, page, _) = said(&binary().arg("man").output().unwrap());
    assert!(code == Some(0) && page.contains(".TH advisoryd"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_tells_one_line_a_run_and_its_exit_status_the_outcome() {
    let world = World::new().await;
    let (code, stdout, stderr) = run(&world, &["sync"]);
    assert_eq!(code, Some(0), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    assert!(
        lines[0].starts_with("watch list 1: ok (window), 60 new, 0 changed"),
        "{stdout}"
    );
    assert!(
        lines[1].starts_with("tickets: ok (full), 25 new"),
        "{stdout}"
    );

    world
        .simulator
        .inject(Rule::new(Fault::Html200).on("xml-feed"));
    let (code, stdout, stderr) = run(&world, &["sync", "feeds", "--json"]);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(stdout.trim()).unwrap();
    assert_eq!(report["outcome"], "failed");
    assert!(
        stderr.contains("watch list 1: ") && stderr.contains("web page"),
        "{stderr}"
    );

    let (code, _, stderr) = run(&world, &["sync", "feeds", "--watch-list", "77"]);
    assert!(
        code == Some(1) && stderr.contains("watch list 77 is not configured"),
        "{stderr}"
    );
    let (_, stdout, _) = run(
        &world,
        &["sync", "feeds", "--watch-list", "1", "--days", "7"],
    );
    assert!(stdout.starts_with("watch list 1: ok"), "{stdout}");
    let last = world.simulator.requests().pop().unwrap();
    assert!(last.target.contains("days=7"), "{}", last.target);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_is_wrong_and_what_to_do() {
    let world = World::new().await;
    let (code, stdout, stderr) = run(&world, &["check"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{stdout}");
    assert!(
        lines[3].starts_with("ok    watch list 1: readable"),
        "{stdout}"
    );
    assert!(lines[4].contains("`modified__gte` works"), "{stdout}");

    world
        .simulator
        .set_token("1111111111111111111111111111111111111111");
    let (code, stdout, _) = run(&world, &["check"]);
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("FAIL  watch list 1") && stdout.contains("token"),
        "{stdout}"
    );
    assert_eq!(
        stdout.lines().count(),
        4,
        "no storm after a rejected token: {stdout}"
    );

    let requests = world.simulator.requests().len();
    let (code, stdout, _) = run(&world, &["check", "--offline", "--json"]);
    assert_eq!(code, Some(0), "{stdout}");
    assert!(
        stdout
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    assert_eq!(
        world.simulator.requests().len(),
        requests,
        "offline asks nobody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_age_errors_and_next_runs() {
    let world = World::new().await;
    run(&world, &["sync"]);
    world
        .simulator
        .inject(Rule::new(Fault::Status(404)).on("xml-feed"));
    run(&world, &["sync", "feeds"]);
    let (code, stdout, stderr) = run(&world, &["status"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("watch list 1") && stdout.contains("failing"),
        "{stdout}"
    );
    assert!(stdout.contains("watch list 1 failed last: "), "{stdout}");
    assert!(stdout.contains("psql '"), "{stdout}");
    let (_, stdout, _) = run(&world, &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let list = &status["sources"][0];
    assert_eq!(
        (&list["kind"], &list["state"], &list["records"]),
        (&"watch_list".into(), &"failing".into(), &60.into())
    );
    assert!(
        list["next_run_at"].is_string() && list["data_age_seconds"].is_u64(),
        "{list}"
    );
    assert!(
        list["last_success_at"].is_string(),
        "a failed run does not take it away"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_rejected_token_ends_a_check_and_not_an_error_that_speaks_of_one() {
    let documents = Documents::serve().await;
    documents.set(
        1,
        "<stock><token><serial>7</serial></token><token/></stock>",
    );
    documents.set(2, "<advisories/>");
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1, 2]);
    world.more = "[tickets]\nenabled = false\n".to_owned();
    let (code, stdout, stderr) = run(&world, &["check"]);
    assert_eq!(code, Some(1), "{stderr}");
    let lines: Vec<&str> = stdout.lines().skip(3).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    FAIL  watch list 1: structure not recognised: nothing in `stock` carries an identifier; elements seen: token, serial; name its elements under [feeds.aliases]
    ok    watch list 2: readable, 0 advisories in the last day (other)
    ");
    assert_eq!(documents.asked(), 2);
}

#[tokio::test]
async fn migrate_brings_an_empty_database_up_to_date_and_status_asks_for_it() {
    let world = World::new().await;
    sqlx::raw_sql("drop schema advisoryd_v1 cascade; drop schema advisoryd cascade")
        .execute(world.pool())
        .await
        .unwrap();
    let (code, _, stderr) = run(&world, &["status"]);
    assert!(
        code == Some(1) && stderr.contains("advisoryd migrate"),
        "{stderr}"
    );
    let (code, stdout, stderr) = run(&world, &["migrate"]);
    assert_eq!(
        (code, stdout.trim()),
        (Some(0), "the database is up to date"),
        "{stderr}"
    );
    assert_eq!(run(&world, &["status"]).0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_program_is_left_alone() {
    let world = World::new().await;
    sqlx::query(
        "insert into advisoryd._sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of a later version', true, '', 0)",
    )
    .execute(world.pool())
    .await
    .unwrap();
    for command in [["migrate"].as_slice(), &["run"], &["sync"]] {
        let (status, _, stderr) = run(&world, command);
        assert_eq!(status, Some(1), "{command:?}: {stderr}");
        assert!(
            stderr.contains("is of a newer advisoryd (it has migration 9999"),
            "{command:?}: {stderr}"
        );
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let world = World::new().await;
    world.pull_one().await;
    let command = world.command(&["changes"]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let line = format!("{} | head -n 1", words.join(" "));
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", &line])
        .output()
        .unwrap();
    let (_, stdout, stderr) = said(&output);
    assert_eq!(stdout.lines().count(), 1);
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[tokio::test]
async fn simulate_serves_until_it_is_stopped() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = binary();
        command.args(["simulate", "--listen", "127.0.0.1:0", "--advisories", "5"]);
        let mut simulator = Running::start(&mut command);
        let line = simulator.line("base_url").await;
        assert!(line.contains("http://127.0.0.1:"), "{line}");
        simulator.signal(signal);
        assert!(simulator.ended().await.success(), "{signal}");
    }
}

#[tokio::test]
async fn the_demo_ends_after_the_first_pass_and_leaves_nothing() {
    let tmp = state_dir();
    let demo = demo_in(tmp.path(), &["--once"]).await;
    let said = demo.stdout();
    assert!(said.contains("The first pass is complete"), "{said}");
    let queries = said.matches("    -- ").count();
    assert_eq!(queries, 3, "three queries worth trying: {said}");
    assert!(said.contains("psql '"), "{said}");
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_demo_ends_when_its_time_is_over() {
    let tmp = state_dir();
    demo_in(tmp.path(), &["--for", "1s"]).await;
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
}

/// A demo that came to a good end.
async fn demo_in(tmp: &std::path::Path, arguments: &[&str]) -> Running {
    let mut command = binary();
    command.arg("demo").args(arguments).env("TMPDIR", tmp);
    let mut demo = Running::start(&mut command);
    let ended = demo.ended().await;
    assert!(ended.success(), "{}", demo.stderr());
    demo
}

#[test]
fn the_units_are_right_and_hardened() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    }
    let units = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    for unit in ["advisoryd.service", "advisoryd@.service"] {
        let dir = state_dir();
        // `verify` wants the program to exist.
        let text = std::fs::read_to_string(units.join(unit)).unwrap();
        let text = text.replace("/usr/local/bin/advisoryd", env!("CARGO_BIN_EXE_advisoryd"));
        let file = dir.path().join(unit.replace("@.", "@test."));
        std::fs::write(&file, text).unwrap();
        let verified = Command::new("systemd-analyze")
            .arg("verify")
            .arg(&file)
            .output()
            .unwrap();
        let (code, _, stderr) = said(&verified);
        let ours: Vec<&str> = stderr
            .lines()
            .filter(|line| line.contains("advisoryd"))
            .collect();
        assert!(code == Some(0) && ours.is_empty(), "{unit}: {stderr}");
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=15", "--no-pager"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            judged.status.success(),
            "{unit} is exposed more than 1.5: {}",
            said(&judged).1
        );
    }
}

#[test]
fn a_forgotten_configuration_makes_no_database() {
    let state = state_dir();
    let output = binary()
        .env("ADVISORYD_STATE__DIR", state.path().join("new"))
        .arg("status")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("name the file with --config"), "{said}");
    assert!(!state.path().join("new").exists());
}
