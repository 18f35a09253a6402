//! `check`: everything in one pass, as JSON with one schema, and nothing is created.

use std::fs;
use std::path::Path;

use advisoryd::simulate::SimulatorOptions;
use serde_json::Value;

use crate::support::settings::{Rule, Sink, WatchList};
use crate::support::{CommandResult, World, assert_reads, binary, free_port, small, state_dir};

fn findings(world: &World, code: i32) -> Vec<Value> {
    let result = world.cli(&["check", "--json"]);
    assert_eq!(result.code, code, "{result:?}");
    result.json().as_array().expect("an array").clone()
}

#[tokio::test]
async fn a_password_in_the_place_of_a_number_is_not_printed() {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        clauses: toml::toml! { threat_score = "Hunter2" },
        ..Rule::to_hook("soc", &["appeared"])
    }];
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 78, "{result}");
    let said = format!("{result}");
    assert!(said.contains("threat_score"), "{result}");
    assert!(!said.contains("Hunter2"), "{result}");
}

#[tokio::test]
async fn json_is_one_array_of_check_status_and_message() {
    let world = World::new().await;
    world.cli(&["migrate"]);
    let found = findings(&world, 0);
    for one in &found {
        let keys: Vec<&String> = one.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["check", "message", "status"], "{one}");
        assert!(one["message"].is_string(), "{one}");
        assert_eq!(one["status"], "ok", "{one}");
    }
    let named: Vec<&str> = found
        .iter()
        .filter_map(|one| one["check"].as_str())
        .collect();
    assert_eq!(
        named,
        [
            "configuration",
            "token",
            "database",
            "watch list 1",
            "tickets"
        ]
    );
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_in_one_pass_with_what_to_do() {
    let mut world = World::new().await;
    world.settings.database.url = Some("postgres:///nothing?host=/nonexistent".to_owned());
    world.settings.alerts.sinks.push(Sink {
        name: "soc".to_owned(),
        kind: "webhook",
        url: Some("http://127.0.0.1:9/x".to_owned()),
        secret_file: Some("/nonexistent/secret".to_owned()),
        allow_private: Some(true),
        ..Sink::default()
    });
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 1, "{result:?}");
    let mut command = world.command(&["check"]);
    fs::remove_file(world.token_file()).unwrap();
    let without_token: CommandResult = command.output().unwrap().into();
    assert_eq!(without_token.code, 1, "{without_token:?}");
    assert_reads!(result, without_token);
}

#[tokio::test]
async fn rules_and_sinks_that_do_nothing_are_told() {
    let mut world = World::new().await;
    world.settings.alerts.sinks.push(Sink {
        name: "journal".to_owned(),
        kind: "log",
        ..Sink::default()
    });
    world.settings.alerts.sinks.push(Sink {
        name: "soc".to_owned(),
        kind: "webhook",
        url: Some("http://127.0.0.1:9/x".to_owned()),
        secret_file: Some("soc-secret".to_owned()),
        allow_private: Some(true),
        ..Sink::default()
    });
    world.settings.alerts.rules.push(Rule {
        name: "office".to_owned(),
        sinks: &["soc"],
        clauses: toml::toml! { watch_lists = [9] },
        ..Rule::default()
    });
    let result = world.cli(&["check", "--offline"]);
    assert_eq!(result.code, 1, "{result}");
    for part in [
        "rule `office` names watch list 9, which is not followed: it can never match",
        "log configured, but no rule uses it",
        "there is no file /etc/advisoryd/soc-secret. A name without `/` names a systemd credential",
    ] {
        assert!(result.stdout.contains(part), "{part}: {result}");
    }
}

/// As the pages of the integrations write them: the names are those of the presets.
#[tokio::test]
async fn a_secret_that_is_missing_is_named_with_the_line_that_names_it() {
    let mut world = World::new().await;
    let sentinel = toml::toml! {
        url = "https://example.org"
        vars = { rule_id = "dcr-0", stream = "Custom-Advisoryd_CL" }
        oauth2 = { token_url = "https://example.org/token", client_id = "x", secret_file = "sentinel-client" }
    };
    let servicenow = toml::toml! {
        url = "https://example.org"
        username = "advisoryd"
        password_file = "servicenow-login"
    };
    let odd = toml::toml! {
        url = "https://example.org"
        bearer_file = "zzz"
    };
    for (kind, more) in [
        ("sentinel", sentinel),
        ("servicenow", servicenow),
        ("alertmanager", odd),
    ] {
        world.settings.alerts.sinks.push(Sink {
            name: kind.to_owned(),
            kind,
            more,
            ..Sink::default()
        });
    }
    let result = world.cli(&["check", "--offline"]);
    let file = world.config_file();
    let text = fs::read_to_string(&file).unwrap();
    for (key, error) in [
        (
            "secret_file = \"sentinel-client\"",
            "there is no file /etc/advisoryd/sentinel-client. ",
        ),
        (
            "password_file = \"servicenow-login\"",
            "there is no file /etc/advisoryd/servicenow-login. ",
        ),
        (
            "bearer_file = \"zzz\"",
            "there is no such file or credential;",
        ),
    ] {
        let line = text.lines().position(|line| line.contains(key)).unwrap() + 1;
        let place = format!("{}:{line}:", file.display());
        let named = result.stdout.lines().find(|line| line.contains(&place));
        assert!(
            named.is_some_and(|line| line.contains(error)),
            "{place} {error}: {result}"
        );
    }
}

