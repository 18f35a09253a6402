//! Configuration errors: every one is reported, with what is expected.

use super::errors;

#[test]
fn several_mistakes_are_reported_together_and_each_says_what_to_write() {
    let lines = errors(
        r#"
colour = 1
[upstream]
base_ulr = "https://x.example"
requests_per_minute = 0
read_timeout = 60
max_body = "lots"
[schedule]
timezone = "Mars"
[feeds]
first_days = 4000
id_pattern = "SA["
aliases = { saidd = ["x"], title = "t" }
[[watch_lists]]
id = 4
schedule = "*/15 * * *"
query = { days = 3, group = "a" }
[[watch_lists]]
id = 4
[[watch_lists]]
name = "no number"
[[extra_feeds]]
name = ""
[http]
listen = "8787"
[log]
format = "xml"
"#,
    );
    let all = lines.join("\n");
    for wanted in [
        "c.toml: `colour`: unknown key; expected one of: upstream, database",
        "c.toml: `upstream.base_ulr`: unknown key; did you mean `base_url`?",
        "c.toml: `upstream.requests_per_minute`: got `0`; expected a whole number from 1 to 60000",
        "c.toml: `upstream.read_timeout`: got `60`; expected a duration from `100ms` to `1h`",
        "c.toml: `upstream.max_body`: got `lots`; expected a size from",
        "c.toml: `schedule.timezone`: got `Mars`; expected a time zone name",
        "c.toml: `feeds.first_days`: got `4000`; expected at most `max_days`, which is `3650`",
        "c.toml: `feeds.id_pattern`: got `SA[`; expected a regular expression",
        "c.toml: `feeds.aliases.saidd`: unknown key; did you mean `said`?",
        "c.toml: `feeds.aliases.title`: got `t`; expected a list of strings",
        "c.toml: `watch_lists[1].schedule`: watch list 4 has schedule `*/15 * * *`; expected a cron expression with six fields (seconds first) or five",
        "c.toml: `watch_lists[1].query.days`: watch list 4 has days `3`; remove it; advisoryd sets it",
        "c.toml: `watch_lists[2].id`: entries 1 and 2 have the same id 4",
        "c.toml: `watch_lists[3].id`: entry 3 of watch_lists has no id; add its ID, the number in its address",
        "c.toml: `extra_feeds[1].name`: entry 1 of extra_feeds has name ``; expected a quoted string",
        "c.toml: `extra_feeds[1].query`: entry 1 of extra_feeds has no query; add the query parameters",
        "c.toml: `http.listen`: got `8787`; expected an address and port",
        "c.toml: `log.format`: got `xml`; expected `auto`, `pretty`, `json` or `journald`",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(wanted)),
            "{wanted}\nis not in\n{all}"
        );
    }
    assert_eq!(lines.len(), 18, "{all}");
}

#[test]
fn a_syntax_error_names_line_and_column_and_does_not_repeat_the_line() {
    let lines = errors("[upstream]\n  base_url = \"hunter2\n");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("c.toml:2:"), "{lines:?}");
    assert!(!lines[0].contains("hunter2"), "{lines:?}");
}

#[test]
fn plain_http_is_refused_except_for_this_machine_or_when_allowed() {
    for (text, good) in [
        ("base_url = \"https://x.example\"", true),
        ("base_url = \"http://x.example\"", false),
        ("base_url = \"http://x.example\"\nallow_http = true", true),
        ("base_url = \"http://127.0.0.1:8080\"", true),
        ("base_url = \"http://localhost:8080/prefix\"", true),
        ("base_url = \"http://[::1]:8080\"", true),
        ("base_url = \"http://localhost.evil.example\"", false),
        ("base_url = \"ftp://x.example\"", false),
        ("base_url = \"https://me:secret@x.example\"", false),
        ("base_url = \"https://x.example/?a=b\"", false),
    ] {
        let config = super::Config::from_text("c", &format!("[upstream]\n{text}"));
        assert_eq!(config.is_ok(), good, "{text}: {:?}", config.err());
    }
}

#[test]
fn a_token_in_the_file_is_refused_with_advice_and_not_shown() {
    let lines = errors("[upstream]\ntoken = \"hunter2\"");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("token_file"), "{lines:?}");
    assert!(!lines[0].contains("hunter2"), "{lines:?}");
}

#[test]
fn a_wrong_database_url_is_refused_and_not_shown() {
    for url in [
        "mysql://me:hunter2@db/x",
        "postgres://me:hunter2@db/x?sslmode=perhaps",
        "postgres://me:hunter2@db:port/x",
        "hunter2",
    ] {
        let lines = errors(&format!("[database]\nurl = \"{url}\""));
        assert!(
            lines[0].starts_with("c.toml: `database.url`: got `[not shown]`; expected"),
            "{lines:?}"
        );
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn an_unknown_parameter_of_a_database_url_is_refused_without_its_value() {
    for url in [
        "postgres:///x?passwd=hunter2",
        "postgres:///x?hunter2",
        "postgres:///x?host=/run&HUNTER2hunter2=1",
    ] {
        let lines = errors(&format!("[database]\nurl = \"{url}\""));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("known parameters"), "{lines:?}");
        assert!(!lines[0].to_lowercase().contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn a_password_has_one_place() {
    for (text, why) in [
        ("[database]\npassword_file = \"/p\"", "needs a `url`"),
        (
            "[database]\nurl = \"postgres://me:hunter2@localhost/x\"\npassword_file = \"/p\"",
            "contradicts the password",
        ),
        (
            "[database]\nurl = \"postgres://localhost/x?password=hunter2\"\npassword_file = \"/p\"",
            "contradicts the password",
        ),
        ("[database]\npassword = \"hunter2\"", "set `password_file`"),
        (
            "[upstream]\nproxy_password_file = \"/p\"",
            "needs a `proxy`",
        ),
        (
            "[upstream]\nproxy = \"http://proxy:1\"\nproxy_password_file = \"/p\"",
            "needs a user",
        ),
        (
            "[upstream]\nproxy = \"http://me:hunter2@proxy:1\"\nproxy_password_file = \"/p\"",
            "contradicts the password",
        ),
    ] {
        let lines = errors(text);
        assert_eq!(lines.len(), 1, "{text}: {lines:?}");
        assert!(lines[0].contains(why), "{text}: {lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn parts_of_the_wrong_kind_are_mistakes_and_no_panic() {
    for text in [
        "upstream = 5",
        "watch_lists = 5",
        "watch_lists = [5]",
        "watch_lists = [{id = \"4\"}]",
        "[feeds]\naliases = [1]",
        "[[feeds]]\noverlap = \"1h\"",
        "[[watch_lists]]\nid = 4\nquery = { a = [1] }",
        "[[watch_lists]]\nid = -4",
        "[[watch_lists]]\nid = 4\nquery = { feed_type = \"x\" }",
        "[tickets]\npage_size = 1.5",
        "[state]\ndir = \"relative\"",
        "[log]\nfilter = \"info,=[\"",
        "[feeds]\nid_pattern = \".*\"",
    ] {
        assert_eq!(errors(text).len(), 1, "{text}");
    }
}
