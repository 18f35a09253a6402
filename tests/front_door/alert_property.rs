//! Whatever changes upstream, whoever edits rules, is killed, reloads or wants
//! silence: in the end there are exactly the alerts that the stored changes
//! deserve by the rules of their time, each once, and whoever was to be told was.

use std::collections::{BTreeMap, BTreeSet};

use advisoryd::job::alerts::evaluate::{Rules, evaluate};
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use uuid::Uuid;

use crate::support::property::always;
use crate::support::settings::Rule;
use crate::support::{Edge, Gateway, Receiver, Running, World};

const CASES: u32 = 6;
const STEPS: usize = 24;
const NAMES: [&str; 3] = ["one", "two", "three"];

/// What a rule of this test may say, as the model reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Says {
    on: &'static [&'static str],
    /// At least this rank.
    rank: Option<i16>,
    shadow: bool,
    group: &'static str,
}

const SAYINGS: [Says; 4] = [
    Says {
        on: &["appeared", "revised", "rejected"],
        rank: None,
        shadow: false,
        group: "0s",
    },
    Says {
        on: &["appeared", "escalated", "deescalated", "rejected"],
        rank: Some(4),
        shadow: false,
        group: "1h",
    },
    Says {
        on: &["revised", "solution_available", "cves_added"],
        rank: Some(3),
        shadow: true,
        group: "0s",
    },
    Says {
        on: &[
            "ticket_opened",
            "ticket_revised",
            "ticket_status",
            "joined_watch_list",
        ],
        rank: None,
        shadow: false,
        group: "10m",
    },
];

