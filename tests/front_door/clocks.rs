//! A clock that is wrong loses nothing and is told: windows end by upstream's `Date`.

use advisoryd::job::context::Context;
use advisoryd::job::details::fetch::{self, Fetched};
use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::job::tickets::sync::{self, TicketSync};
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use advisoryd::startup;
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::{World, assert_reads, pull_all, small, without};

const TICKETS: usize = 300;

async fn world() -> World {
    World::with(SimulatorOptions {
        advisories: 20,
        tickets: TICKETS,
        ..small()
    })
    .await
}

/// Tickets that are not stored as upstream has them.
async fn lost(world: &World) -> Vec<u64> {
    let stored: Vec<(i64, serde_json::Value)> =
        sqlx::query_as("select id, raw from advisoryd_v1.tickets where deleted_at is null")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let ids = world.simulator.ticket_ids().into_iter();
    ids.filter(|id| {
        let wanted = world.simulator.ticket(*id).unwrap();
        !stored
            .iter()
            .any(|(stored, raw)| u64::try_from(*stored) == Ok(*id) && *raw == wanted)
    })
    .collect()
}

async fn sync_with(context: &Context) -> Vec<RunReport> {
    let ran = sync::sync(context, TicketSync::Now).await.unwrap();
    ran.into_iter()
        .map(|ran| match ran {
            Ran::Ended(report) => report,
            Ran::Busy(holder) => panic!("held by {holder}"),
        })
        .collect()
}

fn touch(world: &World, tickets: std::ops::Range<usize>) {
    for id in world.simulator.ticket_ids().drain(tickets) {
        world.simulator.touch_ticket(id);
    }
}

/// The ends of what is covered.
async fn ends(world: &World) -> Vec<DateTime<Utc>> {
    let sql = "select upper(covered) from advisoryd.source where not isempty(covered)
        union all select cursor_at from advisoryd.ticket_reading where cursor_at is not null";
    sqlx::query_scalar(sql)
        .fetch_all(world.pool())
        .await
        .unwrap()
}

async fn nothing_is_covered_of_the_future(world: &World) {
    for end in ends(world).await {
        assert!(
            end <= world.simulator.now() + TimeDelta::seconds(1),
            "{end}"
        );
    }
}

/// How far the clock jumps: just accepted, about the limit, and far beyond it.
const JUMPS: [i64; 6] = [23, 24, 25, -23, -25, 240];

