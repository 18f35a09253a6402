//! A reload beside the watchdog and a request to stop: a database that does not answer, one that
//! is lost, and a file that is empty.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::{PgPool, PgTransaction};

use crate::support::settings::Schedule;
use crate::support::{Daemon, PATIENCE, PgServer, Receiver, Running, World, eventually};

/// The longest that operators and service managers expect a stop to take.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);
/// A watchdog that expects a sign every two seconds, in microseconds.
const WATCHDOG_USEC: &str = "2000000";

async fn world() -> World {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    world
}

/// A transaction that keeps everybody else from a table.
async fn locked<'a>(pool: &'a PgPool, lock: &'static str) -> PgTransaction<'a> {
    let mut holder = pool.begin().await.unwrap();
    sqlx::query(lock).execute(&mut *holder).await.unwrap();
    holder
}

fn config(world: &World) -> PathBuf {
    world.dir().join("config.toml")
}

/// Waits until a session waits for a lock on the table.
async fn is_waited_for(pool: &PgPool, table: &'static str) {
    eventually("a session that waits for the lock", PATIENCE, async || {
        let waiting: bool = sqlx::query_scalar(
            "select exists (select from pg_locks where not granted and relation = $1::regclass)",
        )
        .bind(table)
        .fetch_one(pool)
        .await
        .unwrap();
        waiting.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_the_database_does_not_store_is_given_up_beside_the_watchdog() {
    let world = world().await;
    let mut command = world.command(&["run"]);
    let mut daemon = Daemon::start(command.env("WATCHDOG_USEC", WATCHDOG_USEC)).await;
    for lock in [
        "lock table advisoryd.daemon in access exclusive mode",
        "lock table advisoryd.upstream_account in access exclusive mode",
    ] {
        let holder = locked(world.pool(), lock).await;
        daemon.manager.forget();
        daemon.signal(Signal::SIGHUP);
        daemon.manager.hears("RELOADING=1").await;
        for _ in 0..10 {
            daemon.manager.hears("WATCHDOG=1").await;
        }
        daemon
            .manager
            .hears("STATUS=the configuration was not reloaded: the database did not store it")
            .await;
        daemon.manager.hears("; following 1 watch list").await;
        holder.rollback().await.unwrap();
        daemon.signal(Signal::SIGHUP);
        daemon.manager.hears("STATUS=following 1 watch list").await;
    }
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_reload() {
    let world = world().await;
    let mut daemon = world.run().await;
    let holder = locked(
        world.pool(),
        "lock table advisoryd.daemon in access exclusive mode",
    )
    .await;
    daemon.signal(Signal::SIGHUP);
    is_waited_for(world.pool(), "advisoryd.daemon").await;
    daemon.manager.hears("RELOADING=1").await;
    let begun = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert!(begun.elapsed() < STOPPED_WITHIN, "{:?}", begun.elapsed());
    holder.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_lost_in_a_reload_is_waited_out() {
    let mut server = PgServer::primary().await;
    let mut world = world().await;
    world.settings.database.url = Some(server.url());
    let mut daemon = world.run().await;
    let pool = PgPool::connect_with(server.options("advisoryd"))
        .await
        .unwrap();
    let holder = locked(
        &pool,
        "lock table advisoryd.upstream_account in access exclusive mode",
    )
    .await;
    daemon.signal(Signal::SIGHUP);
    is_waited_for(&pool, "advisoryd.upstream_account").await;
    server.crash().await;
    drop(holder);
    daemon.manager.hears("READY=1").await;
    let server = server.restarted().await;
    daemon.signal(Signal::SIGHUP);
    daemon.manager.hears("STATUS=following 1 watch list").await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success(), "{}", daemon.stderr());
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_setting_is_no_configuration() {
    let world = world().await;
    let mut daemon = world.run().await;
    for text in ["", "# all is commented out\n\n[feeds]\n"] {
        std::fs::write(config(&world), text).unwrap();
        daemon.signal(Signal::SIGHUP);
        daemon
            .manager
            .hears("STATUS=the configuration was not reloaded: ")
            .await;
        daemon.manager.hears("contains no setting").await;
        daemon.manager.hears("; following 1 watch list").await;
    }
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    let mut command = crate::support::binary();
    command.args(["run", "--config"]).arg(config(&world));
    let mut started = Running::start(&mut command);
    assert_eq!(
        started.ended().await.code(),
        Some(78),
        "{}",
        started.stderr()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_follows_nothing_any_more_is_an_error_in_the_log() {
    let mut world = world().await;
    let mut daemon = world.run().await;
    world.lists = Some(Vec::new());
    std::fs::write(config(&world), world.toml()).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.manager.hears("STATUS=following 0 watch lists").await;
    let said = daemon.stderr();
    for part in [
        "no advisories are synced after this reload",
        "(before: following 1 watch list and 0 extra feeds, and tickets)",
        "no watch lists are configured",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

/// A sink whose secret was missing at the start keeps no other change from being followed; one
/// that the reload adds must be usable.
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_could_not_be_used_before_is_no_reason_to_refuse_a_reload() {
    let receiver = Receiver::start().await;
    let mut world = world().await;
    world.add_webhook("hook", &receiver);
    std::fs::remove_file(world.dir().join("hook-secret")).unwrap();
    let mut daemon = world.run().await;
    world.lists = Some(Vec::new());
    std::fs::write(config(&world), world.toml()).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.manager.hears("STATUS=following 0 watch lists").await;
    world.add_webhook("other", &receiver);
    std::fs::remove_file(world.dir().join("hook-secret")).unwrap();
    std::fs::write(config(&world), world.toml()).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon
        .manager
        .hears("STATUS=the configuration was not reloaded: sink `other` cannot be used")
        .await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}
