//! Tickets: once in full, then only differences, and nothing lost in between.

use advisoryd::job::run::RunReport;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{
    AnswerFault, FaultRule, ListOrder, SimulatorOptions, TicketFilters, TicketOptions, TicketShape,
};

use crate::support::settings::{EVERY_SECOND, Schedule};
use crate::support::{PATIENCE, Running, World, assert_reads, eventually, small, without};

const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

fn many(tickets: usize) -> SimulatorOptions {
    SimulatorOptions {
        advisories: 5,
        tickets,
        ..small()
    }
}

async fn with(ticket: TicketOptions, tickets: usize) -> World {
    World::with(SimulatorOptions {
        ticket,
        ..many(tickets)
    })
    .await
}

fn outcomes(reports: &[RunReport]) -> Vec<(&str, &str)> {
    reports
        .iter()
        .map(|report| (report.mode.name(), report.outcome.name()))
        .collect()
}

/// What upstream has and what is stored, as far as it exists.
async fn agree(world: &World) {
    let stored: Vec<(i64, serde_json::Value)> = sqlx::query_as(
        "select id, raw from advisoryd_v1.tickets where deleted_at is null order by id",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let mut wanted: Vec<(i64, serde_json::Value)> = world
        .simulator
        .ticket_ids()
        .into_iter()
        .map(|id| {
            (
                i64::try_from(id).unwrap(),
                world.simulator.ticket(id).unwrap(),
            )
        })
        .collect();
    wanted.sort_by_key(|(id, _)| *id);
    assert_eq!(stored.len(), wanted.len());
    for (stored, wanted) in stored.iter().zip(&wanted) {
        assert_eq!(stored, wanted);
    }
}

fn ticket_requests(world: &World) -> Vec<String> {
    world
        .simulator
        .requests()
        .into_iter()
        .map(|request| request.target)
        .filter(|path| path.contains("/tickets/"))
        .collect()
}

#[tokio::test]
async fn the_full_collection_is_read_once_and_then_only_differences() {
    let world = World::with(many(250)).await;
    let first = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(outcomes(&first), [("full", "ok"), ("incremental", "ok")]);
    assert_eq!(first[0].tally.added, 250);
    agree(&world).await;

    let touched = world.simulator.ticket_ids()[7];
    world.simulator.touch_ticket(touched);
    world.simulator.add_tickets(2);
    world.simulator.forget_requests();
    let second = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(outcomes(&second), [("incremental", "ok")]);
    let asked = ticket_requests(&world);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].contains("modified__gte=") && asked[0].contains("modified__lt="),
        "{asked:?}"
    );
    // What is modified in the very second of the window's end comes with the next one.
    world.later(chrono::TimeDelta::seconds(2));
    world.sync_tickets(TicketSync::Differences).await;
    agree(&world).await;
}

#[tokio::test]
async fn every_shape_of_a_ticket_is_kept_whole() {
    for shape in [
        TicketShape::Objects,
        TicketShape::Ids,
        TicketShape::Names,
        TicketShape::Nulls,
        TicketShape::Mixed,
    ] {
        let world = with(
            TicketOptions {
                shape,
                ..TicketOptions::default()
            },
            30,
        )
        .await;
        let reports = world.sync_tickets(TicketSync::Now).await;
        assert_eq!(
            reports[0].outcome.name(),
            "ok",
            "{shape:?}: {:?}",
            reports[0].outcome
        );
        agree(&world).await;
    }
}

#[tokio::test]
async fn the_filter_that_works_is_found_out() {
    for (modified, created, wanted) in [
        (true, true, "modified"),
        (false, true, "created"),
        (false, false, "none"),
    ] {
        let filters = TicketFilters { modified, created };
        let world = with(
            TicketOptions {
                filters,
                ..TicketOptions::default()
            },
            10,
        )
        .await;
        world.sync_tickets(TicketSync::Now).await;
        let found: Option<String> =
            sqlx::query_scalar("select filter from advisoryd.ticket_reading")
                .fetch_one(world.pool())
                .await
                .unwrap();
        assert_eq!(found.as_deref(), Some(wanted));
    }
}

#[tokio::test]
async fn without_a_ticket_the_filter_stays_unknown_and_is_looked_for_again() {
    let world = World::with(many(0)).await;
    world.sync_tickets(TicketSync::Differences).await;
    let unknown = world
        .count("select count(*) from advisoryd.ticket_reading where filter is null")
        .await;
    assert_eq!(unknown, 1);
    world.simulator.add_tickets(3);
    world.later(chrono::TimeDelta::seconds(2));
    let reports = world.sync_tickets(TicketSync::Differences).await;
    assert!(
        reports.iter().all(|report| report.outcome.name() == "ok"),
        "{reports:?}"
    );
    agree(&world).await;
}

