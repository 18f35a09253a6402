//! The commands as a person or a script meets them.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use advisoryd::simulate::{AnswerFault, FaultRule};
use nix::sys::signal::Signal;

use crate::support::{
    CommandResult, Documents, Running, World, assert_reads, binary, state_dir, without,
};

/// What the program says without a configuration of a test's.
fn result(arguments: &[&str]) -> CommandResult {
    binary().args(arguments).output().unwrap().into()
}

#[test]
fn an_unusable_configuration_ends_with_78_and_tells_every_mistake() {
    let dir = state_dir();
    let file = dir.path().join("config.toml");
    let text = "[schedule]\nfeeds = \"*/15 * * *\"\n[feeds]\nfirst_dais = 3\n[[watch_lists]]\nid = 4\n[[watch_lists]]\nid = 4\n";
    std::fs::write(&file, text).unwrap();
    let result = result(&["--config", file.to_str().unwrap(), "check"]);
    assert_eq!(
        (result.code, result.stdout.as_str()),
        (78, ""),
        "{result:?}"
    );
    assert_eq!(
        result.stderr.lines().count(),
        3,
        "three mistakes: {result:?}"
    );
    assert_reads!(result);
}

#[test]
fn a_named_configuration_that_is_missing_ends_with_78() {
    let result = result(&["--config", "/nonexistent/advisoryd.toml", "status"]);
    assert_eq!(result.code, 78, "{result:?}");
    assert_reads!(result);
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    for arguments in [
        vec!["synk"],
        vec!["sync", "--days", "0"],
        vec!["sync", "--days", "1", "--full"],
        vec![],
    ] {
        let result = result(&arguments);
        assert_eq!(result.code, 2, "{arguments:?}: {result:?}");
    }
    for command in [
        "run", "sync", "check", "status", "migrate", "demo", "simulate", "changes", "show",
    ] {
        let result = result(&[command, "--help"]);
        assert_eq!(result.code, 0);
        assert!(result.stdout.contains("Usage: advisoryd"), "{result:?}");
    }
}

#[test]
fn completions_and_man_page_are_printed() {
    let script = result(&["completions", "bash"]);
    assert_eq!(script.code, 0);
    assert!(script.stdout.contains("_advisoryd()"), "{script}");
    let page = result(&["man"]);
    assert_eq!(page.code, 0);
    assert!(page.stdout.contains(".TH advisoryd"), "{page}");
}

/// What the packages install: the main page names each command's page, and all exist.
#[test]
fn a_man_page_is_written_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    assert_eq!(result(&["man", "--out", out]).code, 0);
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let main = page("advisoryd.1").replace('\\', "");
    let named: Vec<&str> = main
        .lines()
        .filter_map(|line| line.strip_suffix("(1)"))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(
            page(&format!("{name}.1")).contains(".SH SYNOPSIS"),
            "{name}"
        );
    }
    assert!(page("advisoryd-alerts-test.1").contains("alerts test"));
    let file = page("advisoryd.toml.5").replace('\\', "");
    assert!(file.starts_with(".TH advisoryd.toml 5 "), "{file}");
    for part in [
        ".SH [upstream]",
        ".B #requests_per_minute = 240",
        ".SH [[watch_lists]]",
    ] {
        assert!(file.contains(part), "{part}: {file}");
    }

    let missing = result(&["man", "--out", &format!("{out}/missing")]);
    assert_eq!(missing.code, 1);
    assert_reads!(missing.stderr.replace(out, "[dir]"));
}

#[tokio::test]
async fn sync_tells_one_line_a_run_and_its_exit_status_the_outcome() {
    let world = World::new().await;
    let all = world.cli(&["sync"]);
    assert_eq!(all.code, 0, "{all:?}");
    assert_eq!(all.stdout.lines().count(), 3, "{all:?}");

    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Html200).on("xml-feed"));
    let failed = world.cli(&["sync", "feeds", "--json"]);
    assert_eq!(failed.code, 1);
    assert_eq!(failed.json()["outcome"], "failed");

    let unknown = world.cli(&["sync", "feeds", "--watch-list", "77"]);
    assert_eq!(unknown.code, 1);
    // A ticket of the last seconds is in the window behind the full scan, or not.
    let all = without(&all, r"\d unchanged", "[n] unchanged");
    assert_reads!(all, failed.without_data(), unknown);
    world.cli(&["sync", "feeds", "--watch-list", "1", "--days", "7"]);
    let last = world.simulator.requests().pop().unwrap();
    assert!(last.target.contains("days=7"), "{}", last.target);
}

