//! A daemon on a cluster of Patroni's that loses its primary again and again:
//! `make test-failover`. Each takes some minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use advisoryd::simulate::{AnswerFault, FaultRule, FeedOptions, SimulatorOptions};
use advisoryd::store::database;
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::settings::{Rule as AlertRule, Schedule};
use crate::support::{Loss, PATIENCE, Patroni, Receiver, World, eventually, get, small};

const ROUNDS: usize = 20;
const LISTS: i64 = 4;
const GATE: &str = "mid-work";
/// What one round publishes, revises and opens.
const EACH: u32 = 6;
/// Upstream's clock is said in seconds.
const SECOND: TimeDelta = TimeDelta::seconds(2);

/// What the daemon does when its primary is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    FirstLoad,
    Window,
    TicketScan,
    Details,
    Deliveries,
}

const WORK: [Work; 5] = [
    Work::FirstLoad,
    Work::Window,
    Work::TicketScan,
    Work::Details,
    Work::Deliveries,
];
const LOSSES: [Loss; 3] = [Loss::Switchover, Loss::Killed, Loss::Gone];

/// What upstream did, and when by its clock.
struct Fact {
    at: DateTime<Utc>,
    what: &'static str,
    key: String,
    /// Whether an alert is due: not for what comes with the first load.
    is_news: bool,
}

struct Trial {
    world: World,
    cluster: Patroni,
    receiver: Receiver,
    daemon: Option<crate::support::Running>,
    port: u16,
    is_synchronous: bool,
    facts: Vec<Fact>,
    /// List 1 was read: what is published in it from then on is news.
    is_loaded: bool,
    /// Advisories that nobody has revised yet.
    unrevised: Vec<String>,
    /// Changes that a new primary did not have.
    lost: i64,
    writable_after: Vec<Duration>,
    failed_runs: usize,
}

impl Trial {
    async fn begin(is_synchronous: bool) -> Self {
        let cluster = Patroni::start(is_synchronous).await;
        let mut world = World::with(SimulatorOptions {
            advisories: 800,
            watch_lists: usize::try_from(LISTS).unwrap(),
            max_page_size: 5,
            feed: FeedOptions {
                is_sparse: true,
                ..FeedOptions::default()
            },
            ..small()
        })
        .await;
        world.settings.database.url = Some(cluster.url());
        world.settings.schedule = Schedule::every_second();
        world.settings.schedule.full_walk = Some("*/2 * * * * *".to_owned());
        world.settings.feeds.details = None;
        world.settings.alerts.rules = vec![AlertRule::to_hook("all", &["appeared", "revised"])];
        world.lists = Some(Vec::new());
        let receiver = Receiver::start().await;
        world.add_hook(&receiver);
        let port = world.serve_health();
        let unrevised = world.simulator.saids(1);
        Self {
            world,
            cluster,
            receiver,
            daemon: None,
            port,
            is_synchronous,
            facts: Vec::new(),
            is_loaded: false,
            unrevised,
            lost: 0,
            writable_after: Vec::new(),
            failed_runs: 0,
        }
    }

    /// The test's own view is that of this server.
    async fn look_at(&mut self, node: usize) {
        let pool = database::pool(self.cluster.options(node), 3);
        std::mem::replace(&mut self.world.database.pool, pool)
            .close()
            .await;
    }

    /// A daemon with one list more, which it reads for the first time.
    fn follow_another(&mut self) {
        let lists = self.world.lists.as_mut().unwrap();
        lists.push(i64::try_from(lists.len()).unwrap() + 1);
        self.end_daemon();
        let mut command = self.world.command(&["run"]);
        self.daemon = Some(crate::support::Running::start(&mut command));
    }

