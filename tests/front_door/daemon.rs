//! The daemon as the service manager, the operator and the network see it.

use std::process::Command;
use std::time::Instant;

use advisoryd::simulate::{AnswerFault, FaultRule};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::settings::Schedule;
use crate::support::{
    Manager, PATIENCE, READ_TIMEOUT, Running, World, assert_reads, eventually, get, is_alive,
    state_dir,
};

fn quiet(world: &mut World) {
    world.settings.schedule = Schedule::never();
}

fn daemon(world: &World, manager: &Manager) -> Command {
    let mut command = world.command(&["run"]);
    manager.listens_to(&mut command);
    command
}

async fn runs(world: &World) -> i64 {
    world
        .count("select count(*) from advisoryd_v1.sync_runs where outcome <> 'running'")
        .await
}

async fn complete_runs(world: &World, at_least: i64) {
    eventually("complete runs", PATIENCE, async || {
        let ok = world
            .count("select count(*) from advisoryd_v1.sync_runs where outcome = 'ok'")
            .await;
        (ok >= at_least).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_service_manager_is_told_of_every_step() {
    let mut world = World::new().await;
    quiet(&mut world);
    let mut manager = Manager::new();
    let mut command = daemon(&world, &manager);
    command.env("WATCHDOG_USEC", "1000000");
    let mut daemon = Running::start(&mut command);
    manager.hears("READY=1").await;
    manager.hears_of(1).await;
    manager.hears("WATCHDOG=1").await;
    daemon.signal(Signal::SIGHUP);
    manager.hears("RELOADING=1\nMONOTONIC_USEC=").await;
    manager.hears("READY=1").await;
    daemon.signal(Signal::SIGTERM);
    manager.hears("STOPPING=1").await;
    assert!(daemon.ended().await.success());
}

/// Fed so often that a machine of two cores under load would not starve it by chance.
const WATCHDOG: (&str, &str) = ("WATCHDOG_USEC", "600000");

#[tokio::test]
async fn a_long_run_does_not_starve_the_watchdog() {
    let mut world = World::new().await;
    quiet(&mut world);
    let slow = AnswerFault::Slow {
        bytes_per_second: 500,
    };
    world.simulator.inject(FaultRule::new(slow).on("xml-feed"));
    let mut manager = Manager::new();
    let mut daemon = Running::start(daemon(&world, &manager).env(WATCHDOG.0, WATCHDOG.1));
    let running =
        "select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'running'";
    eventually("a run", PATIENCE, async || {
        (world.count(running).await == 1).then_some(())
    })
    .await;
    manager.forget();
    for _ in 0..8 {
        manager.hears("WATCHDOG=1").await;
    }
    assert_eq!(world.count(running).await, 1, "it still runs");
    daemon.kill9();
}

#[tokio::test]
async fn an_outage_of_the_database_does_not_starve_the_watchdog() {
    use advisoryd::cluster::{Cluster, ClusterOptions, Role};
    let mut world = World::new().await;
    world.settings.schedule = Schedule::every_second();
    let port = world.serve_health();
    let own = state_dir();
    let mut options = ClusterOptions::new(Role::Daemon);
    options.durable = false;
    let cluster = Cluster::open(&own.path().join("s"), options).await.unwrap();
    world.settings.database.url = Some(cluster.url());
    let mut manager = Manager::new();
    let mut daemon = Running::start(daemon(&world, &manager).env(WATCHDOG.0, WATCHDOG.1));
    manager.hears("READY=1").await;
    cluster.stop().await.unwrap();
    eventually("it is not ready any more", PATIENCE, async || {
        (get(port, "/readyz").await.0 != 200).then_some(())
    })
    .await;
    manager.forget();
    for _ in 0..20 {
        manager.hears("WATCHDOG=1").await;
    }
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test]
async fn a_first_pass_runs_when_due_and_not_again_after_a_restart() {
    let mut world = World::new().await;
    quiet(&mut world);
    let mut manager = Manager::new();
    let mut first = Running::start(&mut daemon(&world, &manager));
    complete_runs(&world, 3).await;
    first.signal(Signal::SIGINT);
    assert!(first.ended().await.success());
    world.simulator.forget_requests();
    let before = runs(&world).await;
    let mut second = Running::start(&mut daemon(&world, &manager));
    manager.hears("READY=1").await;
    manager.hears("READY=1").await;
    second.signal(Signal::SIGTERM);
    assert!(second.ended().await.success());
    assert_eq!(runs(&world).await, before);
    assert!(world.simulator.requests().is_empty(), "nothing was due");
}

#[tokio::test]
async fn schedules_tick_and_a_failing_feed_is_tried_for_ever() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::every_second();
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Html200).on("xml-feed").times(4));
    let mut daemon = Running::start(&mut world.command(&["run"]));
    eventually("four failures and then a success", PATIENCE, async || {
        let failed = world
            .count("select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'failed'")
            .await;
        let ok = world
            .count("select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'ok'")
            .await;
        (failed >= 2 && ok >= 2).then_some(())
    })
    .await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test]
