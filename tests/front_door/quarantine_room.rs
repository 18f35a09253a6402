//! The most records of a source that are in no version: beyond it nothing is lost silently.

use std::fmt::Write as _;

use crate::support::{CommandResult, Documents, World, assert_reads};

const KEPT: &str = "select count(*) from advisoryd.quarantine";
const GOOD: &str =
    "<advisory><advisory_identifier>SA1</advisory_identifier><title>good</title></advisory>";

/// A feed with unreadable records, which have no identifier, and a good one behind them.
fn feed(name: &str, unreadable: usize) -> String {
    let mut feed = String::from("<advisories>");
    for number in 0..unreadable {
        let _ = write!(feed, "<advisory><title>{name} {number}</title></advisory>");
    }
    feed + GOOD + "</advisories>"
}

async fn world() -> (World, Documents) {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1]);
    (world, documents)
}

async fn pull(world: &World, documents: &Documents, feed: String) -> (CommandResult, i64) {
    documents.set(1, feed);
    let result = world.cli(&["sync", "feeds"]);
    (result, world.count(KEPT).await)
}

async fn complete_runs(world: &World) -> i64 {
    world
        .count("select count(*) from advisoryd.sync_run where outcome = 'ok'")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_records_without_room_fail_the_run_and_the_first_ones_are_kept() {
    let (world, documents) = world().await;
    let (result, kept) = pull(&world, &documents, feed("a", 10_010)).await;
    assert_eq!((result.code, kept), (1, 10_000), "{result:?}");
    let first = world.count("select sum(id)::bigint from advisoryd.quarantine");
    let first = first.await;
    // What can be read is stored all the same.
    let stored = "select count(*) from advisoryd_v1.advisories";
    assert_eq!(world.count(stored).await, 1);
    let error: String = sqlx::query_scalar("select error from advisoryd.sync_run")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_reads!(error);
    let status = world.cli(&["status"]);
    let all = status.stdout + &status.stderr;
    let line = all.lines().find(|line| line.contains("not kept"));
    assert_reads!(line.expect("it is told"));
    // Others at the next pull: none of them is kept, and none gives way.
    let (result, kept) = pull(&world, &documents, feed("b", 500)).await;
    assert_eq!((result.code, kept), (1, 10_000), "{result:?}");
    let now = world.count("select sum(id)::bigint from advisoryd.quarantine");
    assert_eq!((now.await, complete_runs(&world).await), (first, 0));
    // All that a run receives is kept: it is complete.
    let (_, kept) = pull(&world, &documents, feed("a", 100)).await;
    assert_eq!((complete_runs(&world).await, kept), (1, 10_000));
    // Once there is room, others are kept too.
    sqlx::query("delete from advisoryd.quarantine where id % 2 = 0")
        .execute(world.pool())
        .await
        .unwrap();
    let (_, kept) = pull(&world, &documents, feed("b", 500)).await;
    assert_eq!(complete_runs(&world).await, 2);
    assert!((5_400..5_600).contains(&kept), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_replaced_records_fail_each_run_of_their_source_until_they_are_deleted() {
    let (world, documents) = world().await;
    let (_, kept) = pull(&world, &documents, feed("a", 1)).await;
    assert_eq!((kept, complete_runs(&world).await), (1, 1));
    sqlx::query(
        "insert into advisoryd.replaced_record (source_id, key, reason, raw, received_at, replaced_at)
         select id, n::text, 'old', 'old', now() - interval '90 days', now() - interval '90 days'
         from advisoryd.source, generate_series(1, 100000) n
         where kind = 'watch_list'",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let (result, kept) = pull(&world, &documents, feed("b", 1)).await;
    assert_eq!((result.code, kept), (1, 1), "{result:?}");
    assert_eq!(complete_runs(&world).await, 1);
    sqlx::query("delete from advisoryd.replaced_record")
        .execute(world.pool())
        .await
        .unwrap();
    let (_, kept) = pull(&world, &documents, feed("b", 1)).await;
    assert_eq!((kept, complete_runs(&world).await), (2, 2));
}