/// The clock jumps ahead (or behind), tickets change, and it jumps back. With one context
/// as in the daemon, which knows upstream's clock from before, or a new one each time.
async fn jumps_lose_nothing(is_daemon: bool) {
    for hours in JUMPS {
        let world = world().await;
        let daemon = world.context().await;
        let sync = async || {
            if is_daemon {
                sync_with(&daemon).await
            } else {
                sync_with(&world.context().await).await
            }
        };
        sync().await;
        touch(&world, 0..50);
        world.set_our_clock(TimeDelta::hours(hours));
        let reports = sync().await;
        for report in &reports {
            let is_skew = report
                .outcome
                .error()
                .is_some_and(|error| error.contains("clock"));
            assert!(report.outcome.name() == "ok" || is_skew, "{report:?}");
        }
        touch(&world, 50..100);
        sync().await;
        nothing_is_covered_of_the_future(&world).await;
        world.set_our_clock(TimeDelta::zero());
        touch(&world, 100..150);
        sync().await;
        world.simulator.set_clock(TimeDelta::seconds(2));
        world.set_our_clock(TimeDelta::seconds(2));
        sync().await;
        assert_eq!(lost(&world).await, [0; 0], "{hours} h, daemon: {is_daemon}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_and_comes_back_loses_no_ticket_of_a_daemon() {
    jumps_lose_nothing(true).await;
}

#[tokio::test]
async fn a_clock_that_jumps_and_comes_back_loses_no_ticket_of_single_commands() {
    jumps_lose_nothing(false).await;
}

#[tokio::test]
async fn a_full_scan_by_a_clock_that_jumped_covers_nothing_of_the_future() {
    for hours in [20, -20] {
        let world = world().await;
        let context = world.context().await;
        sync_with(&context).await;
        // The context knows upstream's clock from before the jump, and the filter.
        world.set_our_clock(TimeDelta::hours(hours));
        touch(&world, 0..50);
        let ran = sync::sync(&context, TicketSync::FullScan).await.unwrap();
        let Ran::Ended(report) = &ran[0] else {
            panic!("nobody else reads")
        };
        assert_eq!(report.outcome.name(), "ok", "{report:?}");
        ends_now(&world, report);
        nothing_is_covered_of_the_future(&world).await;
        assert_eq!(lost(&world).await, [0; 0]);
    }
}

/// The window of a run ends at upstream's time, whatever our clock says.
fn ends_now(world: &World, report: &RunReport) {
    let (_, end) = report.window.expect("a window");
    let behind = world.simulator.now() - end;
    let allowed = TimeDelta::seconds(-1)..TimeDelta::seconds(50);
    assert!(allowed.contains(&behind), "{behind}: {report:?}");
}

#[tokio::test]
async fn feeds_json_windows_and_revision_scans_end_by_upstreams_date() {
    for source in ["feed", "json", "revisions"] {
        let mut world = world().await;
        world.settings.feeds.sweep = Some(true);
        world.source = if source == "json" { "json" } else { "feed" };
        let read = async |context: &Context| -> RunReport {
            if source == "revisions" {
                match scan_revisions(context).await {
                    Ok(Some(Ran::Ended(report))) => report,
                    other => panic!("{other:?}"),
                }
            } else {
                pull_all(context, LookBack::Missing).await.remove(0)
            }
        };
        for hours in [20, -20, 3, 0] {
            let context = world.context().await;
            read(&context).await;
            // The context knows upstream's clock from before the jump.
            world.set_our_clock(TimeDelta::hours(hours));
            let said = world.simulator.saids(1)[5].clone();
            world.simulator.revise(&said, true);
            let report = read(&context).await;
            assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
            ends_now(&world, &report);
            nothing_is_covered_of_the_future(&world).await;
        }
    }
}

#[tokio::test]
async fn clocks_more_than_a_day_apart_fail_the_run_and_both_are_named() {
    let world = world().await;
    let shift = AnswerFault::DateShift {
        seconds: 25 * 60 * 60,
    };
    world.simulator.inject(FaultRule::new(shift).times(10));
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    let tickets = world.sync_tickets(TicketSync::Now).await;
    assert_eq!(tickets[0].outcome.name(), "failed");
    let error = report.outcome.error().unwrap();
    assert_reads!(without(&error, r"xml-feed.*?: ", "xml-feed: "));
    assert_eq!(world.simulator.requests().len(), 2, "no storm");
    assert!(ends(&world).await.is_empty());
}

#[tokio::test]
async fn without_a_date_the_clock_that_was_set_is_not_believed() {
    let world = world().await;
    let context = world.context().await;
    sync_with(&context).await;
    touch(&world, 0..50);
    world.set_our_clock(TimeDelta::hours(23));
    let cached = || {
        world
            .simulator
            .inject(FaultRule::new(AnswerFault::Cached).times(20));
    };
    cached();
    let reports = sync_with(&context).await;
    assert_eq!(reports[0].outcome.name(), "ok", "{reports:?}");
    let reports = pull_all(&context, LookBack::Missing).await;
    assert_eq!(reports[0].outcome.name(), "ok", "{reports:?}");
    nothing_is_covered_of_the_future(&world).await;
}

/// Lets everything have been covered by a run that was an hour ahead, as earlier versions
/// recorded it.
async fn cover_the_future(world: &World) {
    let sql = "with ahead as (
            update advisoryd.sync_run set covers = tstzrange(lower(covers), upper(covers) + interval '1 day')
            where id in (select max(id) from advisoryd.sync_run group by source_id)
            returning source_id, covers),
        covered as (
            update advisoryd.source s set covered = s.covered + tstzmultirange(a.covers)
            from ahead a where a.source_id = s.id)
        update advisoryd.ticket_reading set cursor_at = cursor_at + interval '1 day'";
    sqlx::query(sql).execute(world.pool()).await.unwrap();
}

#[tokio::test]
async fn coverage_that_ends_in_the_future_is_objected_to_and_cut_back_at_the_next_start() {
    let world = world().await;
    let honest = world.context().await;
    pull_all(&honest, LookBack::Missing).await;
    sync_with(&honest).await;
    let before = ends(&world).await;
    world.later(TimeDelta::minutes(30));
    // The runs that claim the future did not see this.
    pull_all(&honest, LookBack::Missing).await;
    sync_with(&honest).await;
    world.later(TimeDelta::minutes(-30));
    cover_the_future(&world).await;
    touch(&world, 0..50);

    let said = verify(world.pool(), None, world.now()).await.unwrap();
    let objections = |said: &advisoryd::job::trust::verify::Verification| {
        let problems = said.problems.iter();
        problems
            .filter(|problem| problem.says.contains("the future"))
            .map(|problem| problem.about.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(objections(&said), ["watch list 1", "tickets"]);
    let status = world.cli(&["status", "--json"]).json();
    let sources = status["sources"].as_array().unwrap();
    for source in sources {
        assert_eq!(source["covered_in_future"], true, "{source}");
        assert_eq!(source["state"], "failing", "{source}");
    }
    let text = world.cli(&["status"]).stdout;
    let lines = text.lines().filter(|line| line.contains("the future"));
    assert_reads!(lines.collect::<Vec<_>>().join("\n"));

    // A command that reads is a start too.
    let sync = world.cli(&["sync"]);
    assert_eq!(sync.code, 0, "{sync:?}");
    let warnings = sync.stderr.matches("ended in the future").count();
    assert_eq!(warnings, 2, "{sync:?}");
    world.later(TimeDelta::seconds(2));
    let again = world.cli(&["sync"]);
    assert!(!again.stderr.contains("the future"), "{again:?}");
    assert_eq!(lost(&world).await, [0; 0]);
    nothing_is_covered_of_the_future(&world).await;
    let said = verify(world.pool(), None, world.now()).await.unwrap();
    assert_eq!(objections(&said), [""; 0]);
    assert!(before.iter().all(|end| *end <= world.simulator.now()));
}

#[tokio::test]
async fn coverage_is_cut_back_to_what_honest_runs_have_read() {
    let world = world().await;
    let context = world.context().await;
    pull_all(&context, LookBack::Missing).await;
    sync_with(&context).await;
    let honest = ends(&world).await;
    world.later(TimeDelta::minutes(30));
    let context = world.context().await;
    pull_all(&context, LookBack::Missing).await;
    sync_with(&context).await;
    cover_the_future(&world).await;
    startup::configure(&context.config, world.pool(), world.now())
        .await
        .unwrap();
    // The second runs claimed the future, so nothing is known of their windows.
    let ends = ends(&world).await;
    assert_eq!(ends.len(), honest.len());
    for (end, honest) in ends.iter().zip(&honest) {
        assert!(*end <= *honest + TimeDelta::seconds(2), "{end} {honest}");
    }
}

/// Upstream's `Date` is wrong in the responses to one run of a daemon, and right afterwards.
#[tokio::test]
async fn a_date_that_is_wrong_once_hides_nothing_from_a_running_daemon() {
    for minutes in [14, 20 * 60] {
        let world = world().await;
        let daemon = world.context().await;
        sync_with(&daemon).await;
        let seconds = minutes * 60;
        let ahead = FaultRule::new(AnswerFault::DateShift { seconds });
        world.simulator.inject(ahead.on("/api/tickets/").times(100));
        sync_with(&daemon).await;
        world.simulator.clear_faults();
        world.later(TimeDelta::seconds(2));
        touch(&world, 0..50);
        world.simulator.add_tickets(1);
        for _ in 0..2 {
            world.later(TimeDelta::minutes(1));
            sync_with(&daemon).await;
        }
        nothing_is_covered_of_the_future(&world).await;
        assert_eq!(lost(&world).await, [0; 0], "{minutes} min");
        let proof = verify(world.pool(), None, world.now()).await.unwrap();
        let objected = proof.problems.iter().any(|one| one.about == "tickets");
        assert!(!objected, "{:?}", proof.problems);
    }
}
/// The request of a source that upstream refuses, and how the source is read.
const REFUSED: [&str; 2] = ["/api/advisories/?", "/api/advisories/SA"];

/// Reads the revisions or a detail; false if that is paused.
async fn is_asked(context: &Context, path: &str) -> bool {
    if path == REFUSED[0] {
        return scan_revisions(context).await.unwrap().is_some();
    }
    match fetch::fetch(context).await.unwrap() {
        Fetched::Ended(_) => true,
        Fetched::Paused(_) => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pause_that_was_stored_by_a_clock_that_was_ahead_ends_when_the_clock_is_right() {
    for path in REFUSED {
        let mut world = world().await;
        world.settings.feeds.sweep = Some(true);
        world.settings.feeds.details = Some("always");
        world.pull_one().await;
        let refused = FaultRule::new(AnswerFault::Status(403)).on(path);
        world.simulator.inject(refused.times(100));
        let daemon = world.context().await;
        world.set_our_clock(TimeDelta::hours(20));
        assert!(is_asked(&daemon, path).await);
        assert!(!is_asked(&daemon, path).await, "paused");
        assert!(!is_asked(&world.context().await, path).await, "paused");
        world.set_our_clock(TimeDelta::zero());
        assert!(is_asked(&daemon, path).await);
        // From then on it is a usual pause.
        assert!(!is_asked(&daemon, path).await);
        assert!(!is_asked(&world.context().await, path).await);
        world.set_our_clock(TimeDelta::hours(23));
        world.set_our_clock(TimeDelta::hours(25));
        assert!(is_asked(&world.context().await, path).await);
    }
}

#[tokio::test]
async fn the_budget_of_a_clock_that_was_ahead_stops_no_request() {
    let mut world = World::new().await;
    world.settings.upstream.requests_per_day = Some(10);
    world.pull_one().await;
    // As a clock leaves it that was a day ahead and is right again.
    let ahead = "with budget as (
            update advisoryd.budget
            set next_at = next_at + interval '1 day', paused_until = now() + interval '1 day'),
        used as (
            update advisoryd.budget_use
            set minute = minute + interval '1 day')
        update advisoryd.detail_request set at = at + interval '1 day'";
    sqlx::query(ahead).execute(world.pool()).await.unwrap();
    world.simulator.publish(1);
    assert_eq!(world.pull_one().await.outcome.name(), "ok");

    // What was used up counts for a day, by the clock that is right.
    let used_up = "with old as (delete from advisoryd.budget_use returning *)
        insert into advisoryd.budget_use (holder_id, minute, account, requests)
        select holder_id, max(minute) + interval '1 day', account, 10
        from old
        group by holder_id, account";
    sqlx::query(used_up).execute(world.pool()).await.unwrap();
    assert_eq!(world.pull_one().await.outcome.name(), "failed");
    let ahead =
        "select count(*) from advisoryd.budget_use where minute > now() + interval '1 minute'";
    assert_eq!(world.count(ahead).await, 0);
    sqlx::query("update advisoryd.budget_use set minute = minute - interval '25 hours'")
        .execute(world.pool())
        .await
        .unwrap();
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
}