#[tokio::test]
async fn without_a_date_filter_ticks_do_nothing_and_slow_walks_compare() {
    let filters = TicketFilters {
        modified: false,
        created: false,
    };
    let world = with(
        TicketOptions {
            filters,
            ..TicketOptions::default()
        },
        120,
    )
    .await;
    world.sync_tickets(TicketSync::Differences).await;
    world.simulator.forget_requests();
    assert!(world.sync_tickets(TicketSync::Differences).await.is_empty());
    assert!(ticket_requests(&world).is_empty());
    world
        .simulator
        .touch_ticket(world.simulator.ticket_ids()[4]);
    let walked = world.sync_tickets(TicketSync::FullScan).await;
    assert_eq!(
        (walked[0].tally.changed, walked[0].tally.unchanged),
        (1, 119)
    );
    agree(&world).await;
}

#[tokio::test]
async fn a_filter_that_is_ignored_is_noticed_and_nothing_is_lost() {
    let world = World::with(many(150)).await;
    world.sync_tickets(TicketSync::Now).await;
    world
        .simulator
        .touch_ticket(world.simulator.ticket_ids()[0]);
    // Windows of an hour ago hold none of what was made long before.
    let ignored = FaultRule::new(AnswerFault::IgnoredFilter).on("modified__");
    world.simulator.inject(ignored.times(1000));
    let failed = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(failed[0].outcome.name(), "failed");
    let error = failed[0].outcome.error().unwrap();
    assert_reads!(without(&error, r"returned \d+", "returned [id]"));
    world.simulator.clear_faults();
    let again = world.sync_tickets(TicketSync::Differences).await;
    assert!(
        again.iter().all(|report| report.outcome.name() == "ok"),
        "{again:?}"
    );
    world.later(chrono::TimeDelta::seconds(2));
    world.sync_tickets(TicketSync::Differences).await;
    agree(&world).await;
}

#[tokio::test]
async fn one_wrong_answer_to_the_test_of_the_filter_loses_no_change() {
    let world = World::with(many(50)).await;
    world.sync_tickets(TicketSync::Now).await;
    world.later(chrono::TimeDelta::hours(25));
    let test = FaultRule::new(AnswerFault::IgnoredFilter).on("modified__gte=4102444800");
    world.simulator.inject(test);
    world
        .simulator
        .touch_ticket(world.simulator.ticket_ids()[0]);
    world.later(chrono::TimeDelta::minutes(1));
    world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(
        world
            .texts("select filter from advisoryd.ticket_reading")
            .await,
        ["created"]
    );
    for _ in 0..3 {
        world.later(chrono::TimeDelta::hours(1));
        world.sync_tickets(TicketSync::Differences).await;
    }
    agree(&world).await;
}

#[tokio::test]
async fn rows_that_move_between_pages_are_not_skipped() {
    let order = ListOrder::ModifiedDescending;
    let world = with(
        TicketOptions {
            order,
            ..TicketOptions::default()
        },
        350,
    )
    .await;
    world.simulator.inject(
        FaultRule::new(AnswerFault::RowsMove { rows: 3 })
            .on("/tickets/")
            .after(4)
            .times(2),
    );
    for _ in 0..3 {
        world.sync_tickets(TicketSync::Differences).await;
    }
    world.later(chrono::TimeDelta::seconds(2));
    let last = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(last.last().unwrap().outcome.name(), "ok");
    agree(&world).await;
}

#[tokio::test]
async fn a_failed_page_moves_no_cursor_and_the_walk_goes_on_there() {
    let world = World::with(many(450)).await;
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(500))
            .on("page=4")
            .times(10),
    );
    let failed = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(outcomes(&failed), [("full", "failed")]);
    assert_eq!(
        world
            .count("select count(*) from advisoryd.ticket_reading where cursor_at is not null")
            .await,
        0
    );
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.tickets")
            .await,
        300,
        "three pages stay"
    );
    world.simulator.clear_faults();
    world.simulator.forget_requests();
    let resumed = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(resumed[0].outcome.name(), "ok", "{:?}", resumed[0].outcome);
    let asked = ticket_requests(&world);
    let first_page = asked
        .iter()
        .find(|path| path.contains("page_size=100"))
        .unwrap();
    assert!(
        first_page.contains("page=3"),
        "one page back, never from the start: {asked:?}"
    );
    agree(&world).await;
}

