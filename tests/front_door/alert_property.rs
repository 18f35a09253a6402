//! Whatever changes upstream, whoever edits rules, is killed, reloads or wants
//! silence: in the end there are exactly the alerts that the stored changes
//! deserve by the rules of their time, each once, and whoever was to be told was.

use std::collections::{BTreeMap, BTreeSet};

use advisoryd::job::alerts::evaluate::{RuleSet, evaluate};
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::SimulatorOptions;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use toml::toml;
use uuid::Uuid;

use crate::alert_first_loads::{publish, read};
use crate::support::property::always;
use crate::support::settings::{MuteTime, Rule};
use crate::support::{Edge, Gateway, Receiver, Running, World, small};

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
    /// Only what nobody has acknowledged.
    open: bool,
    /// With [`FILTER`].
    filtered: bool,
    when: When,
}

/// Highly critical or worse, or rejected: a filter with branches.
const FILTER: &str = "severity_rank >= 4 or is_rejected";

/// When a message is sent; everything is, in the end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Group(&'static str),
    Digest,
    Muted,
    /// At once, with reminders until somebody acknowledges.
    Repeat,
}

/// Reminders of this rule, which nobody edits, are expected each day.
const REMIND: &str = "remind";
const REMINDS: Says = Says {
    on: &["appeared"],
    rank: None,
    shadow: false,
    open: false,
    filtered: false,
    when: When::Repeat,
};
/// Evaluated by the clock: a day without a ticket.
const LATE: &str = "late";
/// Evaluated by the clock: a day without a solution, a ticket that is a day old, and four hours
/// without an acknowledgement.
const UNSOLVED: &str = "unsolved";
const OLD: &str = "old";
const ESCALATED: &str = "escalated";
/// The alerts of all rules that are evaluated by the clock, and all others.
const BY_CLOCK: &str = "
    select id::text, rule, key, silence_id is null
    from advisoryd.alert
    where what in ('reminder', 'without_ticket', 'no_solution', 'ticket_open', 'unacknowledged')";
const BY_CHANGES: &str = "
    select id::text
    from advisoryd.alert
    where what not in ('reminder', 'without_ticket', 'no_solution', 'ticket_open', 'unacknowledged')";
/// Kinds of changes of which one alert reports those that happened at once, the most important
/// first.
const JOINED: [&str; 8] = [
    "rejected",
    "escalated",
    "solution_available",
    "cves_added",
    "deescalated",
    "revised",
    "ticket_status",
    "ticket_revised",
];
/// Days that pass at the end.
const DAYS: i64 = 9;

const SAYINGS: [Says; 5] = [
    Says {
        on: &["appeared", "revised", "rejected"],
        rank: None,
        shadow: false,
        open: true,
        filtered: false,
        when: When::Group("0s"),
    },
    Says {
        on: &["appeared", "escalated", "deescalated", "rejected"],
        rank: Some(4),
        shadow: false,
        open: false,
        filtered: false,
        when: When::Digest,
    },
    Says {
        on: &["revised", "solution_available", "cves_added"],
        rank: Some(3),
        shadow: true,
        open: false,
        filtered: false,
        when: When::Group("1h"),
    },
    Says {
        on: &["appeared", "revised", "escalated", "rejected"],
        rank: None,
        shadow: false,
        open: false,
        filtered: true,
        when: When::Group("0s"),
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
        open: false,
        filtered: false,
        when: When::Muted,
    },
];

impl Says {
    /// Who asks for what appeared, and not for what joined a list, also means what is new in a
    /// list that another one brought first: it had no earlier chance to.
    fn sees(self, change: &Change) -> &str {
        let asks = |what: &str| self.on.contains(&what);
        match change.what.as_str() {
            "joined_watch_list" if !asks("joined_watch_list") && asks("appeared") => "appeared",
            what => what,
        }
    }

