//! A product that is added to a watch list upstream brings old advisories: the scheduled
//! full pull brings them.

use advisoryd::job::feeds::feed::{LookBack, feeds};
use advisoryd::job::feeds::full;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use chrono::TimeDelta;

use crate::support::settings::{EVERY_SECOND, Schedule};
use crate::support::{PATIENCE, World, assert_reads, eventually, small};

const NIGHTLY: &str = "0 30 2 * * *";

/// Two lists upstream, of which the first is followed.
async fn world() -> World {
    let mut world = World::with(SimulatorOptions {
        advisories: 120,
        watch_lists: 2,
        ..small()
    })
    .await;
    world.lists = Some(vec![1]);
    world.settings.schedule.full_feeds = Some(NIGHTLY);
    world
}

/// An advisory of at least a week ago that is not in list 1.
fn old_one_elsewhere(world: &World) -> String {
    let members = world.simulator.saids(1);
    let week_ago = world.simulator.now() - TimeDelta::days(7);
    let mut all = world.simulator.all_saids().into_iter();
    all.find(|said| {
        let modified_at = world.simulator.expected(said).unwrap().modified_at;
        !members.contains(said) && modified_at.is_some_and(|at| at < week_ago)
    })
    .expect("an old advisory that is only in list 2")
}

/// What a tick of the list's schedule does.
async fn tick(world: &World) -> Vec<RunReport> {
    let context = world.context().await;
    let (feed, _) = feeds(&context.config).remove(0);
    let ran = full::pull_due(&context, &feed).await.unwrap();
    ran.into_iter()
        .map(|ran| match ran {
            Ran::Ended(report) => report,
            Ran::Busy(holder) => panic!("held by {holder}"),
        })
        .collect()
}

fn notified(reports: &[RunReport]) -> Vec<(&str, &str)> {
    let notified = |report: &'_ RunReport| (report.mode.name(), report.outcome.name());
    reports.iter().map(notified).collect()
}

async fn is_member(world: &World, said: &str) -> bool {
    sqlx::query_scalar(
        "select exists (
             select
             from advisoryd_v1.advisory_watch_lists
             where said = $1
               and watch_list_id = 1
               and left_at is null)",
    )
    .bind(said)
    .fetch_one(world.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn old_advisories_of_an_added_product_arrive_the_next_night() {
    let world = world().await;
    assert_eq!(notified(&tick(&world).await), [("window", "ok")]);
    let said = old_one_elsewhere(&world);
    assert!(world.simulator.join(&said, 1));
    assert_eq!(notified(&tick(&world).await), [("window", "ok")]);
    assert!(!is_member(&world, &said).await, "no window shows it");

    world.later(TimeDelta::hours(24));
    assert_eq!(notified(&tick(&world).await), [("full", "ok")]);
    assert!(is_member(&world, &said).await);
    assert_eq!(
        notified(&tick(&world).await),
        [("window", "ok")],
        "once a night"
    );
}

#[tokio::test]
async fn the_same_for_a_list_that_is_read_by_json() {
    let mut world = world().await;
    world.source = "json";
    tick(&world).await;
    world.fetch_details().await;
    let said = old_one_elsewhere(&world);
    assert!(world.simulator.join(&said, 1));
    tick(&world).await;
    world.fetch_details().await;
    assert!(!is_member(&world, &said).await);

    world.later(TimeDelta::hours(24));
    tick(&world).await;
    world.fetch_details().await;
    assert!(is_member(&world, &said).await);
}

#[tokio::test]
async fn a_new_list_that_is_read_by_json_finds_members_among_known_advisories() {
    let mut world = world().await;
    world.source = "json";
    world.pull().await;
    world.fetch_details().await;
    // Their details are stored, and do not name the list that is made only now.
    let list = world.simulator.add_watch_list().unwrap();
    let said = world.simulator.saids(1)[0].clone();
    assert!(world.simulator.join(&said, list));
    world.lists = Some(vec![1, list]);
    world.later(TimeDelta::seconds(5));
    world.pull().await;
    world.fetch_details().await;
    let members = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 3";
    assert_eq!(world.count(members).await, 1);
}

#[tokio::test]
async fn an_imported_list_gets_its_full_pull_like_any_other() {
    let world = world().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let document =
        "<advisories><advisory><said>SA4711</said><title>Imported</title></advisory></advisories>";
    std::fs::write(file.path(), document).unwrap();
    let path = file.path().display().to_string();
    let imported = world.cli(&["import", "--watch-list", "1", &path]);
    assert_eq!(imported.code, 0, "{imported:?}");
    tick(&world).await;
    let members = world.simulator.saids(1).len();
    let stored = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 1";
    assert_eq!(
        world.count(stored).await,
        i64::try_from(members).unwrap() + 1
    );
}

#[tokio::test]
async fn a_full_pull_that_fails_keeps_no_window_from_being_read_and_is_repeated() {
    let world = world().await;
    tick(&world).await;
    let said = old_one_elsewhere(&world);
    assert!(world.simulator.join(&said, 1));
    world.later(TimeDelta::hours(24));
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(500))
            .on("days=365")
            .times(2),
    );
    let reports = tick(&world).await;
    assert_eq!(notified(&reports), [("full", "failed"), ("window", "ok")]);
    assert_eq!(
        notified(&tick(&world).await),
        [("window", "ok")],
        "not at once"
    );
    world.later(TimeDelta::minutes(61));
    assert_eq!(notified(&tick(&world).await), [("full", "ok")]);
    assert!(is_member(&world, &said).await);
}

