//! `advisoryd replay`: what is stored is what today's rules read in the raw texts.

use std::collections::BTreeMap;

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{SimulatorOptions, TicketOptions, TicketShape};
use advisoryd::store::ledger::lock::SourceLock;
use chrono::TimeDelta;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::support::{Documents, PATIENCE, Running, World, assert_reads, eventually, small};

const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

/// Everything that a replay may write, row by row.
async fn everything(world: &World) -> BTreeMap<&'static str, Vec<Value>> {
    let mut all = BTreeMap::new();
    for table in [
        "advisory",
        "advisory_version",
        "ticket",
        "ticket_version",
        "sighting",
        "quarantine",
    ] {
        let sql = format!("select to_jsonb(t) as row from advisoryd.{table} t order by 1");
        let rows = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(world.pool())
            .await
            .unwrap();
        all.insert(table, rows);
    }
    all
}

async fn change(world: &World, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(world.pool())
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn corrected(world: &World) -> i64 {
    world
        .count("select count(*) from advisoryd_v1.changes where what = 'corrected'")
        .await
}

/// Advisories of several batches, and former versions of both kinds.
async fn lived() -> World {
    let world = World::with(SimulatorOptions {
        advisories: 1100,
        tickets: 40,
        ticket: TicketOptions {
            shape: TicketShape::Mixed,
            ..TicketOptions::default()
        },
        ..small()
    })
    .await;
    world.pull().await;
    world.sync_tickets(TicketSync::Now).await;
    for said in world.simulator.saids(1).iter().take(30) {
        world.simulator.revise(said, true);
    }
    for id in world.simulator.ticket_ids().iter().take(10) {
        world.simulator.touch_ticket(*id);
    }
    world.pull_back(LookBack::Full).await;
    world.sync_tickets(FULL).await;
    world
}

fn json(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_stored_well_is_left_untouched() {
    let world = lived().await;
    let before = everything(&world).await;
    let result = world.cli(&["replay"]);
    assert_eq!(result.code, 0, "{result:?}");
    assert_eq!(before["advisory_version"].len(), 30);
    assert_reads!(result);
    assert_eq!(everything(&world).await, before);
    assert_eq!(corrected(&world).await, 0);
}

#[tokio::test]
async fn columns_become_what_the_raw_texts_say_and_nothing_else_changes() {
    let world = lived().await;
    let before = everything(&world).await;
    change(
        &world,
        "update advisoryd.advisory set title = 'by hand', cves = '{}', is_rejected = true, refs = '[]', content_hash = '\\x00' where said > (select min(said) from advisoryd.advisory);
         update advisoryd.advisory_version set criticality = null, severity_rank = null, cvss3_score = 11;
         update advisoryd.ticket set status = 'by hand', said = null, content_hash = '\\x01';
         update advisoryd.ticket_version set title = null, modified_at = null;
         update advisoryd.sighting set byte_hash = '\\x02' || byte_hash, content_hash = '\\x02';
         update advisoryd.advisory set byte_hash = '\\x02' || byte_hash",
    )
    .await;
    let damaged = everything(&world).await;
    assert_ne!(before, damaged);

    let dry = world.cli(&["replay", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(
        everything(&world).await,
        damaged,
        "a dry run writes nothing"
    );
    let unasked = world.cli(&["replay"]);
    assert_eq!(unasked.code, 1);
    assert_reads!(dry, unasked.stderr);
    assert_eq!(everything(&world).await, damaged);

    let result = world.cli(&["replay", "--yes", "--json"]);
    assert_eq!(result.code, 0, "{result:?}");
    let [found, written] = json(&result.stdout).try_into().unwrap();
    assert_eq!(found["fields"]["advisory title"]["count"], 1099);
    assert_eq!(
        found["fields"]["advisory title"]["examples"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(written["written"], true);
    assert_eq!(everything(&world).await, before, "byte for byte as it was");
    assert_eq!(corrected(&world).await, 1099 + 40, "current versions only");
    let again = json(&world.cli(&["replay", "--yes", "--json"]).stdout);
    assert_eq!(again[1]["rewritten"], 0, "a second replay changes nothing");
    assert_eq!(corrected(&world).await, 1099 + 40);
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(proof.proven, "{:?}", proof.problems);
}

/// Columns that a replay leaves alone: they tell of upstream and us, or are what is
/// read.
const NOT_READ: &str = "'raw', 'detail_hash', 'source_id', 'run_id', 'version', 'first_seen_at', 'changed_at', 'replaced_at', 'deleted_at', 'erased_at', 'corrected'";

/// Another value than whatever upstream may have said.
fn by_hand(column: &str, kind: &str) -> String {
    match kind {
        "boolean" => format!("not coalesce({column}, false)"),
        "timestamp with time zone" => "'1970-01-02'".to_owned(),
        "ARRAY" => "array['by hand']".to_owned(),
        "jsonb" => r#"'{"by": "hand"}'"#.to_owned(),
        "bytea" => r"'\x00'".to_owned(),
        "text" if column == "attack_vector" => "'unknown'".to_owned(),
        "text" => "'by hand'".to_owned(),
        _ => "-1".to_owned(),
    }
}

/// Whatever columns there are: one that is stored and never corrected would be
/// noticed by nobody.
#[tokio::test]
async fn every_column_that_is_read_is_corrected() {
    let world = lived().await;
    let before = everything(&world).await;
    for (table, key) in [
        ("advisory", "said"),
        ("advisory_version", "said"),
        ("ticket", "id"),
        ("ticket_version", "id"),
    ] {
        let sql = format!(
            "select column_name::text, data_type::text
             from information_schema.columns
             where table_schema = 'advisoryd'
               and table_name = '{table}'
               and is_generated = 'NEVER'
               and column_name not in ('{key}', {NOT_READ})"
        );
        let columns: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(world.pool())
            .await
            .unwrap();
        assert!(columns.len() > 15, "{table}: {columns:?}");
        for (number, (column, kind)) in columns.iter().enumerate() {
            let value = by_hand(column, kind);
            // Each in a row of its own, as far as there are rows.
            let sql = format!(
                "update advisoryd.{table}
                 set {column} = {value}
                 where {column} is distinct from {value}
                   and {key} = (select {key} from advisoryd.{table} order by {key}
                                offset {number} % (select count(*) from advisoryd.{table}) limit 1)"
            );
            let done = sqlx::query(AssertSqlSafe(sql)).execute(world.pool()).await;
            assert_eq!(done.unwrap().rows_affected(), 1, "{table}.{column}");
        }
    }
    let result = world.cli(&["replay", "--yes"]);
    assert_eq!(result.code, 0, "{result:?}");
    for (table, rows) in everything(&world).await {
        for (now, was) in rows.iter().zip(&before[table]) {
            for (column, was) in was.as_object().unwrap() {
                assert_eq!(&now[column], was, "{table}.{column}");
            }
        }
        assert_eq!(rows.len(), before[table].len(), "{table}");
    }
}

#[tokio::test]
async fn only_what_came_since_is_read_again() {
    let world = lived().await;
    change(&world, "update advisoryd.advisory set title = 'by hand'").await;
    change(
        &world,
        "update advisoryd.advisory set changed_at = changed_at - interval '3 days' where said <> (select min(said) from advisoryd.advisory)",
    )
    .await;
    let result = world.cli(&["replay", "--yes", "--json", "--since", "2d"]);
    assert_eq!(json(&result.stdout)[0]["differing"], 1, "{result:?}");
    let left = "select count(*) from advisoryd.advisory where title = 'by hand'";
    assert_eq!(world.count(left).await, 1099);
}

#[tokio::test]
async fn a_new_alias_explains_columns_and_quarantine_without_new_versions() {
    let record =
        |said: &str, slogan: &str| format!("<advisory>{said}<slogan>{slogan}</slogan></advisory>");
    let named = |said: &str| format!("<advisory_identifier>{said}</advisory_identifier>");
    let documents = Documents::serve().await;
    let feed = |records: &[String]| format!("<advisories>{}</advisories>", records.concat());
    documents.set(
        1,
        feed(&[
            record(&named("SA1"), "one"),
            record("<serial>SA2</serial>", "two"),
        ]),
    );
    // Says something else of SA1 at the same time: kept beside.
    documents.set(2, feed(&[record(&named("SA1"), "other")]));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1, 2]);
    world.pull().await;
    let titles = "select count(*) from advisoryd_v1.advisories where title is not null";
    assert_eq!(world.count(titles).await, 0);

    let aliases = [("said", ["serial"]), ("title", ["slogan"])];
    world.settings.feeds.aliases.extend(aliases);
    let dry = world.cli(&["replay", "--dry-run"]);
    assert_reads!(dry);
    let result = world.cli(&["replay", "--yes"]);
    assert_eq!(result.code, 0, "{result:?}");
    assert_eq!(world.count(titles).await, 2);
    assert_eq!(
        world
            .count("select count(*) from advisoryd.quarantine")
            .await,
        0
    );
    let facts: Vec<String> =
        sqlx::query_scalar("select what from advisoryd_v1.changes order by seq")
            .fetch_all(world.pool())
            .await
            .unwrap();
    assert_eq!(
        facts,
        ["appeared", "joined_watch_list", "corrected", "appeared"],
        "SA1 is still in version 1"
    );
    let before = everything(&world).await;
    for report in world.pull().await {
        assert_eq!(
            (report.tally.added, report.tally.changed),
            (0, 0),
            "the next pull knows every record: {report:?}"
        );
    }
    assert_eq!(everything(&world).await, before);
    let again = json(&world.cli(&["replay", "--json"]).stdout);
    assert_eq!(again[1]["rewritten"], 0);
}

/// Without dates nobody could tell which of two lists has the newer statement.
#[tokio::test]
async fn what_an_alias_shows_to_be_newer_becomes_the_next_version() {
    let record = |title: &str, day: u32| {
        format!(
            "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>{title}</title><stamp>2026-03-{day:02}T10:00:00Z</stamp></advisory></advisories>"
        )
    };
    let documents = Documents::serve().await;
    documents.set(1, record("first", 2));
    documents.set(2, record("older", 1));
    documents.set(3, record("newer", 3));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1, 2, 3]);
    world.pull().await;
    let title = "select title from advisoryd_v1.advisories";
    let stored = async || -> String {
        sqlx::query_scalar(title)
            .fetch_one(world.pool())
            .await
            .unwrap()
    };
    assert_eq!(stored().await, "first");

    let aliases = &mut world.settings.feeds.aliases;
    aliases.insert("modified_at", ["stamp"]);
    let dry = world.cli(&["replay", "--dry-run"]);
    assert_reads!(dry);
    assert_eq!(world.cli(&["replay", "--yes"]).code, 0);
    assert_eq!(world.versions().await["SA1"], 2);
    let before = everything(&world).await;
    let again = json(&world.cli(&["replay", "--json"]).stdout);
    assert_eq!(
        (&again[1]["rewritten"], &again[1]["promoted"]),
        (&0.into(), &0.into())
    );
    world.pull().await;
    assert_eq!(everything(&world).await, before, "every record is known");
    let titles: Vec<String> =
        sqlx::query_scalar("select title from advisoryd_v1.advisory_history order by version")
            .fetch_all(world.pool())
            .await
            .unwrap();
    assert_eq!(titles, ["first", "newer"]);
    assert!(
        verify(
            world.pool(),
            Some(world.simulator.now() - TimeDelta::days(30)),
            world.now()
        )
        .await
        .unwrap()
        .problems
        .iter()
        .all(|problem| problem.about == "tickets")
    );
}

/// Killed between two batches, which a lock makes sure of.
#[tokio::test]
async fn a_replay_that_is_killed_has_done_what_it_did_and_the_next_does_the_rest() {
    let world = lived().await;
    let before = everything(&world).await;
    change(&world, "update advisoryd.advisory set title = 'by hand'; update advisoryd.ticket set title = 'by hand'").await;
    let mut locked = world.pool().begin().await.unwrap();
    sqlx::query("select from advisoryd.advisory where said = (select max(said) from advisoryd.advisory) for update")
        .execute(&mut *locked)
        .await
        .unwrap();
    let mut replay = Running::start(&mut world.command(&["replay", "--yes"]));
    let left = "select count(*) from advisoryd.advisory where title = 'by hand'";
    eventually("the first batches", PATIENCE, async || {
        let waits = world
            .count("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
            .await;
        (waits >= 1).then_some(())
    })
    .await;
    replay.kill9();
    locked.rollback().await.unwrap();
    let done = 1100 - world.count(left).await;
    assert!((1..1100).contains(&done), "{done}");
    eventually("the end of its locks", PATIENCE, async || {
        (world.cli(&["replay", "--yes"]).code == 0).then_some(())
    })
    .await;
    assert_eq!(everything(&world).await, before);
    assert_eq!(corrected(&world).await, 1100 + 40, "each is told once");
    assert!(
        verify(world.pool(), None, world.now())
            .await
            .unwrap()
            .proven
    );
}

#[tokio::test]
async fn a_raw_text_that_no_longer_reads_is_left_as_it_is_and_told() {
    let world = World::new().await;
    world.pull_one().await;
    let [first, second] = [0, 1].map(|at| world.simulator.saids(1)[at].clone());
    change(
        &world,
        &format!(
            "update advisoryd.advisory set raw = '<advisory>', title = 'kept' where said = '{first}';
             update advisoryd.advisory set raw = '<a><advisory_identifier>SA1</advisory_identifier></a>' where said = '{second}'"
        ),
    )
    .await;
    let before = everything(&world).await;
    let result = world.cli(&["replay", "--yes"]);
    assert_eq!(result.code, 0, "{result:?}");
    assert_reads!(result);
    assert_eq!(everything(&world).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_source_that_was_given_back_is_free() {
    let world = World::new().await;
    world.context().await;
    for _ in 0..200 {
        let hold = SourceLock::take(world.pool(), 1).await.unwrap();
        hold.expect("it is free").release().await;
    }
}

#[tokio::test]
async fn a_replay_does_not_run_beside_a_pull() {
    let world = World::new().await;
    world.pull_one().await;
    let source = world
        .count("select id::bigint from advisoryd.source where watch_list_id = 1")
        .await;
    let hold = SourceLock::take(world.pool(), i32::try_from(source).unwrap())
        .await
        .unwrap()
        .unwrap();
    let result = world.cli(&["replay", "--dry-run"]);
    assert_eq!(result.code, 1);
    assert_reads!(result);
    hold.release().await;
    let all = SourceLock::take_all(world.pool()).await.unwrap().unwrap();
    let context = world.context().await;
    let (feed, _) = advisoryd::job::feeds::feed::feeds(&context.config).remove(0);
    let ran = advisoryd::job::feeds::pull::pull(&context, &feed, LookBack::Missing).await;
    assert!(
        matches!(ran, Ok(advisoryd::job::run::Ran::Busy(_))),
        "{ran:?}"
    );
    all.release().await;
    assert_eq!(world.cli(&["replay", "--dry-run"]).code, 0);
}
