//! `advisoryd prove`: passes while all is well, and names what is not.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::{Verification, verify};
use advisoryd::simulate::{AnswerFault, FaultRule, LimitOptions, SimulatorOptions};
use chrono::TimeDelta;
use sqlx::AssertSqlSafe;

use crate::support::{Documents, PATIENCE, Running, World, assert_reads, eventually, small};

const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

async fn proof(world: &World) -> Verification {
    verify(world.pool(), None, world.now()).await.unwrap()
}

/// What is wrong, one line each.
async fn wrong(world: &World) -> Vec<String> {
    let problems = proof(world).await.problems;
    problems
        .into_iter()
        .map(|problem| format!("{}: {}", problem.about, problem.says))
        .collect()
}

async fn all_is_well(world: &World) {
    assert_eq!(wrong(world).await, Vec::<String>::new());
}

async fn change(world: &World, sql: &str) -> u64 {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(world.pool())
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .rows_affected()
}

/// Some runs of two lists and the tickets, with versions and changes.
async fn lived() -> World {
    let world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.pull().await;
    world.sync_tickets(TicketSync::Now).await;
    let said = world.simulator.saids(1)[0].clone();
    for _ in 0..2 {
        world.simulator.revise(&said, true);
        world
            .simulator
            .touch_ticket(world.simulator.ticket_ids()[3]);
        world.pull_back(LookBack::Full).await;
        world.sync_tickets(FULL).await;
    }
    world
}

#[tokio::test]
async fn normal_runs_prove() {
    let world = lived().await;
    all_is_well(&world).await;
    let changes = world.count("select count(*) from advisoryd.change").await;
    assert!(changes > 85, "{changes}");
    let result = world.cli(&["prove", "--json"]);
    let proof = result.json();
    assert_eq!(
        (result.code, &proof["proven"]),
        (0, &true.into()),
        "{proof}"
    );
    for (what, count) in [
        ("runs", 12),
        ("advisories", 60),
        ("tickets", 25),
        ("changes", changes),
    ] {
        assert_eq!(proof[what], count, "{what}: {proof}");
    }
    let result = world.cli(&["prove"]);
    assert_eq!(result.code, 0, "{result:?}");
    assert_reads!(result);
    let recent = world.cli(&["prove", "--json", "--since", "1h"]);
    let proof = recent.json();
    assert_eq!(
        (recent.code, &proof["proven"], &proof["advisories"]),
        (0, &true.into(), &60.into()),
        "{proof}"
    );
}

#[tokio::test]
async fn what_was_never_read_is_no_proof() {
    let world = World::new().await;
    world.context().await;
    let said = world.cli(&["prove"]);
    assert_eq!(said.code, 1);
    assert_reads!(said);
}

#[tokio::test]
async fn failed_and_interrupted_runs_prove() {
    let world = lived().await;
    for fault in [
        AnswerFault::Status(500),
        AnswerFault::Html200,
        AnswerFault::Truncate {
            after_bytes: 10_000,
            clean: false,
        },
    ] {
        world.simulator.inject(FaultRule::new(fault).times(4));
        let reports = world.pull().await;
        assert!(
            reports
                .iter()
                .any(|report| report.outcome.name() == "failed")
        );
        world.simulator.clear_faults();
        all_is_well(&world).await;
    }
    world.stop.cancel();
    let report = world.pull().await.remove(0);
    assert_eq!(report.outcome.name(), "interrupted");
    all_is_well(&world).await;
}

#[tokio::test]
async fn a_process_that_was_killed_proves() {
    let world = World::with(SimulatorOptions {
        advisories: 1600,
        ..small()
    })
    .await;
    world.sync_tickets(TicketSync::Now).await;
    world.simulator.inject(
        FaultRule::new(AnswerFault::Hold {
            after_bytes: 4 * 1024 * 1024,
            gate: "mid".to_owned(),
        })
        .on("xml-feed"),
    );
    let mut sync = Running::start(&mut world.command(&["sync", "feeds"]));
    world.reached("mid").await;
    eventually("the first chunk", PATIENCE, async || {
        let stored = world.count("select count(*) from advisoryd.advisory").await;
        (stored > 0).then_some(())
    })
    .await;
    sync.kill9();
    assert_reads!(wrong(&world).await.join("\n"));
    eventually("the lock's end", PATIENCE, async || {
        (world.pull().await.first()?.outcome.name() == "ok").then_some(())
    })
    .await;
    all_is_well(&world).await;
}

