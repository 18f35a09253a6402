//! Whatever upstream says, whatever breaks, whoever is killed and whatever is
//! replayed: every version is seen exactly once, and in the end the database is
//! the one that a clean pass over the last state makes.

use std::collections::BTreeMap;

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule, SimulatorOptions};
use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use serde_json::Value;

use crate::support::property::always;
use crate::support::{Running, World, database, small};

/// Each case is a world of its own with up to this many steps.
const CASES: u32 = 6;
const STEPS: usize = 14;
const FULL: TicketSync = TicketSync::Full {
    accept_removals: true,
};
/// What the tickets say, without what we say of them, and without what their advisory says, of
/// which a change makes no version. Gone ones as gone.
const TICKETS: &str = "
    select id::text, jsonb_build_array(title, status, assignee, modified_at, deleted_at is null,
                             raw #- '{advisory,criticality}' #- '{advisory,title}')
    from advisoryd_v1.tickets";
/// The same of every version.
const HISTORY: &str = "
    select id::text as key, version,
           jsonb_build_array(title, status, assignee, source_modified_at, deleted_at is null,
                             raw #- '{advisory,criticality}' #- '{advisory,title}') as says
    from advisoryd_v1.ticket_history
    order by key, version";

#[derive(Debug, Clone)]
enum Step {
    Publish,
    Revise(usize, bool),
    Reject(usize),
    OpenTicket,
    TouchTicket(usize),
    RemoveTicket(usize),
    Fault(AnswerFault),
    /// A revision, and so many hours later a pull that goes wrong: a cursor that
    /// moved with it would leave the revision behind.
    Missed(usize, u32, AnswerFault),
    Later(u32),
    Pull,
    Tickets,
    /// The program, killed after so many bytes of a feed.
    Killed(usize),
    Replay,
}

fn step() -> impl Strategy<Value = Step> {
    let cut = (0..200_000_usize, any::<bool>())
        .prop_map(|(after_bytes, clean)| AnswerFault::Truncate { after_bytes, clean });
    let fatal = prop_oneof![
        cut.clone(),
        Just(AnswerFault::Status(500)),
        Just(AnswerFault::Html200),
        Just(AnswerFault::Damaged(Damage::NotRecognised)),
    ];
    let fault = prop_oneof![
        cut,
        Just(AnswerFault::Status(500)),
        Just(AnswerFault::Html200),
        Just(AnswerFault::Damaged(Damage::OneBadRecord)),
        Just(AnswerFault::Damaged(Damage::NotRecognised)),
    ];
    prop_oneof![
        1 => Just(Step::Publish),
        4 => (0..8_usize, any::<bool>()).prop_map(|(which, worse)| Step::Revise(which, worse)),
        1 => any::<usize>().prop_map(Step::Reject),
        1 => Just(Step::OpenTicket),
        3 => (0..6_usize).prop_map(Step::TouchTicket),
        1 => any::<usize>().prop_map(Step::RemoveTicket),
        2 => fault.prop_map(Step::Fault),
        2 => (0..8_usize, 8..60_u32, fatal)
            .prop_map(|(which, hours, fault)| Step::Missed(which, hours, fault)),
        1 => (1..60_u32).prop_map(Step::Later),
        4 => Just(Step::Pull),
        3 => Just(Step::Tickets),
        1 => (0..200_000_usize).prop_map(Step::Killed),
        1 => Just(Step::Replay),
    ]
}

async fn take(world: &World, step: Step) {
    let simulator = &world.simulator;
    let saids = simulator.all_saids();
    let said = |which: usize| &saids[which % saids.len()];
    let tickets = simulator.ticket_ids();
    let ticket = |which: usize| tickets[which % tickets.len()];
    match step {
        Step::Publish => drop(simulator.publish(1)),
        Step::Revise(which, worse) => drop(simulator.revise(said(which), worse)),
        Step::Reject(which) => drop(simulator.reject(said(which))),
        Step::OpenTicket => drop(simulator.add_tickets(1)),
        Step::TouchTicket(which) => drop(simulator.touch_ticket(ticket(which))),
        Step::RemoveTicket(which) => drop(simulator.remove_ticket(ticket(which))),
        Step::Fault(fault) => simulator.inject(FaultRule::new(fault)),
        Step::Missed(which, hours, fault) => {
            simulator.revise(said(which), false);
            world.later(TimeDelta::hours(hours.into()));
            simulator.inject(FaultRule::new(fault).on("xml-feed").times(4));
            drop(world.pull().await);
            simulator.clear_faults();
        }
        Step::Later(hours) => world.later(TimeDelta::hours(hours.into())),
        Step::Pull => drop(world.pull().await),
        Step::Tickets => drop(world.sync_tickets(TicketSync::Now).await),
        Step::Killed(after_bytes) => killed(world, after_bytes).await,
        Step::Replay => {
            let said = world.cli(&["replay", "--yes"]);
            assert_eq!(said.code, 0, "{said:?}");
        }
    }
}

/// Kills the program in the middle of a feed, or once it has ended by itself.
async fn killed(world: &World, after_bytes: usize) {
    let gate = "mid".to_owned();
    let hold = AnswerFault::Hold { after_bytes, gate };
    world.simulator.inject(FaultRule::new(hold).on("xml-feed"));
    let mut program = Running::start(&mut world.command(&["sync", "all"]));
    tokio::select! {
        () = world.reached("mid") => {}
        _ = program.ended() => {}
    }
    program.kill9();
    world.simulator.clear_faults();
    world.simulator.open("mid");
}

type Rows = BTreeMap<String, Value>;

/// What was seen, key by key: the content of each version.
#[derive(Default)]
struct Observed {
    advisories: BTreeMap<String, Vec<Value>>,
    tickets: BTreeMap<String, Vec<Value>>,
}

impl Observed {
    async fn look(&mut self, world: &World) {
        let mut advisories = world.stored().await;
        for row in advisories.values_mut() {
            // Joining a list is no version.
            row.as_object_mut().unwrap().remove("watch_list_ids");
        }
        let numbers = world.versions().await;
        for (said, row) in advisories {
            let number = numbers[&said];
            see(self.advisories.entry(said).or_default(), number, row);
        }
        let versions: Vec<(String, i32)> =
            sqlx::query_as("select id::text, version from advisoryd_v1.tickets")
                .fetch_all(world.pool())
                .await
                .unwrap();
        let mut tickets = tickets(world.pool()).await;
        for (id, number) in versions {
            let row = tickets.remove(&id).unwrap();
            see(self.tickets.entry(id).or_default(), number, row);
        }
    }

    /// The versions that are stored are those that were seen, one for one, and none
    /// says what the one before said.
    async fn agrees_with(&self, world: &World) {
        let mut stored = BTreeMap::<String, Vec<(i32, Value)>>::new();
        let mut rows = world.history().await;
        let tickets = sqlx::query_as(HISTORY).fetch_all(world.pool());
        rows.extend(tickets.await.unwrap());
        for (key, version, says) in rows {
            stored.entry(key).or_default().push((version, says));
        }
        assert_eq!(stored.len(), self.advisories.len() + self.tickets.len());
        for (key, versions) in stored {
            let seen = self.advisories.get(&key).or(self.tickets.get(&key));
            let seen = seen.unwrap();
            assert_eq!(versions.len(), seen.len(), "{key}");
            for ((number, says), (place, seen)) in versions.iter().zip(seen.iter().enumerate()) {
                assert_eq!(usize::try_from(*number).unwrap(), place + 1, "{key}");
                match says.as_object() {
                    None => assert_eq!(says, seen, "{key} version {number}"),
                    Some(fields) => fields
                        .iter()
                        .for_each(|(name, value)| assert_eq!(value, &seen[name], "{key} {name}")),
                }
            }
        }
        let result = world
            .count(
                "select count(*) from advisoryd_v1.changes
                 where what in ('appeared', 'revised', 'ticket_opened', 'ticket_revised')",
            )
            .await;
        let seen = self.advisories.values().chain(self.tickets.values());
        let seen: usize = seen.map(Vec::len).sum();
        assert_eq!(
            usize::try_from(result).unwrap(),
            seen,
            "one change a version"
        );
    }
}

/// A step makes at most one version of each, and only of what is new.
fn see(versions: &mut Vec<Value>, number: i32, row: Value) {
    let number = usize::try_from(number).unwrap();
    match versions.last() {
        Some(last) if number == versions.len() => assert_eq!(*last, row, "changed in place"),
        last => {
            assert_eq!(number, versions.len() + 1, "a version was left out: {row}");
            assert_ne!(last, Some(&row), "a version that says nothing new");
            versions.push(row);
        }
    }
}

async fn tickets(pool: &sqlx::PgPool) -> Rows {
    sqlx::query_as::<_, (String, Value)>(TICKETS)
        .fetch_all(pool)
        .await
        .unwrap()
        .into_iter()
        .collect()
}

/// Reads the last state once, without faults, in full.
async fn clean_pass(world: &World) {
    for report in world.pull_back(LookBack::Full).await {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
    for report in world.sync_tickets(FULL).await {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
}

/// What the daemon does next, and late: all that happened is older than the
/// shortest window, which ends before the second in which it is asked for.
async fn ordinary_tick(world: &World) {
    world.later(TimeDelta::days(2));
    let mut reports = world.pull().await;
    reports.extend(world.sync_tickets(TicketSync::Now).await);
    for report in reports {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
}

async fn ends_well(steps: Vec<Step>) {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    let mut observed = Observed::default();
    for step in steps {
        take(&world, step).await;
        observed.look(&world).await;
    }
    world.simulator.clear_faults();
    // What sits in quarantine waits to be sent again; all else is a tick away.
    ordinary_tick(&world).await;
    observed.look(&world).await;
    let waiting = world.count("select count(*) from advisoryd_v1.quarantine");
    let is_whole = waiting.await == 0;
    let ticked = (world.stored().await, tickets(world.pool()).await);
    let ticked = (ticked.0, without_advisories(ticked.1));
    clean_pass(&world).await;
    observed.look(&world).await;
    observed.agrees_with(&world).await;
    only_gaps_are_wrong(&world).await;

    let lived = (world.stored().await, tickets(world.pool()).await);
    world.database = database().await;
    clean_pass(&world).await;
    let clean = (world.stored().await, tickets(world.pool()).await);
    if is_whole {
        contains(&ticked.0, &clean.0);
        contains(&ticked.1, &without_advisories(clean.1.clone()));
    }
    contains(&lived.0, &clean.0);
    contains(&lived.1, &clean.1);
}

/// Of the time that nobody asked about nothing is known; all else is proven.
async fn only_gaps_are_wrong(world: &World) {
    // A record without identifier is never replaced: an operator drops it.
    sqlx::raw_sql("delete from advisoryd.quarantine where key is null")
        .execute(world.pool())
        .await
        .unwrap();
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    let mut wrong: Vec<&str> = proof.problems.iter().map(|it| it.about.as_str()).collect();
    wrong.sort_unstable();
    let gaps: Vec<String> = sqlx::query_scalar(
        "select source from advisoryd_v1.coverage, unnest(gaps) order by source collate \"C\"",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert_eq!(wrong, gaps, "{proof:?}");
}

/// What a ticket repeats of its advisory changes without the ticket's date.
fn without_advisories(mut tickets: Rows) -> Rows {
    for ticket in tickets.values_mut() {
        ticket[5].as_object_mut().unwrap().remove("advisory");
    }
    tickets
}

/// What is older than a first pull asks for is in `lived` only, as are gone tickets.
fn contains(lived: &Rows, clean: &Rows) {
    assert!(!clean.is_empty());
    for (key, row) in clean {
        assert_eq!(lived.get(key), Some(row), "{key}");
    }
}

#[test]
fn every_version_is_seen_once_and_the_end_is_that_of_a_clean_pass() {
    always(CASES, &vec(step(), 4..STEPS), ends_well);
}
