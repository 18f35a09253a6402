//! A week of somebody who reads all alerts alone: how many messages there are with the
//! proportions of the real data (docs/alerts.md, "How many messages to expect").

use std::collections::{BTreeMap, BTreeSet};

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::model::{Advisory, Severity};
use advisoryd::simulate::SimulatorOptions;
use chrono::{DateTime, TimeDelta, Utc};
use toml::toml;

use crate::support::settings::{Health, Rule};
use crate::support::{Receiver, World, small};

/// What upstream published in 2024, a day.
const A_DAY: usize = 34;
const DAYS: i64 = 7;
/// In hours of a day: when something is published and read.
const HOURS: std::ops::Range<i64> = 6..20;
/// Of all: rejected, extremely critical, zero days, in tenths of a percent.
const REJECTED: usize = 230;
const EXTREMELY: usize = 4;
const ZERO_DAYS: usize = 7;
/// How many messages a day a site is to get at most, and how many there are for all that
/// upstream publishes (docs/alerts.md).
const AIM: usize = 3;
const MOST_OF_ALL: usize = 5;
/// Everything that upstream has, and what one site uses: a quarter of it.
const ALL: i64 = 1;
const SITE: i64 = 2;

/// What the rules ask for by default.
const SOC: &[&str] = &[
    "appeared",
    "joined_watch_list",
    "escalated",
    "became_zero_day",
    "solution_available",
];

/// The rules of config.example.toml for advisories, once for each list.
fn rules() -> Vec<Rule> {
    let highly = |name: &str, list: i64| Rule {
        severity: Some("highly_critical"),
        group: Some("5m"),
        clauses: [("watch_lists".to_owned(), vec![list].into())]
            .into_iter()
            .collect(),
        ..Rule::to_hook(name, SOC)
    };
    let of_site = |name: &str, clauses: toml::Table| Rule {
        clauses,
        ..Rule::to_hook(name, &[])
    };
    vec![
        highly("soc", SITE),
        highly("soc-all", ALL),
        Rule {
            clauses: toml! { digest = "0 0 8 * * Mon-Fri" watch_lists = [2] },
            ..Rule::to_hook("daily", SOC)
        },
        of_site(
            "no-ticket",
            toml! { without_ticket_for = "3d" severity = "highly_critical" state = "open" watch_lists = [2] },
        ),
        of_site(
            "escalation",
            toml! { unacknowledged_for = "4h" severity = "extremely_critical" watch_lists = [2] },
        ),
    ]
}

/// Whether the `number`-th of all belongs to a share of so many in a thousand.
fn is_of_share(number: usize, share: usize) -> bool {
    number * share / 1000 != (number + 1) * share / 1000
}

struct Week {
    world: World,
    receiver: Receiver,
    published: Vec<String>,
    acknowledged: BTreeSet<String>,
}

impl Week {
    async fn begin() -> Self {
        let receiver = Receiver::start().await;
        let mut world = World::with(SimulatorOptions {
            watch_lists: 2,
            advisories: 200,
            ..small()
        })
        .await;
        world.settings.alerts.rules = rules();
        world.settings.alerts.health = Health {
            enabled: Some(false),
            ..Health::default()
        };
        world.add_hook(&receiver);
        // A Monday.
        let monday: DateTime<Utc> = "2026-12-07T00:00:00Z".parse().unwrap();
        world.later(monday - world.now());
        world.pull_back(LookBack::Full).await;
        world.alert().await;
        assert!(
            receiver.received().is_empty(),
            "the first load is the baseline"
        );
        Self {
            world,
            receiver,
            published: Vec::new(),
            acknowledged: BTreeSet::new(),
        }
    }

    /// Publishes the next one, with what its number says of it.
    fn publish(&mut self) {
        let number = self.published.len();
        let extremely = is_of_share(number, EXTREMELY);
        let zero_day = is_of_share(number, ZERO_DAYS);
        let fits = |advisory: &Advisory| {
            let is_extremely = advisory.severity() == Some(Severity::ExtremelyCritical);
            is_extremely == extremely && (extremely || advisory.is_zero_day == Some(zero_day))
        };
        let simulator = &self.world.simulator;
        let said = loop {
            let said = simulator.publish(1).remove(0);
            for list in [ALL, SITE] {
                simulator.leave(&said, list);
            }
            if fits(&simulator.expected(&said).unwrap()) {
                break said;
            }
        };
        simulator.join(&said, ALL);
        if number.is_multiple_of(4) {
            simulator.join(&said, SITE);
        }
        if is_of_share(number, REJECTED) {
            simulator.reject(&said);
        }
        self.published.push(said);
    }

