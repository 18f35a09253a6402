//! The sweep: revisions that no feed shows arrive all the same, and it is found
//! out what the feeds count.

use advisoryd::job::context::Context;
use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, FaultRule, FeedCounts, FeedOptions, SimulatorOptions};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::settings::{EVERY_SECOND, Feeds};
use crate::support::{PATIENCE, Running, World, assert_reads, eventually, small};

async fn counting(counts: FeedCounts) -> World {
    let mut world = World::with(SimulatorOptions {
        feed: FeedOptions {
            counts,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds.sweep = None;
    // Details that only the sweep wants.
    world.source = "auto";
    world
}

async fn swept(context: &Context) -> Option<RunReport> {
    match scan_revisions(context)
        .await
        .expect("a run that is written down")?
    {
        Ran::Ended(report) => Some(report),
        Ran::Busy(holder) => panic!("held by {holder}"),
    }
}

/// One tick: feeds, sweep, and some minutes later the details.
async fn tick(world: &World) {
    for report in world.pull().await {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
    let report = swept(&world.context().await).await.expect("a sweep");
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    world.later(TimeDelta::minutes(3));
    world.fetch_details().await;
}

async fn counts(world: &World) -> Option<String> {
    sqlx::query_scalar("select counts from advisoryd.feed_days")
        .fetch_optional(world.pool())
        .await
        .unwrap()
}

async fn assert_proven(world: &World) {
    world.sync_tickets(TicketSync::Now).await;
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(proof.proven, "{:?}", proof.problems);
}

async fn assert_never_read(world: &World) {
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    let [problem] = &proof.problems[..] else {
        panic!("{:?}", proof.problems);
    };
    assert_eq!(
        (problem.about.as_str(), problem.says.as_str()),
        ("sweep", "it was never read completely")
    );
    assert!(problem.advice.contains("[feeds] sweep = false"));
}

#[tokio::test]
async fn a_scan_that_never_succeeded_is_no_proof() {
    let world = counting(FeedCounts::Released).await;
    world.pull().await;
    // It has not run yet.
    assert_proven(&world).await;
    let fails = FaultRule::new(AnswerFault::Status(500)).on("/api/advisories/");
    world.simulator.inject(fails.times(20));
    let report = swept(&world.context().await).await.expect("a sweep");
    assert_eq!(report.outcome.name(), "failed");
    assert_never_read(&world).await;
    world.simulator.clear_faults();
    tick(&world).await;
    assert_proven(&world).await;
}

/// Old enough for a window of a day not to hold its release.
fn old(world: &World) -> String {
    world.simulator.saids(1)[20].clone()
}

#[tokio::test]
async fn revisions_of_old_advisories_arrive_although_the_feed_counts_releases() {
    let world = counting(FeedCounts::Released).await;
    // `status` runs by the real clock: the world begins in the past and ends at present.
    world.later(TimeDelta::minutes(-15));
    tick(&world).await;
    assert_eq!(counts(&world).await, None);
    let said = old(&world);
    world.simulator.revise(&said, true);
    world.later(TimeDelta::minutes(15));
    tick(&world).await;
    world.assert_all_is_stored().await;
    assert_eq!(world.versions().await[&said], 2);
    assert_eq!(counts(&world).await.as_deref(), Some("releases"));
    let revised = "select count(*) from advisoryd_v1.changes where what = 'revised'";
    assert_eq!(world.count(revised).await, 1);
    assert_reads!(world.cli(&["status"]), world.cli(&["check"]));
    assert_proven(&world).await;
}

#[tokio::test]
async fn a_feed_that_counts_modifications_is_known_by_what_it_shows() {
    let world = counting(FeedCounts::Modified).await;
    tick(&world).await;
    world.later(TimeDelta::hours(1));
    world.simulator.revise(&old(&world), true);
    world.later(TimeDelta::minutes(15));
    tick(&world).await;
    assert_eq!(counts(&world).await.as_deref(), Some("modifications"));
    assert_eq!(
        world.count("select count(*) from advisoryd.detail").await,
        0,
        "the feed brought it"
    );
    let status = world.cli(&["status", "--json"]).json();
    assert_eq!(status["feed_days"]["counts"], "modifications");
    assert_proven(&world).await;
}

#[tokio::test]
async fn what_the_feeds_of_the_same_tick_bring_is_not_fetched_again() {
    let world = counting(FeedCounts::Modified).await;
    tick(&world).await;
    world.later(TimeDelta::hours(1));
    world.simulator.revise(&old(&world), true);
    world.later(TimeDelta::minutes(15));
    // The sweep is first; the feed comes a moment later.
    swept(&world.context().await).await.unwrap();
    let wanted = "select count(*) from advisoryd.wanted_detail where reason = 'sweep'";
    assert_eq!(world.count(wanted).await, 1);
    assert!(
        world.fetch_details().await.is_empty(),
        "it waits for the feeds"
    );
    world.pull().await;
    world.later(TimeDelta::minutes(3));
    assert!(
        world.fetch_details().await.is_empty(),
        "the feed has brought it"
    );
    assert_eq!(world.count(wanted).await, 0);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn the_sweep_is_one_run_with_a_coverage_of_its_own() {
    let world = counting(FeedCounts::Modified).await;
    tick(&world).await;
    let context = world.context().await;
    world.simulator.forget_requests();
    swept(&context).await.unwrap();
    assert_eq!(world.simulator.requests().len(), 1, "a page is enough");
    let runs = "select count(*) from advisoryd_v1.sync_runs where job = 'sweep' and outcome = 'ok' and claimed = accounted";
    assert_eq!(world.count(runs).await, 2);
    let covered = "select count(*) from advisoryd_v1.coverage where source = 'sweep' and not isempty(covered) and gaps = '{}'";
    assert_eq!(world.count(covered).await, 1);
    assert_proven(&world).await;
}

#[tokio::test]
async fn an_account_without_the_right_is_told_once_and_asked_rarely() {
    let world = counting(FeedCounts::Modified).await;
    world.pull().await;
    let rule = FaultRule::new(AnswerFault::Status(403))
        .on("/api/advisories/?")
        .times(10);
    world.simulator.inject(rule);
    let context = world.context().await;
    assert_eq!(swept(&context).await.unwrap().outcome.name(), "failed");
    world.simulator.forget_requests();
    assert!(swept(&context).await.is_none());
    assert!(world.simulator.requests().is_empty());
    assert_reads!(world.cli(&["status"]));
    world.sync_tickets(TicketSync::Now).await;
    assert_never_read(&world).await;
    world.simulator.clear_faults();
    world.later(TimeDelta::hours(25));
    assert_eq!(swept(&context).await.unwrap().outcome.name(), "ok");
}

#[tokio::test]
async fn a_daemon_with_nothing_configured_does_all_of_it() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        feed: FeedOptions {
            counts: FeedCounts::Released,
            is_sparse: true,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds = Feeds::default();
    world.source = "auto";
    world.settings.schedule.feeds = Some(EVERY_SECOND);
    let html = FaultRule::new(AnswerFault::Html200)
        .on("asset_list_id=2")
        .times(10_000);
    world.simulator.inject(html);
    let mut daemon = Running::start(&mut world.command(&["run"]));
    let is_whole = async |world: &World| {
        let expected = world.expected();
        let stored = world.stored().await;
        let same = |(said, row): (&String, &Value)| {
            let stored = stored.get(said)?.as_object()?;
            let row = row.as_object()?;
            row.iter()
                .all(|(field, value)| stored.get(field) == Some(value))
                .then_some(())
        };
        expected
            .iter()
            .all(|pair| same(pair).is_some())
            .then_some(())
    };
    eventually("everything", PATIENCE, async || is_whole(&world).await).await;
    world.simulator.publish(2);
    let revised = world.simulator.saids(1)[2].clone();
    world.simulator.revise(&revised, true);
    eventually("the news", PATIENCE, async || is_whole(&world).await).await;
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ended().await.success(), "{}", daemon.stderr());
    let sweeps =
        "select count(*) from advisoryd_v1.sync_runs where job = 'sweep' and outcome = 'ok'";
    assert!(world.count(sweeps).await > 0);
    assert_proven(&world).await;
}

#[tokio::test]
async fn sync_fetches_the_revisions_that_its_scan_has_found() {
    let world = counting(FeedCounts::Released).await;
    world.later(TimeDelta::minutes(-15));
    tick(&world).await;
    let said = old(&world);
    world.simulator.revise(&said, true);
    world.later(TimeDelta::minutes(15));
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(world.versions().await[&said], 2, "{result}");
}
