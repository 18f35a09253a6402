//! A database that is of no use for a while.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{PATIENCE, Running, World, eventually};

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
