//! Alerts in a real Alertmanager.

use std::process::Command;

use advisoryd::clock::machine_now;
use advisoryd::sink::Sink;
use chrono::TimeDelta;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::alerts::{alert, file, message, servers, sink};
use crate::support::{PATIENCE, Running, eventually, get, state_dir};

const CONFIG: &str = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n";

struct Alertmanager {
    _process: Running,
    _dir: TempDir,
    port: u16,
}

impl Alertmanager {
    async fn start() -> Self {
        let dir = state_dir();
        let config = file(dir.path(), "alertmanager.yml", CONFIG);
        let mut command = Command::new(servers().join("usr/bin/prometheus-alertmanager"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.path={}",
                dir.path().join("data").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--cluster.listen-address=")
            .current_dir(dir.path());
        let mut process = Running::start(&mut command);
        let line = process.line("address=127.0.0.1:").await;
        let port = line.split("address=127.0.0.1:").nth(1).unwrap();
        let port = port.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let port = port.parse().unwrap();
        let alertmanager = Self {
            _process: process,
            _dir: dir,
            port,
        };
        eventually("Alertmanager", PATIENCE, async || {
            (get(port, "/-/ready").await.0 == 200).then_some(())
        })
        .await;
        alertmanager
    }

    fn sink(&self, more: &str) -> Sink {
        sink(&format!(
            "kind = \"alertmanager\"\nurl = \"http://127.0.0.1:{}/\"\nallow_private = true\n{more}\n",
            self.port
        ))
    }

    /// What is active.
    async fn active(&self) -> Vec<Value> {
        // Any sink has done so before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{}/api/v2/alerts?active=true", self.port);
        let answer = client.get(url).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn severities(&self) -> Vec<String> {
        let mut severities: Vec<String> = self
            .active()
            .await
            .iter()
            .map(|alert| {
                alert["labels"]["severity"]
                    .as_str()
                    .unwrap_or("none")
                    .to_owned()
            })
            .collect();
        severities.sort();
        severities
    }

    async fn shows(&self, wanted: &[&str]) {
        eventually("the alerts", PATIENCE, async || {
            (self.severities().await == wanted).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_alert_is_shown_while_it_lasts_and_gone_when_it_is_over() {
    let alertmanager = Alertmanager::start().await;
    let sink = alertmanager.sink("labels = { team = \"soc\" }");
    let now = machine_now();
    let mut raised = alert("SA1", "less_critical");
    raised.at = now - TimeDelta::minutes(10);
    let receipt = sink
        .send(&message(vec![raised.clone()]), now)
        .await
        .unwrap();
    assert_eq!(receipt.status, Some(200));
    alertmanager.shows(&["less_critical"]).await;
    let shown = alertmanager.active().await.remove(0);
    assert_eq!(shown["labels"]["alertname"], "advisoryd");
    assert_eq!(shown["labels"]["key"], "SA1");
    assert_eq!(shown["labels"]["rule"], "soc");
    assert_eq!(shown["labels"]["team"], "soc");
    assert_eq!(shown["annotations"]["title"], raised.title.as_str());

    // Escalated: it is one thing, not two.
    let mut escalated = alert("SA1", "highly_critical");
    escalated.at = now - TimeDelta::minutes(5);
    escalated.raised_severities = vec!["less_critical".to_owned()];
    sink.send(&message(vec![escalated.clone()]), now)
        .await
        .unwrap();
    alertmanager.shows(&["highly_critical"]).await;
    sink.send(&message(vec![alert("SA2", "unknown")]), now)
        .await
        .unwrap();
    alertmanager.shows(&["highly_critical", "unknown"]).await;

    let mut over = alert("SA1", "rejected");
    over.at = now - TimeDelta::minutes(1);
    over.resolved = true;
    over.raised_severities = vec!["less_critical".to_owned(), "highly_critical".to_owned()];
    sink.send(&message(vec![over]), now).await.unwrap();
    alertmanager.shows(&["unknown"]).await;
}

#[tokio::test]
async fn an_alert_that_comes_late_is_shown_all_the_same() {
    let alertmanager = Alertmanager::start().await;
    let sink = alertmanager.sink("active_for = \"1h\"");
    let now = machine_now();
    let mut late = alert("SA1", "highly_critical");
    late.at = now - TimeDelta::days(2);
    late.severity = None;
    sink.send(&message(vec![late]), now).await.unwrap();
    alertmanager.shows(&["none"]).await;
}

#[tokio::test]
async fn what_alertmanager_does_not_take_is_refused_with_its_reason() {
    let alertmanager = Alertmanager::start().await;
    let sink = alertmanager.sink("");
    let now = machine_now();
    let mut future = alert("SA1", "highly_critical");
    future.at = now + TimeDelta::days(400);
    let refused = sink.send(&message(vec![future]), now).await.unwrap_err();
    assert_eq!((refused.status, refused.can_repeat), (Some(400), false));
    assert!(refused.answer.contains("start time"), "{}", refused.answer);
}
