//! Questions that have a flag of their own: which settings are in effect, alerts about an event
//! or of a sink, advisories counted by a kind, and what exactly a change changed.

use std::collections::BTreeMap;

use advisoryd::job::feeds::feed::LookBack;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::settings::{Rule, WatchList};
use crate::support::{Receiver, World, on_terminal};

/// The rows of a command, as documents.
fn rows(world: &World, arguments: &[&str]) -> Vec<Value> {
    let result = world.cli(&[arguments, &["--json"]].concat());
    assert_eq!(result.code, 0, "{arguments:?}: {result}");
    result.json_lines()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_have_their_fields_with_old_and_new() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    world.later(TimeDelta::minutes(5));
    assert!(world.simulator.revise(&said, true));
    world.pull_back(LookBack::Full).await;
    let all = rows(&world, &["changes", &said]);
    let appeared = all.iter().find(|change| change["what"] == "appeared");
    assert_eq!(appeared.unwrap()["fields"], json!([]));
    let stored = world
        .texts(
            "select jsonb_agg(jsonb_build_object('field', field, 'old', old, 'new', new)
                              order by field)::text
             from advisoryd_v1.field_changes",
        )
        .await
        .remove(0);
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert!(stored.as_array().unwrap().len() > 1, "{stored}");
    let of_version: Vec<&Value> = all.iter().filter(|change| change["version"] == 2).collect();
    assert!(!of_version.is_empty());
    let is_own = |field: &&Value| field["field"] == "severity";
    for change in of_version {
        let fields = change["fields"].as_array().unwrap();
        let of_view: Vec<&Value> = fields.iter().filter(|one| !is_own(one)).collect();
        assert_eq!(json!(of_view), stored, "{change}");
        // The severity by its names, as everything else has it.
        let rank = fields.iter().find(|one| one["field"] == "severity_rank");
        let named = fields.iter().find(is_own);
        assert_eq!(rank.is_some(), named.is_some(), "{change}");
        let severities = [
            "rejected",
            "not_critical",
            "less_critical",
            "moderately_critical",
            "highly_critical",
            "extremely_critical",
        ];
        for side in ["old", "new"] {
            let name =
                |rank: &Value| severities[usize::try_from(rank[side].as_u64().unwrap()).unwrap()];
            assert_eq!(
                named.map(|one| &one[side]),
                rank.map(|one| json!(name(one))).as_ref()
            );
        }
        let history = world.cli(&["show", &said, "--history", "--json"]).json();
        let history = history["history"].as_array().unwrap();
        assert_eq!(rank.is_some(), history.iter().any(|one| is_own(&one)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_by_event_and_sink() {
    let (one, other) = (Receiver::start().await, Receiver::start().await);
    let mut world = World::new().await;
    world.add_webhook("one", &one);
    world.add_webhook("other", &other);
    let rule = |name, kinds: &'static [&'static str], sinks| Rule {
        sinks,
        ..Rule::to_hook(name, kinds)
    };
    world.settings.alerts.rules = vec![
        rule("new", &["appeared"], &["one"]),
        rule("again", &["revised"], &["other"]),
    ];
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    assert!(world.simulator.revise(&world.simulator.saids(1)[0], false));
    world.simulator.publish(2);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let names = |arguments: &[&str]| {
        let rows = rows(&world, &[&["alerts", "list"], arguments].concat());
        let names = rows
            .iter()
            .map(|row| row["rule"].as_str().unwrap().to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(&[]), ["again", "new", "new"]);
    assert_eq!(names(&["--what", "revised"]), ["again"]);
    assert_eq!(names(&["--what", "revised,appeared"]).len(), 3);
    assert_eq!(names(&["--sink", "one"]), ["new", "new"]);
    assert!(names(&["--sink", "one", "--what", "revised"]).is_empty());
    let unknown = world.cli(&["alerts", "list", "--sink", "nobody"]);
    assert!(
        unknown.stderr.contains("there is no sink `nobody`"),
        "{unknown}"
    );
    let wrong = world.cli(&["alerts", "list", "--what", "revisd"]);
    assert_eq!(wrong.code, 2, "{wrong}");
    assert!(wrong.stderr.contains("did you mean `revised`?"), "{wrong}");
    // A condition of advisoryd itself, and a kind of a rule that is evaluated by the clock.
    assert!(names(&["--what", "data_stale,ticket_open"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn advisories_are_counted_by_one_kind_or_two() {
    let world = World::new().await;
    world.pull_one().await;
    let stored = |sql: &'static str| world.texts(sql);
    let counted = |by: &str| rows(&world, &["advisories", "--count-by", by]);
    let shown = |rows: &[Value], keys: &[&str]| {
        let row = |row: &Value| {
            let keys = keys
                .iter()
                .map(|key| row[key].as_str().unwrap_or("-").to_owned());
            format!(
                "{} {}",
                keys.collect::<Vec<_>>().join(" "),
                row["advisories"]
            )
        };
        rows.iter().map(row).collect::<Vec<String>>()
    };
    let by_severity = stored(
        "select severity || ' ' || count(*) from advisoryd_v1.advisories
         group by severity, severity_rank order by severity_rank desc",
    )
    .await;
    assert_eq!(shown(&counted("severity"), &["severity"]), by_severity);
    let by_both = stored(
        "select to_char(released_at at time zone 'UTC', 'YYYY-MM') || ' ' || severity || ' ' || count(*)
         from advisoryd_v1.advisories
         group by to_char(released_at at time zone 'UTC', 'YYYY-MM'), severity, severity_rank
         order by to_char(released_at at time zone 'UTC', 'YYYY-MM') desc, severity_rank desc",
    )
    .await;
    let both = rows(
        &world,
        &["advisories", "--utc", "--count-by", "month,severity"],
    );
    assert_eq!(shown(&both, &["month", "severity"]), by_both);
    let by_product = stored(
        "select name || ' ' || count(distinct said) from advisoryd_v1.advisory_products
         group by name order by count(distinct said) desc, name",
    )
    .await;
    let products = shown(&counted("product"), &["product"]);
    assert!(
        by_product.iter().all(|line| products.contains(line)),
        "{products:?}"
    );
    let lists = counted("watch_list");
    assert_eq!(lists.len(), 1, "{lists:?}");
    assert_eq!(lists[0]["advisories"], 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_have_the_columns_that_were_asked_for() {
    let world = World::new().await;
    world.pull_one().await;
    // A filter counts only what matches.
    let few = ["advisories", "--count-by", "severity", "--severity", "high"];
    let csv = world.cli(&[&few[..], &["--csv"]].concat()).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "severity,advisories"), "{csv}");
    let keys: Vec<String> = rows(&world, &few)[0]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["advisories", "severity"]);
    for wrong in ["sevrity", "severity,severity", "severity,month,product"] {
        let result = world.cli(&["advisories", "--count-by", wrong]);
        assert_eq!(result.code, 2, "{result}");
        assert!(result.stderr.contains("expected one or two of"), "{result}");
    }
    let columns = world.cli(&["advisories", "--count-by", "month", "--columns", "said"]);
    assert_eq!(columns.code, 2, "{columns}");
}

#[tokio::test]
async fn settings_are_shown_with_their_origin_and_without_secrets() {
    let mut world = World::new().await;
    world.settings.upstream.proxy = Some("http://me:hunter2@proxy.example:3128".to_owned());
    let command = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("ADVISORYD_FEEDS__FIRST_DAYS", "30");
        command
    };
    let output = command(&["config", "show", "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let settings: BTreeMap<String, Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|one| (one["key"].as_str().unwrap().to_owned(), one))
        .collect();
    let file = world.config_file().display().to_string();
    let line_of = |start: &str| {
        let text = world.toml();
        let at = text.lines().position(|line| line.starts_with(start));
        at.unwrap() + 1
    };
    let of = |key: &str| {
        let one = &settings[key];
        (
            one["value"].clone(),
            one["source"].clone(),
            one["origin"].clone(),
        )
    };
    assert_eq!(
        of("upstream.max_body"),
        (json!("2GiB"), json!("default"), json!(null))
    );
    let days = "ADVISORYD_FEEDS__FIRST_DAYS";
    assert_eq!(
        of("feeds.first_days"),
        (json!(30), json!("environment"), json!(days))
    );
    let place = format!("{file}:{}:16", line_of("max_attempts"));
    assert_eq!(
        of("upstream.max_attempts"),
        (json!(2), json!("file"), json!(place))
    );
    let token = world.token_file().display().to_string();
    assert_eq!(
        of("upstream.token"),
        (json!(null), json!("file"), json!(token))
    );
    assert_eq!(
        settings["upstream.proxy"]["value"],
        "http://me@proxy.example:3128/"
    );
    assert!(settings.contains_key("watch_lists[1].id"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains(advisoryd::simulate::DEFAULT_TOKEN));
}

#[tokio::test]
async fn a_secret_within_a_value_is_shown_in_no_form_of_the_settings() {
    const PASSWORD: &str = "kev-S3cr3t-Passw0rd-99";
    let world = World::new().await;
    let token = advisoryd::simulate::DEFAULT_TOKEN;
    let command = |arguments: &[&str]| {
        let mut command = world.command(&[&["config", "show"], arguments].concat());
        command
            .env("ADVISORYD_UPSTREAM__PROXY", format!("http://{token}@h:1"))
            .env(
                "ADVISORYD_DATABASE__URL",
                format!("postgres://{token}@{token}/{token}"),
            )
            .env(
                "ADVISORYD_ENRICHMENT__KEV",
                format!("https://u:{PASSWORD}@x/{PASSWORD}?k={PASSWORD}"),
            );
        command.output().unwrap()
    };
    for form in [
        &["--json"][..],
        &["--csv"],
        &[],
        &["--columns", "key,value"],
        &["--json", "--columns", "value"],
    ] {
        let output = command(form);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("[redacted]"), "{form:?}: {text}");
        assert!(!text.contains(token), "{form:?}: {text}");
        assert!(!text.contains(PASSWORD), "{form:?}: {text}");
    }
}

#[tokio::test]
async fn the_terminal_names_the_file_of_settings_once() {
    let world = World::new().await;
    let file = world.config_file().display().to_string();
    let command = world.command(&["config", "show", "upstream", "--set"]);
    let (shown, code) = on_terminal(command, 80);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(shown.matches(&file).count(), 1, "{shown}");
    let toml = world.toml();
    let line = toml
        .lines()
        .position(|line| line.starts_with("max_attempts"));
    let line = format!("line {}", line.unwrap() + 1);
    let row = shown.lines().find(|line| line.contains("max_attempts"));
    assert!(row.is_some_and(|row| row.ends_with(&line)), "{shown}");
    assert!(
        !shown.contains("default") && !shown.contains("feeds."),
        "{shown}"
    );
    let unknown = world.cli(&["config", "show", "upstraem"]);
    assert_eq!(unknown.code, 2, "{unknown}");
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_named_by_line_and_column() {
    let mut world = World::new().await;
    world.settings.watch_lists.push(WatchList {
        id: 77,
        name: Some(advisoryd::simulate::DEFAULT_TOKEN),
        ..WatchList::default()
    });
    let result = world.cli(&["status"]);
    assert_eq!(result.code, 78, "{result}");
    let text = world.toml();
    let line = text.lines().position(|line| line.contains("name = \""));
    let place = format!(
        "config.toml:{}:8: `watch_lists (id 77).name`: ",
        line.unwrap() + 1
    );
    assert!(result.stderr.contains(&place), "{place}: {result}");
}
