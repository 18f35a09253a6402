//! Full pulls and full scans that fail while windows succeed.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::health::check;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions, TicketFilters, TicketOptions};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::settings::EVERY_SECOND;
use crate::support::{PATIENCE, World, eventually, record, small, world_of_documents};

const CONDITION: &str = "select summary from advisoryd_v1.conditions
                         where what = 'full_read_failed' and holds";

async fn conditions(world: &World) -> Vec<String> {
    check::check_health(&world.context().await).await.unwrap();
    world.texts(CONDITION).await
}

#[tokio::test]
async fn a_full_pull_that_failed_is_not_forgotten_when_a_window_succeeds() {
    let mut world = World::new().await;
    world.settings.tickets.enabled = Some(false);
    world.settings.feeds.first_days = Some(365);
    assert_eq!(world.cli(&["sync"]).code, 0);
    let cut = AnswerFault::Truncate {
        after_bytes: 2000,
        clean: true,
    };
    world
        .simulator
        .inject(FaultRule::new(cut).on("days=365").times(100));
    assert_eq!(world.cli(&["sync", "feeds", "--full"]).code, 1);
    // The window is complete, and says nothing of what only a full pull sees.
    let window = world.cli(&["sync", "feeds"]);
    assert_eq!(window.code, 0, "{window}");
    let verified = world.cli(&["verify"]);
    assert_eq!(verified.code, 1, "{verified}");
    let lost = "the last full pull failed at ";
    assert!(verified.to_string().contains(lost), "{verified}");
    let checked = world.cli(&["status", "--check"]);
    assert_eq!(checked.code, 1, "{checked}");
    let failed = ": the last full pull failed: ";
    assert!(checked.stdout.contains(failed), "{checked}");

    assert!(conditions(&world).await.is_empty(), "it is repeated");
    world.later(TimeDelta::hours(7));
    let found = conditions(&world).await;
    assert!(
        found[0].starts_with("no full pull was complete since "),
        "{found:?}"
    );

    world.simulator.clear_faults();
    let full = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(full.outcome.error(), None);
    assert!(conditions(&world).await.is_empty());
    let verified = world.cli(&["verify"]);
    assert!(!verified.to_string().contains(lost), "{verified}");
}

/// Text of a feed with so many records that says that it has `claimed` ones.
fn counted_feed(claimed: usize, records: usize) -> String {
    let records: Vec<String> = (1..=records).map(record).collect();
    format!(
        "<advisories count=\"{claimed}\">{}</advisories>",
        records.concat()
    )
}

#[tokio::test]
async fn only_a_run_as_long_settles_one_that_lacked_records() {
    let (mut world, documents) = world_of_documents().await;
    world.settings.tickets.enabled = Some(false);
    documents.set(1, counted_feed(7, 7));
    world.pull().await;
    documents.set(1, counted_feed(7, 5));
    let failed = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(failed.outcome.name(), "failed", "{failed:?}");
    let unsettled = async || {
        let proof = verify(world.pool(), None, world.now()).await.unwrap();
        let problems = proof.problems.iter();
        let of_counts = problems.filter(|one| format!("{one:?}").contains("has covered it"));
        of_counts.count()
    };
    assert_eq!(unsettled().await, 1);
    documents.set(1, counted_feed(1, 1));
    let window = world.pull_one().await;
    assert_eq!(window.outcome.error(), None);
    assert_eq!(unsettled().await, 1, "a window says nothing of the others");
    documents.set(1, counted_feed(7, 7));
    let full = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(full.outcome.error(), None);
    assert_eq!(unsettled().await, 0);
    // A window that fails is settled by the next one.
    documents.set(1, counted_feed(2, 1));
    assert_eq!(world.pull_one().await.outcome.name(), "failed");
    assert_eq!(unsettled().await, 1);
    documents.set(1, counted_feed(1, 1));
    assert_eq!(world.pull_one().await.outcome.error(), None);
    assert_eq!(unsettled().await, 0);
}

