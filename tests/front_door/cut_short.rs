//! A body that is cut short is requested again within the run, and one that trickles ends.

use std::time::Instant;

use advisoryd::simulate::{AnswerFault, Compression, FaultRule, FeedOptions, SimulatorOptions};

use crate::support::{World, assert_reads, small, without};

async fn packed(compression: Option<Compression>) -> World {
    let feed = FeedOptions {
        compression,
        ..FeedOptions::default()
    };
    World::with(SimulatorOptions { feed, ..small() }).await
}

fn feed_requests(world: &World) -> usize {
    let requests = world.simulator.requests();
    let feeds = requests
        .iter()
        .filter(|seen| seen.target.contains("xml-feed"));
    feeds.count()
}

/// Where a body is cut: in its first record, in the middle.
const CUTS: [usize; 2] = [2_000, 12_000];

#[tokio::test]
async fn a_feed_cut_short_is_requested_again_within_the_run() {
    for compression in [None, Some(Compression::GZIP), Some(Compression::ZSTD)] {
        for after_bytes in CUTS {
            let faults = [
                // Fewer bytes than `Content-Length` says.
                AnswerFault::Truncate {
                    after_bytes,
                    clean: false,
                },
                // A chunked body without its end.
                AnswerFault::Reset { after_bytes },
                // A body that ends as it should, and whose document does not.
                AnswerFault::Truncate {
                    after_bytes,
                    clean: true,
                },
            ];
            for fault in faults {
                let world = packed(compression).await;
                world
                    .simulator
                    .inject(FaultRule::new(fault.clone()).on("xml-feed"));
                let report = world.pull_one().await;
                let what = format!("{compression:?} {fault:?}: {report:?}");
                assert_eq!(report.outcome.name(), "ok", "{what}");
                assert_eq!(feed_requests(&world), 2, "{what}");
                // What came before the cut is counted once.
                let members = world.simulator.saids(1).len() as u64;
                let tally = report.tally;
                assert_eq!(
                    (tally.seen, tally.added, tally.changed, tally.unchanged),
                    (members, members, 0, 0),
                    "{what}"
                );
                world.assert_all_is_stored().await;
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_json_cut_short_is_requested_again_within_the_run() {
    for clean in [true, false] {
        let world = packed(None).await;
        let fault = AnswerFault::Truncate {
            after_bytes: 1_000,
            clean,
        };
        world
            .simulator
            .inject(FaultRule::new(fault).on("page_size=100"));
        let reports = world
            .sync_tickets(advisoryd::job::tickets::sync::TicketSync::Now)
            .await;
        assert_eq!(reports[0].outcome.name(), "ok", "{clean}: {reports:?}");
    }
}

#[tokio::test]
async fn every_answer_of_json_that_ends_early_is_requested_again_within_the_run() {
    // Where it ends: before its first byte, in the middle.
    for after_bytes in [0, 150] {
        for clean in [true, false] {
            let mut world = packed(None).await;
            world.settings.feeds.details = Some("always");
            let cut = |path: &str| {
                let fault = AnswerFault::Truncate { after_bytes, clean };
                world.simulator.inject(FaultRule::new(fault).on(path));
            };
            for path in [
                "tickets/?",
                "advisories/SA",
                "advisories/?",
                "asset-lists/?",
            ] {
                cut(path);
            }
            let what = format!("{after_bytes} {clean}");
            let result = world.cli(&["sync"]);
            assert_eq!(result.code, 0, "{what}: {result}");
            let kept = "select count(*) from advisoryd_v1.quarantine";
            assert_eq!(world.count(kept).await, 0, "{what}");
        }
    }
}

/// Half an advisory does not wait for a week.
#[tokio::test]
async fn details_that_are_cut_short_each_time_are_requested_again_soon() {
    let mut world = packed(None).await;
    world.settings.feeds.details = Some("always");
    let fault = AnswerFault::Truncate {
        after_bytes: 150,
        clean: true,
    };
    world
        .simulator
        .inject(FaultRule::new(fault).on("advisories/SA").times(1000));
    let result = world.cli(&["sync"]);
    assert_eq!(result.code, 1, "{result}");
    let kept = "select count(*) from advisoryd_v1.quarantine";
    assert_eq!(world.count(kept).await, 0);
    let late = "select count(*) from advisoryd.wanted_detail
                where next_at > now() + interval '1 hour'";
    assert_eq!(world.count(late).await, 0);
    world.simulator.clear_faults();
    sqlx::query("update advisoryd.wanted_detail set next_at = now()")
        .execute(world.pool())
        .await
        .unwrap();
    let result = world.cli(&["sync"]);
    assert_eq!(result.code, 0, "{result}");
    let wanted = "select count(*) from advisoryd.wanted_detail";
    assert_eq!(world.count(wanted).await, 0);
}

#[tokio::test]
async fn a_feed_that_trickles_ends_by_the_total_timeout() {
    let mut world = packed(None).await;
    world.settings.upstream.total_timeout = Some("2s");
    let slow = AnswerFault::Slow {
        bytes_per_second: 1_000,
    };
    world.simulator.inject(FaultRule::new(slow).times(10));
    let began = Instant::now();
    let report = world.pull_one().await;
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert_eq!(report.outcome.name(), "failed");
    let error = report.outcome.error().unwrap();
    assert_reads!(without(&error, r"\d+ bytes", "[n] bytes"));
    assert_eq!(
        feed_requests(&world),
        1,
        "another attempt would take as long"
    );
    world.simulator.clear_faults();
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    world.assert_all_is_stored().await;
}