async fn a_run_that_is_stopped_ends_in_time_and_keeps_what_came() {
    let mut world = World::with(advisoryd::simulate::SimulatorOptions {
        advisories: 1500,
        ..crate::support::small()
    })
    .await;
    quiet(&mut world);
    let hold = AnswerFault::Hold {
        after_bytes: 5_000_000,
        gate: "half".to_owned(),
    };
    world.simulator.inject(FaultRule::new(hold).on("xml-feed"));
    let mut daemon = Running::start(&mut world.command(&["run"]));
    world.reached("half").await;
    let asked = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert!(asked.elapsed() < READ_TIMEOUT / 2, "{:?}", asked.elapsed());
    let interrupted = world
        .count("select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'interrupted' and added > 0")
        .await;
    assert_eq!(interrupted, 1);
    assert_eq!(world.count("select count(*) from advisoryd.source where watch_list_id = 1 and not isempty(covered)").await, 0);
}

#[tokio::test]
async fn a_daemon_killed_in_mid_load_loses_nothing() {
    let mut world = World::with(advisoryd::simulate::SimulatorOptions {
        advisories: 1500,
        ..crate::support::small()
    })
    .await;
    quiet(&mut world);
    let hold = AnswerFault::Hold {
        after_bytes: 5_000_000,
        gate: "half".to_owned(),
    };
    world.simulator.inject(FaultRule::new(hold).on("xml-feed"));
    let mut first = Running::start(&mut world.command(&["run"]));
    world.reached("half").await;
    first.kill9();
    world.simulator.open("half");
    let mut second = Running::start(&mut world.command(&["run"]));
    eventually("all advisories", PATIENCE, async || {
        let stored = world
            .count("select count(*) from advisoryd_v1.advisory_watch_lists")
            .await;
        let ok = world
            .count(
                "select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'ok'",
            )
            .await;
        let wanted = i64::try_from(world.simulator.saids(1).len()).unwrap();
        (ok > 0 && stored == wanted).then_some(())
    })
    .await;
    let dead = world
        .count("select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'interrupted'")
        .await;
    assert_eq!(dead, 1, "the dead process' run is closed");
    second.signal(Signal::SIGTERM);
    second.ended().await;
}

#[tokio::test]
async fn a_reload_takes_over_lists_and_tokens_and_survives_mistakes() {
    let mut world = World::with(advisoryd::simulate::SimulatorOptions {
        watch_lists: 1,
        ..crate::support::small()
    })
    .await;
    quiet(&mut world);
    let mut manager = Manager::new();
    let mut daemon = Running::start(&mut daemon(&world, &manager));
    manager.hears("READY=1").await;
    complete_runs(&world, 3).await;
    let file = world.config_file();
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{good}[htpt]\n")).unwrap();
    daemon.signal(Signal::SIGHUP);
    manager.hears("READY=1").await;
    manager.hears_of(1).await;
    let refused = daemon.event("a complaint", |event| event["level"] == "ERROR");
    assert_reads!(refused.await["message"].as_str().unwrap());
    world.simulator.add_watch_list();
    world.config_file();
    daemon.signal(Signal::SIGHUP);
    manager.hears_of(2).await;
    eventually("the new list is read", PATIENCE, async || {
        let read = world
            .count("select count(*) from advisoryd_v1.watch_lists where configured and last_success_at is not null")
            .await;
        (read == 2).then_some(())
    })
    .await;
    std::fs::write(&file, good).unwrap();
    daemon.signal(Signal::SIGHUP);
    manager.hears_of(1).await;
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.watch_lists where not configured")
            .await,
        1
    );
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test]
async fn two_daemons_on_one_database_never_run_one_source_at_once() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::every_second();
    let mut first = Running::start(&mut world.command(&["run"]));
    let mut second = Running::start(&mut world.command(&["run"]));
    complete_runs(&world, 12).await;
    let overlaps = world
        .count(
            "select count(*)
             from advisoryd.sync_run a
             join advisoryd.sync_run b on b.source_id = a.source_id and b.id > a.id
             where tstzrange(a.started_at, a.finished_at) && tstzrange(b.started_at, b.finished_at)
               and a.started_at <> b.started_at
               and a.finished_at <> b.started_at",
        )
        .await;
    assert_eq!(overlaps, 0);
    first.kill9();
    let before = runs(&world).await;
    eventually("the other one carries on", PATIENCE, async || {
        (runs(&world).await > before + 3).then_some(())
    })
    .await;
    second.signal(Signal::SIGTERM);
    assert!(second.ended().await.success());
}