/// Each column of a run, with something else to write into it.
const COLUMNS: &[(&str, &str)] = &[
    ("id", "id = id + 1000"),
    (
        "source_id",
        "source_id = (select min(s.id) from advisoryd.source s where s.id <> sync_run.source_id), place = place + 1000",
    ),
    (
        "job",
        "job = case job when 'feed' then 'tickets' else 'feed' end",
    ),
    ("mode", "mode = 'import'"),
    (
        "started_at",
        "started_at = started_at - interval '1 microsecond'",
    ),
    (
        "finished_at",
        "finished_at = finished_at + interval '1 microsecond'",
    ),
    (
        "outcome",
        "outcome = case outcome when 'ok' then 'failed' else 'ok' end",
    ),
    ("outcome", "outcome = 'running', finished_at = null"),
    (
        "covers",
        "covers = tstzrange(lower(covers) - interval '1 microsecond', upper(covers))",
    ),
    (
        "covers",
        "covers = tstzrange(lower(covers), upper(covers), '[]')",
    ),
    ("covers", "covers = null"),
    ("requests", "requests = requests + 1"),
    ("bytes", "bytes = bytes + 1"),
    ("claimed", "claimed = coalesce(claimed, 0) + 1"),
    ("accounted", "accounted = coalesce(accounted, 0) + 1"),
    ("seen", "seen = seen + 1"),
    ("added", "added = added + 1"),
    ("changed", "changed = changed + 1"),
    ("unchanged", "unchanged = unchanged + 1"),
    ("quarantined", "quarantined = quarantined + 1"),
    ("error", "error = coalesce(error, '') || ' '"),
    ("received", "received = '\\x00'"),
    ("received", "received = null"),
    ("place", "place = place + 1000"),
    ("place", "place = null"),
    ("digest", "digest = '\\x00'"),
    ("digest", "digest = null"),
];

#[tokio::test]
async fn no_row_of_the_ledger_can_be_altered_or_removed_unnoticed() {
    let world = lived().await;
    let named: Vec<String> = sqlx::query_scalar(
        "select column_name::text from information_schema.columns
         where table_schema = 'advisoryd' and table_name = 'sync_run'",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    for column in &named {
        let altered = COLUMNS.iter().any(|(name, _)| name == column);
        assert!(altered, "{column} is not altered by this test");
    }
    change(
        &world,
        "alter table advisoryd.sync_run alter id set generated by default;
         create table public.saved as select * from advisoryd.sync_run",
    )
    .await;
    // The first, one in the middle and the last of the chain of list 1.
    for place in [1, 2, 3] {
        let row = format!(
            "place = {place} and source_id = (select id from advisoryd.source where watch_list_id = 1)"
        );
        let updates = COLUMNS
            .iter()
            .map(|(_, set)| format!("update advisoryd.sync_run set {set} where {row}"));
        let removal = format!("delete from advisoryd.sync_run where {row}");
        for sql in updates.chain([removal]) {
            assert_eq!(change(&world, &sql).await, 1, "{sql}");
            let problems = wrong(&world).await;
            assert!(
                problems.iter().any(|line| line.starts_with("watch list 1")),
                "{sql}: {problems:?}"
            );
            change(
                &world,
                "delete from advisoryd.sync_run;
                 insert into advisoryd.sync_run select * from public.saved",
            )
            .await;
        }
    }
    all_is_well(&world).await;
    let source = "update advisoryd.source set covered = covered + tstzmultirange(tstzrange('2000-01-01', '2001-01-01')) where watch_list_id = 1";
    change(&world, source).await;
    assert_reads!(wrong(&world).await.join("\n"));
}

