//! Crash points: a command is killed before and after each commit that writes
//! something, one after the other, and run again. Whatever the kill, the database
//! must hold in the end what it holds after a command that nobody killed.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::AssertSqlSafe;

use advisoryd::job::trust::verify::verify;

use super::database::TestDatabase;
use super::gateway::{Edge, Gateway};
use super::process::Running;
use super::wait::{PATIENCE, eventually};
use super::world::World;

/// As many commits as there can be at most: beyond, the test counts something else.
const MOST_COMMITS: u64 = 60;

/// What the database holds, without times and numbers of runs, which a kill may
/// change: a name and a query of one JSON column each. From the tables and not from
/// the views, since a new session plans a query of a view for longer than it runs.
const HELD: &[(&str, &str)] = &[
    (
        "advisories",
        "select to_jsonb(a) - '{source_id, run_id, first_seen_at, changed_at}'::text[]
         from advisoryd.advisory a order by said",
    ),
    (
        "versions of advisories",
        "select to_jsonb(v) - '{source_id, run_id, first_seen_at, changed_at, replaced_at}'::text[]
         from advisoryd.advisory_version v order by said, version",
    ),
    (
        "tickets",
        "select to_jsonb(t) - '{run_id, first_seen_at, changed_at, deleted_at}'::text[]
                || jsonb_build_object('gone', deleted_at is not null)
         from advisoryd.ticket t order by id",
    ),
    (
        "versions of tickets",
        "select to_jsonb(v) - '{run_id, first_seen_at, changed_at, replaced_at, deleted_at}'::text[]
         from advisoryd.ticket_version v order by id, version",
    ),
    (
        "members of lists",
        "select jsonb_build_object('said', g.said, 'list', s.watch_list_id, 'bytes', g.byte_hash, 'content', g.content_hash,
                                   'left', g.left_at is not null, 'away', g.away is not null)
         from advisoryd.sighting g join advisoryd.source s on s.id = g.source_id
         order by g.said, s.watch_list_id",
    ),
    (
        "changes",
        "select to_jsonb(c) - '{seq, at, run_id}'::text[]
         from advisoryd.change c order by kind, key, version, what, watch_list_id",
    ),
    (
        "quarantine",
        "select to_jsonb(q) - '{id, run_id, last_run_id, at}'::text[]
         from advisoryd.quarantine q order by source_id, key, reason",
    ),
    (
        "unknown fields",
        "select to_jsonb(f) - '{first_seen_at}'::text[]
         from advisoryd.unknown_field f order by source_id, name",
    ),
    (
        "pending details",
        "select to_jsonb(said) from advisoryd.wanted_detail order by said",
    ),
    (
        "details",
        "select jsonb_build_object('said', said, 'raw', raw) from advisoryd.detail order by said",
    ),
    (
        "sources",
        "select jsonb_build_object('kind', kind, 'list', watch_list_id, 'name', name, 'configured', configured,
                                   'via', served_by, 'covers', not isempty(covered), 'error', last_error)
         from advisoryd.source order by kind, watch_list_id",
    ),
    (
        "lists upstream",
        "select to_jsonb(d) - '{discovered_at, vanished_at}'::text[]
                || jsonb_build_object('vanished', vanished_at is not null)
         from advisoryd.discovered_list d order by id",
    ),
    (
        "alerts",
        "select to_jsonb(a.id::text || is_shadow) from advisoryd.alert a order by id",
    ),
    (
        "deliveries",
        "select to_jsonb(sink || state) from advisoryd.delivery order by sink, state",
    ),
];

/// Lets a kill happen at each commit in turn, until a process comes to its end;
/// says how many commits there were. `is_killed_at` is false at the end.
pub async fn every_commit(mut is_killed_at: impl AsyncFnMut(u64) -> bool) -> u64 {
    for place in 1..MOST_COMMITS {
        if !is_killed_at(place).await {
            return place - 1;
        }
    }
    panic!("more than {MOST_COMMITS} commits");
}

/// A command from where a world stands to its end, each time in a copy of the
/// world's database.
pub struct Journey<'a> {
    pub world: &'a mut World,
    pub arguments: &'static [&'static str],
    /// How it may end.
    pub codes: &'static [i32],
    /// Further queries whose answers a kill must not change, of one JSON column each.
    pub also: &'static [(&'static str, &'static str)],
}

type Held = BTreeMap<&'static str, Vec<Value>>;

