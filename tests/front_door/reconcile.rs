//! Reading old time again: what changed upstream without telling is found.

use std::time::Duration;

use advisoryd::clock::Clock;
use advisoryd::config::{Config, Reconcile, Upstream};
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::feeds::feed::feeds;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::reconcile;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{FeedCounts, FeedOptions, SimulatorOptions};
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::{PATIENCE, Running, World, assert_reads, eventually, get, small};

/// By release: a revision of an old advisory does not come through the feed.
async fn by_release() -> World {
    World::with(SimulatorOptions {
        advisories: 200,
        feed: FeedOptions {
            counts: FeedCounts::Released,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await
}

/// An advisory that was released so many days ago that only a long window shows it.
fn old(world: &World) -> String {
    let now = Clock::system().now();
    let saids = world.simulator.saids(1);
    let is_old = |said: &&String| {
        let released = world.simulator.expected(said).unwrap().released_at.unwrap();
        (20..60).contains(&(now - released).num_days())
    };
    saids.iter().find(is_old).unwrap().clone()
}

fn ended(ran: Option<Ran>) -> RunReport {
    match ran {
        Some(Ran::Ended(report)) => report,
        other => panic!("{other:?}"),
    }
}

/// Reads the one feed again, `days` back.
async fn feed_again(world: &World, days: u64) -> RunReport {
    let context = world.context().await;
    let (feed, _) = feeds(&context.config).remove(0);
    ended(
        reconcile::feed(&context, &feed, days - 1)
            .await
            .expect("a run that is written down"),
    )
}

/// What stands in `source`, but for what no run of this kind may move.
async fn how_far(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "select concat_ws(' ', covered, seen, seen_at, last_attempt_at, last_success_at, last_error)
         from advisoryd.source
         order by id",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

async fn drifted(world: &World) -> Vec<String> {
    sqlx::query_scalar("select key from advisoryd_v1.changes where what = 'drifted' order by seq")
        .fetch_all(world.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_no_pull_showed_is_found_and_named() {
    let world = by_release().await;
    world.pull_one().await;
    let said = old(&world);
    world.simulator.revise(&said, true);
    world.later(TimeDelta::days(5));
    world.pull_one().await;
    assert_eq!(
        world.versions().await[&said],
        1,
        "the feed does not show it"
    );
    let before = how_far(&world).await;

    let report = feed_again(&world, 3).await;
    assert_eq!(
        (report.outcome.name(), report.mode.name()),
        ("ok", "reconcile")
    );
    assert_eq!(report.tally.changed, 0, "it is older than that");
    let report = feed_again(&world, 70).await;
    assert_eq!((report.outcome.name(), report.tally.changed), ("ok", 1));

    assert_eq!(world.versions().await[&said], 2);
    assert_eq!(drifted(&world).await, [said]);
    assert_eq!(how_far(&world).await, before);
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(!proof.proven, "the tickets were never read: {proof:?}");
    let lists = proof.problems.iter();
    let mut lists = lists.filter(|problem| problem.about.contains("watch list"));
    assert_eq!(lists.next(), None);
    let again = feed_again(&world, 70).await;
    assert_eq!(again.tally.changed, 0);
    assert_eq!(drifted(&world).await.len(), 1);
}

#[tokio::test]
async fn what_is_new_is_no_drift() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    world.simulator.revise(&said, true);
    let report = feed_again(&world, 30).await;
    assert_eq!(report.tally.changed, 1);
    assert_eq!(world.versions().await[&said], 2);
    assert_eq!(drifted(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_ticket_that_we_hold_otherwise_is_found_and_named() {
    let world = World::with(SimulatorOptions {
        tickets: 300,
        ..small()
    })
    .await;
    let context = world.context().await;
    assert!(reconcile::tickets(&context, 7).await.unwrap().is_none());
    world.sync_tickets(TicketSync::Now).await;
    // As if a page had been wrong when it was read.
    let (id, at): (i64, DateTime<Utc>) = sqlx::query_as(
        "update advisoryd.ticket
         set title = 'wrong', content_hash = '\\x00'
         where id = (select id from advisoryd.ticket order by modified_at offset 150 limit 1)
         returning id, modified_at",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    let before = how_far(&world).await;
    let context = world.context().await;
    // Pages of a hundred: one of the three holds it.
    for page in 0..3 {
        let report = ended(reconcile::tickets(&context, page << 1).await.unwrap());
        assert_eq!(report.outcome.name(), "ok", "{report:?}");
        let (from, to) = report.window.unwrap();
        let held = from <= at && at < to;
        assert_eq!(report.tally.changed, u64::from(held), "{report:?} {at}");
    }
    assert_eq!(drifted(&world).await, [id.to_string()]);
    assert_eq!(how_far(&world).await, before);
}

#[tokio::test]
async fn a_failure_to_read_old_time_again_says_nothing_of_new_data() {
    let world = World::new().await;
    world.pull_one().await;
    let before = how_far(&world).await;
    let fault = advisoryd::simulate::AnswerFault::Html200;
    world
        .simulator
        .inject(advisoryd::simulate::FaultRule::new(fault).times(1));
    assert_eq!(feed_again(&world, 10).await.outcome.name(), "failed");
    assert_eq!(how_far(&world).await, before);
}

#[tokio::test]
async fn the_daemon_spends_its_share_and_counts_drift() {
    let mut world = by_release().await;
    world.pull_back(LookBack::Full).await;
    world.sync_tickets(TicketSync::Now).await;
    sqlx::query(
        "update advisoryd.ticket
         set title = 'wrong', content_hash = '\\x00'
         where id = (select id from advisoryd.ticket order by modified_at limit 1)",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let port = world.serve_health();
    world.settings.reconcile.share = Some(0.5);
    let mut daemon = Running::start(&mut world.command(&["run"]));
    eventually("both kinds read again", PATIENCE, async || {
        let kinds = world
            .count(
                "select count(distinct job) from advisoryd_v1.sync_runs
                 where mode = 'reconcile' and outcome = 'ok'",
            )
            .await;
        (kinds == 2).then_some(())
    })
    .await;
    eventually("the drift is counted", PATIENCE, async || {
        let (_, metrics) = get(port, "/metrics").await;
        metrics
            .contains("advisoryd_reconcile_drift_total{source=\"tickets\"} 1")
            .then_some(())
    })
    .await;
    daemon.kill9();
}

#[test]
fn the_share_is_of_the_tighter_limit() {
    let mut upstream = Upstream::new("https://localhost".parse().unwrap());
    let pause = |upstream: &Upstream, share| Reconcile { share }.pause(upstream);
    assert_eq!(pause(&upstream, 0.0), None);
    // 240 a minute: a thousandth is one in 250 seconds.
    assert_eq!(pause(&upstream, 0.001), Some(Duration::from_secs(250)));
    upstream.requests_per_day = 1000;
    assert_eq!(pause(&upstream, 0.01), Some(Duration::from_mins(144)));
    upstream.requests_per_day = 0;
    upstream.requests_per_minute = 60_000;
    assert_eq!(pause(&upstream, 0.5), Some(Duration::from_secs(1)));
}

#[test]
fn a_share_that_cannot_be_meant_is_refused() {
    let error = Config::from_text("c", "[reconcile]\nshare = 2").unwrap_err();
    assert_reads!(error);
}
