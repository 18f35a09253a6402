//! What a pull without changes does: nothing.

use std::collections::BTreeSet;

use advisoryd::cluster::{Cluster, ClusterOptions, Role};
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::store::database;
use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{World, pull_all, state_dir};

/// Every table that a pull may write.
const TABLES: [&str; 5] = ["source", "sync_run", "advisory", "sighting", "quarantine"];

/// The version of every row, by table: a row that is written anew has another one.
async fn rows(world: &World) -> BTreeSet<(&'static str, String)> {
    let mut rows = BTreeSet::new();
    for table in TABLES {
        let sql = format!("select ctid::text || ' by ' || xmin::text from advisoryd.{table}");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(world.pool())
            .await
            .unwrap();
        rows.extend(found.into_iter().map(|row| (table, row)));
    }
    rows
}

async fn written_by_a_pull(world: &World, look_back: LookBack) -> Vec<&'static str> {
    let before = rows(world).await;
    let report = world.pull_back(look_back).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    let after = rows(world).await;
    after.difference(&before).map(|(table, _)| *table).collect()
}

#[tokio::test]
async fn a_pull_without_changes_writes_only_that_it_took_place() {
    let world = World::new().await;
    world.pull_one().await;
    // A shorter window than the first one, and the same again.
    for look_back in [LookBack::Missing, LookBack::Full] {
        let written = written_by_a_pull(&world, look_back).await;
        assert_eq!(written, ["source", "sync_run"], "{look_back:?}");
    }
}

#[tokio::test]
async fn one_changed_record_rewrites_one_advisory() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    world.simulator.revise(&said, false);
    let written = written_by_a_pull(&world, LookBack::Full).await;
    assert_eq!(written, ["advisory", "sighting", "source", "sync_run"]);
}

#[tokio::test]
async fn a_record_whose_bytes_are_known_is_not_read_again() {
    let world = World::new().await;
    world.pull_one().await;
    sqlx::query("update advisoryd.advisory set title = 'by hand', content_hash = '\\x00'")
        .execute(world.pool())
        .await
        .unwrap();
    let report = world.pull_back(LookBack::Full).await.remove(0);
    let all = world.simulator.saids(1).len() as u64;
    assert_eq!((report.tally.unchanged, report.tally.changed), (all, 0));
    let read = "select count(*) from advisoryd_v1.advisories where title <> 'by hand'";
    assert_eq!(world.count(read).await, 0);
}

#[tokio::test]
async fn last_seen_at_moves_for_what_is_seen_and_stays_for_what_left_the_window() {
    let world = World::new().await;
    world.pull_one().await;
    let old = world.simulator.saids(1)[0].clone();
    let recent = world.simulator.publish(1).remove(0);
    world.later(TimeDelta::hours(1));
    world.pull_one().await;
    world.later(TimeDelta::hours(1));
    world.pull_one().await;
    // How many hours after its first sight each was seen last.
    let hours = async |said: &str| -> i32 {
        sqlx::query_scalar(
            "select round(extract(epoch from last_seen_at - first_seen_at) / 3600)::integer
             from advisoryd_v1.advisory_watch_lists
             where said = $1",
        )
        .bind(said)
        .fetch_one(world.pool())
        .await
        .unwrap()
    };
    assert_eq!(hours(&old).await, 0, "outside of the last windows");
    assert_eq!(hours(&recent).await, 1, "in both");
    world.pull_back(LookBack::Full).await;
    assert_eq!(hours(&old).await, 2, "seen again");
    world.later(TimeDelta::hours(30));
    world.pull_one().await;
    assert_eq!(hours(&old).await, 2, "and again outside");
    assert_eq!(
        hours(&recent).await,
        31,
        "32 hours old, in a window of two days"
    );
}

async fn wal_bytes(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The WAL belongs to a whole server: this test has one of its own.
#[tokio::test]
async fn a_pull_without_changes_makes_at_most_64_kib_of_wal() {
    let world = World::with(advisoryd::simulate::SimulatorOptions {
        advisories: 2000,
        ..crate::support::small()
    })
    .await;
    let state = state_dir();
    let mut options = ClusterOptions::new(Role::Daemon);
    options.durable = false;
    let cluster = Cluster::open(state.path(), options).await.unwrap();
    let pool = database::pool(cluster.connect_options(), 5);
    database::migrate(&pool).await.unwrap();
    let context = world.context_on(pool.clone()).await;
    let first = pull_all(&context, LookBack::Missing).await.remove(0);
    assert_eq!(first.tally.added, 2000, "{:?}", first.outcome);

    let before = wal_bytes(&pool).await;
    let again = pull_all(&context, LookBack::Full).await.remove(0);
    let written = wal_bytes(&pool).await - before;
    assert_eq!(again.tally.unchanged, 2000);
    assert!(written <= 64 * 1024, "{written} bytes");
    pool.close().await;
    cluster.stop().await.unwrap();
}
