//! Details: what the feed leaves out comes by JSON, once, and nothing waits for it.

use std::time::Duration;

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::run::RunReport;
use advisoryd::job::tickets::sync::{self, TicketSync};
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, FaultRule, FeedOptions, LimitOptions, SimulatorOptions};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::settings::{Alerts, Feeds, NEVER};
use crate::support::{PATIENCE, Running, World, assert_reads, eventually, get, small};

const DETAIL: &str = "/api/advisories/SA";

/// A world whose feed leaves out products, CVEs and description.
async fn sparse() -> World {
    let mut world = World::with(SimulatorOptions {
        feed: FeedOptions {
            is_sparse: true,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds.details = None;
    world
}

/// A daemon has nothing to read but details.
fn idle(world: &mut World) {
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
}

async fn wanted(world: &World) -> i64 {
    world
        .count("select count(*) from advisoryd.wanted_detail")
        .await
}

async fn changes(world: &World) -> Vec<(String, String)> {
    sqlx::query_as("select key, what from advisoryd_v1.changes order by seq")
        .fetch_all(world.pool())
        .await
        .unwrap()
}

async fn assert_proven(world: &World) {
    world.sync_tickets(TicketSync::Now).await;
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(proof.proven, "{:?}", proof.problems);
}

fn details_asked(world: &World) -> usize {
    let requests = world.simulator.requests();
    let asked = requests.iter().filter(|seen| seen.target.contains(DETAIL));
    asked.count()
}

fn all_ok(reports: &[RunReport]) {
    for report in reports {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
}

#[tokio::test]
async fn what_the_feed_leaves_out_comes_by_json_and_is_stored_whole() {
    let world = sparse().await;
    world.pull_one().await;
    assert_eq!(wanted(&world).await, 60);
    all_ok(&world.fetch_details().await);
    assert_eq!(wanted(&world).await, 0);
    world.assert_all_is_stored().await;
    let both = "select count(*) from advisoryd_v1.advisories
        where source = 'feed+json' and detail_fetched_at is not null
          and custom_info -> 'affected_asset_lists' -> 0 ->> 'asset_list_id' = '1'";
    assert_eq!(world.count(both).await, 60);
    assert_proven(&world).await;
}

#[tokio::test]
async fn a_feed_that_says_all_asks_for_no_details_unless_all_are_wanted() {
    let mut world = World::new().await;
    world.settings.feeds.details = None;
    world.pull_one().await;
    let lacking = "select count(*) from advisoryd_v1.advisories a
        where cves = '{}' or description is null
           or not exists (select from advisoryd_v1.advisory_products p where p.said = a.said)";
    assert_eq!(wanted(&world).await, world.count(lacking).await);
    let mut world = World::new().await;
    world.settings.feeds.details = Some("always");
    world.pull_one().await;
    assert_eq!(wanted(&world).await, 60);
    all_ok(&world.fetch_details().await);
    let versions = world.versions().await;
    assert!(
        versions.values().all(|version| *version == 1),
        "JSON says the same"
    );
}

#[tokio::test]
async fn repeated_pulls_and_fetches_make_no_versions_in_turn() {
    let world = sparse().await;
    world.pull_one().await;
    world.fetch_details().await;
    let before = world.versions().await;
    assert!(
        before.values().all(|version| *version == 2),
        "completed once"
    );
    world.simulator.forget_requests();
    for _ in 0..3 {
        let report = world.pull_back(LookBack::Full).await.remove(0);
        assert_eq!((report.tally.added, report.tally.changed), (0, 0));
        assert!(world.fetch_details().await.is_empty());
    }
    // Not even when every detail is asked for again.
    sqlx::query("insert into advisoryd.wanted_detail (said, wanted_since, reason, next_at) select said, now(), 'always', now() from advisoryd.advisory")
        .execute(world.pool())
        .await
        .unwrap();
    all_ok(&world.fetch_details().await);
    assert_eq!(world.versions().await, before);
    assert_proven(&world).await;
}

#[tokio::test]
async fn a_version_that_a_detail_completes_is_no_news() {
    let world = sparse().await;
    world.pull_one().await;
    world.fetch_details().await;
    for (said, what) in changes(&world).await {
        assert!(
            ["appeared", "completed"].contains(&what.as_str()),
            "{said} {what}"
        );
    }
}

#[tokio::test]
async fn a_revision_is_told_once_whether_feed_or_json_brings_the_rest_of_it() {
    let world = sparse().await;
    world.pull_one().await;
    world.fetch_details().await;
    let result = changes(&world).await.len();
    let said = world.simulator.saids(1)[7].clone();
    world.later(TimeDelta::minutes(1));
    assert!(world.simulator.revise(&said, true));
    world.pull_one().await;
    // The old detail still fills what the feed never says.
    let products = "select count(*) from advisoryd_v1.advisories a
        where not exists (select from advisoryd_v1.advisory_products p where p.said = a.said)";
    assert_eq!(world.count(products).await, 0);
    assert_eq!(
        wanted(&world).await,
        1,
        "the detail is older than the record"
    );
    world.fetch_details().await;
    world.assert_all_is_stored().await;
    let news: Vec<String> = changes(&world).await[result..]
        .iter()
        .map(|(_, what)| what.clone())
        .collect();
    let count = |what: &str| news.iter().filter(|news| *news == what).count();
    assert_eq!(count("revised"), 1, "{news:?}");
    assert!(
        count("escalated") <= 1 && count("cves_added") <= 1,
        "{news:?}"
    );
    assert_proven(&world).await;
}

#[tokio::test]
async fn the_queue_survives_kill_9() {
    let mut world = sparse().await;
    idle(&mut world);
    let hold = AnswerFault::Hold {
        after_bytes: 0,
        gate: "detail".to_owned(),
    };
    let rule = FaultRule::new(hold).on(DETAIL).after(20).times(4);
    world.simulator.inject(rule);
    let mut first = Running::start(&mut world.command(&["run"]));
    world.reached("detail").await;
    first.kill9();
    let left = wanted(&world).await;
    assert!((20..=45).contains(&left), "{left} of 60");
    world.simulator.open("detail");
    let _second = Running::start(&mut world.command(&["run"]));
    eventually("all details", PATIENCE, async || {
        (wanted(&world).await == 0).then_some(())
    })
    .await;
    world.assert_all_is_stored().await;
    let asked = details_asked(&world);
    assert!(asked <= 64, "{asked} requests for 60 details");
    assert_proven(&world).await;
}

#[tokio::test]
async fn feeds_and_tickets_do_not_wait_for_details() {
    let mut world = sparse().await;
    world.pull_one().await;
    // Two a second, and 60 details to fetch.
    world.settings.upstream.requests_per_minute = Some(123);
    let context = world.context().await;
    let fetching = tokio::spawn({
        let context = context.clone();
        async move { advisoryd::job::details::fetch::fetch(&context).await }
    });
    eventually("the first details", PATIENCE, async || {
        (details_asked(&world) >= 6).then_some(())
    })
    .await;
    let before = details_asked(&world);
    let report = crate::support::pull_all(&context, LookBack::Missing)
        .await
        .remove(0);
    let tickets = sync::sync(&context, TicketSync::Now).await;
    assert_eq!(report.outcome.name(), "ok");
    assert_eq!(tickets.unwrap().len(), 2);
    let asked = details_asked(&world) - before;
    let usual = world.simulator.requests().len() - details_asked(&world);
    assert!(usual >= 6, "{usual}");
    assert!(
        asked <= usual,
        "{asked} details went between {usual} others"
    );
    context.stop.cancel();
    fetching.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_days_details_are_counted_across_restarts() {
    let mut world = sparse().await;
    world.settings.feeds.details_per_day = Some(30);
    world.pull_one().await;
    all_ok(&world.fetch_details().await);
    assert_eq!((details_asked(&world), wanted(&world).await), (30, 30));
    // Each of these is a context of its own, as after a restart.
    assert!(world.fetch_details().await.is_empty());
    world.later(TimeDelta::hours(23));
    assert!(world.fetch_details().await.is_empty());
    let status = status(&world);
    assert_eq!(status["details"]["pending"], 30);
    assert_eq!(status["details"]["requests_of_day"], 30);
    world.later(TimeDelta::minutes(61));
    all_ok(&world.fetch_details().await);
    assert_eq!((details_asked(&world), wanted(&world).await), (60, 0));
}

fn status(world: &World) -> Value {
    let result = world.cli(&["status", "--json"]);
    assert_eq!(result.code, 0, "{result:?}");
    result.json()
}

#[tokio::test]
async fn status_and_metrics_tell_how_many_are_wanted_and_until_when() {
    let mut world = sparse().await;
    world.settings.feeds.details_per_day = Some(30);
    world.pull_one().await;
    let in_days = world.cli(&["status"]);
    world.settings.feeds.details_per_day = None;
    assert_reads!(in_days, world.cli(&["status"]));
    assert!(status(&world)["details"]["done_at"].is_string());

    let port = world.serve_health();
    idle(&mut world);
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(500))
            .on(DETAIL)
            .times(1000),
    );
    let _daemon = world.run().await;
    eventually("the gauge", PATIENCE, async || {
        let (_, text) = get(port, "/metrics").await;
        text.contains("advisoryd_details_wanted 60").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_account_without_the_right_to_json_rests_and_says_so() {
    let world = sparse().await;
    world.pull_one().await;
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(403))
            .on(DETAIL)
            .times(10),
    );
    let report = world.fetch_details().await.remove(0);
    assert_eq!(report.outcome.name(), "failed");
    let asked = details_asked(&world);
    assert!(asked <= 5, "{asked}");
    assert!(world.fetch_details().await.is_empty(), "not asked again");
    assert_eq!(details_asked(&world), asked);
    assert_reads!(world.cli(&["status"]));
    assert_eq!(wanted(&world).await, 60, "they stay wanted");
    world.simulator.clear_faults();
    world.later(TimeDelta::hours(7));
    all_ok(&world.fetch_details().await);
    assert_eq!(wanted(&world).await, 0);
}

#[tokio::test]
async fn what_upstream_does_not_have_is_remembered_and_rarely_asked_for() {
    let world = sparse().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[3].clone();
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Status(404)).on(&said));
    all_ok(&world.fetch_details().await);
    assert_eq!(wanted(&world).await, 1);
    assert!(world.fetch_details().await.is_empty());
    assert_eq!(status(&world)["details"]["unavailable"], 1);
    world.later(TimeDelta::days(8));
    all_ok(&world.fetch_details().await);
    assert_eq!(wanted(&world).await, 0);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_limit_of_its_own_for_advisories_holds_nothing_else_back() {
    let mut world = World::with(SimulatorOptions {
        feed: FeedOptions {
            is_sparse: true,
            ..FeedOptions::default()
        },
        limits: LimitOptions {
            per_minute: 0,
            advisories_per_day: 5,
            ..LimitOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds.details = None;
    world.pull_one().await;
    let context = world.context().await;
    let fetch = advisoryd::job::details::fetch::fetch(&context);
    let fetched = tokio::time::timeout(PATIENCE, fetch).await;
    let fetched = fetched.expect("it gives up").unwrap();
    let advisoryd::job::details::fetch::Fetched::Ended(report) = fetched else {
        panic!("{fetched:?}");
    };
    assert_eq!(report.outcome.name(), "failed");
    assert_eq!(wanted(&world).await, 55, "the five are stored");
    let pull = crate::support::pull_all(&context, LookBack::Missing);
    let reports = tokio::time::timeout(Duration::from_secs(20), pull).await;
    assert_eq!(reports.expect("it does not wait")[0].outcome.name(), "ok");
}

#[tokio::test]
async fn what_cannot_be_read_is_quarantined_and_leaves_when_it_can() {
    let world = sparse().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[3].clone();
    let other = world.simulator.saids(1)[4].clone();
    let of_another = AnswerFault::RedirectTo(format!("/api/advisories/{other}/"));
    world
        .simulator
        .inject(FaultRule::new(of_another).on(&said).times(1));
    all_ok(&world.fetch_details().await);
    let kept = "select count(*) from advisoryd_v1.quarantine where source = 'details'";
    assert_eq!(world.count(kept).await, 1);
    let result = world.cli(&["quarantine", "retry"]);
    assert_reads!(result);
    world.later(TimeDelta::days(8));
    all_ok(&world.fetch_details().await);
    assert_eq!(world.count(kept).await, 0);
    world.assert_all_is_stored().await;
    assert_proven(&world).await;
}

#[tokio::test]
async fn a_replay_after_details_changes_nothing_and_mends_what_was_changed() {
    let world = sparse().await;
    world.pull_one().await;
    world.fetch_details().await;
    for said in world.simulator.saids(1).iter().take(5) {
        world.later(TimeDelta::minutes(1));
        world.simulator.revise(said, true);
    }
    world.pull_one().await;
    world.fetch_details().await;
    let before = everything(&world).await;
    let replay = || {
        let result = world.cli(&["replay", "--yes", "--json"]);
        assert_eq!(result.code, 0, "{result:?}");
        result.json_lines().remove(0)
    };
    assert_eq!(replay()["differing"], 0);
    assert_eq!(everything(&world).await, before);
    sqlx::raw_sql(
        "update advisoryd.advisory set title = 'by hand', cves = '{}', whole_hash = '\\x00', record_modified_at = null;
         update advisoryd.advisory_version set products = '[]', content_hash = '\\x00';
         update advisoryd.detail set model = '{}'",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert!(replay()["fields"]["advisory title"]["count"].as_u64() > Some(0));
    assert_eq!(everything(&world).await, before);
    world.assert_all_is_stored().await;
}

/// Everything that a replay may write, but for what it tells.
async fn everything(world: &World) -> Vec<Value> {
    sqlx::query_scalar(
        "select to_jsonb(t) from advisoryd.advisory t
         union all select to_jsonb(t) from advisoryd.advisory_version t
         union all select to_jsonb(t) from advisoryd.detail t
         union all select to_jsonb(t) from advisoryd.former_detail t
         union all select to_jsonb(t) from advisoryd.sighting t
         order by 1",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn what_was_stored_before_details_were_asked_for_gets_them_too() {
    let mut world = sparse().await;
    world.settings.feeds.details = Some("never");
    world.pull_one().await;
    assert_eq!(wanted(&world).await, 0);
    world.settings.feeds.details = None;
    idle(&mut world);
    let _daemon = Running::start(&mut world.command(&["run"]));
    eventually("all details", PATIENCE, async || {
        let fetched = world.count("select count(*) from advisoryd.detail").await;
        (fetched == 60).then_some(())
    })
    .await;
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn what_a_revision_lacks_is_fetched_although_the_sweep_saw_it_before_the_feed() {
    let mut world = sparse().await;
    world.settings.feeds = Feeds::default();
    world.pull_one().await;
    world.fetch_details().await;
    let said = world.simulator.saids(1)[7].clone();
    world.later(TimeDelta::minutes(1));
    assert!(world.simulator.revise(&said, true));
    world.later(TimeDelta::minutes(1));
    scan_revisions(&world.context().await)
        .await
        .expect("a sweep");
    world.pull_one().await;
    world.later(TimeDelta::minutes(3));
    all_ok(&world.fetch_details().await);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn the_completion_of_a_first_load_is_no_news_and_that_of_news_is() {
    let mut world = sparse().await;
    world.settings.alerts = Alerts::to_log(&["completed"]);
    world.pull_one().await;
    world.fetch_details().await;
    assert_eq!(world.alert().await.evaluated.raised, 0);
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.later(TimeDelta::minutes(5));
    world.pull_one().await;
    world.fetch_details().await;
    assert_eq!(world.alert().await.evaluated.raised, 1);
}