#[tokio::test]
async fn check_says_what_is_wrong_and_what_to_do() {
    let world = World::new().await;
    let good = world.cli(&["check"]);
    assert_eq!(good.code, 0, "{good:?}");

    world
        .simulator
        .set_token("1111111111111111111111111111111111111111");
    let rejected = world.cli(&["check"]);
    assert_eq!(rejected.code, 1);
    assert_eq!(
        rejected.stdout.lines().count(),
        6,
        "no storm after a rejected token: {rejected:?}"
    );
    assert_reads!(good, rejected);

    let requests = world.simulator.requests().len();
    let offline = world.cli(&["check", "--offline", "--json"]);
    assert_eq!(offline.code, 0, "{offline:?}");
    let findings = offline.json();
    assert_eq!(findings[0]["check"], "configuration", "{findings}");
    assert_eq!(
        world.simulator.requests().len(),
        requests,
        "offline asks nobody"
    );
}

#[tokio::test]
async fn status_tells_age_errors_and_next_runs() {
    let world = World::new().await;
    world.cli(&["sync"]);
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Status(404)).on("xml-feed"));
    world.cli(&["sync", "feeds"]);
    let page = world.cli(&["status"]);
    assert_eq!(page.code, 0, "{page:?}");
    assert_reads!(page);
    let status = world.cli(&["status", "--json"]).json();
    let list = &status["sources"][0];
    assert_eq!(
        (&list["kind"], &list["state"], &list["records"]),
        (&"watch_list".into(), &"failing".into(), &60.into())
    );
    assert!(
        list["scheduled_at"].is_string()
            && list["next_run_at"].is_null()
            && list["data_age_seconds"].is_u64(),
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
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1, 2]);
    world.settings.tickets.enabled = Some(false);
    let checked = world.cli(&["check"]);
    assert_eq!(checked.code, 1, "{checked:?}");
    let lines: Vec<&str> = checked.stdout.lines().skip(3).collect();
    assert_reads!(lines.join("\n"));
    assert_eq!(
        documents.asked(),
        5,
        "each feed, the names of the lists, and whether a list exists without a feed"
    );
}

