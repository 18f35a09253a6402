//! One configuration per database: a process with another one replaces nothing of a daemon
//! that runs.

use advisoryd::simulate::SimulatorOptions;

use crate::support::settings::NEVER;
use crate::support::{Daemon, PATIENCE, Running, World, eventually, is_alive, small};

const OTHER: &str = "another configuration";
const FOLLOWED: &str = "select watch_list_id::text from advisoryd.source
                        where kind = 'watch_list' and configured order by 1";

/// A world with two lists, of which the first one is followed.
async fn following_one() -> World {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
    world.lists = Some(vec![1]);
    world
}

async fn run(world: &World, sql: &'static str) {
    sqlx::query(sql).execute(world.pool()).await.unwrap();
}

#[tokio::test]
async fn a_process_with_another_configuration_replaces_nothing_of_a_daemon_that_runs() {
    let mut world = following_one().await;
    let mut daemon = world.run().await;
    world.lists = Some(vec![2]);
    for arguments in [&["sync", "feeds"][..], &["run"]] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 1, "{result}");
        assert!(result.stderr.contains(OTHER), "{result}");
        let pid = format!("process {} on", daemon.pid());
        assert!(result.stderr.contains(&pid), "{result}");
        assert_eq!(world.texts(FOLLOWED).await, ["1"], "{result}");
    }
    // The same configuration in another file, with another port, is no other one.
    world.lists = Some(vec![1]);
    world.serve_health();
    let mut second = world.run().await;
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result}");
    let result = world.cli(&["status"]);
    assert!(
        !result.stdout.contains("different configurations"),
        "{result}"
    );
    second.kill9();
    daemon.kill9();
    world.lists = Some(vec![2]);
    let _third = world.run().await;
    assert_eq!(
        world.texts(FOLLOWED).await,
        ["2"],
        "those that run no more do not count"
    );
}

#[tokio::test]
async fn who_is_replaced_on_purpose_says_so_and_so_does_status() {
    let mut world = following_one().await;
    let daemon = world.run().await;
    world.lists = Some(vec![2]);
    let replacing = ["run", "--replace-configuration"];
    let second = Daemon::start(&mut world.command(&replacing)).await;
    // Each warns of the other.
    warned_of(&daemon, &second).await;
    warned_of(&second, &daemon).await;
    assert_eq!(world.texts(FOLLOWED).await, ["2"]);
    let result = world.cli(&["status"]);
    assert!(
        result.stdout.contains("different configurations"),
        "{result}"
    );
    let result = world.cli(&["status", "--check"]);
    assert!(
        result.stdout.contains("different configurations"),
        "{result}"
    );
    assert_eq!(result.code, 1, "{result}");
    // It is given the same configuration, and reloads it.
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    eventually("daemons that agree", PATIENCE, async || {
        let result = world.cli(&["status"]);
        (!result.stdout.contains("different configurations")).then_some(())
    })
    .await;
}

/// Waits until a daemon has warned of another one.
async fn warned_of(daemon: &Running, other: &Running) {
    let other = format!("process {} on", other.pid());
    daemon
        .event("a warning of the other daemon", |event| {
            let message = event["message"].as_str().unwrap_or_default();
            event["level"] == "WARN" && message.contains(&other)
        })
        .await;
}

/// Waits until a daemon knows of the one on the host `elsewhere`, and has not ended.
async fn knows_of_another(waiting: &Running) {
    waiting
        .event("what it waits for", |event| {
            let message = event["message"].as_str().unwrap_or_default();
            event["level"] == "INFO" && message.contains("on elsewhere")
        })
        .await;
}