    fn rule(self, name: &str) -> Rule {
        let (key, value): (&str, toml::Value) = match self.when {
            When::Group(group) => ("group", group.into()),
            When::Digest => ("digest", "0 0 8 * * *".into()),
            When::Muted => ("mute_times", vec!["work"].into()),
            When::Repeat => ("repeat", "24h".into()),
        };
        let mut clauses = toml::Table::from_iter([(key.to_owned(), value)]);
        if self.open {
            clauses.insert("state".to_owned(), "open".into());
        }
        if self.filtered {
            clauses.insert("where".to_owned(), FILTER.into());
        }
        Rule {
            severity: self.rank.map(|rank| match rank {
                4 => "highly_critical",
                _ => "moderately_critical",
            }),
            shadow: Some(self.shadow),
            clauses,
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
    /// A second watch list is followed; it is read before the first, or after it. An
    /// advisory that is new is in both.
    Follow(bool),
    /// A rule reads otherwise, or is removed: taken over as by a reload.
    Edit(usize, Option<usize>),
    /// Evaluates, and delivers nothing.
    Look,
    Pass,
    /// `sync`, killed at a commit.
    Killed(u64, bool),
    Silence(usize),
    EndSilences,
    /// Somebody takes care of an advisory, or does no longer.
    Acknowledge(usize),
    Withdraw(usize),
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
        2 => any::<bool>().prop_map(Step::Follow),
        3 => (0..NAMES.len(), saying).prop_map(|(name, says)| Step::Edit(name, says)),
        3 => Just(Step::Look),
        3 => Just(Step::Pass),
        2 => (1..12_u64, any::<bool>()).prop_map(|(place, before)| Step::Killed(place, before)),
        1 => (0..6_usize).prop_map(Step::Silence),
        1 => Just(Step::EndSilences),
        3 => (0..6_usize).prop_map(Step::Acknowledge),
        1 => (0..6_usize).prop_map(Step::Withdraw),
        1 => Just(Step::ReceiverFails),
    ]
}

/// A change as the database tells it.
#[derive(Debug, sqlx::FromRow)]
struct Change {
    seq: i64,
    key: String,
    at: DateTime<Utc>,
    version: i32,
    what: String,
    watch_list_id: Option<i64>,
    is_ticket: bool,
    /// Whether the second watch list was never read completely before.
    is_first_load: bool,
    rank: Option<i16>,
    rank_before: Option<i16>,
}

const CHANGES: &str = "
    select c.seq, c.key, c.at, c.version, c.what, c.watch_list_id, c.kind = 'ticket' as is_ticket,
           coalesce(c.watch_list_id = 2, false) and not exists (
               select from advisoryd_v1.sync_runs r
               where r.watch_list_id = 2 and r.outcome = 'ok' and r.id < c.run_id) as is_first_load,
           n.severity_rank as rank, o.severity_rank as rank_before
    from advisoryd_v1.changes c
    left join advisoryd_v1.advisory_history n on n.said = c.key and n.version = c.version
    left join advisoryd_v1.advisory_history o on o.said = c.key and o.version = c.version - 1
    where c.seq > $1
    order by c.seq";

/// From when until when, if it ends.
type Period = (DateTime<Utc>, Option<DateTime<Utc>>);

/// What is expected, known without looking at alerts.
#[derive(Default)]
struct Model {
    /// The rules, and after which change each looks.
    rules: BTreeMap<&'static str, (Says, i64)>,
    silenced: BTreeSet<String>,
    /// By advisory: from when until when somebody takes care of it.
    acknowledged: BTreeMap<String, Vec<Period>>,
    evaluated: i64,
    baseline: i64,
    /// Ids of all alerts, and whether anybody is told.
    alerts: BTreeMap<String, bool>,
    /// By which rule which advisory was told in a list, so that it does not appear again.
    result: BTreeSet<(&'static str, String)>,
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
        let event = |one: &Change| (one.is_ticket, one.key.clone(), one.version, one.at);
        let seen: Vec<&Change> = changes.iter().filter(|one| one.seq <= evaluated).collect();
        for changes in seen.chunk_by(|one, other| event(one) == event(other)) {
            for (name, (says, after)) in self.rules.clone() {
                let wanted = changes.iter();
                let wanted = wanted.filter(|one| one.seq > after && self.is_wanted(one, says));
                let rank = |one: &&&Change| JOINED.iter().position(|what| *what == one.what);
                let is_joined =
                    |one: &&&Change| rank(one).is_some() && !self.silenced.contains(&one.key);
                let (joined, alone): (Vec<_>, Vec<_>) = wanted.partition(is_joined);
                let first = joined.into_iter().min_by_key(rank);
                for change in alone.into_iter().chain(first) {
                    self.raise(change, name, says);
                }
            }
        }
        self.evaluated = evaluated;
    }

