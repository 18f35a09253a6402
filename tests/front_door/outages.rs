//! A database that is of no use for a while.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::settings::{Health, Schedule};
use crate::support::{
    HOOK_SECRET, PATIENCE, PgServer, Received, Receiver, Running, World, assert_reads, eventually,
    without,
};

/// Makes the database refuse every run of a feed as one does whose disk is full,
/// and count the attempts.
const FULL_DISK: &str = "
create sequence public.attempts;
create function public.full_disk() returns trigger language plpgsql as $$
begin
    perform nextval('public.attempts');
    raise exception 'no space left on device' using errcode = '53100';
end $$;
create trigger full_disk before insert on advisoryd.sync_run
    for each row when (new.job = 'feed') execute function public.full_disk()";

#[tokio::test]
async fn a_database_that_answers_and_takes_nothing_is_tried_less_and_less_often() {
    let world = World::new().await;
    sqlx::raw_sql(FULL_DISK)
        .execute(world.pool())
        .await
        .unwrap();
    let began = Instant::now();
    let mut daemon = Running::start(&mut world.command(&["run"]));
    eventually("five attempts", PATIENCE, async || {
        let attempts = world.count("select last_value from public.attempts").await;
        (attempts >= 5).then_some(())
    })
    .await;
    // A quarter of a second, a half, one, two.
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(3750), "{took:?}");
    let said = daemon.stderr();
    let lines = said.matches("disk full: ").count();
    assert_eq!(lines, 1, "once an outage:\n{said}");

    let free = "drop trigger full_disk on advisoryd.sync_run";
    sqlx::raw_sql(free).execute(world.pool()).await.unwrap();
    eventually("the run, once there is space", PATIENCE, async || {
        let ok = world
            .count(
                "select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'ok'",
            )
            .await;
        (ok == 1).then_some(())
    })
    .await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

const DATABASE_PASSWORD: &str = "a-password-of-the-database-41";

/// The messages about the database.
fn about_the_database(receiver: &Receiver) -> Vec<Received> {
    let mut all = receiver.received();
    all.retain(|one| one.body["alerts"][0]["what"] == "database_unavailable");
    all
}

async fn notified(receiver: &Receiver, count: usize) -> Vec<Received> {
    eventually(&format!("{count} messages"), PATIENCE, async || {
        let all = about_the_database(receiver);
        (all.len() >= count).then_some(all)
    })
    .await
}

#[tokio::test]
async fn an_outage_is_told_to_the_fallback_once_and_its_end_once() {
    let receiver = Receiver::start().await;
    let mut server = PgServer::primary().await;
    let mut world = World::new().await;
    world.add_hook(&receiver);
    let state = world.dir().join("state");
    std::fs::create_dir(&state).unwrap();
    world.settings.state.dir = Some(state.display().to_string());
    let with_password = format!("advisoryd:{DATABASE_PASSWORD}@");
    let url = server.url().replace("advisoryd@", &with_password);
    world.settings.database.url = Some(url);
    world.settings.schedule = Schedule::never();
    world.settings.alerts.health = Health {
        fallback: Some("hook"),
        fallback_after: Some("1s"),
        ..Health::default()
    };
    let mut daemon = world.run().await;
    assert_eq!(about_the_database(&receiver).len(), 0);

    // The first attempt fails; the second has the same id.
    receiver.answer(503, None);
    server.crash().await;
    let all = notified(&receiver, 2).await;
    let (first, second) = (&all[0], &all[1]);
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(second.body["purpose"], "health");
    let alert = &second.body["alerts"][0];
    assert_eq!(alert["resolved"], false);
    let summary = alert["summary"].as_str().unwrap();
    assert!(summary.contains(&server.host()), "{summary}");
    for secret in [DATABASE_PASSWORD, HOOK_SECRET] {
        let text = String::from_utf8_lossy(&second.bytes).into_owned();
        assert!(!text.contains(secret), "{text}");
    }

    // A daemon that starts during the outage knows that it is told.
    let mark = state.join("database-outage.json");
    eventually("it is written down", PATIENCE, async || {
        let text = std::fs::read_to_string(&mark).ok()?;
        text.contains("\"is_told\":true").then_some(())
    })
    .await;
    daemon.kill9();
    daemon.wait();
    let mut again = Running::start(&mut world.command(&["run"]));
    eventually("some attempts", PATIENCE, async || {
        let events = again.events().into_iter();
        let attempts = events.filter(|event| event["error"].is_string()).count();
        (attempts >= 4).then_some(())
    })
    .await;
    assert_eq!(about_the_database(&receiver).len(), 2);

    let server = server.restarted().await;
    let all = notified(&receiver, 3).await;
    assert_eq!(all[2].body["alerts"][0]["resolved"], true);
    assert_ne!(all[2].header("webhook-id"), second.header("webhook-id"));
    eventually("the mark is removed", PATIENCE, async || {
        (!mark.exists()).then_some(())
    })
    .await;
    again.signal(Signal::SIGTERM);
    assert!(again.ended().await.success());
    assert_eq!(about_the_database(&receiver).len(), 3);
    drop(server);
}

#[tokio::test]
async fn a_full_disk_is_told_to_the_fallback_once_and_its_end_once() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.add_hook(&receiver);
    world.settings.alerts.health = Health {
        fallback: Some("hook"),
        fallback_after: Some("1s"),
        ..Health::default()
    };
    sqlx::raw_sql(FULL_DISK)
        .execute(world.pool())
        .await
        .unwrap();
    let mut daemon = Running::start(&mut world.command(&["run"]));
    let all = notified(&receiver, 1).await;
    let alert = &all[0].body["alerts"][0];
    assert_eq!(alert["resolved"], false);
    let summary = alert["summary"].as_str().unwrap();
    assert_reads!(without(&summary, r" at line \d+", ""));
    let tries = world.count("select last_value from public.attempts").await;
    eventually("more attempts", PATIENCE, async || {
        let attempts = world.count("select last_value from public.attempts").await;
        (attempts > tries).then_some(())
    })
    .await;
    assert_eq!(about_the_database(&receiver).len(), 1);

    let free = "drop trigger full_disk on advisoryd.sync_run";
    sqlx::raw_sql(free).execute(world.pool()).await.unwrap();
    let all = notified(&receiver, 2).await;
    assert_eq!(all[1].body["alerts"][0]["resolved"], true);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert_eq!(about_the_database(&receiver).len(), 2);
}

#[tokio::test]
async fn a_short_outage_is_not_told() {
    let receiver = Receiver::start().await;
    let mut server = PgServer::primary().await;
    let mut world = World::new().await;
    world.add_hook(&receiver);
    world.settings.database.url = Some(server.url());
    world.settings.schedule = Schedule::never();
    world.settings.alerts.health = Health {
        fallback: Some("hook"),
        fallback_after: Some("10m"),
        ..Health::default()
    };
    let mut daemon = world.run().await;
    server.crash().await;
    daemon
        .event("it is noticed", |event| {
            event["level"] == "WARN" && event["source"].is_string() && event["error"].is_string()
        })
        .await;
    let server = server.restarted().await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert_eq!(about_the_database(&receiver).len(), 0);
    drop(server);
}
