//! Metrics, and the rules and dashboards of docs/monitoring that are made of them.

mod dashboard;
mod lint;
mod prometheus;
mod sql;
mod trouble;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use advisoryd::measures::{self, Kind, METRICS};
use advisoryd::model::Condition;
use advisoryd::simulate::{self, Damage, Fault, FeedOptions, Options};
use regex::Regex;

use self::dashboard::{dashboard, expressions};
use crate::support::alerts::servers;
use crate::support::settings::{Alerts, Reconcile, Rule, Schedule};
use crate::support::{PATIENCE, Receiver, World, eventually, get, small, state_dir};

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

/// A world in which every metric has a value.
pub(crate) async fn telling(receiver: &Receiver) -> World {
    let mut world = World::with(Options {
        watch_lists: 2,
        feed: FeedOptions {
            is_sparse: true,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    let settings = &mut world.settings;
    settings.schedule = Schedule::every_second();
    settings.upstream.requests_per_day = Some(1_000_000);
    settings.feeds.details = None;
    settings.feeds.details_per_day = Some(20);
    settings.reconcile = Reconcile::default();
    settings.alerts = Alerts {
        rules: vec![Rule::to_hook("all", &[])],
        ..Alerts::default()
    };
    world.add_hook(receiver);
    world
}

/// A line of the exposition: the metric, and the names of its labels.
fn sample(line: &str) -> (String, BTreeSet<String>) {
    let label = Regex::new(r#"([a-z_]+)="(?:[^"\\]|\\.)*""#).unwrap();
    let end = line.find(['{', ' ']).unwrap();
    let labels = label.captures_iter(&line[end..]);
    let labels = labels.map(|found| found[1].to_owned()).collect();
    (line[..end].to_owned(), labels)
}

#[tokio::test]
async fn metrics_are_those_of_the_table_and_promtool_has_nothing_to_say() {
    let receiver = Receiver::start().await;
    let mut world = telling(&receiver).await;
    let port = world.serve_health();
    // A condition that comes and goes.
    let other = Fault::Damaged(Damage::NotRecognised);
    world
        .simulator
        .inject(simulate::Rule::new(other).on("asset_list_id=2").times(20));
    let _daemon = world.run().await;
    // Reconciliation has found no drift, so that has no series.
    let rare = "advisoryd_reconcile_drift_total";
    let began = Instant::now();
    let page = loop {
        world.simulator.publish(1);
        let page = get(port, "/metrics").await.1;
        let names = METRICS.iter().map(|metric| metric.name);
        let is_missing = |name: &&str| !page.contains(&format!("# TYPE {name} "));
        let missing: Vec<&str> = names.filter(is_missing).collect();
        if missing == [rare] {
            break page;
        }
        assert!(began.elapsed() < PATIENCE, "{missing:?}\n{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for line in page
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (name, mut labels) = sample(line);
        let bare = used(&name).pop_first().unwrap_or_else(|| panic!("{line}"));
        let metric = METRICS.iter().find(|metric| metric.name == bare);
        let metric = metric.unwrap_or_else(|| panic!("{line}"));
        if metric.kind == Kind::Histogram {
            labels.remove("le");
        }
        let expected = metric.labels.iter().map(|label| (*label).to_owned());
        assert_eq!(labels, expected.collect(), "{line}");
        let help = format!("# HELP {} {}\n", metric.name, metric.help);
        assert!(page.contains(&help), "{help}");
    }
    let mut promtool = program("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    promtool.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(page.as_bytes())
        .unwrap();
    let said = child.wait_with_output().unwrap();
    let words = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&words));
    assert!(words.is_empty(), "{}", String::from_utf8_lossy(&words));
}

#[tokio::test]
async fn a_refused_reload_and_what_was_requested_before_stay_visible() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    let port = world.serve_health();
    let daemon = world.run().await;
    let value = async |name: &str| {
        let page = get(port, "/metrics").await.1;
        let line = page.lines().find(|line| line.starts_with(name))?.to_owned();
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    let requests = "advisoryd_upstream_requests_total";
    let reloaded = "advisoryd_config_last_reload_successful";
    let hash = "advisoryd_config_hash";
    let before = eventually("the first runs", PATIENCE, async || {
        value(requests).await.filter(|requests| *requests >= 3.0)
    })
    .await;
    assert_eq!(value(reloaded).await, Some(1.0));
    let first = value(hash).await.unwrap();

    let file = world.config_file();
    std::fs::write(&file, format!("{}[htpt]\n", world.toml())).unwrap();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    eventually("the refusal", PATIENCE, async || {
        (value(reloaded).await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(value(hash).await, Some(first), "it has the former one");

    world.settings.schedule.feeds = Some(crate::support::settings::EVERY_SECOND);
    world.config_file();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    eventually("the reload, and further requests", PATIENCE, async || {
        let is_more = value(requests).await.is_some_and(|now| now > before);
        (value(reloaded).await == Some(1.0) && is_more).then_some(())
    })
    .await;
    assert_ne!(value(hash).await, Some(first));
}

/// A directory for a Prometheus, and a file in it.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = state_dir();
    let file = dir.path().join("rules.yaml");
    std::fs::write(&file, text).unwrap();
    (dir, file)
}
