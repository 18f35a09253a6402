//! What a service manager sees of trouble: the status line, the exit status, the time that
//! starting and stopping take.

use std::time::{Duration, Instant};

use advisoryd::simulate::{AnswerFault, FaultRule};
use nix::sys::signal::Signal;

use crate::support::settings::{EVERY_SECOND, Schedule};
use crate::support::{Manager, Running, World};

/// The longest that operators and service managers expect a stop to take.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

fn daemon(world: &World, manager: &Manager) -> Running {
    let mut command = world.command(&["run"]);
    manager.listens_to(&mut command);
    Running::start(&mut command)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reload_stays_visible_until_one_succeeds() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    let mut manager = Manager::new();
    let mut daemon = daemon(&world, &manager);
    manager.hears("READY=1").await;
    let file = world.dir().join("config.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{good}\n[fedes]\n")).unwrap();
    daemon.signal(Signal::SIGHUP);
    manager.hears("RELOADING=1").await;
    manager
        .hears("STATUS=the configuration was not reloaded: ")
        .await;
    manager.hears("fedes").await;
    manager.hears("; following 1 watch list").await;
    std::fs::remove_file(&file).unwrap();
    daemon.signal(Signal::SIGHUP);
    manager
        .hears("STATUS=the configuration was not reloaded: ")
        .await;
    manager.hears("cannot read the file").await;
    std::fs::write(&file, good).unwrap();
    daemon.signal(Signal::SIGHUP);
    manager.hears("STATUS=following 1 watch list").await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_is_in_the_status_line_until_it_is_accepted() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule {
        feeds: Some(EVERY_SECOND),
        ..Schedule::never()
    };
    // Of the feed, which is pulled again: the tickets are not.
    let refused = FaultRule::new(AnswerFault::Status(401))
        .on("xml-feed")
        .times(10_000);
    world.simulator.inject(refused);
    let mut manager = Manager::new();
    let mut daemon = daemon(&world, &manager);
    manager
        .hears("STATUS=upstream rejects the token (upstream)")
        .await;
    world.simulator.clear_faults();
    manager.hears("STATUS=following 1 watch list").await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_migration_extends_the_start_and_does_not_hold_up_a_stop() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    // A migration that is still to be made waits for this lock.
    sqlx::query("delete from advisoryd._sqlx_migrations where version = (select max(version) from advisoryd._sqlx_migrations)")
        .execute(world.pool())
        .await
        .unwrap();
    let mut holder = world.pool().begin().await.unwrap();
    sqlx::query("lock table advisoryd._sqlx_migrations in access exclusive mode")
        .execute(&mut *holder)
        .await
        .unwrap();
    let mut manager = Manager::new();
    let mut daemon = daemon(&world, &manager);
    for _ in 0..3 {
        manager.hears("EXTEND_TIMEOUT_USEC=60000000").await;
    }
    let begun = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert!(begun.elapsed() < STOPPED_WITHIN, "{:?}", begun.elapsed());
    holder.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restart_does_not_mend_ends_with_69() {
    let world = World::new().await;
    sqlx::query(
        "insert into advisoryd._sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of the future', true, '\\x00', 0)",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let mut daemon = Running::start(&mut world.command(&["run"]));
    assert_eq!(daemon.ended().await.code(), Some(69), "{}", daemon.stderr());
    let result = world.cli(&["migrate"]);
    assert_eq!(result.code, 1, "a command that nobody repeats: {result}");
}