    fn end_daemon(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill9();
            let log = daemon.stderr();
            assert!(!log.contains("panicked"), "{log}");
            let is_error = |event: &&serde_json::Value| event["level"] == "ERROR";
            self.failed_runs += daemon.events().iter().filter(is_error).count();
        }
    }

    /// Upstream goes on.
    fn change(&mut self) {
        let simulator = &self.world.simulator;
        let is_loaded = self.is_loaded;
        let mut fact = |what, key| {
            self.facts.push(Fact {
                at: simulator.now(),
                what,
                key,
                is_news: is_loaded && what != "ticket_opened",
            });
        };
        for said in simulator.publish(EACH) {
            simulator.join(&said, 1);
            fact("appeared", said);
        }
        for _ in 0..EACH {
            let said = self.unrevised.pop().expect("enough of them");
            assert!(simulator.revise(&said, true));
            fact("revised", said);
        }
        for id in simulator.add_tickets(1) {
            fact("ticket_opened", id.to_string());
        }
        let ids = simulator.ticket_ids();
        simulator.touch_ticket(ids[self.facts.len() % ids.len()]);
    }

    /// Starts work and returns when the daemon is in the midst of it.
    async fn begin_work(&mut self, work: Work) {
        let newest = self.world.lists.as_ref().unwrap().len() + 1;
        let newest = format!("asset_list_id={newest}");
        let (text, after_bytes, skip) = match work {
            Work::FirstLoad => (newest.as_str(), 100_000, 0),
            Work::Window => ("asset_list_id=1", 4000, 0),
            Work::TicketScan => ("page=3", 100, 0),
            Work::Details => ("/api/advisories/SA", 100, 3),
            Work::Deliveries => {
                self.receiver.slowly(Duration::from_millis(200));
                let before = self.receiver.received().len();
                self.change();
                self.receiver.wait_for(before + 3).await;
                return;
            }
        };
        let gate = GATE.to_owned();
        let hold = FaultRule::new(AnswerFault::Hold { after_bytes, gate });
        self.world.simulator.inject(hold.on(text).after(skip));
        if work == Work::FirstLoad {
            self.follow_another();
        }
        self.change();
        self.world.reached(GATE).await;
    }

    async fn changes(&self) -> i64 {
        self.world
            .count("select coalesce(max(seq), 0) from advisoryd_v1.changes")
            .await
    }

    async fn round(&mut self, number: usize) {
        let (work, loss) = (WORK[number % WORK.len()], LOSSES[number % LOSSES.len()]);
        self.cluster.whole().await;
        let primary = self.cluster.primary().await;
        let is_losing = !self.is_synchronous && loss != Loss::Switchover && number > 0;
        let mut had = 0;
        if is_losing {
            self.cluster.cut_off().await;
            self.change();
            self.caught_up(&format!("round {number}, before the loss"))
                .await;
            had = self.changes().await;
        }
        self.begin_work(work).await;
        // The answer goes on before or after the loss, in turn.
        if number.is_multiple_of(2) {
            self.world.simulator.open(GATE);
        }
        self.cluster.lose(primary, loss).await;
        let next = self.cluster.primary().await;
        let (accepts, port) = (Instant::now(), self.port);
        let ready = async {
            eventually("readiness", PATIENCE, async || {
                (get(port, "/readyz").await.0 == 200).then_some(())
            })
            .await;
            accepts.elapsed()
        };
        let (took, ()) = tokio::join!(ready, self.look_at_what_is_left(next, number, had));
        self.world.simulator.open(GATE);
        self.receiver.slowly(Duration::ZERO);
        self.writable_after.push(took);
        self.cluster.complete();
        self.caught_up(&format!("round {number}, {work:?}, {loss:?}"))
            .await;
        self.is_loaded = true;
        eprintln!("round {number}: {work:?}, {loss:?}: ready {took:?} after the new primary");
    }

    /// Checks what a new primary has; the old one `had` so many changes.
    async fn look_at_what_is_left(&mut self, node: usize, round: usize, had: i64) {
        self.look_at(node).await;
        if round > 0 {
            self.assert_no_cursor_is_ahead(round).await;
            self.lost += (had - self.changes().await).max(0);
        }
    }

    /// What a cursor covers is stored.
    async fn assert_no_cursor_is_ahead(&self, round: usize) {
        let covered = "select watch_list_id, upper(covered) from advisoryd.source
            where kind in ('watch_list', 'tickets') and not isempty(covered)";
        let covered: Vec<(Option<i64>, DateTime<Utc>)> = sqlx::query_as(covered)
            .fetch_all(self.world.pool())
            .await
            .unwrap();
        let stored = self.stored().await;
        for Fact { at, what, key, .. } in &self.facts {
            let list = (*what != "ticket_opened").then_some(1);
            let until = covered.iter().find(|(source, _)| *source == list);
            if until.is_some_and(|(_, until)| *at + SECOND < *until) {
                let since = stored.get(key);
                assert!(
                    since.is_some_and(|modified_at| *modified_at + SECOND >= *at),
                    "round {round}: {key} {what} at {at}, covered {until:?}, stored {since:?}"
                );
            }
        }
    }

    /// When each advisory and ticket was modified, as far as it is stored.
    async fn stored(&self) -> BTreeMap<String, DateTime<Utc>> {
        let sql =
            "select said, modified_at from advisoryd_v1.advisories where modified_at is not null
            union all
            select id::text, modified_at from advisoryd_v1.tickets where modified_at is not null";
        let rows = sqlx::query_as(sql).fetch_all(self.world.pool()).await;
        rows.unwrap().into_iter().collect()
    }

    /// Waits until all that upstream has is stored and nothing is left to do.
    async fn caught_up(&self, place: &str) {
        let lists = self.world.lists.clone().unwrap();
        eventually(place, 2 * PATIENCE, async || {
            let stored = self.stored().await;
            let is_stored = |key: &String, modified_at: Option<DateTime<Utc>>| {
                stored.get(key).is_some_and(|at| Some(*at) >= modified_at)
            };
            let simulator = &self.world.simulator;
            let mut saids = lists.iter().flat_map(|list| simulator.saids(*list));
            let all = saids.all(|said| {
                let expected = simulator.expected(&said).expect("it exists");
                is_stored(&said, expected.modified_at)
            });
            let mut tickets = simulator.ticket_ids().into_iter();
            let left = "select (select count(*) from advisoryd.wanted_detail)
                + (select count(*) from advisoryd.delivery where state = 'waiting')
                + (select count(*) from advisoryd.source where configured and isempty(covered)
                       and kind in ('watch_list', 'tickets'))";
            let is_done = all
                && tickets.all(|id| is_stored(&id.to_string(), None))
                && self.facts_not_told() == 0
                && self.world.count(left).await == 0;
            is_done.then_some(())
        })
        .await;
        // The runs that the loss interrupted were repeated.
        eventually(place, PATIENCE, async || {
            let notified = tokio::task::block_in_place(|| self.world.cli(&["verify"]));
            (notified.code == 0).then_some(())
        })
        .await;
    }

    /// The identifiers of alerts for each fact, and the messages of each alert.
    fn notified(&self) -> (BTreeMap<(String, String), BTreeSet<String>>, usize) {
        let mut facts: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for message in self.receiver.received() {
            for alert in message.body["alerts"].as_array().unwrap() {
                let text = |name: &str| alert[name].as_str().unwrap().to_owned();
                let fact = (text("what"), text("key"));
                facts.entry(fact).or_default().insert(text("id"));
                let id = message.header("webhook-id").to_owned();
                messages.entry(text("id")).or_default().insert(id);
            }
        }
        let twice = messages.values().filter(|ids| ids.len() > 1).count();
        (facts, twice)
    }

    fn facts_not_told(&self) -> usize {
        let (notified, _) = self.notified();
        let news = self.facts.iter().filter(|fact| fact.is_news);
        let missing = news.filter(|Fact { what, key, .. }| {
            !notified.contains_key(&((*what).to_owned(), key.clone()))
        });
        missing.count()
    }

    async fn end(mut self) {
        self.end_daemon();
        self.world.assert_all_is_stored().await;
        let doubled = "select count(*) from (
            select key, version, what, watch_list_id from advisoryd_v1.changes group by 1, 2, 3, 4
            having count(*) > 1) as doubled";
        assert_eq!(self.world.count(doubled).await, 0);
        let (notified, twice) = self.notified();
        for Fact { what, key, .. } in &self.facts {
            if let Some(ids) = notified.get(&((*what).to_owned(), key.clone())) {
                // After a loss it may come through another list first, which is another alert.
                let is_one = ids.len() == 1 || !self.is_synchronous;
                assert!(is_one, "{what} {key}: {ids:?}");
            }
        }
        let told_facts = notified.len();
        if self.is_synchronous {
            assert_eq!(self.lost, 0);
            assert_eq!(twice, 0, "alerts in two messages");
        } else {
            assert!(self.lost > 0, "nothing was lost, so nothing was tried");
        }
        let longest = self.writable_after.iter().max().unwrap();
        eprintln!(
            "{} losses of the primary, synchronous: {}; {told_facts} alerts told, {twice} in a second message; \
             {} changes lost by a new primary and read again; ready at most {longest:?} after a new primary accepts; \
             {} errors in the log",
            self.writable_after.len(),
            self.is_synchronous,
            self.lost,
            self.failed_runs,
        );
        // A new primary costs the daemon no more than this, on a busy machine.
        assert!(*longest < Duration::from_secs(8), "{longest:?}");
        self.world.database.pool.close().await;
    }
}

async fn lose_the_primary_again_and_again(is_synchronous: bool) {
    let mut trial = Trial::begin(is_synchronous).await;
    for number in 0..ROUNDS {
        trial.round(number).await;
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes; `make test-failover`"]
async fn with_a_synchronous_standby_twenty_losses_of_the_primary_lose_and_double_nothing() {
    lose_the_primary_again_and_again(true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes; `make test-failover`"]
async fn what_an_asynchronous_standby_lacks_is_read_again_by_itself() {
    lose_the_primary_again_and_again(false).await;
}
