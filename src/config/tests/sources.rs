//! Configuration sources: file and environment.

use std::fs;
use std::time::Duration;

use super::super::Config;
use super::variables;

#[test]
fn every_variable_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let text = "[feeds]\nfirst_days = 30\noverlap = \"1h\"\n[[watch_lists]]\nid = 9\n";
    fs::write(&path, text).unwrap();
    let env = variables(&[
        ("ADVISORYD_FEEDS__FIRST_DAYS", "7"),
        ("ADVISORYD_WATCH_LISTS", "[{id=4, name=\"Linux\"}, {id=5}]"),
        ("ADVISORYD_FEEDS__ALIASES__SAID", "[\"vuln_id\"]"),
        ("ADVISORYD_TICKETS__ENABLED", "false"),
        ("ADVISORYD_UPSTREAM__MAX_BODY", "1GiB"),
        ("ADVISORYD_DATABASE__URL", "postgres://me:pw@db/x"),
        ("ADVISORYD_HTTP", "{listen = \"\"}"),
        ("HOME", "/root"),
    ]);
    let config = Config::load(Some(&path), env).unwrap();
    assert_eq!(config.feeds.first_days, 7);
    assert_eq!(config.feeds.overlap, Duration::from_hours(1));
    let ids: Vec<i64> = config.watch_lists.iter().map(|list| list.id).collect();
    assert_eq!(ids, [4, 5]);
    assert_eq!(config.feeds.aliases["said"], ["vuln_id"]);
    assert!(!config.tickets.enabled);
    assert_eq!(config.upstream.max_body_bytes, 1 << 30);
    assert_eq!(
        config.database.url.unwrap().hosts()[0].expose(),
        "postgres://me:pw@db/x"
    );
    assert_eq!(config.http.listen, None);
    assert_eq!(config.file.as_deref(), Some(path.as_path()));
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, "[feeds]\nmax_days = 100\n").unwrap();
    let env = variables(&[
        ("ADVISORYD_FEEDS__FIRST_DAYS", "200"),
        ("ADVISORYD_FEEDS__OVERLP", "1h"),
        ("ADVISORYD_WATCH_LISTS", "[{id=4"),
    ]);
    let error = Config::load(Some(&path), env).unwrap_err().to_string();
    for wanted in [
        "ADVISORYD_FEEDS__FIRST_DAYS: `feeds.first_days`: got `200`; expected at most",
        "ADVISORYD_FEEDS__OVERLP: `feeds.overlp`: unknown key; did you mean `overlap`?",
        "ADVISORYD_WATCH_LISTS: `watch_lists`: got `[{id=4`; expected",
    ] {
        assert!(error.contains(wanted), "{wanted}\nis not in\n{error}");
    }
}

#[test]
fn a_named_file_must_exist_and_the_default_one_need_not() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.toml");
    let named = Config::load(Some(&missing), Vec::new())
        .unwrap_err()
        .to_string();
    assert!(named.contains("none.toml: cannot read the file"), "{named}");
    let by_variable = variables(&[("ADVISORYD_CONFIG", missing.to_str().unwrap())]);
    assert!(Config::load(None, by_variable).is_err());
    // This machine has no /etc/advisoryd/config.toml.
    let config = Config::load(None, variables(&[("ADVISORYD_LOG__FILTER", "warn")])).unwrap();
    assert_eq!((config.log.filter.as_str(), config.file), ("warn", None));
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_a_warning() {
    let config = Config::load(None, variables(&[("ADVISORYD_UPSTREAM_TOKEN", "hunter2")])).unwrap();
    let warnings = config.warnings().join("\n");
    assert!(
        warnings.contains("did you mean `ADVISORYD_UPSTREAM__TOKEN`?"),
        "{warnings}"
    );
    assert!(warnings.contains("no watch lists"), "{warnings}");
    assert!(!warnings.contains("hunter2"), "{warnings}");
}