#[tokio::test]
async fn migrate_brings_an_empty_database_up_to_date_and_status_asks_for_it() {
    let world = World::new().await;
    sqlx::raw_sql("drop schema advisoryd_v1 cascade; drop schema advisoryd cascade")
        .execute(world.pool())
        .await
        .unwrap();
    let empty = world.cli(&["status"]);
    assert_eq!(empty.code, 1);
    let migrated = world.cli(&["migrate"]);
    assert_eq!(migrated.code, 0, "{migrated:?}");
    assert_reads!(empty, migrated);
    assert_eq!(world.cli(&["status"]).code, 0);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone() {
    let world = World::new().await;
    sqlx::query(
        "insert into advisoryd._sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of a later version', true, '', 0)",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let mut refused = Vec::new();
    for command in ["migrate", "run", "sync"] {
        let result = world.cli(&[command]);
        // A service manager must not start it again and again.
        let code = if command == "run" { 69 } else { 1 };
        assert_eq!(result.code, code, "{command}: {result:?}");
        assert!(result.stderr.contains("9999"), "{command}: {result:?}");
        refused.push(result.to_string());
    }
    assert_reads!(refused.join("\n"));
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
    let result = CommandResult::from(output);
    assert_eq!(result.stdout.lines().count(), 1);
    assert!(!result.stderr.contains("panicked"), "{result:?}");
}

#[tokio::test]
async fn simulate_serves_until_it_is_stopped() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = binary();
        command.args(["simulate", "--listen", "localhost:0", "--advisories", "5"]);
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
    assert_eq!(demo_advisories(&said), 3000, "{said}");
    // The lists are read beside each other, and the simulated upstream changes.
    let said = without(&said, r"(?m)^(\d\d:\d\d:\d\d .*\n)+", "[runs]\n");
    let said = without(&said, r"(?m)^(\w+) +\d+ +\d+$", "$1  [counts]");
    // The directory is named by the process: with a short number its path is one of a socket.
    let sockets = r"host=\S*(/run/advisoryd-[0-9a-f]+|/postgresql/socket)&";
    assert_reads!(without(&said, sockets, "host=[sockets]&"));
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_demo_ends_when_its_time_is_over() {
    let tmp = state_dir();
    demo_in(tmp.path(), &["--for", "1s"]).await;
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_configuration_of_the_demo_fits_its_upstream() {
    let tmp = state_dir();
    let mut command = binary();
    command.arg("demo").env("TMPDIR", tmp.path());
    let mut demo = Running::start(&mut command);
    let line = demo.line("export ADVISORYD_CONFIG=").await;
    let (_, file) = line.split_once('=').unwrap();
    let checked = result(&["--config", file, "check"]);
    assert_eq!(checked.code, 0, "{checked}");
    assert!(!checked.to_string().contains("warn "), "{checked}");
    let open = result(&["--config", file, "tickets", "--open-for", "30d"]);
    assert_eq!(open.code, 0, "{open}");
    demo.signal(Signal::SIGINT);
    assert!(demo.ended().await.success());
}

/// The sum of the advisories by severity.
fn demo_advisories(said: &str) -> u64 {
    let row = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, advisories, _] = columns[..] else {
            return None;
        };
        advisories.parse::<u64>().ok()
    };
    said.lines().filter_map(row).sum()
}

/// A demo that came to a good end.
async fn demo_in(tmp: &std::path::Path, arguments: &[&str]) -> Running {
    let mut command = binary();
    command.arg("demo").args(arguments).env("TMPDIR", tmp);
    let mut demo = Running::start(&mut command);
    let ended = demo.ended().await;
    let said = demo.stdout() + &demo.stderr();
    for odd in ["still recovering", "does not exist"] {
        assert!(!said.contains(odd), "{said}");
    }
    assert!(ended.success(), "{ended}: {said}");
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
        for limit in ["MemoryMax=", "TasksMax=", "LimitNOFILE="] {
            assert!(text.contains(limit), "{unit} has no {limit}");
        }
        let text = text.replace("/usr/local/bin/advisoryd", env!("CARGO_BIN_EXE_advisoryd"));
        let file = dir.path().join(unit.replace("@.", "@test."));
        std::fs::write(&file, text).unwrap();
        let verified = Command::new("systemd-analyze")
            .arg("verify")
            .arg(&file)
            .output()
            .unwrap();
        let verified = CommandResult::from(verified);
        let ours = verified.stderr.matches("advisoryd").count();
        assert_eq!((verified.code, ours), (0, 0), "{unit}: {verified:?}");
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=12", "--no-pager"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            judged.status.success(),
            "{unit} is exposed more than 1.2: {}",
            CommandResult::from(judged)
        );
    }
}

/// One inside the other cannot both be a directory of a dynamic user.
#[test]
fn the_directories_of_the_units_do_not_collide() {
    let units = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let names = |unit: &str, key: &str| -> String {
        let text = std::fs::read_to_string(units.join(unit)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("{unit} has no {key}"))
            .to_owned()
    };
    for key in ["StateDirectory=", "RuntimeDirectory="] {
        assert_eq!(names("advisoryd.service", key), "advisoryd");
        assert_eq!(names("advisoryd@.service", key), "advisoryd-%i");
    }
    assert_eq!(names("advisoryd@.service", "User="), "advisoryd-%i");
}

#[test]
fn a_forgotten_configuration_makes_no_database() {
    let state = state_dir();
    let output = binary()
        .env("ADVISORYD_STATE__DIR", state.path().join("new"))
        .arg("status")
        .output()
        .unwrap();
    let result = CommandResult::from(output);
    assert_eq!(result.code, 78, "{result:?}");
    for arguments in [
        &["advisories"][..],
        &["rules", "list"],
        &["alerts", "test", "x"],
        &["sync"],
        &["check"],
        &["verify"],
        &["run"],
    ] {
        let output = binary()
            .env("ADVISORYD_STATE__DIR", state.path().join("new"))
            .args(arguments)
            .output()
            .unwrap();
        let other = CommandResult::from(output);
        assert_eq!(
            (other.code, &other.stderr),
            (78, &result.stderr),
            "{arguments:?}"
        );
    }
    assert_reads!(result);
    assert!(!state.path().join("new").exists());
}