#[tokio::test]
async fn a_daemon_of_another_machine_counts_while_it_renews_its_row() {
    let mut world = following_one().await;
    let mut daemon = world.run().await;
    daemon.kill9();
    run(
        &world,
        "update advisoryd.daemon set machine = 'another', host = 'elsewhere', seen_at = clock_timestamp()",
    )
    .await;
    world.lists = Some(vec![2]);
    let mut waiting = Running::start(&mut world.command(&["run"]));
    knows_of_another(&waiting).await;
    run(
        &world,
        "update advisoryd.daemon set seen_at = clock_timestamp()",
    )
    .await;
    assert_eq!(waiting.ended().await.code(), Some(1));
    assert!(waiting.stderr().contains(OTHER), "{}", waiting.stderr());
    let waiting = Running::start(&mut world.command(&["run"]));
    knows_of_another(&waiting).await;
    run(
        &world,
        "update advisoryd.daemon set seen_at = clock_timestamp() - interval '51 seconds'",
    )
    .await;
    eventually("the other configuration", PATIENCE, async || {
        (world.texts(FOLLOWED).await == ["2"]).then_some(())
    })
    .await;
}

/// Who waits for the lock that is held while a daemon is announced, or reloads.
const WAITS_FOR_DAEMONS: &str = "select count(*) from pg_locks
                                 where not granted and relation = 'advisoryd.daemon'::regclass
                                   and database = (select oid from pg_database where datname = current_database())";
const HOLDS_DAEMONS: &str = "select count(*) from pg_locks
                             where granted and relation = 'advisoryd.daemon'::regclass
                               and mode = 'ShareRowExclusiveLock'
                               and database = (select oid from pg_database where datname = current_database())";

/// Waits until a lock is seen, or the process that should take it has ended.
async fn wait_for_a_lock(world: &World, lock: &'static str, process: &Running) {
    eventually("a lock of the row of a daemon", PATIENCE, async || {
        let is_seen = world.count(lock).await > 0;
        (is_seen || !is_alive(process.pid())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_command_sees_a_daemon_that_starts_at_the_same_time() {
    let mut world = following_one().await;
    assert_eq!(world.cli(&["migrate"]).code, 0);
    world.lists = Some(vec![2]);
    // As a daemon that is being announced.
    let mut announcing = world.pool().begin().await.unwrap();
    sqlx::query("lock table advisoryd.daemon in share row exclusive mode")
        .execute(&mut *announcing)
        .await
        .unwrap();
    let mut command = Running::start(&mut world.command(&["migrate"]));
    wait_for_a_lock(&world, WAITS_FOR_DAEMONS, &command).await;
    sqlx::query(
        "insert into advisoryd.daemon (host, pid, machine, version, started_at, seen_at, configuration)
         values ('elsewhere', 1, 'another', $1, clock_timestamp(), clock_timestamp(), 'another')",
    )
    .bind(env!("CARGO_PKG_VERSION"))
    .execute(&mut *announcing)
    .await
    .unwrap();
    announcing.commit().await.unwrap();
    assert_eq!(command.ended().await.code(), Some(1));
    assert!(command.stderr().contains(OTHER), "{}", command.stderr());
    assert_eq!(world.texts(FOLLOWED).await, ["1"]);
}

#[tokio::test]
async fn a_command_sees_a_daemon_that_reloads_at_the_same_time() {
    let mut world = following_one().await;
    let daemon = world.run().await;
    let mut held = world.pool().begin().await.unwrap();
    // It is written when the configuration is recorded.
    sqlx::query("lock table advisoryd.sink in share mode")
        .execute(&mut *held)
        .await
        .unwrap();
    world.lists = Some(vec![2]);
    world.config_file();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    wait_for_a_lock(&world, HOLDS_DAEMONS, &daemon).await;
    // With the configuration that the daemon had.
    world.lists = Some(vec![1]);
    let mut command = Running::start(&mut world.command(&["migrate"]));
    wait_for_a_lock(&world, WAITS_FOR_DAEMONS, &command).await;
    held.rollback().await.unwrap();
    assert_eq!(command.ended().await.code(), Some(1));
    assert!(command.stderr().contains(OTHER), "{}", command.stderr());
    eventually("the configuration of the reload", PATIENCE, async || {
        (world.texts(FOLLOWED).await == ["2"]).then_some(())
    })
    .await;
}