#[tokio::test]
async fn a_private_database_is_shared_by_commands_and_dies_with_its_daemon() {
    let mut world = World::new().await;
    quiet(&mut world);
    let state = state_dir();
    let dir = state.path().join("s").display().to_string();
    world.settings.state.dir = Some(dir);
    let mut daemon = world.run().await;
    let status = eventually("a complete status", PATIENCE, async || {
        let status = world.cli(&["status", "--json"]);
        let is_whole = |status: &Value| {
            let sources = status["sources"].as_array().unwrap();
            sources.len() == 2 && sources.iter().all(|source| source["state"] == "ok")
        };
        (status.code == 0).then(|| status.json()).filter(is_whole)
    })
    .await;
    let psql = status["psql"].as_str().unwrap();
    let line = format!("{psql} -Atc 'select count(*) from advisoryd_v1.advisories'");
    let asked = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&asked.stdout).trim(),
        "60",
        "{line}: {asked:?}"
    );
    let check = world.cli(&["check"]);
    assert_eq!(check.code, 0, "{check:?}");

    let pid_file = state.path().join("s/postgresql/data/postmaster.pid");
    let server: u32 = std::fs::read_to_string(&pid_file)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    daemon.kill9();
    eventually("the server dies with its daemon", PATIENCE, async || {
        (!is_alive(server)).then_some(())
    })
    .await;
    let after = world.cli(&["sync", "feeds", "--full", "--json"]);
    assert_eq!(after.code, 0, "{after:?}");
    assert_eq!(
        after.json()["unchanged"],
        60,
        "nothing acknowledged was lost"
    );
}

#[tokio::test]
async fn a_database_that_comes_late_or_restarts_is_waited_out() {
    use advisoryd::cluster::{Cluster, ClusterOptions, Role};
    let mut world = World::new().await;
    world.settings.schedule = Schedule::every_second();
    let late = state_dir();
    let mut options = ClusterOptions::new(Role::Daemon);
    options.durable = false;
    let cluster = Cluster::open(&late.path().join("s"), options.clone())
        .await
        .unwrap();
    world.settings.database.url = Some(cluster.url());
    cluster.stop().await.unwrap();

    let mut manager = Manager::new();
    let mut daemon = Running::start(&mut daemon(&world, &manager));
    // It starts, finds no database, and asks for more time again and again.
    for _ in 0..4 {
        manager.hears("EXTEND_TIMEOUT_USEC=").await;
    }
    let cluster = Cluster::open(&late.path().join("s"), options.clone())
        .await
        .unwrap();
    manager.hears("READY=1").await;
    let pool = advisoryd::store::database::pool(cluster.connect_options(), 2);
    let complete = async |at_least: i64| {
        eventually("complete runs", PATIENCE, async || {
            let ok: Result<i64, _> = sqlx::query_scalar(
                "select count(*) from advisoryd_v1.sync_runs where outcome = 'ok'",
            )
            .fetch_one(&pool)
            .await;
            ok.ok().filter(|ok| *ok >= at_least)
        })
        .await
    };
    let before = complete(4).await;
    cluster.stop().await.unwrap();
    let cluster = Cluster::open(&late.path().join("s"), options)
        .await
        .unwrap();
    complete(before + 4).await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn health_and_metrics_are_served() {
    let mut world = World::new().await;
    quiet(&mut world);
    let port = world.serve_health();
    let mut daemon = Running::start(&mut world.command(&["run"]));
    complete_runs(&world, 3).await;
    let get = async |path: &str| get(port, path).await;
    assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    eventually("readiness", PATIENCE, async || {
        (get("/readyz").await.0 == 200).then_some(())
    })
    .await;
    let (_, metrics) = get("/metrics").await;
    for line in [
        "advisoryd_runs_total{source=\"watch list 1\",outcome=\"ok\"} 1",
        "advisoryd_records_total{source=\"watch list 1\",kind=\"added\"} 60",
        "advisoryd_stored_records{source=\"tickets\"} 25",
        "advisoryd_data_age_seconds{source=\"watch list 1\"}",
        "advisoryd_last_success_timestamp_seconds{source=\"tickets\"}",
        "advisoryd_upstream_requests_total",
        "advisoryd_upstream_throttled_total 0",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test]
async fn no_output_ever_holds_the_token() {
    let world = World::new().await;
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(500))
            .on("xml-feed")
            .times(3),
    );
    let token = advisoryd::simulate::DEFAULT_TOKEN;
    for arguments in [
        ["-vv", "sync", "all"],
        ["-vv", "check", "--json"],
        ["-vv", "status", "--json"],
    ] {
        let result = world.cli(&arguments);
        for text in [result.stdout, result.stderr] {
            assert!(!text.contains(token), "{arguments:?} tells the token");
        }
    }
    let result = world
        .count("select count(*) from advisoryd.sync_run where error like '%51a7e0f0ca11%'")
        .await;
    assert_eq!(result, 0);
}
