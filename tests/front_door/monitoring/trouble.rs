//! Trouble, seen by Prometheus: each rule and each panel is evaluated on what a daemon
//! really exports.

use std::collections::BTreeMap;

use advisoryd::simulate::{AnswerFault, DEFAULT_TOKEN, Damage, FaultRule};
use nix::sys::signal::Signal;

use super::alerts;
use super::dashboard::{dashboard, expanded, expressions};
use super::exported::telling;
use super::prometheus::Prometheus;
use crate::support::settings::WatchList;
use crate::support::{PATIENCE, Receiver, Running, World, eventually};

/// Alerts on what needs days, several machines, or an upstream that this test has not.
/// Their expressions are evaluated all the same.
const NOT_CAUSED: [&str; 19] = [
    "AdvisorydAbsent",
    "AdvisorydClockSkew",
    "AdvisorydConfigurationsDiffer",
    "AdvisorydContentAlternates",
    "AdvisorydCoverageGap",
    "AdvisorydDeliveryDelayed",
    "AdvisorydDetailsMissing",
    "AdvisorydDiscoveryIncomplete",
    "AdvisorydEvaluationDelayed",
    "AdvisorydFetchQueueStuck",
    "AdvisorydFullReadFailed",
    "AdvisorydListContentsStale",
    "AdvisorydListQuiet",
    "AdvisorydRemovalsUnconfirmed",
    "AdvisorydRequestBudgetExhausted",
    "AdvisorydRequestBudgetNearlyUsed",
    "AdvisorydUnknownField",
    "AdvisorydVersionsDiffer",
    "AdvisorydWindowNotHonoured",
];

struct Scene {
    world: World,
    receiver: Receiver,
    prometheus: Prometheus,
    daemon: Running,
    rules: BTreeMap<String, String>,
    caused: Vec<&'static str>,
}

impl Scene {
    async fn begin() -> Self {
        let receiver = Receiver::start().await;
        let mut world = telling(&receiver).await;
        world.settings.freshness.feeds = Some("1m");
        // A list that upstream does not have: it is never read.
        world.settings.watch_lists.push(WatchList {
            id: 99,
            source: Some("feed"),
            ..WatchList::default()
        });
        let port = world.serve_health();
        let daemon = Running::start(&mut world.command(&["run"]));
        Self {
            world,
            receiver,
            prometheus: Prometheus::start(port).await,
            daemon,
            rules: alerts().into_iter().collect(),
            caused: Vec::new(),
        }
    }

    /// Waits until the expression of an alert holds.
    async fn causes(&mut self, alert: &'static str) {
        self.prometheus.holds(alert, &self.rules[alert]).await;
        self.caused.push(alert);
    }

    async fn ends(&self, alert: &str) {
        self.prometheus.is_over(alert, &self.rules[alert]).await;
    }

    /// Something new in both lists.
    fn publish(&self) {
        self.world.simulator.publish(3);
    }

    /// Each panel has a sample.
    async fn panels_are_filled(&self) {
        // Reconciliation has found nothing, so that has no series.
        let empty = ["Drift"];
        for (title, expression) in expressions(&dashboard("dashboard-prometheus.json")) {
            let expression = expanded(&expression);
            if empty.contains(&title.as_str()) {
                assert!(
                    self.prometheus.query(&expression).await.is_empty(),
                    "{title}"
                );
                continue;
            }
            eventually(&format!("panel {title}"), PATIENCE, async || {
                self.publish();
                (!self.prometheus.query(&expression).await.is_empty()).then_some(())
            })
            .await;
        }
    }

    /// Prometheus has evaluated each rule without an error, and its texts too.
    async fn rules_are_healthy(&self) {
        let rules = self.prometheus.rules().await;
        assert_eq!(rules.len(), self.rules.len());
        for rule in rules {
            assert_eq!(rule["health"], "ok", "{rule}");
            assert!(
                !rule.to_string().contains("error expanding template"),
                "{rule}"
            );
        }
    }

    /// A sink that refuses: first what is sent, then everything.
    async fn sink_fails(&mut self) {
        self.receiver.usually(400);
        self.publish();
        self.causes("AdvisorydDeadLetters").await;
        self.receiver.usually(500);
        self.publish();
        self.causes("AdvisorydSinkFailing").await;
    }