#[tokio::test]
async fn an_object_that_a_lost_response_creates_twice_is_warned_of() {
    let mut world = World::new().await;
    let tracker = toml::toml! {
        url = "http://127.0.0.1:9/x"
        per = "alert"
        template = "{}"
        remember = "/id"
    };
    let mut searched = tracker.clone();
    let lookup = toml::toml! {
        path = "/find"
        pointer = "/id"
    };
    searched.insert("lookup".to_owned(), lookup.into());
    for (name, more) in [("tracker", tracker), ("searched", searched)] {
        world.settings.alerts.sinks.push(Sink {
            name: name.to_owned(),
            kind: "hook",
            allow_private: Some(true),
            more,
            ..Sink::default()
        });
    }
    let result = world.cli(&["check", "--offline"]);
    let warning = "sink `tracker`: `remember` is set without `lookup`: if the response to a creation is lost, the next attempt creates a second object";
    assert!(result.stdout.contains(warning), "{result}");
    assert!(
        !result.stdout.contains("sink `searched`: `remember`"),
        "{result}"
    );
}

#[tokio::test]
async fn an_upstream_that_is_not_reached_is_told_once() {
    let mut world = World::new().await;
    // No name has a part that is so long: nobody is asked for it.
    let host = format!("{}.invalid", "a".repeat(64));
    for (url, what) in [
        (
            format!("http://127.0.0.1:{}", free_port()),
            "upstream does not answer",
        ),
        (format!("http://{host}"), &*format!("cannot resolve {host}")),
    ] {
        world.settings.upstream.base_url = Some(url);
        let mut command = world.command(&["check"]);
        command.env("ADVISORYD_UPSTREAM__ALLOW_HTTP", "true");
        let result: CommandResult = command.output().unwrap().into();
        assert_eq!(result.code, 1, "{result}");
        assert_eq!(result.stdout.matches(what).count(), 1, "{result}");
        assert_eq!(result.stdout.matches("FAIL").count(), 1, "{result}");
        let fail = result.stdout.lines().find(|line| line.starts_with("FAIL"));
        let fail = fail.unwrap_or_default();
        assert!(fail.contains("; check [upstream] base_url"), "{result}");
        for rest in ["watch list 1", "tickets"] {
            let line = format!("skip  {rest}: not checked");
            assert!(result.stdout.contains(&line), "{rest}: {result}");
        }
        assert!(!result.stdout.contains("dns error"), "{result}");
    }
}

#[test]
fn each_error_of_the_configuration_is_a_finding() {
    let dir = state_dir();
    let file = dir.path().join("config.toml");
    fs::write(&file, "[upstream]\nbase = 1\n[tickets]\npage_size = -1\n").unwrap();
    let mut command = binary();
    command.arg("--config").arg(&file).args(["check", "--json"]);
    let checked: CommandResult = command.output().unwrap().into();
    assert_eq!(checked.code, 78, "{checked:?}");
    let found = checked.json();
    let found = found.as_array().expect("an array");
    assert_eq!(found.len(), 2, "{found:?}");
    for (one, key) in found.iter().zip(["base", "page_size"]) {
        assert_eq!(
            (&one["check"], &one["status"]),
            (&"configuration".into(), &"failed".into())
        );
        assert!(
            one["message"]
                .as_str()
                .is_some_and(|text| text.contains(key)),
            "{one}"
        );
    }
}