    async fn hour(&mut self, day: i64, hour: i64) {
        let now: DateTime<Utc> = "2026-12-07T00:00:00Z".parse().unwrap();
        let now = now + TimeDelta::days(day) + TimeDelta::hours(hour);
        self.world.later(now - self.world.now());
        let first = HOURS.start;
        let passed = usize::try_from(hour - first + 1).unwrap();
        let hours = usize::try_from(HOURS.end - first).unwrap();
        let before = usize::try_from(day).unwrap() * A_DAY;
        while self.published.len() < before + A_DAY * passed / hours {
            self.publish();
        }
        // Once a day, some of the week are revised, and one becomes worse.
        if hour == 12 {
            let some: Vec<String> = self
                .published
                .iter()
                .rev()
                .step_by(9)
                .take(4)
                .cloned()
                .collect();
            for (place, said) in some.iter().enumerate() {
                self.world.simulator.revise(said, place == 0);
            }
        }
        self.world.pull_back(LookBack::Days(14)).await;
        self.world.alert().await;
        self.world.later(TimeDelta::minutes(6));
        self.world.alert().await;
        if (8..18).contains(&hour) {
            self.acknowledge();
        }
    }

    /// Somebody takes care of what the rule for the site has told.
    fn acknowledge(&mut self) {
        let received = self.receiver.received();
        let result = received.iter().filter(|one| one.body["rule"] == "soc");
        let keys: BTreeSet<String> = result
            .flat_map(|one| one.facts().into_iter().map(|(_, key)| key))
            .collect();
        for key in keys {
            if self.acknowledged.insert(key.clone()) {
                assert_eq!(self.world.cli(&["ack", &key]).code, 0);
            }
        }
    }
}

#[tokio::test]
async fn a_site_gets_at_most_three_messages_a_day_and_nothing_twice() {
    let mut week = Week::begin().await;
    for day in 0..DAYS {
        for hour in HOURS {
            week.hour(day, hour).await;
        }
    }
    let mut by_day: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut by_rule: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for message in week.receiver.received() {
        let rule = message.body["rule"].as_str().unwrap().to_owned();
        let at = message.body["at"].as_str().unwrap()[..10].to_owned();
        *by_day.entry((rule.clone(), at)).or_default() += 1;
        let alerts = message.facts();
        let entry = by_rule.entry(rule.clone()).or_default();
        *entry = (entry.0 + 1, entry.1 + alerts.len());
        for alert in message.body["alerts"].as_array().unwrap() {
            let id = alert["id"].as_str().unwrap().to_owned();
            assert!(seen.insert((rule.clone(), id)), "twice: {alert}");
        }
        for alert in message.body["alerts"].as_array().unwrap() {
            let version = format!("{} version {}", alert["key"], alert["version"]);
            assert!(
                seen.insert((rule.clone(), version)),
                "once for each rule, advisory and version: {rule} {alert}"
            );
        }
    }
    for (rule, (messages, alerts)) in &by_rule {
        let days = by_day.iter().filter(|((one, _), _)| one == rule);
        let most = days.map(|(_, count)| *count).max().unwrap_or(0);
        eprintln!("{rule}: {messages} messages, {alerts} alerts, at most {most} a day");
    }
    eprintln!("published: {}", week.published.len());
    assert!(by_rule["soc"].0 > 0, "{by_rule:?}");
    for ((rule, day), count) in &by_day {
        let most = match rule.as_str() {
            "soc" => AIM,
            "soc-all" => MOST_OF_ALL,
            _ => continue,
        };
        assert!(*count <= most, "{rule} on {day}: {count}");
    }
    assert_eq!(
        by_rule["daily"].0, 5,
        "one on each working day: {by_rule:?}"
    );
    assert!(
        !by_rule.contains_key("escalation"),
        "all were acknowledged: {by_rule:?}"
    );
}