    /// Another structure in the feed of list 2.
    async fn feed_is_another(&mut self) {
        let other =
            FaultRule::new(AnswerFault::Damaged(Damage::NotRecognised)).on("asset_list_id=2");
        self.world.simulator.inject(other.times(u32::MAX));
        self.causes("AdvisorydStructureNotRecognised").await;
        self.world.simulator.clear_faults();
        self.ends("AdvisorydStructureNotRecognised").await;
    }

    async fn token_is_refused(&mut self) {
        self.world.simulator.set_token(&"0".repeat(40));
        self.causes("AdvisorydTokenRejected").await;
        self.causes("AdvisorydDataStale").await;
        self.rules_are_healthy().await;
        self.world.simulator.set_token(DEFAULT_TOKEN);
        self.daemon.signal(Signal::SIGHUP);
        self.ends("AdvisorydTokenRejected").await;
        self.ends("AdvisorydDataStale").await;
    }

    /// Queries fail at once: a scrape that waits would be too late for this Prometheus.
    async fn database_is_away(&mut self) {
        let rename = async |sql: &'static str| {
            sqlx::query(sql).execute(self.world.pool()).await.unwrap();
        };
        rename("alter table advisoryd.source rename to away").await;
        let down = "AdvisorydDatabaseDown";
        self.prometheus.holds(down, &self.rules[down]).await;
        let ages = "advisoryd_data_age_seconds and advisoryd_freshness_limit_seconds";
        assert!(!self.prometheus.query(ages).await.is_empty(), "they go on");
        rename("alter table advisoryd.away rename to source").await;
        self.ends(down).await;
        self.caused.push(down);
    }

    async fn quarantine_is_filled(&mut self) {
        let kept = "insert into advisoryd.quarantine (run_id, last_run_id, source_id, at, reason, raw, byte_hash)
            select 1, 1, id, now(), 'no identifier', '<x/>', '\\x00' from advisoryd.source where watch_list_id = 1";
        sqlx::query(kept).execute(self.world.pool()).await.unwrap();
        self.causes("AdvisorydQuarantine").await;
        sqlx::query("delete from advisoryd.quarantine")
            .execute(self.world.pool())
            .await
            .unwrap();
        self.ends("AdvisorydQuarantine").await;
    }

    async fn reload_is_refused(&mut self) {
        let file = self.world.config_file();
        std::fs::write(&file, format!("{}[htpt]\n", self.world.toml())).unwrap();
        self.daemon.signal(Signal::SIGHUP);
        self.causes("AdvisorydReloadFailed").await;
        self.world.config_file();
        self.daemon.signal(Signal::SIGHUP);
        self.ends("AdvisorydReloadFailed").await;
    }

    async fn keeps_crashing(&mut self) {
        for _ in 0..5 {
            self.daemon.kill9();
            self.prometheus.holds("a crash", "up == 0").await;
            self.daemon = Running::start(&mut self.world.command(&["run"]));
            self.prometheus.holds("a start", "up == 1").await;
        }
        self.causes("AdvisorydCrashLooping").await;
        self.daemon.kill9();
        self.causes("AdvisorydDown").await;
    }
}

#[tokio::test]
#[ignore = "takes minutes: make test-monitoring"]
async fn each_rule_and_panel_is_evaluated_on_a_daemon_in_trouble() {
    let mut scene = Scene::begin().await;
    scene
        .prometheus
        .holds("a scrape", "advisoryd_advisories > 0")
        .await;
    for (alert, expression) in &scene.rules {
        let now = scene.prometheus.query(expression).await;
        assert!(now.is_empty(), "{alert}: {now:?}");
    }
    scene.quarantine_is_filled().await;
    scene.feed_is_another().await;
    scene.panels_are_filled().await;
    scene.causes("AdvisorydNeverComplete").await;
    scene.reload_is_refused().await;
    scene.token_is_refused().await;
    scene.sink_fails().await;
    scene.rules_are_healthy().await;
    scene.database_is_away().await;
    scene.keeps_crashing().await;
    let is_known = |name: &str| scene.caused.contains(&name) || NOT_CAUSED.contains(&name);
    let missing = scene.rules.keys().find(|name| !is_known(name));
    assert_eq!(missing, None, "it was neither caused nor excepted");
}
