//! The example configuration is complete and shows the defaults.

use std::fmt::Write as _;

use super::super::{AliasField, Config, ListSource, WatchList};

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The example with the lines `#key = value` enabled: those that show a default,
/// and with `examples` also those that have none (marked, or below a `#[[table]]`).
fn switched_on(examples: bool) -> String {
    let mut text = String::new();
    let mut is_example_table = false;
    for line in EXAMPLE.lines() {
        let bare = line.strip_prefix('#').unwrap_or(line);
        if bare.starts_with('[') {
            is_example_table = line.starts_with('#');
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_key = bare
            .split_once(" = ")
            .is_some_and(|(key, _)| key.chars().all(is_name));
        let is_on = examples || !(is_example_table || line.contains("# example"));
        let is_setting = is_key || bare.starts_with('[');
        writeln!(text, "{}", if is_setting && is_on { bare } else { line }).unwrap();
    }
    text
}

#[test]
fn the_example_is_the_default_configuration() {
    let default = format!("{:?}", Config::from_text("config", "").unwrap());
    for text in [EXAMPLE, &switched_on(false)] {
        let example = Config::from_text("config", text).unwrap();
        assert_eq!(format!("{example:?}"), default);
    }
}

/// The example with its optional keys enabled, but for the one that contradicts a `url`, and
/// those that this build refuses.
pub(super) fn complete() -> String {
    let text = switched_on(true).replace("\nshare_with = ", "\n#share_with = ");
    if cfg!(feature = "otlp") {
        text
    } else {
        text.replace("\notlp_", "\n#otlp_")
    }
}

#[test]
fn the_example_is_valid_with_its_optional_keys_too() {
    let config = Config::from_text("config", &complete()).unwrap();
    assert_eq!(config.watch_lists.len(), 1);
    let WatchList {
        id,
        name,
        schedule,
        query,
        discovered: _,
        source,
    } = &config.watch_lists[0];
    assert_eq!(*source, ListSource::Auto);
    assert_eq!((*id, name.as_deref()), (4, Some("Linux servers")));
    assert!(schedule.is_some() && query.len() == 1);
    assert_eq!(config.extra_feeds.len(), 1);
    assert_eq!(config.feeds.aliases["said"], ["vuln_id"]);
    assert!(config.upstream.proxy.is_some() && config.upstream.ca_file.is_some());
    assert!(config.database.url.is_some());
}

/// Every key of each section must be in the example; the keys are taken from the error for an unknown key.
#[test]
fn the_example_names_every_key_there_is() {
    let complete: toml::Table = switched_on(true).parse().unwrap();
    for section in [
        "upstream",
        "database",
        "state",
        "schedule",
        "feeds",
        "discovery",
        "tickets",
        "enrichment",
        "freshness",
        "reconcile",
        "retention",
        "http",
        "log",
        "watch_lists",
        "extra_feeds",
    ] {
        let is_list = matches!(section, "watch_lists" | "extra_feeds");
        let head = if is_list {
            format!("[[{section}]]")
        } else {
            format!("[{section}]")
        };
        let error = Config::from_text("c", &format!("{head}\nno_such_key_at_all = 1")).unwrap_err();
        let error = error.to_string();
        let line = error
            .lines()
            .find(|line| line.contains("expected one of: "))
            .unwrap();
        let known = line.split("expected one of: ").nth(1).unwrap();
        let table = match &complete[section] {
            toml::Value::Array(list) => list[0].as_table().unwrap(),
            other => other.as_table().unwrap(),
        };
        for key in known.split(", ") {
            assert!(
                table.contains_key(key),
                "[{section}] {key} is not in the example"
            );
        }
    }
    let error = Config::from_text("c", "no_such_section = 1")
        .unwrap_err()
        .to_string();
    for section in error.split("expected one of: ").nth(1).unwrap().split(", ") {
        assert!(
            complete.contains_key(section),
            "{section} is not in the example"
        );
    }
    for field in AliasField::NAMES {
        assert!(EXAMPLE.contains(field), "{field}");
    }
}