#[tokio::test]
async fn the_daemon_pulls_in_full_by_its_own_schedule() {
    let mut world = world().await;
    world.settings.tickets.enabled = Some(false);
    world.settings.schedule = Schedule::never();
    world.pull_one().await;
    // The list's own schedule never comes.
    world.settings.schedule.full_feeds = Some(EVERY_SECOND);
    let _daemon = world.run().await;
    // One was missed while no daemon ran; what joins after it needs the schedule.
    let ended =
        "select count(*) from advisoryd_v1.sync_runs where mode = 'full' and outcome = 'ok'";
    eventually("the full pull of the start", PATIENCE, async || {
        (world.count(ended).await > 0).then_some(())
    })
    .await;
    let said = old_one_elsewhere(&world);
    assert!(world.simulator.join(&said, 1));
    eventually("the old advisory", PATIENCE, async || {
        is_member(&world, &said).await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn status_says_when_the_next_full_pull_is() {
    let world = world().await;
    world.pull_one().await;
    let without = world.cli(&["status", "--json"]).json();
    assert!(
        without["sources"][0]["next_full_at"].is_null(),
        "no daemon runs"
    );
    sqlx::raw_sql(
        "insert into advisoryd.daemon (host, pid, version, started_at, seen_at)
         values ('elsewhere', 1, '0', clock_timestamp(), clock_timestamp())",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let status = world.cli(&["status", "--json"]).json();
    let list = &status["sources"][0];
    assert!(list["last_full_at"].is_string(), "{list}");
    let next = list["next_full_at"].as_str().expect("a time");
    assert!(next.contains("T02:30:00"), "{next}");
    let page = world.cli(&["status"]).stdout;
    let line = page.lines().find(|line| line.contains("next full pull"));
    assert_reads!(line.expect("when it is"));
    let tickets = status["sources"].as_array().unwrap();
    let tickets = tickets.iter().find(|one| one["kind"] == "tickets").unwrap();
    assert!(tickets["next_full_at"].is_null());
}

#[tokio::test]
async fn a_full_pull_and_the_window_after_it_write_no_row_for_each_member() {
    let world = world().await;
    world.pull_one().await;
    world.pull_back(LookBack::Full).await;
    world.pull_one().await;
    let before: Vec<i64> = rows_of_members(&world).await;
    world.pull_back(LookBack::Full).await;
    world.pull_one().await;
    assert_eq!(
        rows_of_members(&world).await,
        before,
        "no row was written again"
    );
}

/// The transactions that wrote the rows of the members.
async fn rows_of_members(world: &World) -> Vec<i64> {
    sqlx::query_scalar("select xmin::text::bigint from advisoryd.sighting order by id")
        .fetch_all(world.pool())
        .await
        .unwrap()
}
