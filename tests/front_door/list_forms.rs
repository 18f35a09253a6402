//! `--csv`, `--json` and `--columns` of the lists of silences, rules, records in quarantine,
//! presets of sinks and instances.

use std::collections::BTreeSet;

use advisoryd::simulate::{AnswerFault, Damage, FaultRule as Broken};

use crate::support::World;
use crate::support::settings::Rule;

/// Each list, and its first columns.
const LISTS: &[(&[&str], &[&str])] = &[
    (
        &["silence", "list"],
        &["id", "state", "until", "matchers", "alerts", "reason"],
    ),
    (
        &["silence", "list", "--all"],
        &["id", "state", "until", "matchers", "alerts", "reason"],
    ),
    (
        &["rules", "list"],
        &["name", "sinks", "shadow", "definition"],
    ),
    (
        &["quarantine", "list"],
        &["id", "key", "source", "at", "reason"],
    ),
    (&["sinks", "presets"], &["name", "title", "needs"]),
    (
        &["fleet", "status", "DIR"],
        &["instance", "state", "status", "daemon", "worst"],
    ),
];

/// A world in which each of the lists has a row.
async fn filled() -> World {
    let mut world = World::new().await;
    let folder = world.dir().join("fleet");
    std::fs::create_dir(&folder).unwrap();
    world.settings.alerts.rules = vec![Rule {
        shadow: Some(true),
        sinks: &[],
        ..Rule::to_hook("soc", &["appeared"])
    }];
    world
        .simulator
        .inject(Broken::new(AnswerFault::Damaged(Damage::OneBadRecord)).times(1));
    world.pull_one().await;
    std::fs::write(folder.join("alpha.toml"), world.toml()).unwrap();
    let reason = "=1+1, \"planned\"\nwork";
    let added = world.cli(&[
        "silence", "add", "rule=soc", "key=SA1*", "--reason", reason, "--until", "1h",
    ]);
    assert_eq!(added.code, 0, "{added}");
    world
}

fn rows(csv: &str) -> (Vec<String>, Vec<csv::StringRecord>) {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let heading = reader.headers().unwrap().iter().map(str::to_owned);
    let heading = heading.collect();
    (heading, reader.records().map(Result::unwrap).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_has_the_same_columns_as_csv_and_as_json() {
    let world = filled().await;
    let folder = world.dir().join("fleet").display().to_string();
    for (list, first) in LISTS {
        let list = list.iter().map(|part| match *part {
            "DIR" => folder.as_str(),
            part => part,
        });
        let list: Vec<&str> = list.collect();
        let with = |more: &[&'static str]| world.cli(&[&list[..], more].concat());
        let (heading, rows) = rows(&with(&["--csv"]).stdout);
        assert_eq!(&heading[..first.len()], *first, "{list:?}");
        let objects = with(&["--json"]).json_lines();
        assert!(!rows.is_empty() && rows.len() == objects.len(), "{list:?}");
        for object in &objects {
            let keys: BTreeSet<&String> = object.as_object().unwrap().keys().collect();
            assert_eq!(keys, heading.iter().collect(), "{list:?}");
        }
        let marked = with(&["--csv", "--bom"]).stdout;
        assert!(
            marked.starts_with(&format!("\u{feff}{}", first[0])),
            "{marked}"
        );
        let chosen = ["--csv", "--columns", first[1]];
        let chosen = with(&chosen).stdout;
        assert_eq!(chosen.lines().next(), Some(first[1]), "{chosen}");
        let table = with(&["--columns", first[0]]).stdout;
        assert_eq!(table.lines().next(), Some(first[0]), "{table}");
        let wrong = with(&["--csv", "--columns", "nosuch"]);
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{wrong}");
        assert_eq!(with(&["--csv", "--json"]).code, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_are_what_spreadsheets_read() {
    let world = filled().await;
    let csv = world.cli(&["silence", "list", "--csv"]).stdout;
    let (heading, rows) = rows(&csv);
    let cell = |name: &str| {
        let place = heading.iter().position(|column| column == name).unwrap();
        rows[0][place].to_owned()
    };
    assert_eq!(cell("matchers"), "key=SA1*; rule=soc");
    assert_eq!(cell("reason"), "'=1+1, \"planned\" work");
    let is_time = regex::Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$").unwrap();
    for time in ["until", "created_at"] {
        assert!(is_time.is_match(&cell(time)), "{csv}");
    }
    assert_eq!(csv.lines().count(), 2, "{csv}");
    // Also when there is nothing: programs get the heading.
    let expired = world.cli(&["silence", "expire", "1"]);
    assert_eq!(expired.code, 0, "{expired}");
    let none = world.cli(&["silence", "list", "--csv"]);
    assert!(none.stdout.starts_with("id,state,until,"), "{none}");
    assert_eq!(none.stdout.lines().count(), 1, "{none}");
    let all = world.cli(&["silence", "list", "--all", "--columns", "id,state"]);
    assert!(all.stdout.contains("expired"), "{all}");
}
