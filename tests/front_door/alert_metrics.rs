//! What `/metrics` says of the outbox.

use toml::{Table, toml};

use crate::support::settings::{NEVER, Rule, Sink};
use crate::support::{PATIENCE, Receiver, World, eventually, free_port, get};

/// Names of the sinks; the last ones can be used and take nothing.
const SINKS: [&str; 6] = ["good", "auth", "limited", "refused", "away", "template"];

fn hook(name: &str, url: &str, more: Table) -> Sink {
    let mut all = toml! { template = "{{ alerts }}" };
    all.extend(more);
    Sink {
        name: name.to_owned(),
        kind: "hook",
        url: Some(url.to_owned()),
        allow_private: Some(true),
        more: all,
        ..Sink::default()
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn the_outbox_is_in_the_metrics_with_why_attempts_failed() {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        sinks: &SINKS,
        ..Rule::to_hook("outbox", &["appeared"])
    }];
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
    let mut receivers = Vec::new();
    for (name, status) in [
        ("good", 200),
        ("auth", 401),
        ("limited", 429),
        ("refused", 404),
    ] {
        let receiver = Receiver::start().await;
        receiver.usually(status);
        let sink = hook(name, &receiver.url, Table::new());
        world.settings.alerts.sinks.push(sink);
        receivers.push(receiver);
    }
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let sinks = &mut world.settings.alerts.sinks;
    sinks.push(hook("away", &nobody, Table::new()));
    let wrong = toml! { template = "{% if rule == 'outbox' %}no JSON{% else %}{}{% endif %}" };
    sinks.push(hook("template", &receivers[0].url, wrong));
    world.pull_one().await;
    world.alert().await;
    let port = world.serve_health();
    let mut daemon = world.run().await;
    eventually("readiness", PATIENCE, async || {
        (get(port, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    world.simulator.publish(1);
    world.pull_one().await;
    // Each has been tried, and is retried a few seconds later at the earliest.
    let tried = "select count(*) from advisoryd.delivery where state = 'delivered' or failures > 0";
    eventually("the first attempts", PATIENCE, async || {
        (world.count(tried).await == 6).then_some(())
    })
    .await;
    let (_, page) = get(port, "/metrics").await;
    let value = |name: &str| -> Option<f64> {
        let line = page.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    for (name, least, most) in [
        (
            "deliveries_total{sink=\"good\",outcome=\"delivered\"}",
            1.0,
            1.0,
        ),
        (
            "deliveries_total{sink=\"auth\",outcome=\"abandoned\"}",
            1.0,
            1.0,
        ),
        (
            "deliveries_total{sink=\"away\",outcome=\"postponed\"}",
            1.0,
            3.0,
        ),
        (
            "delivery_failures_total{sink=\"auth\",reason=\"auth\"}",
            1.0,
            1.0,
        ),
        (
            "delivery_failures_total{sink=\"limited\",reason=\"rate_limited\"}",
            1.0,
            3.0,
        ),
        (
            "delivery_failures_total{sink=\"refused\",reason=\"refused\"}",
            1.0,
            1.0,
        ),
        (
            "delivery_failures_total{sink=\"away\",reason=\"unreachable\"}",
            1.0,
            3.0,
        ),
        (
            "delivery_failures_total{sink=\"template\",reason=\"template\"}",
            1.0,
            1.0,
        ),
        ("deliveries_waiting{sink=\"good\"}", 0.0, 0.0),
        ("deliveries_waiting{sink=\"limited\"}", 1.0, 1.0),
        ("deliveries_dead_letters{sink=\"refused\"}", 1.0, 1.0),
        ("deliveries_dead_letters{sink=\"good\"}", 0.0, 0.0),
        ("deliveries_oldest_waiting_seconds{sink=\"good\"}", 0.0, 0.0),
        (
            "deliveries_oldest_waiting_seconds{sink=\"away\"}",
            f64::MIN_POSITIVE,
            300.0,
        ),
        ("evaluation_lag_changes", 0.0, 0.0),
        ("evaluation_lag_seconds", 0.0, 0.0),
    ] {
        let found = value(&format!("advisoryd_alert_{name} "));
        let fits = found.is_some_and(|found| (least..=most).contains(&found));
        assert!(fits, "{name} is {found:?} in\n{page}");
    }
    daemon.kill9();
}