impl Says {
    fn rule(self, name: &str) -> Rule {
        Rule {
            severity: self.rank.map(|rank| match rank {
                4 => "highly_critical",
                _ => "moderately_critical",
            }),
            shadow: Some(self.shadow),
            group: Some(self.group),
            ..Rule::to_hook(name, self.on)
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Publish(u32),
    Revise(usize, bool),
    Reject(usize),
    OpenTicket,
    TouchTicket(usize),
    Pull,
    Tickets,
    /// A rule reads otherwise, or is removed: taken over as by a reload.
    Edit(usize, Option<usize>),
    /// Evaluates, and delivers nothing.
    Look,
    Pass,
    /// `sync`, killed at a commit.
    Killed(u64, bool),
    Silence(usize),
    EndSilences,
    ReceiverFails,
}

fn step() -> impl Strategy<Value = Step> {
    let saying = proptest::option::weighted(0.8, 0..SAYINGS.len());
    prop_oneof![
        2 => (1..4_u32).prop_map(Step::Publish),
        4 => (0..6_usize, any::<bool>()).prop_map(|(which, worse)| Step::Revise(which, worse)),
        1 => (0..6_usize).prop_map(Step::Reject),
        1 => Just(Step::OpenTicket),
        2 => (0..4_usize).prop_map(Step::TouchTicket),
        5 => Just(Step::Pull),
        2 => Just(Step::Tickets),
        3 => (0..NAMES.len(), saying).prop_map(|(name, says)| Step::Edit(name, says)),
        3 => Just(Step::Look),
        3 => Just(Step::Pass),
        2 => (1..12_u64, any::<bool>()).prop_map(|(place, before)| Step::Killed(place, before)),
        1 => (0..6_usize).prop_map(Step::Silence),
        1 => Just(Step::EndSilences),
        1 => Just(Step::ReceiverFails),
    ]
}

/// A change as the database tells it.
#[derive(Debug, sqlx::FromRow)]
struct Change {
    seq: i64,
    key: String,
    version: i32,
    what: String,
    watch_list_id: Option<i64>,
    is_ticket: bool,
    rank: Option<i16>,
    rank_before: Option<i16>,
}

const CHANGES: &str = "
    select c.seq, c.key, c.version, c.what, c.watch_list_id, c.kind = 'ticket' as is_ticket,
           n.severity_rank as rank, o.severity_rank as rank_before
    from advisoryd_v1.changes c
    left join advisoryd_v1.advisory_history n on n.said = c.key and n.version = c.version
    left join advisoryd_v1.advisory_history o on o.said = c.key and o.version = c.version - 1
    where c.seq > $1
    order by c.seq";

/// What is expected, known without looking at alerts.
#[derive(Default)]
struct Model {
    /// The rules, and after which change each looks.
    rules: BTreeMap<&'static str, (Says, i64)>,
    silenced: BTreeSet<String>,
    evaluated: i64,
    baseline: i64,
    /// Ids of all alerts, and whether anybody is told.
    alerts: BTreeMap<String, bool>,
}

impl Model {
    /// The rules are taken over: a new one looks from now on, a changed one goes on.
    fn configure(&mut self, wanted: &BTreeMap<&'static str, Says>, last: i64) {
        if self.rules.is_empty() && !wanted.is_empty() {
            self.evaluated = last;
        }
        let known = std::mem::take(&mut self.rules);
        for (name, says) in wanted {
            let after = match known.get(name) {
                Some((same, after)) if same == says => *after,
                Some(_) => self.evaluated,
                None => last,
            };
            self.rules.insert(name, (*says, after));
        }
    }

    /// Judges what the program says that it has evaluated since.
    fn follow(&mut self, changes: &[Change], evaluated: i64) {
        for change in changes.iter().filter(|change| change.seq <= evaluated) {
            for (name, (says, after)) in &self.rules {
                if change.seq > *after && self.is_wanted(change, *says) {
                    let list = change.watch_list_id.filter(|_| !change.is_ticket);
                    let list = list.map_or_else(String::new, |id| id.to_string());
                    let Change {
                        key, version, what, ..
                    } = change;
                    let fact = format!("{name}\n{key}\n{version}\n{what}\n{list}");
                    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"advisoryd");
                    let id = Uuid::new_v5(&namespace, fact.as_bytes()).to_string();
                    let is_told = !says.shadow && !self.silenced.contains(key);
                    self.alerts.entry(id).or_insert(is_told);
                }
            }
        }
        self.evaluated = evaluated;
    }

    fn is_wanted(&self, change: &Change, says: Says) -> bool {
        let what = change.what.as_str();
        let is_first = matches!(what, "appeared" | "joined_watch_list" | "ticket_opened");
        let rank = match what {
            "rejected" | "deescalated" => change.rank.max(change.rank_before),
            _ => change.rank,
        };
        let is_bad = says
            .rank
            .is_none_or(|least| rank.is_none_or(|rank| rank >= least));
        says.on.contains(&what) && is_bad && !(is_first && change.seq <= self.baseline)
    }
}

struct Case {
    world: World,
    receiver: Receiver,
    wanted: BTreeMap<&'static str, Says>,
    model: Model,
}

impl Case {
    async fn begin() -> Self {
        let receiver = Receiver::start().await;
        let mut world = World::new().await;
        world.add_hook(&receiver);
        world.pull_one().await;
        world.sync_tickets(TicketSync::Now).await;
        let mut case = Self {
            world,
            receiver,
            wanted: BTreeMap::new(),
            model: Model::default(),
        };
        case.model.baseline = case.last().await;
        case.edit(0, Some(0)).await;
        case.edit(1, Some(1)).await;
        case
    }

    async fn last(&self) -> i64 {
        self.world
            .count("select last from advisoryd.change_counter")
            .await
    }

    async fn edit(&mut self, name: usize, says: Option<usize>) {
        match says {
            Some(says) => drop(self.wanted.insert(NAMES[name], SAYINGS[says])),
            None => drop(self.wanted.remove(NAMES[name])),
        }
        let rules = self.wanted.iter().map(|(name, says)| says.rule(name));
        self.world.settings.alerts.rules = rules.collect();
        self.world.context().await;
        let last = self.last().await;
        self.model.configure(&self.wanted, last);
    }

