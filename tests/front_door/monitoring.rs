//! Metrics, and the rules and dashboards of docs/monitoring that are made of them.

mod dashboard;
mod exported;
mod lint;
mod prometheus;
mod sql;
mod trouble;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use advisoryd::measures::{self, METRICS};
use advisoryd::model::Condition;
use regex::Regex;

use self::dashboard::{dashboard, expressions};
use crate::support::alerts::servers;
use crate::support::state_dir;

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A program of Debian's packages.
fn program(name: &str) -> Command {
    Command::new(servers().join("usr/bin").join(name))
}

/// Runs a program to its end; what it says, if it succeeds.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{stdout}\n{stderr}");
    stdout
}

/// Name and expression of each alert.
fn alerts() -> Vec<(String, String)> {
    let rules = read("docs/monitoring/rules.yaml");
    let of = |prefix: &str| -> Vec<String> {
        let lines = rules.lines().filter_map(|line| {
            let value = line.trim().strip_prefix(prefix)?;
            Some(serde_json::from_str(value).unwrap_or_else(|_| value.to_owned()))
        });
        lines.collect()
    };
    let (names, expressions) = (of("- alert: "), of("expr: "));
    assert_eq!(names.len(), expressions.len());
    assert!(names.len() > 20, "{names:?}");
    names.into_iter().zip(expressions).collect()
}

/// Names of our metrics in an expression, without the suffixes of histograms.
fn used(expression: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\b(?:advisoryd|process)_[a-z_]+").unwrap();
    let bare = |name: &str| {
        let bare = ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        bare.unwrap_or(name).to_owned()
    };
    name.find_iter(expression)
        .map(|found| bare(found.as_str()))
        .collect()
}

#[test]
fn the_page_of_metrics_is_that_of_the_table() {
    if std::env::var_os("ADVISORYD_TEST_WRITE").is_some() {
        std::fs::write(path("docs/metrics.md"), measures::page()).unwrap();
    }
    assert!(
        read("docs/metrics.md") == measures::page(),
        "docs/metrics.md is not what src/measures/table.rs says; run `make metrics`"
    );
}

#[test]
fn the_files_are_those_of_the_mixin() {
    for (source, file, is_text) in [
        ("rules.jsonnet", "rules.yaml", true),
        (
            "dashboard-prometheus.jsonnet",
            "dashboard-prometheus.json",
            false,
        ),
        (
            "dashboard-postgresql.jsonnet",
            "dashboard-postgresql.json",
            false,
        ),
    ] {
        let mut command = program("jsonnet");
        if is_text {
            command.arg("-S");
        }
        command.arg(path("docs/monitoring/mixin").join(source));
        let file = format!("docs/monitoring/{file}");
        assert!(
            output(&mut command) == read(&file),
            "{file} is not what mixin/{source} says; run `make monitoring`"
        );
    }
}

#[test]
fn each_alert_fires_and_ends_when_it_should_and_none_after_an_installation_or_a_restart() {
    let dir = path("docs/monitoring");
    let tests = read("docs/monitoring/rules_test.yaml");
    for (name, _) in alerts() {
        let test = format!("- name: {name}\n");
        assert!(tests.contains(&test), "rules_test.yaml has no test {name}");
    }
    for arguments in [
        ["check", "rules", "rules.yaml"],
        ["test", "rules", "rules_test.yaml"],
    ] {
        output(program("promtool").args(arguments).current_dir(&dir));
    }
}

#[test]
fn rules_and_dashboards_use_metrics_and_conditions_that_exist() {
    let known: BTreeSet<String> = METRICS
        .iter()
        .map(|metric| metric.name.to_owned())
        .collect();
    let rules = alerts().into_iter().map(|(_, expression)| expression);
    let panels = expressions(&dashboard("dashboard-prometheus.json"));
    let panels = panels.into_iter().map(|(_, expression)| expression);
    for expression in rules.chain(panels) {
        let unknown: Vec<String> = used(&expression).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{expression}: {unknown:?}");
    }
    // These are alerted on by the metrics that they are made of.
    let by_metric = [
        Condition::DataStale,
        Condition::QuarantineGrew,
        Condition::CoverageHole,
        Condition::SinkFailing,
    ];
    for condition in Condition::ALL {
        let what = format!("what=\"{}\"", condition.name());
        let has_rule = alerts().iter().any(|(_, text)| text.contains(&what));
        assert_ne!(has_rule, by_metric.contains(&condition), "{what}");
    }
}

#[test]
fn each_alert_is_described_where_its_runbook_url_leads() {
    let page = read("docs/monitoring/README.md");
    let rules = read("docs/monitoring/rules.yaml");
    for (name, _) in alerts() {
        assert!(page.contains(&format!("\n### {name}\n")), "{name}");
        let anchor = format!("docs/monitoring/README.md#{}\"", name.to_lowercase());
        assert!(rules.contains(&anchor), "{anchor}");
    }
}

/// A directory for a Prometheus, and a file in it.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = state_dir();
    let file = dir.path().join("rules.yaml");
    std::fs::write(&file, text).unwrap();
    (dir, file)
}
