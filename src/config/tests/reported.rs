//! What errors show: values as they are written, lines, and which entries differ.

use super::super::{Config, ListNames};
use super::errors;

/// The only error.
fn error(text: &str) -> String {
    let all = errors(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.concat()
}

#[test]
fn quotes_that_are_wrong_or_missing_are_reported() {
    for (text, message) in [
        (
            "[upstream]\nrequests_per_minute = \"6000\"",
            "got `\"6000\"`; expected a whole number from 1 to 60000; remove the quotes",
        ),
        (
            "[upstream]\noffline = \"true\"",
            "got `\"true\"`; expected `true` or `false`; remove the quotes",
        ),
        (
            "[[watch_lists]]\nid = \"7\"",
            "has id `\"7\"`; expected the number of the list, such as `id = 4`; remove the quotes",
        ),
        (
            "[[watch_lists]]\nid = 7\nname = 12",
            "has name `12`; expected a quoted string; write it in quotes: `\"12\"`",
        ),
        (
            "[upstream]\nrequests_per_minute = \"many\"",
            "got `many`; expected a whole number from 1 to 60000",
        ),
    ] {
        let error = error(text);
        assert!(error.ends_with(message), "{error}");
    }
}

#[test]
fn a_wrong_filter_is_shown_with_the_place_of_the_error_unless_it_may_be_a_secret() {
    let of = |filter: &str| {
        errors(&format!(
            "[[alerts.rules]]\nname = \"r\"\nwhere = '{filter}'"
        ))
    };
    assert_eq!(
        of("kev && !sevrity"),
        [
            "c.toml: `alerts.rules[1].where`: rule `r`: where is not valid: column 5: expected `and`, `or` or the end of the filter; did you mean `and`?",
            "  kev && !sevrity",
            "      ^^",
        ]
    );
    let message = of("sevrity >= high and title ~ \"100%\"");
    assert!(
        message[0].contains("did you mean `severity`?"),
        "{message:?}"
    );
    assert_eq!(message[2], "  ^^^^^^^");
    for secret in [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "password=hunter2",
        "Tr0ub4dor&3xyzzy(",
    ] {
        let message = of(secret).join("\n");
        assert!(!message.contains(secret), "{message}");
    }
}

#[test]
fn a_relative_path_of_the_token_is_shown_unless_it_may_be_the_token() {
    let of = |path: &str| error(&format!("[upstream]\ntoken_file = \"{path}\""));
    assert!(of("secrets/token").contains("got `secrets/token`; expected an absolute path"));
    assert!(of("token.txt").contains("got `token.txt`;"));
    for secret in ["hunter2", "0123456789abcdef0123456789abcdef01234567"] {
        assert!(of(secret).contains("got `[not shown]`;"), "{secret}");
    }
}

#[test]
fn lists_with_the_same_id_name_each_other_and_the_same_name_is_a_warning() {
    let list = |id: i64, name: &str| format!("[[watch_lists]]\nid = {id}\nname = \"{name}\"\n");
    assert_eq!(
        error(&(list(1, "Linux") + &list(1, "Linux2"))),
        "c.toml: `watch_lists[2].id`: entries 1 (`Linux`) and 2 (`Linux2`) have the same id 1"
    );
    let text = list(1, "Linux") + &list(2, "Office") + &list(3, "LINUX");
    let warnings = Config::from_text("c.toml", &text).unwrap().warnings();
    assert_eq!(
        warnings,
        ["several watch lists have the name `LINUX`; give each its own"]
    );
}

#[test]
fn errors_name_the_line_and_column_of_their_setting() {
    let text = "[log]\nformat = \"xml\"\n\n[[watch_lists]]\nid = 1\n[[watch_lists]]\n# none\nname = \"x\"\n[http]\ncolour = 1\n";
    let error = Config::from_text("c.toml", text).unwrap_err();
    let places: Vec<String> = error
        .errors
        .iter()
        .map(|one| format!("{} {}", one.origin, one.key))
        .collect();
    assert_eq!(
        places,
        [
            "c.toml:2:10 log.format",
            "c.toml:6:1 watch_lists[2].id",
            "c.toml:10:1 http.colour"
        ]
    );
}

/// The lines of the errors, with their places.
fn placed(text: &str) -> Vec<String> {
    let error = Config::from_text("c.toml", text).unwrap_err();
    error.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn errors_within_lists_and_tables_have_a_place_of_their_own() {
    let text = r#"[[alerts.sinks]]
name = "soc"
kind = "webhok"

[[alerts.sinks]]
name = "log"
kind = "log"

[[alerts.rules]]
name = "r"
on = [
    "appeared",
    "escalatd",
]
severity = "higly_critical"
state = "opne"
missing = "skp"
sinks = ["log", "lgo"]
not = { severty = "high" }
[alerts.helth]
[[watch_lists]]
id = 1
    query = { a = 1, days = 3 }
[[watch_lists]]
id = 1
"#;
    let all = placed(text);
    for expected in [
        "c.toml:3:8: `alerts.sinks[1].kind`: sink `soc` has kind `webhok`; expected one of webhook, ",
        "c.toml:13:5: `alerts.rules[1].on`: ",
        "c.toml:15:12: `alerts.rules[1].severity`: rule `r` has severity `higly_critical`; expected one of ",
        "c.toml:16:9: `alerts.rules[1].state`: rule `r` has state `opne`; expected `open` or `acknowledged`; did you mean `open`?",
        "c.toml:17:11: `alerts.rules[1].missing`: rule `r` has missing `skp`; expected `match` or `skip`; did you mean `skip`?",
        "c.toml:18:17: `alerts.rules[1].sinks`: rule `r` has sinks `lgo`; unknown sink; did you mean `log`?",
        "c.toml:19:9: `alerts.rules[1].not.severty`: unknown key; did you mean `severity`?",
        "c.toml:20:9: `alerts.helth`: unknown key; did you mean `health`?",
        "c.toml:23:29: `watch_lists[1].query.days`: ",
        "c.toml:25:6: `watch_lists[2].id`: entries 1 and 2 have the same id 1",
    ] {
        let found = all.iter().any(|line| line.starts_with(expected));
        assert!(found, "{expected}\nis not in\n{}", all.join("\n"));
    }
    assert_eq!(all.len(), 10, "{}", all.join("\n"));
    for (key, close) in [
        ("kind", "webhook"),
        ("severity", "highly_critical"),
        ("on", "escalated"),
    ] {
        let line = all.iter().find(|line| line.contains(&format!(".{key}`")));
        let end = format!("; did you mean `{close}`?");
        assert!(line.is_some_and(|line| line.ends_with(&end)), "{line:?}");
    }
}

#[test]
fn words_are_suggested_for_words_and_sections_for_keys() {
    for (text, close) in [
        ("[log]\nformat = \"jsn\"", "json"),
        ("[feeds]\ndetails = \"alwys\"", "always"),
        ("[schedule]\nsplay = \"nonee\"", "none"),
        ("[[watch_lists]]\nid = 1\nsource = \"fed\"", "feed"),
        ("[[rules]]\nname = \"x\"", "[[alerts.rules]]"),
        ("listen = \"localhost:1\"", "[http] listen"),
    ] {
        let error = error(text);
        assert!(
            error.ends_with(&format!("; did you mean `{close}`?")),
            "{error}"
        );
    }
    assert!(!error("[log]\nformat = \"xml\"").contains("did you mean"));
    // A column counts characters, not bytes.
    let all = placed("feeds = { details = \"äöü\", id_patern = \"x\" }");
    assert!(
        all.iter()
            .any(|line| line.starts_with("c.toml:1:28: `feeds.id_patern`")),
        "{all:?}"
    );
}

#[test]
fn a_number_that_no_time_has_is_reported_with_its_field() {
    let of = |text: &str| error(&format!("[schedule]\nfeeds = \"{text}\""));
    assert!(of("0 75 * * * *").ends_with("expected a minute from 0 to 59, got 75"));
    assert!(of("0 3 32 * *").ends_with("expected a day of the month from 1 to 31, got 32"));
    assert!(of("0 0 1-24 * * *").ends_with("expected an hour from 0 to 23, got 24"));
}

#[test]
fn rules_name_watch_lists_by_id_or_name() {
    let lists = "[[watch_lists]]\nid = 4\nname = \"Linux\"\n[[alerts.rules]]\nname = \"r\"\nshadow = true\n";
    let unmatched = |wanted: &str| {
        let text = format!("{lists}watch_lists = {wanted}");
        let config = Config::from_text("c", &text).unwrap();
        config
            .rules_of_unknown_lists(&ListNames::default())
            .join("\n")
    };
    assert_eq!(unmatched("[\"LINUX\", 4, \"4\"]"), "");
    assert_eq!(
        unmatched("[\"Office\"]"),
        "rule `r` names the watch list `Office`, but no followed list has this name: it can never match; known: Linux"
    );
    assert!(unmatched("[9]").contains("9, which is not followed: it can never match; add it"));
    assert!(unmatched("[4, 9]").contains("it can never match advisories of that list"));
    let text = format!("{lists}watch_lists = [4, \"linux\"]");
    let config = Config::from_text("c", &text).unwrap();
    let clauses = &config.alerts.rules[0].rule().clauses;
    assert_eq!(clauses.watch_lists, [4]);
    assert_eq!(clauses.watch_list_names, ["linux"]);
}