#[tokio::test]
async fn only_a_complete_full_walk_finds_a_ticket_gone() {
    let world = World::with(many(120)).await;
    world.sync_tickets(TicketSync::Now).await;
    let gone = world.simulator.ticket_ids()[11];
    world.simulator.remove_ticket(gone);
    world.sync_tickets(TicketSync::Differences).await;
    let marked = "select count(*) from advisoryd_v1.tickets where deleted_at is not null";
    assert_eq!(world.count(marked).await, 0);
    world.sync_tickets(FULL).await;
    assert_eq!(world.count(marked).await, 1);
    agree(&world).await;
}

#[tokio::test]
async fn a_ticket_that_is_gone_is_found_by_the_scheduled_full_scan_although_the_filter_works() {
    let world = World::with(many(120)).await;
    world.sync_tickets(TicketSync::Now).await;
    let gone = world.simulator.ticket_ids()[11];
    world.simulator.remove_ticket(gone);
    let scanned = world.sync_tickets(TicketSync::FullScan).await;
    assert_eq!(outcomes(&scanned), [("full", "ok"), ("incremental", "ok")]);
    let marked = "select id from advisoryd_v1.tickets where deleted_at is not null";
    assert_eq!(u64::try_from(world.count(marked).await), Ok(gone));
    agree(&world).await;
}

#[tokio::test]
async fn a_full_scan_that_always_fails_keeps_no_change_from_being_read() {
    let world = World::with(many(250)).await;
    world.sync_tickets(TicketSync::Now).await;
    let broken = FaultRule::new(AnswerFault::Status(500))
        .on("page=3")
        .times(1000);
    world.simulator.inject(broken);
    let failed = world.sync_tickets(TicketSync::FullScan).await;
    assert_eq!(outcomes(&failed), [("full", "failed")]);
    for tick in 0..2 {
        let touched = world.simulator.ticket_ids()[tick];
        world.simulator.touch_ticket(touched);
        world.later(chrono::TimeDelta::seconds(2));
        let ticked = world.sync_tickets(TicketSync::Differences).await;
        assert_eq!(
            outcomes(&ticked),
            [("incremental", "ok"), ("full", "failed")]
        );
        agree(&world).await;
    }
    world.simulator.clear_faults();
    let ticked = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(
        outcomes(&ticked),
        [("incremental", "ok"), ("full", "ok"), ("incremental", "ok")],
        "it is resumed"
    );
}

#[tokio::test]
async fn without_a_date_filter_no_full_scan_is_made_twice() {
    let filters = TicketFilters {
        modified: false,
        created: false,
    };
    let ticket = TicketOptions {
        filters,
        ..TicketOptions::default()
    };
    let world = with(ticket, 120).await;
    world.sync_tickets(TicketSync::Differences).await;
    for _ in 0..3 {
        // The filter was detected more than a day ago.
        world.later(chrono::TimeDelta::hours(25));
        world.simulator.forget_requests();
        assert!(world.sync_tickets(TicketSync::Differences).await.is_empty());
        assert!(ticket_requests(&world).is_empty());
        let scanned = world.sync_tickets(TicketSync::FullScan).await;
        assert_eq!(outcomes(&scanned), [("full", "ok")]);
        let asked = ticket_requests(&world);
        let pages = asked.iter().filter(|path| path.contains("page_size=100"));
        assert_eq!(pages.count(), 2, "{asked:?}");
    }
}

/// Waits until the daemon has marked a ticket as gone.
async fn marks(world: &World, gone: u64) {
    let is_marked = "select count(*) from advisoryd_v1.tickets where deleted_at is not null";
    eventually("the ticket is marked as gone", PATIENCE, async || {
        (world.count(is_marked).await == 1).then_some(())
    })
    .await;
    let marked = "select id from advisoryd_v1.tickets where deleted_at is not null";
    assert_eq!(u64::try_from(world.count(marked).await), Ok(gone));
}

#[tokio::test]
async fn a_daemon_scans_in_full_by_its_schedule_beside_the_ticks_of_the_changes() {
    let mut world = World::with(many(120)).await;
    world.sync_tickets(TicketSync::Now).await;
    let gone = world.simulator.ticket_ids()[3];
    world.simulator.remove_ticket(gone);
    // Both workers of the tickets begin in the same second.
    world.settings.schedule = Schedule {
        full_walk: Some(EVERY_SECOND.to_owned()),
        ..Schedule::every_second()
    };
    let _daemon = world.run().await;
    marks(&world, gone).await;
}