    fn raise(&mut self, change: &Change, name: &'static str, says: Says) {
        let Change { key, version, .. } = change;
        let what = says.sees(change);
        let of_rule = (name, key.clone());
        if what != change.what && self.result.contains(&of_rule) {
            return;
        }
        let list = change.watch_list_id.filter(|_| !change.is_ticket);
        let list = list.map_or_else(String::new, |id| id.to_string());
        let fact = format!("{name}\n{key}\n{version}\n{what}\n{list}");
        let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"advisoryd");
        let id = Uuid::new_v5(&namespace, fact.as_bytes()).to_string();
        let is_silenced = self.silenced.contains(key);
        let is_arrival = matches!(what, "appeared" | "joined_watch_list");
        if is_arrival && !is_silenced && !self.alerts.contains_key(&id) {
            self.result.insert(of_rule);
        }
        self.alerts
            .entry(id)
            .or_insert(!says.shadow && !is_silenced);
    }

    fn is_acknowledged(&self, said: &str, at: DateTime<Utc>) -> bool {
        let all = self.acknowledged.get(said).into_iter().flatten();
        let mut all = all.map(|(from, until)| *from <= at && until.is_none_or(|until| at < until));
        all.any(|holds| holds)
    }

    fn is_wanted(&self, change: &Change, says: Says) -> bool {
        let what = says.sees(change);
        let is_first = matches!(what, "appeared" | "joined_watch_list" | "ticket_opened");
        let is_loading = change.is_first_load || change.seq <= self.baseline;
        let rank = match what {
            "rejected" | "deescalated" => change.rank.max(change.rank_before),
            _ => change.rank,
        };
        let is_bad = says
            .rank
            .is_none_or(|least| rank.is_none_or(|rank| rank >= least));
        let is_taken = !change.is_ticket && self.is_acknowledged(&change.key, change.at);
        if says.open && is_taken {
            return false;
        }
        // What is unknown counts as a match.
        let fits = change.rank.is_none_or(|rank| rank >= 4 || rank == 0);
        if says.filtered && !fits {
            return false;
        }
        says.on.contains(&what) && is_bad && !(is_first && is_loading)
    }
}

struct Case {
    world: World,
    receiver: Receiver,
    wanted: BTreeMap<&'static str, Says>,
    model: Model,
    /// Advisories of the first load.
    known: BTreeSet<String>,
}

