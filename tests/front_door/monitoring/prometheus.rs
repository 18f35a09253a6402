//! Debian's Prometheus, scraping each second.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{path, program};
use crate::support::{PATIENCE, Running, eventually, free_port, state_dir};

pub struct Prometheus {
    _process: Running,
    _dir: TempDir,
    port: u16,
}

impl Prometheus {
    /// Scrapes the daemon at this port as job `advisoryd`, with the rules of docs/monitoring.
    pub async fn start(daemon: u16) -> Self {
        let (dir, port) = (state_dir(), free_port());
        let config = dir.path().join("prometheus.yml");
        let rules = path("docs/monitoring/rules.yaml");
        let text = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\n\
             rule_files: [\"{}\"]\n\
             scrape_configs:\n  - job_name: advisoryd\n    static_configs:\n      - targets: [\"127.0.0.1:{daemon}\"]\n",
            rules.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = program("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(dir.path());
        let mut process = Running::start(&mut command);
        process
            .line("Server is ready to receive web requests")
            .await;
        Self {
            _process: process,
            _dir: dir,
            port,
        }
    }

    async fn api(&self, path: &str) -> Value {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let answer = client.get(url).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The samples of an expression now.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let text: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let data = self.api(&format!("query?query={text}")).await;
        assert_eq!(data["resultType"], "vector", "{expression}");
        data["result"].as_array().unwrap().clone()
    }

    /// Waits until an expression has samples.
    pub async fn holds(&self, what: &str, expression: &str) -> Vec<Value> {
        let within = PATIENCE + Duration::from_mins(2);
        eventually(what, within, async || {
            let samples = self.query(expression).await;
            (!samples.is_empty()).then_some(samples)
        })
        .await
    }

    /// Waits until an expression has none.
    pub async fn is_over(&self, what: &str, expression: &str) {
        eventually(&format!("the end of {what}"), PATIENCE, async || {
            self.query(expression).await.is_empty().then_some(())
        })
        .await;
    }

    /// All rules.
    pub async fn rules(&self) -> Vec<Value> {
        let data = self.api("rules").await;
        data["groups"][0]["rules"].as_array().unwrap().clone()
    }
}