#[tokio::test]
async fn a_full_scan_gets_its_turn_where_each_window_takes_longer_than_its_schedule() {
    let mut world = World::with(many(120)).await;
    world.sync_tickets(TicketSync::Now).await;
    let runs = "select count(*) from advisoryd_v1.sync_runs where job = 'tickets'";
    let before = usize::try_from(world.count(runs).await).unwrap();
    let hold = AnswerFault::Hold {
        after_bytes: 10,
        gate: "changes".to_owned(),
    };
    world
        .simulator
        .inject(FaultRule::new(hold).on("modified__lt"));
    world.settings.schedule = Schedule {
        full_walk: Some("*/3 * * * * *".to_owned()),
        ..Schedule::every_second()
    };
    let _daemon = world.run().await;
    world.reached("changes").await;
    // Each takes a second at least: by now a full scan is due, and the next window as well.
    let feeds = "select count(*) from advisoryd_v1.sync_runs where job = 'feed'";
    let begun = world.count(feeds).await;
    eventually("runs of the feed", PATIENCE, async || {
        (world.count(feeds).await > begun + 5).then_some(())
    })
    .await;
    world.simulator.open("changes");
    let modes = "select mode from advisoryd_v1.sync_runs where job = 'tickets' order by id";
    let modes = eventually("two runs", PATIENCE, async || {
        let modes = world.texts(modes).await.split_off(before);
        (modes.len() > 1).then_some(modes)
    })
    .await;
    // If a full scan was first, what was held is the window that follows it.
    if modes[0] != "full" {
        assert_eq!(modes[..2], ["incremental", "full"], "{modes:?}");
    }
}

#[tokio::test]
async fn a_full_scan_waits_for_a_run_that_reads_the_changes() {
    let mut world = World::with(many(120)).await;
    world.sync_tickets(TicketSync::Now).await;
    let gone = world.simulator.ticket_ids()[3];
    world.simulator.remove_ticket(gone);
    sqlx::query("update advisoryd.ticket_reading set full_walk_at = now() - interval '2 years'")
        .execute(world.pool())
        .await
        .unwrap();
    let hold = AnswerFault::Hold {
        after_bytes: 10,
        gate: "changes".to_owned(),
    };
    world
        .simulator
        .inject(FaultRule::new(hold).on("modified__lt"));
    world.settings.schedule = Schedule::never();
    let changes = async {
        let read = world.sync_tickets(TicketSync::Differences).await;
        assert_eq!(outcomes(&read), [("incremental", "ok")]);
    };
    let scan = async {
        world.reached("changes").await;
        let daemon = world.run().await;
        let holder = format!("process {} on", std::process::id());
        daemon
            .event("the full scan waits", |event| {
                let message = event["message"].as_str().unwrap_or_default();
                event["source"] == "tickets" && message.contains(&holder)
            })
            .await;
        world.simulator.open("changes");
        marks(&world, gone).await;
    };
    tokio::join!(changes, scan);
}

#[tokio::test]
async fn a_full_scan_that_was_missed_while_no_daemon_ran_is_made_at_its_start() {
    let mut world = World::with(many(120)).await;
    world.sync_tickets(TicketSync::Now).await;
    let gone = world.simulator.ticket_ids()[3];
    world.simulator.remove_ticket(gone);
    sqlx::query("update advisoryd.ticket_reading set full_walk_at = now() - interval '2 years'")
        .execute(world.pool())
        .await
        .unwrap();
    world.settings.schedule = Schedule::never();
    let _daemon = world.run().await;
    marks(&world, gone).await;
}

#[tokio::test]
async fn a_walk_that_would_lose_a_fifth_is_not_believed() {
    let world = World::with(many(50)).await;
    world.sync_tickets(TicketSync::Now).await;
    for id in world.simulator.ticket_ids().into_iter().take(20) {
        world.simulator.remove_ticket(id);
    }
    let walked = world.sync_tickets(FULL).await;
    assert_eq!(walked[0].outcome.name(), "failed");
    assert_reads!(walked[0].outcome.error().unwrap());
    let marked = "select count(*) from advisoryd_v1.tickets where deleted_at is not null";
    assert_eq!(world.count(marked).await, 0, "nothing was marked");
    world
        .sync_tickets(TicketSync::Full {
            accept_removals: true,
        })
        .await;
    assert_eq!(world.count(marked).await, 20);
    agree(&world).await;
}

