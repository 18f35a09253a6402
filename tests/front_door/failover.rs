//! The primary of two PostgreSQL servers is lost and its standby takes over, under a
//! running daemon.

use std::time::{Duration, Instant};

use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use advisoryd::store::database::{self, Servers};
use advisoryd::store::ledger::lease::{LeaseName, take};
use advisoryd::store::ledger::lock::SourceLock;

use crate::support::settings::Schedule;
use crate::support::{PATIENCE, PgServer, World, assert_reads, eventually, get, small};

const GATE: &str = "mid-load";

/// A world with two servers, the standby named first.
async fn two() -> (World, PgServer, PgServer) {
    let primary = PgServer::primary().await;
    let standby = primary.standby().await;
    let mut world = World::with(SimulatorOptions {
        advisories: 1600,
        ..small()
    })
    .await;
    world.settings.database.url = Some(format!(
        "postgres://advisoryd@{},{}/advisoryd?sslmode=disable",
        standby.host(),
        primary.host()
    ));
    (world, primary, standby)
}

async fn unready(port: u16, reason: &str) -> String {
    eventually(reason, PATIENCE, async || {
        let (status, body) = get(port, "/readyz").await;
        (status == 503 && body.contains(reason)).then_some(body)
    })
    .await
}

fn without_ports(text: &str, world: &[&PgServer]) -> String {
    world
        .iter()
        .zip(["[standby]", "[primary]"])
        .fold(text.to_owned(), |text, (server, name)| {
            text.replace(&server.host(), name)
        })
}

#[tokio::test]
async fn a_daemon_goes_on_with_the_standby_that_took_over() {
    let (mut world, mut primary, standby) = two().await;
    world.settings.schedule = Schedule::every_second();
    let port = world.serve_health();
    let hold = AnswerFault::Hold {
        after_bytes: 4 * 1024 * 1024,
        gate: GATE.to_owned(),
    };
    world.simulator.inject(FaultRule::new(hold).on("xml-feed"));
    let daemon = world.run().await;
    world.reached(GATE).await;
    primary.crash().await;
    world.simulator.open(GATE);

    // Without its primary a standby answers, and accepts nothing.
    let body = unready(port, "in recovery").await;
    let status = world.cli(&["status"]);
    assert_eq!(status.code, 1, "{status}");
    let both = [&standby, &primary];
    assert_reads!(
        without_ports(&body, &both),
        without_ports(&status.to_string(), &both)
    );

    let began = Instant::now();
    standby.promote();
    let accepts = Instant::now();
    world.database.pool = database::pool(standby.options("advisoryd"), 5);
    // Of the feed: the tickets may have been read before.
    let last = "select coalesce(max(id), 0) from advisoryd_v1.sync_runs where outcome = 'ok' and job = 'feed'";
    eventually("a run on the new primary", PATIENCE, async || {
        (world.count(last).await > 0).then_some(())
    })
    .await;
    let took = accepts.elapsed();
    assert!(
        took < Duration::from_secs(5),
        "{took:?} of {:?}",
        began.elapsed()
    );
    assert_eq!(get(port, "/readyz").await.0, 200);

    world.simulator.publish(40);
    for said in world.simulator.saids(1).iter().take(30) {
        world.simulator.revise(said, true);
    }
    eventually("what came afterwards", PATIENCE, async || {
        let stored = "select count(*) from advisoryd_v1.advisories";
        (world.count(stored).await == 1640).then_some(())
    })
    .await;
    eventually("the changes", PATIENCE, async || {
        let changed = "select count(*) from advisoryd_v1.advisories where version > 1";
        (world.count(changed).await == 30).then_some(())
    })
    .await;
    world.assert_all_is_stored().await;
    let doubled = "select count(*) from (
        select key, version, what from advisoryd_v1.changes group by 1, 2, 3
        having count(*) > 1) as doubled";
    assert_eq!(world.count(doubled).await, 0);
    let appeared = "select count(*) from advisoryd_v1.changes where what = 'appeared'";
    assert_eq!(world.count(appeared).await, 1640);
    let log = daemon.stderr();
    assert!(!log.contains("panicked"), "{log}");
    world.database.pool.close().await;
}