#[tokio::test]
async fn lists_of_the_account_that_are_not_followed_are_named() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 3,
        ..small()
    })
    .await;
    world.cli(&["migrate"]);
    world.lists = Some(vec![1]);
    let page = world.cli(&["check"]);
    let line = page
        .stdout
        .lines()
        .find(|line| line.contains("watch lists: "));
    assert!(
        line.is_some_and(|line| line.starts_with(
            "ok    watch lists: 2 watch lists of this account are not followed: 2 \""
        )),
        "{page}"
    );
    world.lists = None;
    let page = world.cli(&["check"]);
    assert!(!page.stdout.contains("not followed"), "{page}");
}

/// All files below a directory.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        found.push(path.display().to_string());
        if path.is_dir() {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn nothing_is_written_to_the_database_or_to_files() {
    let world = World::new().await;
    world.cli(&["sync"]);
    let dir = world.config_file().parent().unwrap().to_path_buf();
    let written = async || -> Vec<(String, i64)> {
        let sql = "select schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del
                   from pg_stat_all_tables
                   where schemaname in ('advisoryd', 'advisoryd_v1', 'public')
                     -- Its requests are counted.
                     and relname not like 'budget%'
                   order by 1";
        sqlx::query_as(sql).fetch_all(world.pool()).await.unwrap()
    };
    // The other process has ended, and with that its counts were added.
    let before = (written().await, files(&dir));
    findings(&world, 0);
    assert_eq!((written().await, files(&dir)), before);
}

#[tokio::test]
async fn a_watch_list_that_upstream_names_otherwise_is_warned_of() {
    let mut world = World::new().await;
    world.cli(&["migrate"]);
    world.lists = Some(Vec::new());
    let named = |name: &'static str| {
        vec![WatchList {
            id: 1,
            name: Some(name),
            ..WatchList::default()
        }]
    };
    world.settings.watch_lists = named("Somebody else's");
    let found = findings(&world, 0);
    let warned = found.iter().find(|one| one["status"] == "warning");
    let warned = warned.expect("a warning");
    assert_eq!(warned["check"], "watch list 1");
    let message = warned["message"].as_str().unwrap();
    let rest = message.strip_prefix("named \"Somebody else's\" here, \"");
    let (theirs, rest) = rest.unwrap().split_once('"').unwrap();
    assert_eq!(rest, " upstream; compare the ID");
    let theirs = theirs.to_uppercase();
    assert!(!theirs.is_empty(), "{message}");
    let page = world.cli(&["check"]);
    let line = format!("warn  watch list 1: {message}");
    assert!(page.stdout.lines().any(|one| one == line), "{page}");
    world.settings.watch_lists = named(Box::leak(theirs.into_boxed_str()));
    let found = findings(&world, 0);
    assert!(
        found.iter().all(|one| one["status"] == "ok"),
        "its own name in other letters: {found:?}"
    );
}

/// A rule for lists by name.
fn of_list(name: &'static str) -> Rule {
    let mut clauses = toml::Table::new();
    clauses.insert("watch_lists".to_owned(), vec![name].into());
    clauses.insert("where".to_owned(), format!("list = \"{name}\"").into());
    Rule {
        name: "office".to_owned(),
        shadow: Some(true),
        clauses,
        ..Rule::default()
    }
}

#[tokio::test]
async fn a_rule_with_a_list_name_that_no_list_has_is_told_also_if_upstream_knows_the_names() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 3,
        ..small()
    })
    .await;
    world.settings.schedule.list_contents = Some("0 * * * * *");
    world.lists = Some(vec![1, 2]);
    world.settings.alerts.rules = vec![of_list("Nosuch")];
    let told_of = |world: &World| {
        let result = world.cli(&["check"]);
        assert_eq!(result.code, 1, "{result}");
        let wrong = "FAIL  alert rules: rule `office` names the watch list `";
        let found: Vec<&str> = result
            .stdout
            .lines()
            .filter(|line| line.starts_with(wrong))
            .collect();
        assert_eq!(found.len(), 2, "the list and the filter: {result}");
        for line in found {
            assert!(
                line.ends_with("; known: Linux servers, Workstations"),
                "{line}"
            );
        }
        assert!(!result.stdout.contains("ok    alert rules"), "{result}");
    };
    told_of(&world);
    let synced = world.cli(&["sync", "feeds"]);
    assert_eq!(synced.code, 0, "{synced}");
    world.settings.alerts.rules = vec![of_list("workstations")];
    let right = world.cli(&["check"]);
    assert_eq!(right.code, 0, "{right}");
    assert!(right.stdout.contains("ok    alert rules: 1;"), "{right}");
    // Without upstream the database knows them.
    world.settings.upstream.base_url = Some(format!("http://127.0.0.1:{}", free_port()));
    world.settings.alerts.rules = vec![of_list("Nosuch")];
    told_of(&world);
}
