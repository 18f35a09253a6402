//! A list that has become quiet, a feed that does not go back as far as it is asked to,
//! and metrics that are right while something is missing.

use advisoryd::clock::Clock;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::health::check::check_health;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use chrono::TimeDelta;

use crate::support::settings::Schedule;
use crate::support::{Documents, PATIENCE, World, assert_reads, eventually, get, small};

/// The text of a condition of list 1, while it holds.
async fn holds(world: &World, what: &str) -> Option<String> {
    check_health(&world.context().await).await.unwrap();
    sqlx::query_scalar(
        "select summary
         from advisoryd_v1.conditions
         where what = $1
           and key = 'watch list 1'
           and holds",
    )
    .bind(what)
    .fetch_optional(world.pool())
    .await
    .unwrap()
}

/// One advisory for each number of days ago.
fn document(days: impl Iterator<Item = i64>) -> String {
    let now = Clock::system().now();
    let record = |(number, days): (usize, i64)| {
        let date =
            (now - TimeDelta::days(days) - TimeDelta::minutes(5)).format("%Y-%m-%dT%H:%M:%SZ");
        format!(
            "<advisory><said>SA{}</said><title>Advisory</title><released>{date}</released><modified_date>{date}</modified_date></advisory>",
            1000 + number
        )
    };
    let records: String = days.enumerate().map(record).collect();
    format!("<advisories>{records}</advisories>")
}

async fn with_documents(days: impl Iterator<Item = i64>) -> (Documents, World) {
    let documents = Documents::serve().await;
    documents.set(1, document(days));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1]);
    (documents, world)
}

#[tokio::test]
async fn a_list_that_brings_nothing_for_longer_than_usual_is_quiet() {
    let world = World::with(SimulatorOptions {
        advisories: 200,
        ..small()
    })
    .await;
    world.pull_one().await;
    assert_eq!(holds(&world, "list_quiet").await, None);
    world.later(TimeDelta::days(1));
    world.pull_one().await;
    assert_eq!(holds(&world, "list_quiet").await, None, "that is usual");
    world.later(TimeDelta::days(30));
    assert_eq!(holds(&world, "list_quiet").await, None, "it was not read");
    world.pull_one().await;
    let summary = holds(&world, "list_quiet").await.expect("it is quiet");
    assert!(
        summary.starts_with("no advisory was released or modified for 31 days"),
        "{summary}"
    );
    let page = world.cli(&["status"]).stdout;
    assert!(page.contains("list_quiet"), "{page}");
    world.simulator.publish(1);
    world.pull_one().await;
    assert_eq!(holds(&world, "list_quiet").await, None);
}

#[tokio::test]
async fn a_list_that_brings_far_less_than_usual_is_quiet() {
    // Two a day until two weeks ago, since then two in all.
    let days = || (16..59).rev().flat_map(|day| [day, day]);
    let (documents, mut world) = with_documents(days().chain([9, 1])).await;
    world.settings.feeds.first_days = Some(60);
    world.pull_one().await;
    let summary = holds(&world, "list_quiet").await.expect("it is quiet");
    assert!(
        summary.starts_with("2 advisories released in 14 days, usually 2"),
        "{summary}"
    );
    documents.set(1, document(days().chain([9, 1, 1, 1, 0, 0, 0])));
    world.pull_one().await;
    assert_eq!(holds(&world, "list_quiet").await, None);
}

#[tokio::test]
async fn a_feed_that_goes_back_less_than_requested_is_told() {
    let (documents, world) = with_documents((0..300).rev().step_by(10)).await;
    world.pull_one().await;
    assert_eq!(holds(&world, "window_not_honoured").await, None);
    // The numbers go on from the oldest one, so that they are the same advisories.
    let all = document((0..300).rev().step_by(10));
    let records: Vec<&str> = all.split_inclusive("</advisory>").collect();
    let newest = format!("<advisories>{}", records[25..].concat());
    documents.set(1, newest);
    world.pull_back(LookBack::Full).await;
    let summary = holds(&world, "window_not_honoured")
        .await
        .expect("it is told");
    assert_reads!(summary);
    let members = "select count(*) from advisoryd_v1.advisory_watch_lists where left_at is null";
    assert_eq!(world.count(members).await, 30);
    documents.set(1, all);
    world.pull_back(LookBack::Full).await;
    assert_eq!(holds(&world, "window_not_honoured").await, None);
}

/// A line of `/metrics`, as a number.
fn metric(page: &str, name: &str) -> Option<f64> {
    let line = page.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

const AGE: &str = "advisoryd_data_age_seconds{source=\"watch list 1\"}";

#[tokio::test]
async fn a_source_that_was_never_read_has_an_age() {
    let mut world = World::new().await;
    let port = world.serve_health();
    world.settings.schedule = Schedule::never();
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Status(500)).times(1000));
    let _daemon = world.run().await;
    let age = async || metric(&get(port, "/metrics").await.1, AGE);
    let first = eventually("an age", PATIENCE, &age).await;
    eventually("a greater age", PATIENCE, async || {
        age().await.filter(|now| *now > first)
    })
    .await;
}

#[tokio::test]
async fn while_the_database_is_away_ages_grow_and_nothing_else_is_shown() {
    let mut world = World::new().await;
    let port = world.serve_health();
    world.settings.schedule = Schedule::never();
    world.settings.tickets.enabled = Some(false);
    world.pull_one().await;
    let _daemon = world.run().await;
    let page = get(port, "/metrics").await.1;
    assert_eq!(metric(&page, "advisoryd_database_up"), Some(1.0), "{page}");
    let before = metric(&page, AGE).expect("an age");
    assert!(page.contains("advisoryd_stored_records{"), "{page}");
    // Nothing can be read of the sources: the database does not answer in time.
    let mut lock = world.pool().begin().await.unwrap();
    sqlx::query("lock table advisoryd.source in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let page = eventually("the outage", PATIENCE, async || {
        let page = get(port, "/metrics").await.1;
        (metric(&page, "advisoryd_database_up") == Some(0.0)).then_some(page)
    })
    .await;
    assert!(metric(&page, AGE).is_some_and(|age| age > before), "{page}");
    for gone in ["advisoryd_stored_records{", "advisoryd_coverage_gaps{"] {
        assert!(!page.contains(gone), "{page}");
    }
    lock.rollback().await.unwrap();
    eventually("the database", PATIENCE, async || {
        let page = get(port, "/metrics").await.1;
        (metric(&page, "advisoryd_database_up") == Some(1.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_no_longer_followed_has_no_series() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    let port = world.serve_health();
    world.settings.schedule = Schedule::every_second();
    world.settings.tickets.enabled = Some(false);
    let daemon = world.run().await;
    let second = "source=\"watch list 2\"";
    // What the database says of it, and what the daemon itself has counted.
    let runs = "advisoryd_runs_total{source=\"watch list 2\"";
    eventually("runs of list 2", PATIENCE, async || {
        let page = get(port, "/metrics").await.1;
        (page.contains(runs)
            && page.contains("advisoryd_run_duration_seconds_bucket{source=\"watch list 2\""))
        .then_some(())
    })
    .await;
    world.lists = Some(vec![1]);
    world.config_file();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    eventually("the end of list 2", PATIENCE, async || {
        let page = get(port, "/metrics").await.1;
        let is_first = page.contains("advisoryd_runs_total{source=\"watch list 1\"");
        (!page.contains(second) && is_first && page.contains(AGE)).then_some(())
    })
    .await;
}