    async fn take(&mut self, step: Step) {
        let simulator = &self.world.simulator;
        let saids = simulator.all_saids();
        let tickets = simulator.ticket_ids();
        match step {
            Step::Publish(count) => drop(simulator.publish(count)),
            Step::Revise(which, worse) => drop(simulator.revise(&saids[which], worse)),
            Step::Reject(which) => drop(simulator.reject(&saids[which])),
            Step::OpenTicket => drop(simulator.add_tickets(1)),
            Step::TouchTicket(which) => drop(simulator.touch_ticket(tickets[which])),
            Step::Pull => drop(self.world.pull_back(LookBack::Full).await),
            Step::Tickets => drop(self.world.sync_tickets(TicketSync::Now).await),
            Step::Edit(name, says) => self.edit(name, says).await,
            Step::Look => {
                let context = self.world.context().await;
                evaluate(&context, &Rules::of(&context, false))
                    .await
                    .unwrap();
            }
            Step::Pass => drop(self.world.alert().await),
            Step::Killed(place, before) => self.killed(place, before).await,
            Step::Silence(which) => {
                let said = &saids[which];
                self.model.silenced.insert(said.clone());
                sqlx::query(
                    "insert into advisoryd.silence (matchers, reason, created_by, created_at, until)
                     values (jsonb_build_object('key', $1), '', '', now(), now() + interval '1 year')",
                )
                .bind(said)
                .execute(self.world.pool())
                .await
                .unwrap();
            }
            Step::EndSilences => {
                self.model.silenced.clear();
                let end = "update advisoryd.silence set expired_at = now() - interval '1 year'";
                sqlx::query(end).execute(self.world.pool()).await.unwrap();
            }
            Step::ReceiverFails => self.receiver.answer(500, None),
        }
        let changes: Vec<Change> = sqlx::query_as(CHANGES)
            .bind(self.model.evaluated)
            .fetch_all(self.world.pool())
            .await
            .unwrap();
        let evaluated = self
            .world
            .count("select evaluated_seq from advisoryd.alerting")
            .await;
        self.model.follow(&changes, evaluated);
    }

    async fn killed(&mut self, place: u64, before: bool) {
        let edge = if before { Edge::Before } else { Edge::After };
        let gateway = Gateway::to(&self.world.database, place, edge).await;
        let direct = std::mem::replace(&mut self.world.database.url, gateway.url.clone());
        let mut sync = Running::start(&mut self.world.command(&["sync", "feeds"]));
        self.world.database.url = direct;
        gateway.watch(sync.pid());
        sync.ended().await;
        drop(gateway);
    }

    /// Ends what nobody has time to wait for, until all that waits is told.
    async fn end(&mut self) {
        self.world.simulator.clear_faults();
        self.take(Step::Pull).await;
        self.take(Step::Pass).await;
        let end = "update advisoryd.delivery set leased_until = now() where leased_until > now()";
        for _ in 0..9 {
            sqlx::query(end).execute(self.world.pool()).await.unwrap();
            self.world.later(TimeDelta::days(1));
            self.take(Step::Pass).await;
        }
    }

    async fn agrees(&self) {
        let stored: BTreeSet<String> =
            sqlx::query_scalar("select id::text from advisoryd_v1.alerts")
                .fetch_all(self.world.pool())
                .await
                .unwrap()
                .into_iter()
                .collect();
        let expected: BTreeSet<String> = self.model.alerts.keys().cloned().collect();
        assert_eq!(stored, expected, "{:?}", self.wanted);
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for message in self.receiver.received() {
            for alert in message.body["alerts"].as_array().unwrap() {
                let id = alert["id"].as_str().unwrap().to_owned();
                let carrier = message.header("webhook-id").to_owned();
                told.entry(id).or_default().insert(carrier);
            }
        }
        for (id, is_told) in &self.model.alerts {
            let messages = told.remove(id).map_or(0, |messages| messages.len());
            assert_eq!(messages, usize::from(*is_told), "alert {id}");
        }
        assert!(told.is_empty(), "nobody expected {told:?}");
    }
}

async fn ends_well(steps: Vec<Step>) {
    let mut case = Case::begin().await;
    for step in steps {
        case.take(step).await;
    }
    case.end().await;
    case.agrees().await;
}

#[test]
fn there_are_the_alerts_that_the_changes_deserve_and_each_is_told_in_one_message() {
    always(CASES, &vec(step(), 6..STEPS), ends_well);
}