/// What stands in `source` of the chain, with something else to write into it.
const ANCHORS: &[&str] = &[
    "head = '\\x00'",
    "head = null",
    "runs = runs - 1",
    "runs = runs + 1",
    "dropped_runs = 1",
    "dropped_head = '\\x00'",
    "covered = covered + tstzmultirange(tstzrange('2000-01-01', '2001-01-01'))",
    "covered = covered - tstzmultirange(tstzrange(now() - interval '3 days', now() - interval '2 days'))",
    "covered = '{}'",
];

#[tokio::test]
async fn no_end_of_the_chain_can_be_altered_unnoticed() {
    let world = lived().await;
    change(
        &world,
        "create table public.saved as select * from advisoryd.source",
    )
    .await;
    for set in ANCHORS {
        let sql = format!("update advisoryd.source set {set} where watch_list_id = 1");
        assert_eq!(change(&world, &sql).await, 1, "{sql}");
        let problems = wrong(&world).await;
        assert!(
            problems.iter().any(|line| line.starts_with("watch list 1")),
            "{sql}: {problems:?}"
        );
        change(
            &world,
            "update advisoryd.source s
             set (head, runs, dropped_runs, dropped_head, covered)
               = (o.head, o.runs, o.dropped_runs, o.dropped_head, o.covered)
             from public.saved o
             where o.id = s.id",
        )
        .await;
    }
    all_is_well(&world).await;
}

#[tokio::test]
async fn a_dropped_page_of_tickets_is_no_proof() {
    let world = World::with(SimulatorOptions {
        tickets: 350,
        ..small()
    })
    .await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    // The first page says that the third is the next.
    let url = format!(
        "{}/api/tickets/?page=3&page_size=100",
        world.simulator.base_url()
    );
    let skip = FaultRule::new(AnswerFault::EvilNext(url)).on("/api/tickets/?page_size=100");
    // In each of three attempts it is read again after the third page, and at the end.
    world.simulator.inject(skip.times(9));
    let report = world.sync_tickets(FULL).await.remove(0);
    assert_eq!(report.outcome.name(), "failed", "{report:?}");
    assert_reads!(wrong(&world).await.join("\n"));
    world.sync_tickets(FULL).await;
    all_is_well(&world).await;
}

#[tokio::test]
async fn feeds_of_several_pages_reconcile_over_all_of_them() {
    let page = |next: &str, ids: std::ops::Range<u32>| {
        let records: Vec<String> = ids
            .map(|id| {
                format!("<list-item><advisory_identifier>SA{id}</advisory_identifier></list-item>")
            })
            .collect();
        let records = records.concat();
        format!("<root><count>5</count><next>{next}</next><results>{records}</results></root>")
    };
    let documents = Documents::serve().await;
    let path = "/api/xml-feed/?asset_list_id=1&amp;page=2";
    let second = format!("{}{path}", documents.base_url);
    documents.set(1, page(&second, 1..4));
    documents.set_page("1", 2, page("", 4..6));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let report = world.pull_one().await;
    assert_eq!(
        (
            report.outcome.name(),
            report.tally.claimed,
            report.tally.added
        ),
        ("ok", Some(5), 5),
        "{:?}",
        report.outcome
    );
    documents.set_page("1", 2, page("", 4..5));
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(wrong(&world).await.join("\n"));
}

#[tokio::test]
async fn a_hole_in_the_coverage_is_told_until_it_is_filled() {
    let world = lived().await;
    world.later(TimeDelta::days(20));
    world.pull_back(LookBack::Days(1)).await;
    world.sync_tickets(TicketSync::Now).await;
    let problems = wrong(&world).await;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_reads!(problems.join("\n"));
    let later = Some(world.simulator.now() - TimeDelta::hours(20));
    let recent = verify(world.pool(), later, world.now()).await.unwrap();
    assert!(recent.proven, "{:?}", recent.problems);
    world.pull().await;
    all_is_well(&world).await;
}

