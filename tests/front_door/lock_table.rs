//! The lock table of a server of one's own: a reader can fill it unless that is prevented.

use std::path::Path;

use tokio::net::TcpStream;

use crate::support::settings::{Alerts, Schedule};
use crate::support::{PATIENCE, PgServer, Running, World, assert_reads, eventually, get};
use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// Takes advisory locks until there is no room for more, and keeps them.
const FILL: &str = "
do $$
begin
    for i in 1..1000000 loop
        begin
            perform pg_try_advisory_lock(i);
        exception
            when out_of_memory then exit;
        end;
    end loop;
end
$$";

const FULL: &str = "the lock table of the PostgreSQL server is full";

/// A server on which `grafana` may read.
async fn server(world: &mut World) -> PgServer {
    let server = PgServer::primary().await;
    world.settings.database.url = Some(server.url());
    world.settings.schedule = Schedule::never();
    assert_eq!(world.cli(&["migrate"]).code, 0);
    let grafana = "create role grafana login in role advisoryd_reader";
    server.sql("postgres", grafana).await;
    server
}

async fn reader(server: &PgServer) -> PgConnection {
    let options: PgConnectOptions = server.url().parse().unwrap();
    let options = options.username("grafana");
    PgConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn a_full_lock_table_is_logged_once_and_names_the_session_that_fills_it() {
    let mut world = World::new().await;
    let server = server(&mut world).await;
    world.settings.alerts = Alerts::to_log(&["appeared"]);
    let port = world.serve_health();
    let mut command = world.command(&["run"]);
    command.env("ADVISORYD_LOG__FILTER", "debug");
    let mut daemon = Running::start(&mut command);
    eventually("the daemon", PATIENCE, async || {
        TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        (get(port, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    let mut reader = reader(&server).await;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&mut reader)
        .await
        .unwrap();
    // Again and again: others give back what they hold, and would find room.
    let body = eventually("an outage", PATIENCE, async || {
        reader.execute(FILL).await.unwrap();
        let (status, body) = get(port, "/readyz").await;
        (status == 503).then_some(body)
    })
    .await;
    assert!(body.contains(FULL), "{body}");
    assert!(body.contains(&format!("session {pid}")), "{body}");
    let said = |daemon: &Running, level: &str| {
        let events = daemon.events().into_iter();
        events
            .filter(|event| event["level"] == level)
            .filter(|event| event["message"].to_string().contains(FULL))
            .count()
    };
    eventually("two more attempts", PATIENCE, async || {
        reader.execute(FILL).await.unwrap();
        (said(&daemon, "DEBUG") >= 2).then_some(())
    })
    .await;
    assert_eq!(said(&daemon, "WARN"), 1, "{}", daemon.stderr());
    for command in ["status", "verify"] {
        // What others have given back meanwhile.
        reader.execute(FILL).await.unwrap();
        let result = world.cli(&[command]);
        assert_eq!(result.code, 1, "{result}");
        let (stderr, advice) = (&result.stderr, "check [database] url");
        assert!(
            stderr.contains(FULL) && !stderr.contains(advice),
            "{result}"
        );
    }
    reader.close().await.unwrap();
    eventually("its end", PATIENCE, async || {
        (get(port, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test]
async fn the_documented_statements_keep_readers_from_advisory_locks() {
    const NOTE: &str = "may take advisory locks";
    let mut world = World::new().await;
    let server = server(&mut world).await;
    let before = world.cli(&["check", "--quiet"]);
    let before = [before, world.cli(&["check"])];
    let line = before[1].stdout.lines().find(|line| line.contains(NOTE));
    assert_reads!(line.expect("a note"));
    assert!(!before[0].stdout.contains(NOTE), "{}", before[0]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/databases.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page
        .split("```sql\n")
        .skip(1)
        .find(|block| block.contains("pg_(try_)?advisory_"));
    let block = block.unwrap().split("```").next().unwrap();
    server.sql("advisoryd", block).await;
    let after = world.cli(&["check"]);
    assert!(!after.stdout.contains(NOTE), "{after}");
    let error = reader(&server).await.execute(FILL).await.unwrap_err();
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some("42501"), "{error}");
    assert_eq!(world.cli(&["sync"]).code, 0);
}
