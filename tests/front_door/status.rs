//! `status`: whether a daemon runs, what needs attention, and `--check`.

use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::settings::{Discovery, WatchList};
use crate::support::{
    PATIENCE, Running, World, assert_reads, eventually, on_terminal, small, without,
};

async fn filled() -> World {
    let mut world = World::new().await;
    world.settings.feeds.details = Some("never");
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world
}

fn status(world: &World) -> Value {
    world.cli(&["status", "--json"]).json()
}

/// Waits until so many daemons have announced themselves.
async fn announced(world: &World, count: i64) {
    let sql = "select count(*) from advisoryd.daemon where stopped_at is null";
    eventually("the daemon's row", PATIENCE, async || {
        (world.count(sql).await == count).then_some(())
    })
    .await;
}

/// Both widths, without how to connect: that is as long as a path.
fn at_both_widths(world: &World, arguments: &[&str]) -> String {
    let page = |columns| {
        let mut command = world.command(arguments);
        command.env("NO_COLOR", "1");
        let (page, code) = on_terminal(command, columns);
        assert_eq!(code, 0, "{page}");
        let lines: Vec<&str> = page
            .lines()
            .take_while(|line| !line.contains("Connect"))
            .collect();
        lines.join("\n")
    };
    format!("80 columns\n{}\n120 columns\n{}", page(80), page(120))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_says_whether_daemons_run_and_what_became_of_the_last() {
    let world = filled().await;
    let never = world.cli(&["status"]).stdout;
    let mut first = Running::start(&mut world.command(&["run"]));
    announced(&world, 1).await;
    let one = world.cli(&["status"]).stdout;
    let pid = format!("daemon: running, pid {} on ", first.pid());
    assert!(one.starts_with(&pid), "{one}");
    let result = status(&world);
    assert_eq!(result["daemons"][0]["pid"], first.pid());
    assert_eq!(result["daemons"][0]["running"], true);
    assert!(result["sources"][0]["next_run_at"].is_string(), "{result}");

    let mut second = Running::start(&mut world.command(&["run"]));
    announced(&world, 2).await;
    let two = world.cli(&["status"]).stdout;
    assert!(two.starts_with("daemon: 2 are running\n  pid "), "{two}");
    second.kill9();
    // At once: the process of a machine that is known does not have to be waited for.
    assert!(world.cli(&["status"]).stdout.starts_with(&pid));

    first.signal(Signal::SIGTERM);
    assert!(first.ended().await.success());
    let stopped = world.cli(&["status"]).stdout;
    let result = status(&world);
    assert_eq!(result["daemons"][0]["running"], false);
    assert_eq!(result["sources"][0]["next_run_at"], Value::Null);
    assert!(result["sources"][0]["scheduled_at"].is_string(), "{result}");
    assert_reads!(heads(&never), heads(&two), heads(&stopped));
}

/// The lines before the table.
fn heads(page: &str) -> String {
    page.split("\n\n").next().unwrap().to_owned() + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_is_no_daemon_and_its_row_says_so() {
    let world = filled().await;
    let mut daemon = Running::start(&mut world.command(&["run"]));
    announced(&world, 1).await;
    daemon.kill9();
    let page = world.cli(&["status"]).stdout;
    let check = world.cli(&["status", "--check"]);
    assert_eq!(check.code, 1, "{check:?}");
    // Of another machine only the age of the row is known.
    let foreign = "update advisoryd.daemon
                   set machine = 'another', seen_at = clock_timestamp() - interval '10 seconds'";
    sqlx::query(foreign).execute(world.pool()).await.unwrap();
    assert!(world.cli(&["status"]).stdout.starts_with("daemon: running"));
    let long_ago = "update advisoryd.daemon set seen_at = clock_timestamp() - interval '1 minute'";
    sqlx::query(long_ago).execute(world.pool()).await.unwrap();
    let silent = world.cli(&["status"]).stdout;
    assert_reads!(heads(&page), heads(&silent), check);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reload_is_a_problem_until_one_succeeds() {
    let world = filled().await;
    let daemon = Running::start(&mut world.command(&["run"]));
    announced(&world, 1).await;
    let file = world.config_file();
    let good = std::fs::read_to_string(&file).unwrap();
    let refused = async |count: i64| {
        let sql = "select count(*) from advisoryd.daemon where refused is not null";
        eventually("the result of the reload", PATIENCE, async || {
            (world.count(sql).await == count).then_some(())
        })
        .await;
    };
    std::fs::write(&file, format!("{good}[htpt]\n")).unwrap();
    daemon.signal(Signal::SIGHUP);
    refused(1).await;
    let page = world.cli(&["status"]).stdout;
    let reason = status(&world)["daemons"][0]["refused_reload"].clone();
    assert!(
        reason.as_str().is_some_and(|why| why.contains("htpt")),
        "{reason}"
    );
    let check = world.cli(&["status", "--check"]);
    assert_eq!(check.code, 1, "{check:?}");
    let problem = page.lines().find(|line| line.contains("htpt"));
    assert_reads!(problem.expect(&page), check);
    std::fs::write(&file, good).unwrap();
    daemon.signal(Signal::SIGHUP);
    refused(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_fits_the_terminal_and_has_local_times() {
    let mut world = filled().await;
    world.lists = Some(Vec::new());
    world.settings.watch_lists.push(WatchList {
        id: 1,
        name: Some("Linux servers"),
        ..WatchList::default()
    });
    let rule = FaultRule::new(AnswerFault::Status(400)).on("xml-feed");
    world.simulator.inject(rule);
    world.cli(&["sync", "feeds"]);
    sqlx::raw_sql(
        "insert into advisoryd.daemon (host, pid, version, started_at, seen_at)
         values ('elsewhere', 1, '0', clock_timestamp(), clock_timestamp())",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert_reads!(
        at_both_widths(&world, &["status"]),
        at_both_widths(&world, &["advisories", "--limit", "3"]),
        at_both_widths(&world, &["tickets", "--limit", "3", "--utc"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_one_line_with_the_exit_status_of_nagios() {
    let mut world = World::new().await;
    world.lists = Some(vec![1]);
    let check = |world: &World, options: &[&str]| {
        let mut arguments = vec!["status", "--check"];
        arguments.extend(options);
        let out = world.cli(&arguments);
        assert_eq!(out.stderr, "", "{out:?}");
        assert_eq!(out.stdout.lines().count(), 1, "{out:?}");
        // The same as JSON.
        arguments.push("--json");
        let value = world.cli(&arguments);
        assert_eq!(value.code, out.code, "{value:?}");
        let value = value.json();
        assert_eq!(value["exit_status"], out.code);
        let (status, problems) = (&value["status"], value["problems"].as_array().unwrap());
        let status = status.as_str().unwrap().to_uppercase();
        assert!(out.stdout.starts_with(&format!("{status}: ")), "{value}");
        assert_eq!(
            problems.is_empty(),
            out.code == 0 || out.code == 3,
            "{value}"
        );
        if let Some(worst) = problems.first() {
            assert_eq!(worst["status"], value["status"], "{value}");
            let message = worst["message"].as_str().unwrap();
            // An age may be a second more.
            let ageless = |text: &str| without(&text, r"\b\d+ s\b", "[age]");
            assert!(ageless(&out.stdout).contains(&ageless(message)), "{value}");
        }
        (out.code, out.stdout)
    };
    world.cli(&["migrate"]);
    let (unread, unread_line) = check(&world, &[]);
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let (fresh, fresh_line) = check(&world, &["--max-age", "2h"]);
    assert_eq!(check(&world, &[]).0, 0);
    let (old, old_line) = check(&world, &["--max-age", "1ms"]);
    let rule = FaultRule::new(AnswerFault::Status(400)).on("xml-feed");
    world.simulator.inject(rule);
    world.cli(&["sync", "feeds"]);
    let (failing, failing_line) = check(&world, &[]);
    sqlx::query("update advisoryd.source set covered = tstzmultirange(tstzrange(now() - interval '20 days', now() - interval '9 days')), followed_since = now() - interval '20 days'")
        .execute(world.pool())
        .await
        .unwrap();
    let (stale, stale_line) = check(&world, &[]);
    world.settings.database.url = Some("postgres://127.0.0.1:1/nothing".to_owned());
    let (unknown, unknown_line) = check(&world, &[]);
    assert_eq!(
        [unread, fresh, old, failing, stale, unknown],
        [1, 0, 2, 1, 2, 3],
        "{unread_line}{fresh_line}{old_line}{failing_line}{stale_line}{unknown_line}"
    );
    assert_reads!(
        unread_line,
        fresh_line,
        old_line,
        failing_line,
        stale_line,
        unknown_line
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_missing_upstream_is_critical_and_the_view_names_every_state() {
    let mut world = World::new().await;
    world.lists = Some(vec![1, 99]);
    let state = async |world: &World, id: i64| -> Option<String> {
        sqlx::query_scalar("select state from advisoryd_v1.watch_lists where id = $1")
            .bind(id)
            .fetch_one(world.pool())
            .await
            .unwrap()
    };
    world.cli(&["migrate"]);
    assert_eq!(state(&world, 1).await, None, "it was not read yet");
    world.cli(&["sync", "all"]);
    assert_eq!(state(&world, 1).await.as_deref(), Some("ok"));
    assert_eq!(state(&world, 99).await.as_deref(), Some("missing"));
    let check = world.cli(&["status", "--check"]);
    assert_eq!(check.code, 2, "{check:?}");
    sqlx::raw_sql(
        "insert into advisoryd.condition (what, key, occurrence, is_raised, since, value, summary)
         values ('list_quiet', 'watch list 1', 1, true, now(), 1, 'it is quiet')",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert_eq!(state(&world, 1).await.as_deref(), Some("quiet"));
    let rule = FaultRule::new(AnswerFault::Status(400)).on("xml-feed");
    world.simulator.inject(rule);
    world.lists = Some(vec![1]);
    world.cli(&["sync", "feeds"]);
    assert_eq!(state(&world, 1).await.as_deref(), Some("failing"));
    assert_eq!(state(&world, 99).await.as_deref(), Some("off"));
    assert_reads!(check);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_knows_that_discovery_has_failed_or_is_too_old() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.lists = Some(Vec::new());
    world.settings.discovery = Some(Discovery {
        watch_lists: true,
        schedule: "0 0 * * * *",
    });
    let check = |world: &World| {
        let result = world.cli(&["status", "--check"]);
        (result.code, result.stdout)
    };
    let refused = |times| {
        FaultRule::new(AnswerFault::Status(400))
            .on("asset-lists")
            .times(times)
    };
    world.cli(&["migrate"]);
    let (unread, unread_line) = check(&world);
    world.simulator.inject(refused(1));
    world.cli(&["sync", "all"]);
    let (never, never_line) = check(&world);
    world.cli(&["sync", "all"]);
    let (fresh, fresh_line) = check(&world);
    world.simulator.inject(refused(1));
    world.cli(&["sync", "all"]);
    let (failing, failing_line) = check(&world);
    world.cli(&["sync", "all"]);
    assert_eq!(check(&world).0, 0, "it is over");
    sqlx::query("update advisoryd.discovery set last_success_at = now() - interval '4 hours'")
        .execute(world.pool())
        .await
        .unwrap();
    let (old, old_line) = check(&world);
    let page = world.cli(&["status"]).stdout;
    let line = page.lines().find(|line| line.contains("last complete"));
    let line = line.expect("it is told");
    let lines = [
        &unread_line,
        &never_line,
        &fresh_line,
        &failing_line,
        &old_line,
        line,
    ]
    .concat();
    assert_eq!(
        [unread, never, fresh, failing, old],
        [1, 1, 0, 1, 1],
        "{lines}"
    );
    assert_reads!(without(&lines, r"\b\d+ (s|min|h)\b", "[age]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cause_that_sources_have_in_common_is_said_once() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.lists = Some(vec![1, 2]);
    let rule = FaultRule::new(AnswerFault::Status(400))
        .on("xml-feed")
        .times(1000);
    world.simulator.inject(rule);
    world.cli(&["sync", "feeds"]);
    let times_said = |text: &str| text.matches("status 400").count();
    let status = world.cli(&["status"]).stdout;
    assert_eq!(times_said(&status), 1, "{status}");
    let line = status.lines().find(|line| line.contains("status 400"));
    assert_reads!(line.unwrap());
    assert!(!status.contains("GET http"), "{status}");
    assert!(
        status
            .lines()
            .filter(|line| !line.contains("status 400") && !line.contains("psql"))
            .all(|line| line.chars().count() <= 100),
        "{status}"
    );
    let detail = world.cli(&["status", "-v"]).stdout;
    assert_eq!(times_said(&detail), 2, "{detail}");
    assert!(detail.contains("GET http"), "{detail}");
    let check = world.cli(&["status", "--check"]).stdout;
    assert_eq!(times_said(&check), 1, "{check}");
}

/// A problem is named in words; the name that SQL and metrics have is behind them.
#[tokio::test]
async fn a_check_says_in_words_what_is_wrong() {
    let world = filled().await;
    sqlx::raw_sql(
        "insert into advisoryd.condition (what, key, occurrence, is_raised, since, value, summary)
         values ('quarantine_grew', 'watch list 1', 1, true, now(), 1, '1 in quarantine'),
                ('coverage_hole', 'watch list 1', 1, true, now(), 1, '1 gap')",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let check = world.cli(&["status", "--check"]);
    for problem in [
        "watch list 1: records could not be parsed (quarantine_grew)",
        "watch list 1: coverage has a gap (coverage_hole)",
    ] {
        assert!(check.stdout.contains(problem), "{check}");
    }
    let json = world.cli(&["status", "--check", "--json"]);
    let json = json.json_lines().remove(0);
    let problems = json["problems"].as_array().unwrap();
    let is_named = |one: &Value| {
        one["message"]
            .as_str()
            .unwrap()
            .ends_with("(coverage_hole)")
    };
    assert!(problems.iter().any(is_named), "{json}");
}

#[tokio::test]
async fn a_run_that_is_interrupted_leaves_the_cause_of_the_outage() {
    let mut world = World::new().await;
    world.settings.tickets.enabled = Some(false);
    let failing = FaultRule::new(AnswerFault::Status(400))
        .on("xml-feed")
        .times(1);
    world.simulator.inject(failing);
    assert_eq!(world.cli(&["sync", "feeds"]).code, 1);
    let hold = AnswerFault::Hold {
        after_bytes: 0,
        gate: "stop".to_owned(),
    };
    world.simulator.inject(FaultRule::new(hold).on("xml-feed"));
    let mut sync = Running::start(&mut world.command(&["sync", "feeds"]));
    world.reached("stop").await;
    sync.signal(Signal::SIGTERM);
    sync.ended().await;
    let last = "select outcome from advisoryd_v1.sync_runs order by id desc limit 1";
    assert_eq!(world.texts(last).await, ["interrupted"]);
    for command in [&["status"][..], &["status", "--check"]] {
        let result = world.cli(command).stdout;
        assert!(result.contains("status 400"), "{result}");
        assert!(!result.contains("interrupted"), "{result}");
    }
}