#[tokio::test]
async fn a_standby_alone_is_waited_for_and_grants_no_lease() {
    let (mut world, mut primary, standby) = two().await;
    world.settings.schedule = Schedule::every_second();
    world.settings.database.url = Some(primary.url());
    assert_eq!(world.cli(&["migrate"]).code, 0);
    world.settings.database.url = Some(standby.url());
    let check = world.cli(&["check"]);
    assert_eq!(check.code, 1);
    let line = check
        .stdout
        .lines()
        .find(|line| line.contains("in recovery"));
    assert_reads!(line.expect("why it cannot be used"));
    let pool = database::pool(standby.options("advisoryd"), 2);
    let mut connection = database::connect(&pool).await.unwrap();
    let refused = take(&mut connection, LeaseName::Discovery)
        .await
        .unwrap_err();
    assert!(advisoryd::store::is_away(&refused), "{refused}");
    let port = world.serve_health();
    let daemon = crate::support::Running::start(&mut world.command(&["run"]));
    let is_refused = |event: &serde_json::Value| event["error"].is_string();
    daemon.event("a refused start", is_refused).await;
    unready(port, "in recovery").await;
    primary.crash().await;
    standby.promote();
    eventually("readiness", PATIENCE, async || {
        (get(port, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    pool.close().await;
}

#[tokio::test]
async fn the_host_that_accepts_writes_is_chosen_whatever_the_others_do() {
    let (_world, primary, standby) = two().await;
    // Accepts connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let of = |port| primary.options("advisoryd").port(port);
    let hosts = [
        silent.local_addr().unwrap().port(),
        crate::support::free_port(),
        standby.port,
        primary.port,
    ];
    let servers = Servers::new(hosts.map(of).to_vec(), true);
    let pool = database::pool(servers.clone(), 2);
    let began = Instant::now();
    servers.choose(&pool).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(pool.connect_options().get_port(), primary.port);
    database::reachable(&pool).await.unwrap();
    primary
        .sql(
            "postgres",
            "alter system set default_transaction_read_only = on",
        )
        .await;
    primary.sql("postgres", "select pg_reload_conf()").await;
    let none = eventually("the setting", PATIENCE, async || {
        servers.choose(&pool).await.err()
    })
    .await
    .to_string();
    for reason in [
        "no answer within 3 s",
        "onnection refused",
        "in recovery (a standby)",
        "default_transaction_read_only is on",
    ] {
        assert!(none.contains(reason), "{reason}: {none}");
    }
    pool.close().await;
}

#[tokio::test]
async fn a_lock_given_back_while_no_server_answered_is_taken_again_at_once() {
    let (mut world, mut primary, standby) = two().await;
    world.settings.database.url = Some(primary.url());
    assert_eq!(world.cli(&["migrate"]).code, 0);
    let hosts = [&standby, &primary].map(|server| server.options("advisoryd"));
    let servers = Servers::new(hosts.to_vec(), true);
    let pool = database::pool(servers.clone(), 2);
    servers.choose(&pool).await.unwrap();
    let lock = SourceLock::take(&pool, 1).await.unwrap().unwrap();
    primary.crash().await;
    lock.release().await;
    standby.promote();
    servers.choose(&pool).await.unwrap();
    let again = SourceLock::take(&pool, 1).await.unwrap();
    let again = again.unwrap_or_else(|holder| panic!("held by {holder}"));
    assert_eq!(again.fences()[0].epoch, 2);
    let other = SourceLock::take(&pool, 1).await.unwrap();
    assert!(other.is_err(), "one that is in use is not free");
    again.release().await;
    pool.close().await;
}
