//! Collections that change while their pages are read: the run ends well, and what was
//! changed meanwhile is found by the next one.

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{
    AnswerFault, FaultRule, FeedCounts, FeedOptions, ListOrder, SimulatorOptions, TicketOptions,
};
use chrono::TimeDelta;

use crate::support::{World, pull_all, small};

/// A world with many small pages, in which the feeds do not show revisions.
async fn world(order: ListOrder) -> World {
    let mut world = World::with(SimulatorOptions {
        advisories: 80,
        tickets: 80,
        max_page_size: 5,
        feed: FeedOptions {
            counts: FeedCounts::Released,
            ..FeedOptions::default()
        },
        ticket: TicketOptions {
            order,
            ..TicketOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds.first_days = Some(3650);
    world.settings.feeds.sweep = None;
    // Details that only the revision scan wants.
    world.source = "auto";
    world
}

/// Something changes right after each page of `path`, so that rows move between pages.
fn change_at_each_page(world: &World, path: &str) {
    let rule = FaultRule::new(AnswerFault::RowsMove { rows: 2 });
    world.simulator.inject(rule.on(path).times(100_000));
}

async fn scanned(world: &World) -> RunReport {
    match scan_revisions(&world.context().await).await {
        Ok(Some(Ran::Ended(report))) => report,
        other => panic!("{other:?}"),
    }
}

async fn pull(world: &World) {
    for report in pull_all(&world.context().await, LookBack::Missing).await {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
}

/// What is stored of tickets, compared with upstream.
async fn tickets_not_as_upstream(world: &World) -> Vec<u64> {
    let stored: Vec<(i64, serde_json::Value)> =
        sqlx::query_as("select id, raw from advisoryd_v1.tickets where deleted_at is null")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let is_stored = |id: u64| {
        let wanted = world.simulator.ticket(id).unwrap();
        let same = |(one, raw): &(i64, _)| u64::try_from(*one) == Ok(id) && *raw == wanted;
        stored.iter().any(same)
    };
    let ids = world.simulator.ticket_ids().into_iter();
    ids.filter(|id| !is_stored(*id)).collect()
}

#[tokio::test]
async fn a_revision_scan_while_each_page_brings_changes_ends_and_loses_nothing() {
    for order in [ListOrder::IdAscending, ListOrder::ModifiedDescending] {
        let world = world(order).await;
        pull(&world).await;
        change_at_each_page(&world, "/api/advisories/?");
        for _ in 0..3 {
            let report = scanned(&world).await;
            assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
            world.later(TimeDelta::minutes(30));
            pull(&world).await;
        }
        world.simulator.clear_faults();
        assert_eq!(scanned(&world).await.outcome.name(), "ok");
        world.later(TimeDelta::minutes(5));
        world.fetch_details().await;
        world.assert_all_is_stored().await;
        let runs = "select count(*) from advisoryd_v1.sync_runs
            where job = 'sweep' and outcome = 'ok' and claimed = accounted";
        assert_eq!(world.count(runs).await, 4);
        world.sync_tickets(TicketSync::Now).await;
        let proof = verify(world.pool(), None, world.now()).await.unwrap();
        assert!(proof.proven, "{:?}", proof.problems);
    }
}

#[tokio::test]
async fn a_window_of_tickets_while_each_page_brings_changes_ends_and_loses_nothing() {
    for order in [ListOrder::IdAscending, ListOrder::ModifiedDescending] {
        let world = world(order).await;
        world.sync_tickets(TicketSync::Now).await;
        for id in world.simulator.ticket_ids() {
            // At different times: those of one second are on one page or not at all.
            world.later(TimeDelta::seconds(10));
            world.simulator.touch_ticket(id);
        }
        world.later(TimeDelta::minutes(30));
        change_at_each_page(&world, "/tickets/");
        for _ in 0..2 {
            for report in world.sync_tickets(TicketSync::Differences).await {
                assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
            }
            world.later(TimeDelta::minutes(30));
        }
        world.simulator.clear_faults();
        world.sync_tickets(TicketSync::Differences).await;
        assert_eq!(tickets_not_as_upstream(&world).await, [0; 0]);
    }
}