#[tokio::test]
async fn a_removed_version_or_change_is_named() {
    let world = lived().await;
    let said = world.simulator.saids(1)[0].clone();
    let ticket = world.simulator.ticket_ids()[3];
    let removals = [
        "delete from advisoryd.advisory_version where version = 1",
        "delete from advisoryd.advisory_version where version = 2",
        "delete from advisoryd.ticket_version where version = 2",
        "delete from advisoryd.change where seq between 3 and 5",
        "delete from advisoryd.change where seq = (select max(seq) from advisoryd.change)",
        &format!("delete from advisoryd.advisory where said = '{said}'"),
        &format!("delete from advisoryd.ticket where id = {ticket}"),
    ];
    let mut known = Vec::new();
    let mut result = Vec::new();
    for sql in removals {
        assert!(change(&world, sql).await > 0, "{sql}");
        let problems = wrong(&world).await;
        let new: Vec<&str> = problems
            .iter()
            .filter(|problem| !known.contains(*problem))
            .map(String::as_str)
            .collect();
        assert!(!new.is_empty(), "{sql}: {problems:?}");
        result.push(format!("{sql}\n    {}", new.join("\n    ")));
        known = problems;
    }
    assert_reads!(result.join("\n"));
}

#[tokio::test]
async fn a_time_that_no_run_has_reached_is_no_proof() {
    let world = lived().await;
    all_is_well(&world).await;
    let end = proof(&world).await.known_to.unwrap();
    let before = verify(world.pool(), Some(end - TimeDelta::minutes(1)), world.now()).await;
    assert!(before.unwrap().proven);
    // As where the daemon has stood still for longer than is asked about.
    let later = verify(world.pool(), Some(end + TimeDelta::days(1)), world.now()).await;
    let problems = later.unwrap().problems;
    assert_eq!(problems.len(), 3, "{problems:?}");
    let result = problems
        .iter()
        .map(|it| format!("{}: {}; {}", it.about, it.says, it.advice));
    assert_reads!(result.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn a_source_that_is_gone_with_its_ledger_is_named() {
    let world = lived().await;
    change(
        &world,
        "delete from advisoryd.sync_run where source_id in (select id from advisoryd.source where watch_list_id = 2 or kind = 'tickets');
         delete from advisoryd.source where watch_list_id = 2 or kind = 'tickets'",
    )
    .await;
    // As if both had just been configured for the first time.
    world.context().await;
    let emptied = wrong(&world).await.join("\n");
    change(
        &world,
        "delete from advisoryd.source where kind = 'tickets'",
    )
    .await;
    assert_reads!(emptied, wrong(&world).await.join("\n"));
}

#[tokio::test]
async fn a_counter_that_is_gone_is_named() {
    let world = lived().await;
    change(&world, "delete from advisoryd.retained").await;
    let counter = wrong(&world).await.join("\n");
    change(
        &world,
        "delete from advisoryd.advisory_version where version = 1",
    )
    .await;
    assert_eq!(wrong(&world).await.len(), 2, "a loss is still a loss");
    change(&world, "delete from advisoryd.change_counter").await;
    assert_reads!(counter, wrong(&world).await.join("\n"));
}

/// Many runs at once, while somebody proves: one moment is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn proving_beside_running_pulls_finds_nothing_wrong() {
    let world = World::with(SimulatorOptions {
        advisories: 600,
        watch_lists: 3,
        limits: LimitOptions {
            per_minute: 0,
            ..LimitOptions::default()
        },
        ..small()
    })
    .await;
    world.sync_tickets(TicketSync::Now).await;
    world.pull_back(LookBack::Days(1)).await;
    let context = world.context().await;
    let pulling = tokio::spawn(async move {
        crate::support::pull_all(&context, LookBack::Full).await;
    });
    while !pulling.is_finished() {
        all_is_well(&world).await;
    }
    pulling.await.unwrap();
    all_is_well(&world).await;
}
