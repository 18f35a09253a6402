//! Locks are rows that only the program's own role can lock: nobody who may only read
//! can stop anything, and who holds what is known.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use advisoryd::store::ledger::lease::{LeaseName, are_ours, release, renew, take};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::settings::NEVER;
use crate::support::{
    PATIENCE, Running, World, assert_reads, eventually, is_alive, small, suspend,
};

const GATE: &str = "mid-load";

/// A world whose first feed stops in the middle, and a `sync` that has come there.
async fn syncing() -> (World, Running) {
    let world = World::with(SimulatorOptions {
        advisories: 1600,
        ..small()
    })
    .await;
    let hold = AnswerFault::Hold {
        after_bytes: 4 * 1024 * 1024,
        gate: GATE.to_owned(),
    };
    world.simulator.inject(FaultRule::new(hold).on("xml-feed"));
    let sync = Running::start(&mut world.command(&["sync", "feeds"]));
    world.reached(GATE).await;
    (world, sync)
}

async fn run(world: &World, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(world.pool())
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[tokio::test]
async fn a_dead_process_of_another_machine_frees_its_source_when_its_lease_expires() {
    let (world, mut sync) = syncing().await;
    sync.kill9();
    world.simulator.open(GATE);
    run(
        &world,
        "update advisoryd.lease set machine = 'another', host = 'elsewhere'",
    )
    .await;
    let busy = world.cli(&["sync", "feeds"]);
    assert_eq!(busy.code, 1);
    assert!(busy.stderr.contains("on elsewhere"), "{busy:?}");
    let valid = world
        .count("select extract(epoch from expires_at - clock_timestamp())::bigint from advisoryd.lease")
        .await;
    assert!((1..=30).contains(&valid), "{valid} seconds");
    run(
        &world,
        "update advisoryd.lease set expires_at = clock_timestamp()",
    )
    .await;
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_daemon_takes_over_from_a_dead_process_without_waiting_for_a_tick() {
    let (mut world, mut sync) = syncing().await;
    sync.kill9();
    world.simulator.open(GATE);
    run(&world, "update advisoryd.lease set machine = 'another'").await;
    // Its next tick is later than this waits.
    world.settings.schedule.feeds = Some(NEVER);
    let _daemon = world.run().await;
    eventually("a complete run", PATIENCE, async || {
        let ok =
            "select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'ok'";
        (world.count(ok).await > 0).then_some(())
    })
    .await;
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_run_renews_its_lease_and_gives_it_back_at_its_end() {
    let (world, mut sync) = syncing().await;
    let expires = "select (extract(epoch from expires_at) * 1000)::bigint from advisoryd.lease";
    let before = world.count(expires).await;
    eventually("a renewal", PATIENCE, async || {
        (world.count(expires).await > before).then_some(())
    })
    .await;
    world.simulator.open(GATE);
    assert!(sync.ended().await.success(), "{}", sync.stderr());
    let held = "select count(*) from advisoryd.lease where expires_at is not null";
    assert_eq!(world.count(held).await, 0);
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    assert_eq!(world.count("select epoch from advisoryd.lease").await, 2);
}

#[tokio::test]
async fn a_suspended_run_that_nobody_took_over_goes_on() {
    let (world, mut sync) = syncing().await;
    suspend(&world, &sync).await;
    world.simulator.open(GATE);
    sync.signal(nix::sys::signal::Signal::SIGCONT);
    assert!(sync.ended().await.success(), "{}", sync.stderr());
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_held_source_names_its_holder_in_messages_and_status() {
    let (world, sync) = syncing().await;
    let pid = sync.pid();
    let result = world.cli(&["status"]);
    let of_process = format!("process {pid} on");
    let mut lines = result.stdout.lines();
    let line = lines.find(|line| line.contains(&of_process));
    let line = line.expect("the process is named");
    let status = world.cli(&["status", "--json"]).json();
    let holder = &status["sources"][0]["held_by"];
    assert_eq!(holder["pid"], json!(pid));
    for key in ["host", "since", "expires_at"] {
        assert!(holder[key].is_string(), "{key}: {holder}");
    }
    let busy = [
        world.cli(&["sync", "feeds"]),
        world.cli(&["replay", "--dry-run"]),
    ];
    for result in &busy {
        assert_eq!(result.code, 1);
        assert!(result.stderr.contains(&of_process), "{result:?}");
    }
    assert_reads!(line, busy[0], busy[1]);
    world.simulator.open(GATE);
    drop(sync);
}

#[tokio::test]
async fn taking_a_lease_waits_for_the_transactions_of_its_holder_and_renewing_does_not() {
    let world = World::new().await;
    let name = LeaseName::Source(1);
    let mut renewing = advisoryd::store::database::connect(world.pool())
        .await
        .unwrap();
    let fence = take(&mut renewing, name).await.unwrap().unwrap();
    let mut writing = world.pool().begin().await.unwrap();
    assert!(are_ours(&mut writing, &[fence]).await.unwrap());
    assert!(
        renew(&mut renewing, &[fence]).await.unwrap(),
        "it does not wait"
    );
    run(
        &world,
        "update advisoryd.lease set expires_at = clock_timestamp()",
    )
    .await;

    let mut taking = advisoryd::store::database::connect(world.pool())
        .await
        .unwrap();
    let taken = tokio::spawn(async move { take(&mut taking, name).await });
    eventually("the other waits", PATIENCE, async || {
        let blocked = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        (world.count(blocked).await == 1).then_some(())
    })
    .await;
    writing.commit().await.unwrap();
    let other = taken.await.unwrap().unwrap().unwrap();
    assert_eq!(other.epoch, fence.epoch + 1);
    let mut late = world.pool().begin().await.unwrap();
    assert!(!are_ours(&mut late, &[fence]).await.unwrap());
    assert!(!renew(&mut renewing, &[fence]).await.unwrap());
    assert!(are_ours(&mut late, &[other]).await.unwrap());
}

#[tokio::test]
async fn an_epoch_that_is_given_again_after_a_failover_is_not_that_of_the_former_holder() {
    let world = World::new().await;
    let name = LeaseName::Source(1);
    let mut connection = advisoryd::store::database::connect(world.pool())
        .await
        .unwrap();
    let lost = take(&mut connection, name).await.unwrap().unwrap();
    // A standby takes over that lacks this.
    run(
        &world,
        "update advisoryd.lease set epoch = epoch - 1, expires_at = null",
    )
    .await;
    let other = take(&mut connection, name).await.unwrap().unwrap();
    assert_eq!(other.epoch, lost.epoch);
    assert!(!are_ours(&mut connection, &[lost]).await.unwrap());
    assert!(!renew(&mut connection, &[lost]).await.unwrap());
    release(&mut connection, &[lost]).await.unwrap();
    assert!(are_ours(&mut connection, &[other]).await.unwrap());
}

#[tokio::test]
async fn a_transaction_of_a_suspended_process_is_ended_by_the_server() {
    let world = World::new().await;
    let timeout: String = sqlx::query_scalar("show idle_in_transaction_session_timeout")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(
        timeout, "25s",
        "less than the half minute after which a source is free"
    );
}

/// Id of sqlx's lock for the migrations of a database, as sqlx computes it.
fn id_of_sqlx(database: &str) -> i64 {
    let mut crc = u32::MAX;
    for byte in database.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    0x3d32_ad9e * i64::from(!crc)
}

/// A session of a user who is a member of `advisoryd_reader` and nothing else.
async fn reader(world: &World) -> PgConnection {
    let options = world.pool().connect_options().as_ref().clone();
    let superuser = options.clone().username(advisoryd::cluster::SUPERUSER);
    let mut superuser = PgConnection::connect_with(&superuser).await.unwrap();
    let name = format!("grafana_{}", world.database.name);
    let create = format!("create role {name} login in role advisoryd_reader");
    superuser.execute(AssertSqlSafe(create)).await.unwrap();
    PgConnection::connect_with(&options.username(&name))
        .await
        .unwrap()
}

#[tokio::test]
async fn who_may_only_read_stops_nothing_with_advisory_locks() {
    let world = World::new().await;
    let mut reader = reader(&world).await;
    let ours = "select pg_advisory_lock(1633973875, g) from generate_series(-50, 50) g";
    let few = "select pg_advisory_lock(g) from generate_series(-50, 50) g";
    let of_sqlx = format!(
        "select pg_advisory_lock({})",
        id_of_sqlx(&world.database.name)
    );
    for lock in [ours, few, &of_sqlx] {
        reader
            .execute(AssertSqlSafe(lock.to_owned()))
            .await
            .unwrap();
    }
    let daemon = world.run().await;
    eventually("a run of the daemon", PATIENCE, async || {
        let ok =
            "select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'ok'";
        (world.count(ok).await == 1).then_some(())
    })
    .await;
    drop(daemon);
    for command in [&["migrate"][..], &["sync", "all"], &["replay", "--yes"]] {
        let mut running = Running::start(&mut world.command(command));
        let status = running.ended().await;
        assert!(status.success(), "{command:?}: {}", running.stderr());
    }
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn who_may_only_read_can_lock_no_row_and_no_table_of_ours() {
    let world = World::new().await;
    let mut reader = reader(&world).await;
    for lock in [
        "lock table advisoryd.write_lock in access share mode",
        "lock table advisoryd._sqlx_migrations in access share mode",
        "select from advisoryd.lease",
        "select from advisoryd.lease for key share",
        "select from advisoryd_v1.sync_runs for key share",
        "select from advisoryd_v1.watch_lists for update",
    ] {
        reader.execute("begin").await.unwrap();
        let error = reader.execute(lock).await.expect_err(lock);
        let code = error
            .as_database_error()
            .and_then(|error| error.code().map(Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{lock}: {error}");
        reader.execute("rollback").await.unwrap();
    }
}

#[test]
fn no_advisory_lock_is_left_in_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories = vec![
        root.join("src"),
        root.join("migrations"),
        root.join(".sqlx"),
    ];
    let mut read = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            for function in ["pg_advisory", "pg_try_advisory"] {
                assert!(!text.contains(function), "{}: {function}", path.display());
            }
            let makes_sqlx_lock =
                text.contains("migrate!()") && !text.contains("set_locking(false)");
            assert!(!makes_sqlx_lock, "{}: sqlx locks", path.display());
            read += 1;
        }
    }
    assert!(read > 500, "{read} files");
}

async fn drop_everything(world: &World) {
    run(
        world,
        "drop schema advisoryd_v1 cascade; drop schema advisoryd cascade",
    )
    .await;
}

#[tokio::test]
async fn several_that_migrate_at_once_all_succeed() {
    let world = World::new().await;
    drop_everything(&world).await;
    let mut all: Vec<Running> = (0..4)
        .map(|_| Running::start(&mut world.command(&["migrate"])))
        .collect();
    for migrating in &mut all {
        assert!(migrating.ended().await.success(), "{}", migrating.stderr());
    }
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
}

#[tokio::test]
async fn who_migrates_waits_for_another_one() {
    let world = World::new().await;
    let mut other = world.pool().begin().await.unwrap();
    let lock = "lock table advisoryd._sqlx_migrations in share update exclusive mode";
    other.execute(lock).await.unwrap();
    let mut migrating = Running::start(&mut world.command(&["migrate"]));
    eventually("it waits", PATIENCE, async || {
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and application_name = 'advisoryd' and wait_event_type = 'Lock'";
        (world.count(waiting).await == 1).then_some(())
    })
    .await;
    other.rollback().await.unwrap();
    assert!(migrating.ended().await.success(), "{}", migrating.stderr());
}

#[tokio::test]
async fn a_migration_that_waits_for_a_transaction_names_it_and_keeps_nobody_else_waiting() {
    const LOCK: &str = "lock table advisoryd.replaced_record in row exclusive mode";
    let world = World::new().await;
    // As it was before this migration.
    run(
        &world,
        "drop index advisoryd.replaced_record_by_source;
         delete from advisoryd._sqlx_migrations where version = 53",
    )
    .await;
    let mut holder = world.pool().begin().await.unwrap();
    holder.execute(LOCK).await.unwrap();
    let session: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&mut *holder)
        .await
        .unwrap();
    let mut migrating = Running::start(&mut world.command(&["migrate"]));
    migrating.line(&format!("session {session} of user")).await;
    let mut other = world.pool().begin().await.unwrap();
    other
        .execute("set local lock_timeout = '30s'")
        .await
        .unwrap();
    other.execute(LOCK).await.unwrap();
    other.rollback().await.unwrap();
    assert!(is_alive(migrating.pid()), "it waits");
    holder.rollback().await.unwrap();
    assert!(migrating.ended().await.success(), "{}", migrating.stderr());
    let made = "select count(*) from pg_class where relname = 'replaced_record_by_source'";
    assert_eq!(world.count(made).await, 1);
}

#[tokio::test]
async fn nothing_depends_on_the_search_path_of_the_start_of_a_connection() {
    let world = World::new().await;
    drop_everything(&world).await;
    // What is left of the settings behind a pooler that drops start-up parameters.
    let path = format!(
        "alter role advisoryd in database {} set search_path = public",
        world.database.name
    );
    run(&world, &path).await;
    for command in [
        &["migrate"][..],
        &["check", "--offline"],
        &["sync", "all"],
        &["replay", "--yes"],
        &["status"],
    ] {
        let result = world.cli(command);
        if command[0] != "check" {
            assert_eq!(result.code, 0, "{command:?}: {result:?}");
        }
    }
    world.assert_all_is_stored().await;
    let strays = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(world.count(strays).await, 0);
}

#[tokio::test]
async fn a_database_whose_tables_are_elsewhere_is_not_migrated() {
    let world = World::new().await;
    drop_everything(&world).await;
    let superuser = world.pool().connect_options().as_ref().clone();
    let superuser = superuser.username(advisoryd::cluster::SUPERUSER);
    let mut superuser = PgConnection::connect_with(&superuser).await.unwrap();
    let strays = "create table public._sqlx_migrations (); create table public.advisory (); create table public.sync_run ()";
    superuser.execute(sqlx::raw_sql(strays)).await.unwrap();
    let elsewhere = world.cli(&["migrate"]);
    let checked = world.cli(&["check"]);
    for result in [&elsewhere, &checked] {
        assert_eq!(result.code, 1, "{result:?}");
    }
    let line = checked
        .stdout
        .lines()
        .find(|line| line.contains("`public`"));
    assert_reads!(elsewhere, line.expect("the schema is named"));
    let made = "select count(*) from pg_namespace where nspname like 'advisoryd%'";
    assert_eq!(world.count(made).await, 0, "nothing was made");

    // Another program that uses sqlx is none of our business.
    superuser
        .execute("drop table public.sync_run")
        .await
        .unwrap();
    assert_eq!(world.cli(&["migrate"]).code, 0);

    drop_everything(&world).await;
    run(
        &world,
        "create schema advisoryd; create table advisoryd.theirs ()",
    )
    .await;
    let foreign = world.cli(&["migrate"]);
    assert_eq!(foreign.code, 1, "{foreign:?}");
    assert_reads!(elsewhere, foreign);
    let tables = "select count(*) from pg_class where relnamespace = 'advisoryd'::regnamespace and relkind = 'r'";
    assert_eq!(world.count(tables).await, 1);
}

#[tokio::test]
async fn a_source_is_free_again_a_moment_after_its_run_was_dropped() {
    let world = World::new().await;
    world.context().await;
    let lock = advisoryd::store::ledger::lock::SourceLock::take(world.pool(), 1)
        .await
        .unwrap();
    drop(lock.expect("it is free"));
    eventually("the end of the lock", Duration::from_secs(10), async || {
        let held = "select count(*) from advisoryd.lease where expires_at is not null";
        (world.count(held).await == 0).then_some(())
    })
    .await;
}