#[tokio::test]
async fn throttling_in_mid_walk_is_waited_out() {
    let form = advisoryd::simulate::ThrottleForm::Detail;
    let world = World::with(many(250)).await;
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Throttled { form, seconds: 1 }).on("page=2"));
    let walked = world.sync_tickets(TicketSync::Now).await;
    assert_eq!(walked[0].outcome.name(), "ok", "{:?}", walked[0].outcome);
    agree(&world).await;
}

#[tokio::test]
async fn a_next_that_leads_elsewhere_is_not_followed() {
    let world = World::with(many(250)).await;
    let elsewhere = World::with(many(1)).await;
    let url = format!("{}/api/tickets/?page=2", elsewhere.simulator.base_url());
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::EvilNext(url)).on("page_size=100"));
    let walked = world.sync_tickets(TicketSync::Now).await;
    assert_eq!(walked[0].outcome.name(), "failed");
    assert!(
        elsewhere.simulator.requests().is_empty(),
        "the token stays home"
    );
    let again = world.sync_tickets(TicketSync::Now).await;
    assert_eq!(again[0].outcome.name(), "ok");
    agree(&world).await;
}

#[tokio::test]
async fn a_rejected_token_is_one_request_and_a_clear_error() {
    let world = World::with(many(10)).await;
    world
        .simulator
        .set_token("0000000000000000000000000000000000000000");
    let refused = world.sync_tickets(TicketSync::Now).await;
    assert_eq!(refused[0].outcome.name(), "failed");
    assert_reads!(refused[0].outcome.error().unwrap());
    assert_eq!(ticket_requests(&world).len(), 1, "no storm");
}

#[tokio::test]
async fn kill_9_during_the_first_walk_loses_nothing_and_goes_on_there() {
    let world = World::with(many(450)).await;
    let hold = AnswerFault::Hold {
        after_bytes: 100,
        gate: "mid-walk".to_owned(),
    };
    world
        .simulator
        .inject(FaultRule::new(hold).on("page_size=100").after(4));
    let mut sync = Running::start(&mut world.command(&["sync", "tickets"]));
    world.reached("mid-walk").await;
    sync.kill9();
    let stored = world
        .count("select count(*) from advisoryd_v1.tickets")
        .await;
    assert!((100..450).contains(&stored), "{stored}");
    world.simulator.forget_requests();

    let mut sync = Running::start(&mut world.command(&["sync", "tickets"]));
    assert!(sync.ended().await.success(), "{}", sync.stderr());
    agree(&world).await;
    let walked = ticket_requests(&world)
        .iter()
        .filter(|path| !path.contains("__gte"))
        .count();
    assert!(walked < 5, "not from the beginning: {walked} pages");
    let interrupted = "select count(*) from advisoryd_v1.sync_runs where outcome = 'interrupted'";
    assert_eq!(world.count(interrupted).await, 1);
}

#[tokio::test]
async fn a_stored_time_in_the_future_does_not_win_over_what_comes_later() {
    let world = World::with(many(20)).await;
    world.sync_tickets(TicketSync::Differences).await;
    let ids = world.simulator.ticket_ids();
    for (sync, id) in [(TicketSync::Differences, ids[3]), (FULL, ids[4])] {
        sqlx::query("update advisoryd.ticket set modified_at = '2099-01-01' where id = $1")
            .bind(i64::try_from(id).unwrap())
            .execute(world.pool())
            .await
            .unwrap();
        world.simulator.touch_ticket(id);
        world.later(chrono::TimeDelta::seconds(2));
        let reports = world.sync_tickets(sync).await;
        assert_eq!(reports[0].outcome.name(), "ok");
        assert_eq!(reports[0].tally.changed, 1, "{sync:?}");
        agree(&world).await;
    }
}

#[tokio::test]
async fn sync_tickets_makes_a_full_scan_that_is_due() {
    let world = World::with(many(50)).await;
    let modes = async || {
        let result = world.cli(&["sync", "tickets"]);
        assert_eq!(result.code, 0, "{result}");
        let modes = "select mode from advisoryd_v1.sync_runs where job = 'tickets' order by id";
        world.texts(modes).await
    };
    let first = modes().await.len();
    let gone = world.simulator.ticket_ids()[3];
    world.simulator.remove_ticket(gone);
    assert_eq!(modes().await[first..], ["incremental"], "none is due");
    sqlx::query("update advisoryd.ticket_reading set full_walk_at = now() - interval '2 years'")
        .execute(world.pool())
        .await
        .unwrap();
    let due = modes().await.split_off(first + 1);
    assert_eq!(due, ["incremental", "full", "incremental"]);
    marks(&world, gone).await;
    let count = modes().await.len();
    assert_eq!(count, first + 5, "only once");
}
