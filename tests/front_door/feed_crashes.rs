//! Processes that die, stop, meet each other or lose their database in mid-run:
//! the next run makes everything whole.

use std::time::Instant;

use advisoryd::job::failure::Failure;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::feeds::feed::feeds;
use advisoryd::job::feeds::pull::pull;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use nix::sys::signal::Signal;

use crate::support::{
    PATIENCE, READ_TIMEOUT, Running, World, assert_reads, eventually, small, suspend,
};

const GATE: &str = "mid-load";

/// A world of many chunks whose first feed stops in the middle and waits at the gate.
async fn held() -> World {
    let world = World::with(SimulatorOptions {
        advisories: 1600,
        ..small()
    })
    .await;
    hold_the_next(&world);
    world
}

fn hold_the_next(world: &World) {
    let hold = AnswerFault::Hold {
        after_bytes: 4 * 1024 * 1024,
        gate: GATE.to_owned(),
    };
    world.simulator.inject(FaultRule::new(hold).on("xml-feed"));
}

/// `sync feeds` that has come to the gate and has stored something.
async fn sync_to_the_gate(world: &World) -> Running {
    let sync = Running::start(&mut world.command(&["sync", "feeds"]));
    world.reached(GATE).await;
    eventually("the first chunk", PATIENCE, async || {
        (stored(world).await > 0).then_some(())
    })
    .await;
    sync
}

async fn stored(world: &World) -> i64 {
    world.count("select count(*) from advisoryd.advisory").await
}

async fn sync_well(world: &World) {
    let mut sync = Running::start(&mut world.command(&["sync", "feeds"]));
    assert!(sync.ended().await.success(), "{}", sync.stderr());
    world.assert_all_is_stored().await;
}

/// Outcomes of the ledger, oldest first.
async fn outcomes(world: &World) -> Vec<String> {
    sqlx::query_scalar("select outcome from advisoryd_v1.sync_runs order by id")
        .fetch_all(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn kill_9_during_the_first_load_loses_nothing() {
    let world = held().await;
    let mut sync = sync_to_the_gate(&world).await;
    sync.kill9();
    let kept = stored(&world).await;
    assert!(kept > 0 && kept < 1600, "{kept} of 1600");
    assert_eq!(outcomes(&world).await, ["running"], "nobody could end it");
    sync_well(&world).await;
    assert_eq!(outcomes(&world).await, ["interrupted", "ok"]);
}

#[tokio::test]
async fn a_stop_in_mid_load_stores_what_came_and_is_quick() {
    let world = held().await;
    let mut sync = sync_to_the_gate(&world).await;
    let asked_at = Instant::now();
    sync.signal(Signal::SIGTERM);
    let status = sync.ended().await;
    assert!(asked_at.elapsed() < READ_TIMEOUT / 2);
    assert_eq!(status.code(), Some(1), "not all is done");
    assert_eq!(outcomes(&world).await, ["interrupted"]);
    let counted = "select seen from advisoryd_v1.sync_runs";
    assert_eq!(stored(&world).await, world.count(counted).await);
    let left = "select bytes - (select sum(octet_length(raw)) from advisoryd.advisory)::bigint
        from advisoryd_v1.sync_runs";
    let left = world.count(left).await;
    assert!(
        left < 128 * 1024,
        "of what came, {left} bytes are not stored"
    );
    sync_well(&world).await;
}

#[tokio::test]
async fn of_two_syncs_at_once_one_works_and_the_other_says_so() {
    let world = held().await;
    let mut first = sync_to_the_gate(&world).await;
    let mut second = Running::start(&mut world.command(&["sync", "feeds"]));
    assert_eq!(second.ended().await.code(), Some(1));
    assert_reads!(second.stderr());
    world.simulator.open(GATE);
    assert!(first.ended().await.success(), "{}", first.stderr());
    assert_eq!(outcomes(&world).await, ["ok"]);
    world.assert_all_is_stored().await;
}

/// Ends every connection to the test's database but the one that asks.
async fn terminate_all(world: &World) {
    let ended = world
        .count(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
    assert!(ended > 0);
}

#[tokio::test]
async fn connections_that_break_in_mid_run_move_no_cursor_past_missing_rows() {
    let world = held().await;
    let mut sync = sync_to_the_gate(&world).await;
    terminate_all(&world).await;
    world.simulator.open(GATE);
    sync.ended().await;
    let whole = stored(&world).await == 1600;
    let moved =
        "select count(*) from advisoryd.source where kind = 'watch_list' and not isempty(covered)";
    assert!(
        whole || world.count(moved).await == 0,
        "{:?}",
        outcomes(&world).await
    );
    sync_well(&world).await;
}

#[tokio::test]
async fn a_run_whose_source_was_taken_over_cannot_write_any_more() {
    let world = held().await;
    let mut lost = sync_to_the_gate(&world).await;
    suspend(&world, &lost).await;
    sync_well(&world).await;
    let before = world
        .count("select sum(xmin::text::bigint)::bigint from advisoryd.advisory")
        .await;
    let said = world.simulator.publish(1).remove(0);
    world.simulator.open(GATE);
    lost.signal(Signal::SIGCONT);
    assert_eq!(lost.ended().await.code(), Some(1));
    assert_reads!(lost.stderr());
    assert_eq!(outcomes(&world).await, ["interrupted", "ok"]);
    let after = world
        .count("select sum(xmin::text::bigint)::bigint from advisoryd.advisory")
        .await;
    assert_eq!(before, after, "not a row was written");
    assert!(!world.versions().await.contains_key(&said));
}

#[tokio::test]
async fn a_run_that_could_not_be_written_down_keeps_no_hold_on_its_source() {
    let world = held().await;
    let context = world.context().await;
    let (feed, _) = feeds(&context.config).remove(0);
    let run = tokio::spawn(async move { pull(&context, &feed, LookBack::Missing).await });
    world.reached(GATE).await;
    sqlx::query("update advisoryd.lease set epoch = epoch + 1, expires_at = null")
        .execute(world.pool())
        .await
        .unwrap();
    world.simulator.open(GATE);
    assert!(matches!(run.await.unwrap(), Err(Failure::Lost)));
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    world.assert_all_is_stored().await;
}