impl Journey<'_> {
    /// Takes the journey once without a kill, then with a kill at each edge of each
    /// commit; all come to the same. Leaves the world at the end of the last.
    /// Returns the number of commits.
    pub async fn survives_every_kill(&mut self) -> u64 {
        let copy = self.world.database.copy().await;
        let start = std::mem::replace(&mut self.world.database, copy);
        self.ends("undisturbed");
        let expected = self.held("undisturbed").await;
        let mut commits = Vec::new();
        for edge in [Edge::Before, Edge::After] {
            let count = every_commit(async |place| {
                let was_killed = self.is_killed_at(&start, place, edge).await;
                let place = format!("{:?} {edge:?} {place}", self.arguments);
                let held = self.held(&place).await;
                for (what, rows) in &expected {
                    assert_same(&place, what, &held[what], rows);
                }
                was_killed
            });
            commits.push(count.await);
        }
        commits.into_iter().min().expect("two edges")
    }

    /// One journey with a kill, in a new copy; false if it ended before.
    async fn is_killed_at(&mut self, start: &TestDatabase, place: u64, edge: Edge) -> bool {
        self.world.database = start.copy().await;
        let gateway = Gateway::to(&self.world.database, place, edge).await;
        let mut process = self.world.start_behind(&gateway, self.arguments);
        let status = process.ended().await;
        if !gateway.has_struck() {
            let is_well = status.code().is_some_and(|code| self.codes.contains(&code));
            assert!(is_well, "{}", process.stderr());
            return false;
        }
        self.world.dead_are_gone().await;
        self.world.groups_are_full().await;
        self.ends(&format!("after {edge:?} {place}"));
        true
    }

    /// The command, undisturbed.
    fn ends(&self, place: &str) {
        let result = self.world.cli(self.arguments);
        let is_well = self.codes.contains(&result.code);
        assert!(is_well, "{:?} {place}: {result:?}", self.arguments);
    }

    async fn held(&self, place: &str) -> Held {
        let world = &*self.world;
        let mut held = Held::new();
        for (what, sql) in HELD.iter().chain(self.also) {
            let rows = sqlx::query_scalar(AssertSqlSafe(*sql));
            let rows = rows.fetch_all(world.pool()).await;
            held.insert(what, rows.unwrap_or_else(|error| panic!("{what}: {error}")));
        }
        let proof = verify(world.pool(), None, world.now()).await;
        let proof = proof.expect("a verification");
        // What is in quarantine is a problem, and the same one without a kill.
        let problems = proof.problems.into_iter().map(|problem| {
            let is_known = problem.says.starts_with("in quarantine since");
            assert!(is_known, "{place}: {problem:?}");
            Value::from(problem.about)
        });
        held.insert("problems", problems.collect());
        held
    }
}

/// Names the first row that differs: all of them would fill the screen.
fn assert_same(place: &str, what: &str, held: &[Value], expected: &[Value]) {
    for (held, expected) in held.iter().zip(expected) {
        assert_eq!(held, expected, "{place}: {what}");
    }
    assert_eq!(held.len(), expected.len(), "{place}: {what}");
}

impl World {
    /// The built binary, whose only way to the database is the gateway, which may
    /// kill it.
    pub fn start_behind(&mut self, gateway: &Gateway, arguments: &[&str]) -> Running {
        let direct = std::mem::replace(&mut self.database.url, gateway.url.clone());
        let process = Running::start(&mut self.command(arguments));
        self.database.url = direct;
        gateway.watch(process.pid());
        process
    }

    /// Ends the time in which messages wait for more alerts, as a later command would
    /// find it.
    async fn groups_are_full(&self) {
        sqlx::query("update advisoryd.message set closes_at = opened_at where sealed_at is null")
            .execute(self.pool())
            .await
            .expect("the groups are full");
    }

    /// Waits for the end of what a killed process leaves behind: its transactions
    /// and locks, and the leases of its deliveries, for which nobody has the time.
    pub async fn dead_are_gone(&self) {
        let left = "select count(*) from pg_stat_activity
            where datname = current_database() and application_name = 'advisoryd'";
        eventually("the end of the dead's connections", PATIENCE, async || {
            (self.count(left).await == 0).then_some(())
        })
        .await;
        sqlx::query(
            "update advisoryd.delivery set leased_until = now() where leased_until > now()",
        )
        .execute(self.pool())
        .await
        .expect("the leases end");
    }
}