#[tokio::test]
async fn check_on_a_fresh_machine_asks_upstream_and_creates_nothing() {
    let mut world = World::new().await;
    let state = state_dir();
    let new = state.path().join("new");
    world.settings.state.dir = Some(new.display().to_string());
    let checked = world.cli(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(!new.exists(), "it was created");
    let checked = without(&checked, r"PostgreSQL \d+", "PostgreSQL [n]");
    assert_reads!(checked);
}

#[tokio::test]
async fn check_asks_upstream_whatever_the_database_is() {
    let mut world = World::new().await;
    let empty = "drop schema advisoryd_v1 cascade; drop schema advisoryd cascade";
    sqlx::raw_sql(empty).execute(world.pool()).await.unwrap();
    let empty = world.cli(&["check"]);
    assert_eq!(empty.code, 0, "{empty:?}");
    let schema = "select count(*) from pg_namespace where nspname = 'advisoryd'";
    assert_eq!(world.count(schema).await, 0, "it was created");
    world.settings.database.url = Some("postgres:///nothing?host=/nonexistent".to_owned());
    let unreachable = world.cli(&["check"]);
    assert_eq!(unreachable.code, 1, "{unreachable:?}");
    assert_reads!(empty, unreachable);
}

/// Runs the daemon with a configuration that cannot be used.
fn refused(state: &std::path::Path, arguments: &[&str]) -> CommandResult {
    let result: CommandResult = binary()
        .env("ADVISORYD_STATE__DIR", state)
        .env("ADVISORYD_HTTP__LISTEN", "")
        .args(arguments)
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, 78, "{result:?}");
    assert!(!state.exists(), "{result:?}");
    result
}

#[test]
fn a_missing_configuration_or_token_refuses_the_daemon_with_78() {
    let dir = state_dir();
    let state = dir.path().join("new");
    let no_configuration = refused(&state, &["run"]);
    let file = dir.path().join("config.toml");
    let text = format!(
        "[upstream]\ntoken_file = \"{}\"\n[[watch_lists]]\nid = 4\n",
        dir.path().join("token").display()
    );
    std::fs::write(&file, text).unwrap();
    let no_token = refused(&state, &["--config", file.to_str().unwrap(), "run"]);
    assert_reads!(no_configuration, no_token);
}

#[tokio::test]
async fn check_warns_of_secrets_that_others_may_read_or_write() {
    let world = World::new().await;
    let token = world.token_file();
    let mut warnings = Vec::new();
    for mode in [0o600, 0o640, 0o644, 0o660, 0o666] {
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).unwrap();
        let checked = world.cli(&["check", "--offline"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        let is_warned = checked.stdout.contains("a secret");
        assert_eq!(is_warned, mode & 0o026 != 0, "{mode:o}: {checked:?}");
        let warned = checked.stdout.lines();
        let warned = warned.filter(|line| line.starts_with("warn"));
        let warned: Vec<&str> = warned.collect();
        warnings.push(
            warned
                .join("\n")
                .replace(token.to_str().unwrap(), "[token]"),
        );
    }
    assert_reads!(warnings.join("\n"));
}

#[test]
fn a_database_elsewhere_is_verified_or_allowed_to_be_insecure() {
    let dir = state_dir();
    let file = dir.path().join("config.toml");
    let token = dir.path().join("token");
    std::fs::write(&token, "0123456789abcdef0123456789abcdef01234567").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let check = |more: &str| {
        let text = format!(
            "[upstream]\ntoken_file = \"{}\"\n[[watch_lists]]\nid = 4\n[database]\n{more}\n",
            token.display()
        );
        std::fs::write(&file, text).unwrap();
        result(&["--config", file.to_str().unwrap(), "check", "--offline"])
    };
    let weak = "url = \"postgres://me:hunter2@192.0.2.2/x?sslmode=require\"";
    let refused = check(weak);
    assert_eq!(refused.code, 78, "{refused:?}");
    let allowed = check(&format!("{weak}\nallow_insecure = true"));
    assert_eq!(allowed.code, 0, "{allowed:?}");
    let verified = check("url = \"postgres://me@192.0.2.2/x\"");
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(!format!("{refused}{allowed}{verified}").contains("hunter2"));
    let warned = |result: &CommandResult| {
        let lines = result.stdout.lines();
        let lines = lines.filter(|line| line.starts_with("warn"));
        let lines: Vec<&str> = lines.collect();
        lines.join("\n")
    };
    let warned = [&allowed, &verified].map(warned);
    assert_reads!(refused, warned.join("\n"));
}
