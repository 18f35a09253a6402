//! What `/metrics` has, compared with the table of metrics and with the database.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use advisoryd::clock::machine_now;
use advisoryd::measures::{METRICS, MetricType};
use advisoryd::model::FailureReason;
use advisoryd::simulate::{self, AnswerFault, Damage, FeedOptions, SimulatorOptions};
use nix::sys::signal::Signal;
use regex::Regex;

use super::{program, used};
use crate::support::alerts::{alert, file, message, sink};
use crate::support::settings::{Alerts, EVERY_SECOND, Reconcile, Rule, Schedule};
use crate::support::{
    HOOK_SECRET, PATIENCE, Receiver, World, eventually, free_port, get, small, state_dir,
};

/// A world in which every metric has a value.
pub async fn telling(receiver: &Receiver) -> World {
    let mut world = World::with(SimulatorOptions {
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
    let other = AnswerFault::Damaged(Damage::NotRecognised);
    world.simulator.inject(
        simulate::FaultRule::new(other)
            .on("asset_list_id=2")
            .times(20),
    );
    let _daemon = world.run().await;
    // Reconciliation has found no drift, and no test waits for what lists contain, so
    // these have no series.
    let rare = [
        "advisoryd_reconcile_drift_total",
        "advisoryd_mirror_last_success_timestamp_seconds",
    ];
    let page = eventually("a value of every metric but those", PATIENCE, async || {
        world.simulator.publish(1);
        let page = get(port, "/metrics").await.1;
        let names = METRICS.iter().map(|metric| metric.name);
        let is_missing = |name: &&str| !page.contains(&format!("# TYPE {name} "));
        let missing: Vec<&str> = names.filter(is_missing).collect();
        (missing == rare).then_some(page)
    })
    .await;
    for line in page
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (name, mut labels) = sample(line);
        let bare = used(&name).pop_first().unwrap_or_else(|| panic!("{line}"));
        let metric = METRICS.iter().find(|metric| metric.name == bare);
        let metric = metric.unwrap_or_else(|| panic!("{line}"));
        if metric.kind == MetricType::Histogram {
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
    eventually("the first runs", PATIENCE, async || {
        value(requests).await.filter(|requests| *requests >= 3.0)
    })
    .await;
    assert_eq!(value(reloaded).await, Some(1.0));
    let first = value(hash).await.unwrap();

    let file = world.config_file();
    std::fs::write(&file, format!("{}[htpt]\n", world.toml())).unwrap();
    daemon.signal(Signal::SIGHUP);
    eventually("the refusal", PATIENCE, async || {
        (value(reloaded).await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(value(hash).await, Some(first), "it has the former one");

    let before = world.simulator.requests().len();
    world.settings.schedule.feeds = Some(EVERY_SECOND);
    world.config_file();
    daemon.signal(Signal::SIGHUP);
    eventually("the reload", PATIENCE, async || {
        (value(reloaded).await == Some(1.0)).then_some(())
    })
    .await;
    eventually(
        "all requests, of both configurations",
        PATIENCE,
        async || {
            let counted = value(requests).await?;
            let sent = world.simulator.requests().len();
            (sent > before + 1 && counted.to_string() == sent.to_string()).then_some(())
        },
    )
    .await;
    assert_ne!(value(hash).await, Some(first));
}

#[tokio::test]
async fn advisories_are_counted_by_list_and_severity_and_limits_follow_the_schedule() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.schedule = Schedule::never();
    world.settings.freshness.feeds = Some("2h");
    let port = world.serve_health();
    world.pull().await;
    let _daemon = world.run().await;
    let shown = async |name: &str| -> Vec<String> {
        let page = get(port, "/metrics").await.1;
        let mut lines: Vec<String> = page
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")) && !line.ends_with(" 0"))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    let stored = "
        select format('advisoryd_advisories{source=\"watch list %s\",severity=\"%s\"} %s', m.watch_list_id, a.severity, count(*))
        from advisoryd_v1.advisories a
        join advisoryd_v1.advisory_watch_lists m on m.said = a.said
        where m.left_at is null
        group by m.watch_list_id, a.severity";
    let mut expected = world.texts(stored).await;
    expected.sort();
    assert!(expected.len() > 6, "{expected:?}");
    assert_eq!(shown("advisoryd_advisories").await, expected);
    // Nothing is counted anew while nothing changes; one that leaves a list does.
    assert_eq!(shown("advisoryd_advisories").await, expected);
    sqlx::query("update advisoryd.sighting set left_at = now() where said = (select min(said) from advisoryd.sighting)")
        .execute(world.pool())
        .await
        .unwrap();
    let mut expected = world.texts(stored).await;
    expected.sort();
    assert_eq!(shown("advisoryd_advisories").await, expected);
    let limits = shown("advisoryd_freshness_limit_seconds").await;
    assert_eq!(limits.len(), 3, "{limits:?}");
    // It is followed a moment after its data begins.
    let of_list = "advisoryd_freshness_limit_seconds{source=\"watch list 1\"} 7200";
    assert!(
        limits.iter().any(|line| line.starts_with(of_list)),
        "{limits:?}"
    );
    // The age of the tickets begins with their first run.
    eventually("an age of each source", PATIENCE, async || {
        (shown("advisoryd_data_age_seconds").await.len() == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn failed_attempts_are_counted_by_reason() {
    let receiver = Receiver::start().await;
    let dir = state_dir();
    let secret = file(dir.path(), "secret", HOOK_SECRET);
    let text = |url: &str| {
        let secret = secret.display();
        format!(
            "kind = \"webhook\"\nurl = \"{url}\"\nallow_private = true\nsecret_file = \"{secret}\""
        )
    };
    let message = message(vec![alert("SA1", "less_critical")]);
    let to_receiver = sink(&text(&receiver.url));
    for (status, kind) in [
        (401, FailureReason::Auth),
        (403, FailureReason::Auth),
        (429, FailureReason::RateLimited),
        (404, FailureReason::Refused),
        (500, FailureReason::Refused),
    ] {
        receiver.answer(status, None);
        let refused = to_receiver.send(&message, machine_now()).await.unwrap_err();
        assert_eq!(refused.kind, kind, "{status}");
    }
    let to_nobody = sink(&text(&format!("http://127.0.0.1:{}/", free_port())));
    let refused = to_nobody.send(&message, machine_now()).await.unwrap_err();
    assert_eq!(refused.kind, FailureReason::Unreachable);
}
