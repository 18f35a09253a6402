//! An empty response to a date filter is believed only if the filter selects.

use advisoryd::clock::Clock;
use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{AnswerFault, FaultRule, FeedCounts, FeedOptions, SimulatorOptions};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Paged, World, assert_reads, small, world_of_documents};

const COVERED: &str =
    "select coalesce(upper(covered)::text, '') from advisoryd.source order by kind, watch_list_id";

/// One list that is read from the JSON API.
async fn json_list() -> World {
    let mut world = World::with(SimulatorOptions {
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
    let rule = FaultRule::new(AnswerFault::FilterInMilliseconds).on("modified__");
    world.simulator.inject(rule.times(10_000));
}

async fn revisions(world: &World) -> RunReport {
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
    let mut world = World::with(SimulatorOptions {
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
    world.cli(&["sync", "feeds"]);
    assert_eq!(
        world
            .texts("select what from advisoryd_v1.conditions where holds")
            .await,
        ["quarantine_grew"]
    );
}

fn ticket(id: i64, created: &str, modified: &str) -> Value {
    json!({"id": id, "title": format!("{id} {modified}"), "created": created, "modified": modified})
}

fn tickets(last: &Value) -> Vec<Value> {
    let old = (1..=10).map(|id| ticket(id, "2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"));
    old.chain([last.clone()]).collect()
}

async fn ticket_world(last: &Value) -> (World, Paged) {
    let paged = Paged::serve().await;
    paged.set("/api/tickets/", tickets(last));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    (world, paged)
}

async fn sync_tickets(world: &World, ask: TicketSync) {
    for report in world.sync_tickets(ask).await {
        assert_eq!(report.outcome.name(), "ok", "{report:?}");
    }
}

#[tokio::test]
async fn a_ticket_modified_in_the_future_does_not_disable_the_filter() {
    let future = ticket(11, "2026-01-01T10:00:00Z", "9999-12-31T23:59:59Z");
    let (world, paged) = ticket_world(&future).await;
    sync_tickets(&world, TicketSync::Now).await;
    let now = world.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    paged.shelf().rows.get_mut("/api/tickets/").unwrap()[0] =
        ticket(1, "2026-01-01T10:00:00Z", &now);
    world.later(TimeDelta::minutes(1));
    sync_tickets(&world, TicketSync::Differences).await;
    assert_eq!(
        world
            .texts("select title from advisoryd_v1.tickets where id = 1")
            .await,
        [format!("1 {now}")]
    );
}

#[tokio::test]
async fn a_ticket_created_in_the_future_does_not_make_full_scans_fail() {
    for ahead in [
        TimeDelta::minutes(10),
        TimeDelta::hours(8),
        TimeDelta::days(900_000),
    ] {
        let created = (World::new().await.now() + ahead).format("%Y-%m-%dT%H:%M:%SZ");
        let future = ticket(11, &created.to_string(), "2026-01-02T10:00:00Z");
        let (world, _paged) = ticket_world(&future).await;
        sync_tickets(&world, TicketSync::Now).await;
        let full = TicketSync::Full {
            accept_removals: false,
        };
        sync_tickets(&world, full).await;
        assert_eq!(
            world
                .count("select count(*) from advisoryd_v1.tickets")
                .await,
            11
        );
    }
}

#[tokio::test]
async fn what_is_listed_without_a_readable_time_is_fetched() {
    const QUEUE: &str = "select said from advisoryd.wanted_detail order by said";
    let mut world = json_list().await;
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    world.fetch_details().await;
    assert!(world.texts(QUEUE).await.is_empty());
    let saids = world
        .texts("select said from advisoryd_v1.advisories order by said limit 2")
        .await;

    world.later(TimeDelta::hours(3));
    let paged = Paged::serve().await;
    // By the clock of this upstream, which is not ahead as ours is now.
    let at = Clock::system().now().timestamp() - 60;
    let row = |said: &String| json!({"id": 1, "advisory_identifier": said, "modified_date": "29/11/2026 10:00:00", "_at": at});
    paged.set("/api/advisories/", saids.iter().map(row).collect());
    paged.set("/api/asset-lists/1/", vec![]);
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{report:?}");
    assert_eq!(world.texts(QUEUE).await, saids);
}
