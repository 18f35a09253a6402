//! An empty response to a date filter is believed only if the filter selects.

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::run::{Ran, Report};
use advisoryd::simulate::{Fault, FeedCounts, FeedOptions, Options, Rule};
use chrono::TimeDelta;

use crate::support::{World, assert_reads, small, world_of_documents};

const COVERED: &str =
    "select coalesce(upper(covered)::text, '') from advisoryd.source order by kind, watch_list_id";

/// One list that is read from the JSON API.
async fn json_list() -> World {
    let mut world = World::with(Options {
        watch_lists: 1,
        ..small()
    })
    .await;
    world.source = "json";
    // The newest advisory is of this very second, which no window holds yet.
    world.later(TimeDelta::minutes(1));
    world
}

/// From now on the values of date filters are read in milliseconds.
fn changes_unit(world: &World) {
    let rule = Rule::new(Fault::FilterInMilliseconds).on("modified__");
    world.simulator.inject(rule.times(10_000));
}

async fn revisions(world: &World) -> Report {
    match scan_revisions(&world.context().await).await.unwrap() {
        Some(Ran::Ended(report)) => report,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_first_load_with_a_filter_that_selects_nothing_fails() {
    let world = json_list().await;
    changes_unit(&world);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed", "{report:?}");
    assert_reads!(report.outcome.error().unwrap());
    assert!(world.texts(COVERED).await.iter().all(String::is_empty));
}

#[tokio::test]
async fn a_list_whose_filter_selects_nothing_any_more_fails_until_it_does() {
    let world = json_list().await;
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    world.fetch_details().await;
    let covered = world.texts(COVERED).await;
    changes_unit(&world);
    world.simulator.publish(3);
    for look_back in [LookBack::Missing, LookBack::Full, LookBack::Days(3)] {
        world.later(TimeDelta::hours(12));
        let report = world.pull_back(look_back).await.remove(0);
        assert_eq!(report.outcome.name(), "failed", "{report:?}");
    }
    assert_eq!(world.texts(COVERED).await, covered);

    world.simulator.clear_faults();
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    world.fetch_details().await;
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_quiet_time_needs_no_more_requests() {
    let world = json_list().await;
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    world.fetch_details().await;
    for _ in 0..3 {
        world.later(TimeDelta::days(2));
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "ok", "{report:?}");
        // The window, and once a day whether the list exists.
        assert!(report.tally.requests <= 2, "{report:?}");
        assert!(report.tally.claimed >= Some(1), "{report:?}");
    }
}

#[tokio::test]
async fn a_revision_scan_whose_filter_selects_nothing_fails() {
    let mut world = World::with(Options {
        feed: FeedOptions {
            counts: FeedCounts::Released,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds.sweep = None;
    world.source = "auto";
    world.later(TimeDelta::minutes(1));
    world.pull().await;
    assert_eq!(revisions(&world).await.outcome.name(), "ok");
    changes_unit(&world);
    world.later(TimeDelta::days(1));
    let report = revisions(&world).await;
    assert_eq!(report.outcome.name(), "failed", "{report:?}");
    world.simulator.clear_faults();
    assert_eq!(revisions(&world).await.outcome.name(), "ok");
}

#[tokio::test]
async fn once_the_root_of_a_feed_is_known_another_empty_root_is_no_empty_feed() {
    const RECORD: &str = "<advisory><advisory_identifier>SA1</advisory_identifier>\
                          <title>T1</title></advisory>";
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some(vec![1]);
    // An empty document says nothing about the root of one with records.
    documents.set(1, "<results/>");
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    documents.set(1, format!("<advisories>{RECORD}</advisories>"));
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    let covered = world.texts(COVERED).await;
    for root in ["response", "root", "feed", "results", "list", "items"] {
        world.later(TimeDelta::hours(1));
        documents.set(1, format!("<{root}/>"));
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "failed", "{root}: {report:?}");
    }
    assert_eq!(world.texts(COVERED).await, covered);
    documents.set(1, "<advisories/>");
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
}

#[tokio::test]
async fn sync_evaluates_the_conditions_without_rules_and_sinks_too() {
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some(vec![1]);
    documents.set(
        1,
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>T1</title>\
         </advisory><advisory><title>no identifier</title></advisory></advisories>",
    );
    world.told(&["sync", "feeds"]);
    assert_eq!(
        world
            .texts("select what from advisoryd_v1.conditions where holds")
            .await,
        ["quarantine_grew"]
    );
}