impl Case {
    async fn begin() -> Self {
        let receiver = Receiver::start().await;
        let mut world = World::with(SimulatorOptions {
            watch_lists: 2,
            ..small()
        })
        .await;
        world.lists = Some(vec![1]);
        world.add_hook(&receiver);
        world.settings.alerts.mute_times = vec![MuteTime {
            name: "work",
            weekdays: &["monday:friday"],
        }];
        world.pull_one().await;
        world.sync_tickets(TicketSync::Now).await;
        let mut case = Self {
            world,
            receiver,
            wanted: BTreeMap::from([(REMIND, REMINDS)]),
            model: Model::default(),
            known: BTreeSet::new(),
        };
        case.known = case.world.versions().await.into_keys().collect();
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
        for (name, clauses) in [
            (LATE, toml! { without_ticket_for = "24h" }),
            (UNSOLVED, toml! { no_solution_for = "24h" }),
            (OLD, toml! { ticket_open_for = "24h" }),
            (ESCALATED, toml! { unacknowledged_for = "4h" }),
        ] {
            self.world.settings.alerts.rules.push(Rule {
                clauses,
                ..Rule::to_hook(name, &[])
            });
        }
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
            Step::Follow(is_first) => {
                let lists = if is_first { vec![2, 1] } else { vec![1, 2] };
                for said in simulator.publish(1) {
                    assert!(simulator.join(&said, 1) && simulator.join(&said, 2));
                }
                self.world.lists.get_or_insert_default().clone_from(&lists);
            }
            Step::Edit(name, says) => self.edit(name, says).await,
            Step::Look => {
                let context = self.world.context().await;
                evaluate(&context, &RuleSet::of(&context, false))
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
            Step::Acknowledge(which) => self.acknowledge(&saids[which], true).await,
            Step::Withdraw(which) => self.acknowledge(&saids[which], false).await,
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

    /// As `ack` and `ack --withdraw` do, by the clock of the case.
    async fn acknowledge(&mut self, said: &str, begins: bool) {
        let now = self.world.now().trunc_subsecs(6);
        let end = "update advisoryd.acknowledgement set withdrawn_at = $2
                   where said = $1 and withdrawn_at is null";
        let begin =
            "insert into advisoryd.acknowledgement (said, created_by, at) values ($1, 'x', $2)";
        let statements = if begins { vec![end, begin] } else { vec![end] };
        for statement in statements {
            sqlx::query(statement)
                .bind(said)
                .bind(now)
                .execute(self.world.pool())
                .await
                .unwrap();
        }
        let all = self.model.acknowledged.entry(said.to_owned()).or_default();
        for (_, until) in all.iter_mut().filter(|(_, until)| until.is_none()) {
            *until = Some(now);
        }
        if begins {
            all.push((now, None));
        }
    }

    /// What the clock raised: a reminder for each day on which nobody takes care of what
    /// was told, and one alert about each new advisory without a ticket.
    #[expect(
        clippy::too_many_lines,
        reason = "one comparison for each rule of the clock"
    )]
    async fn clock_agrees(&self) -> BTreeMap<String, bool> {
        let raised: Vec<(String, String, String, bool)> = sqlx::query_as(BY_CLOCK)
            .fetch_all(self.world.pool())
            .await
            .unwrap();
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (_, rule, key, _) in &raised {
            *counts.entry((rule, key)).or_default() += 1;
        }
        let facts: Vec<(String, bool, bool, bool, bool)> = sqlx::query_as(
            "select v.said, v.is_rejected, cardinality(v.watch_list_ids) > 0,
                    coalesce(v.solution_status in ('None', 'No Fix'), false),
                    exists (select from advisoryd_v1.tickets t
                            where t.said = v.said and t.deleted_at is null)
             from advisoryd_v1.advisories v",
        )
        .fetch_all(self.world.pool())
        .await
        .unwrap();
        let result: Vec<String> = sqlx::query_scalar(
            "select key from advisoryd.alert
             where rule = 'remind' and what = 'appeared' and message_id is not null",
        )
        .fetch_all(self.world.pool())
        .await
        .unwrap();
        let loaded =
            "select key from advisoryd_v1.changes where what = 'appeared' and watch_list_id = 2";
        let loaded = self.world.texts(loaded).await;
        let now = self.world.now();
        for (said, is_rejected, is_followed, is_unsolved, has_ticket) in &facts {
            let count = |rule: &str| counts.get(&(rule, said.as_str())).copied().unwrap_or(0);
            let is_taken = self.model.is_acknowledged(said, now);
            let is_open = result.contains(said) && !is_rejected && !is_taken && *is_followed;
            // After a withdrawal only alerts since then count.
            let was_taken = self.model.acknowledged.contains_key(said);
            let reminders = if is_open { DAYS } else { 0 };
            if is_taken || !was_taken {
                assert_eq!(count(REMIND), reminders, "reminders of {said}");
            }
            // One period, whichever rule has told of it.
            if is_taken || result.contains(said) && !was_taken {
                let escalates = i64::from(is_open);
                assert_eq!(count(ESCALATED), escalates, "escalation of {said}");
            }
            let is_late = !is_rejected && *is_followed && !has_ticket;
            let is_unsolved = !is_rejected && *is_followed && *is_unsolved;
            if self.known.contains(said) || loaded.contains(said) {
                assert!(count(LATE) <= 1 && count(UNSOLVED) <= 1, "{said}");
            } else {
                assert_eq!(count(LATE), i64::from(is_late), "{said} without a ticket");
                let unsolved = i64::from(is_unsolved);
                assert_eq!(count(UNSOLVED), unsolved, "{said} without a solution");
            }
        }
        let opened =
            "select key from advisoryd_v1.changes where what = 'ticket_opened' and seq > $1";
        let opened: Vec<String> = sqlx::query_scalar(opened)
            .bind(self.model.baseline)
            .fetch_all(self.world.pool())
            .await
            .unwrap();
        for ticket in opened {
            let count = counts.get(&(OLD, ticket.as_str())).copied().unwrap_or(0);
            assert_eq!(count, 1, "ticket {ticket} that is a day old");
        }
        raised
            .into_iter()
            .map(|(id, _, _, is_told)| (id, is_told))
            .collect()
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

    /// What chance leaves out of most cases: a revision of what is acknowledged, of what is
    /// silenced, and for a shadow rule, and a rejection of what is severe.
    async fn rare(&mut self) {
        for rule in 0..3 {
            self.take(Step::Edit(rule, Some(rule))).await;
        }
        self.take(Step::Acknowledge(0)).await;
        self.take(Step::Silence(1)).await;
        for _ in 0..4 {
            for which in 0..3 {
                self.take(Step::Revise(which, true)).await;
            }
            self.take(Step::Pull).await;
        }
        self.take(Step::Reject(2)).await;
        self.take(Step::Pull).await;
        self.take(Step::ReceiverFails).await;
        self.take(Step::Pass).await;
        self.take(Step::EndSilences).await;
    }

    /// What a list brings two hours after another one: who was told does not hear of it again.
    async fn late_news(&mut self) {
        self.take(Step::Follow(true)).await;
        self.take(Step::Pull).await;
        self.take(Step::Pass).await;
        publish(&self.world, &[1, 2]);
        read(&self.world, 2).await;
        self.take(Step::Pass).await;
        self.world.later(TimeDelta::hours(2));
        read(&self.world, 1).await;
        self.take(Step::Pass).await;
    }

    /// Ends what nobody has time to wait for, until all that waits is told.
    async fn end(&mut self) {
        self.world.simulator.clear_faults();
        if self.world.lists == Some(vec![1]) {
            self.take(Step::Follow(true)).await;
        }
        self.take(Step::Pull).await;
        self.take(Step::Pass).await;
        let end = "update advisoryd.delivery set leased_until = now() where leased_until > now()";
        for _ in 0..DAYS {
            sqlx::query(end).execute(self.world.pool()).await.unwrap();
            self.world.later(TimeDelta::days(1));
            self.take(Step::Pass).await;
        }
    }

    async fn agrees(&self) {
        let stored: Vec<String> = sqlx::query_scalar(BY_CHANGES)
            .fetch_all(self.world.pool())
            .await
            .unwrap();
        let stored: BTreeSet<String> = stored.into_iter().collect();
        let expected: BTreeSet<String> = self.model.alerts.keys().cloned().collect();
        assert_eq!(stored, expected, "{:?}", self.wanted);
        let refused = "select count(*) from advisoryd_v1.delivery_attempts where outcome = 'delivered' and status >= 400";
        assert_eq!(
            self.world.count(refused).await,
            0,
            "what is refused is not told"
        );
        let mut result: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for message in self.receiver.received() {
            for alert in message.body["alerts"].as_array().unwrap() {
                let id = alert["id"].as_str().unwrap().to_owned();
                let carrier = message.header("webhook-id").to_owned();
                result.entry(id).or_default().insert(carrier);
            }
        }
        let clock = self.clock_agrees().await;
        for (id, is_told) in self.model.alerts.iter().chain(&clock) {
            let messages = result.remove(id).map_or(0, |messages| messages.len());
            assert_eq!(messages, usize::from(*is_told), "alert {id}");
        }
        assert!(result.is_empty(), "nobody expected {result:?}");
    }
}

async fn ends_well(steps: Vec<Step>) {
    let mut case = Box::pin(Case::begin()).await;
    for step in steps {
        case.take(step).await;
    }
    case.rare().await;
    case.late_news().await;
    case.end().await;
    case.agrees().await;
}

#[test]
fn there_are_the_alerts_that_the_changes_deserve_and_each_is_told_in_one_message() {
    always(CASES, &vec(step(), 6..STEPS), ends_well);
}