#[tokio::test]
async fn a_full_scan_that_failed_is_tried_again_long_before_its_schedule() {
    let (mut world, documents) = world_of_documents().await;
    documents.set(1, counted_feed(1, 1));
    world.settings.schedule.feeds = Some(EVERY_SECOND);
    let page = |count: usize| {
        let row = |id| json!({"id": id, "title": "T", "modified": "2026-01-02T10:00:00Z"});
        let rows: Vec<Value> = (1..=count).map(row).collect();
        json!({"count": count, "next": null, "results": rows})
    };
    let full = TicketSync::Full {
        accept_removals: false,
    };
    documents.set_json("/api/tickets/", &page(5));
    world.sync_tickets(full).await;
    // More than a fifth is missing: that ends the scan, so that nobody resumes it.
    documents.set_json("/api/tickets/", &page(2));
    let failed = world.sync_tickets(full).await.remove(0);
    assert_eq!(failed.outcome.name(), "failed", "{failed:?}");
    documents.set_json("/api/tickets/", &page(5));
    let complete = "select count(*) from advisoryd.sync_run
                    where job = 'tickets' and mode = 'full' and outcome = 'ok'";
    let earlier = async |minutes: i32| {
        let moved = "update advisoryd.sync_run
                     set started_at = started_at - make_interval(mins => $1),
                         finished_at = finished_at - make_interval(mins => $1)
                     where job = 'tickets'";
        let moved = sqlx::query(moved).bind(minutes);
        moved.execute(world.pool()).await.unwrap();
    };

    earlier(55).await;
    let soon = world.run().await;
    let pulls = "select count(*) from advisoryd.sync_run where job = 'feed' and outcome = 'ok'";
    let has_pulled = async || (world.count(pulls).await >= 3).then_some(());
    eventually("three pulls of the feed", PATIENCE, has_pulled).await;
    drop(soon);
    assert_eq!(world.count(complete).await, 1, "an hour has not passed");
    earlier(10).await;
    let _daemon = world.run().await;
    let is_repeated = async || (world.count(complete).await == 2).then_some(());
    eventually("a full scan", PATIENCE, is_repeated).await;
}

#[tokio::test]
async fn where_windows_show_new_tickets_only_changes_are_as_old_as_the_last_full_scan() {
    let mut world = World::with(SimulatorOptions {
        ticket: TicketOptions {
            filters: TicketFilters {
                modified: false,
                created: true,
            },
            ..TicketOptions::default()
        },
        ..small()
    })
    .await;
    world.lists = Some(Vec::new());
    let now = world.cli(&["sync", "tickets"]);
    assert_eq!(now.code, 0, "{now}");
    let moved =
        "update advisoryd.ticket_reading set changes_until = changes_until - interval '30 days',
                 full_walk_at = full_walk_at - interval '30 days'";
    sqlx::query(moved).execute(world.pool()).await.unwrap();
    let moved = "update advisoryd.source set followed_since = followed_since - interval '31 days'";
    sqlx::query(moved).execute(world.pool()).await.unwrap();
    // As at a tick: the full scan that is due has a schedule of its own.
    let again = world.sync_tickets(TicketSync::Differences).await.remove(0);
    assert_eq!(again.outcome.error(), None);
    let filter = "select filter from advisoryd.ticket_reading";
    assert_eq!(world.texts(filter).await, ["created"]);
    let status = world.cli(&["status", "--json"]).json();
    let sources = status["sources"].as_array().unwrap();
    let tickets = sources.iter().find(|one| one["kind"] == "tickets").unwrap();
    assert!(
        tickets["data_age_seconds"].as_i64().unwrap() > 29 * 24 * 3600,
        "{tickets}"
    );
    let checked = world.cli(&["status", "--check"]);
    assert_ne!(checked.code, 0, "{checked}");
    check::check_health(&world.context().await).await.unwrap();
    let stale = "select count(*) from advisoryd_v1.conditions where what = 'data_stale' and holds";
    assert_eq!(world.count(stale).await, 1);
}
