//! `advisoryd changes`: whoever follows misses nothing, whatever goes away.

use std::process::{Command, Stdio};
use std::time::Duration;

use advisoryd::cluster::{Cluster, ClusterOptions, Role};
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use sqlx::PgPool;
use sqlx::postgres::PgListener;

use crate::support::{
    CommandResult, PATIENCE, Running, World, assert_reads, eventually, pull_all, state_dir, without,
};

/// The numbers that were told, in order.
fn notified(stdout: &str) -> Vec<i64> {
    stdout
        .lines()
        .map(|line| {
            let change: serde_json::Value = serde_json::from_str(line).unwrap();
            change["seq"].as_i64().unwrap()
        })
        .collect()
}

async fn newest(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select last from advisoryd.change_counter")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn following_waits_for_a_database_that_restarts_and_misses_nothing() {
    let mut world = World::new().await;
    let place = state_dir();
    let mut options = ClusterOptions::new(Role::Daemon);
    options.durable = false;
    let open = async || {
        Cluster::open(&place.path().join("s"), options.clone())
            .await
            .unwrap()
    };
    let cluster = open().await;
    world.database.url = cluster.url();
    assert_eq!(world.cli(&["migrate"]).code, 0);
    let pool = advisoryd::store::database::pool(cluster.connect_options(), 4);
    pull_all(&world.context_on(pool.clone()).await, LookBack::Missing).await;

    let mut following =
        Running::start(&mut world.command(&["changes", "--follow", "--since", "0", "--json"]));
    let first = format!("\"seq\":{},", newest(&pool).await);
    following.line(&first).await;
    cluster.stop().await.unwrap();
    eventually("it notices", PATIENCE, async || {
        (!following.stderr().is_empty()).then_some(())
    })
    .await;
    let cluster = open().await;
    world.simulator.publish(3);
    pull_all(&world.context_on(pool.clone()).await, LookBack::Full).await;
    let newest = newest(&pool).await;
    assert!(newest > 60, "{newest}");
    following.line(&format!("\"seq\":{newest},")).await;
    eventually("it says so", PATIENCE, async || {
        (following.stderr().lines().count() == 2).then_some(())
    })
    .await;
    assert_reads!(without(&following.stderr(), r"(database: ).*", "$1[why]"));
    assert_eq!(
        notified(&following.stdout()),
        (1..=newest).collect::<Vec<i64>>()
    );
    following.kill9();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn following_ends_with_its_reader_though_nothing_happens() {
    let world = World::new().await;
    world.pull_one().await;
    let mut child = world
        .command(&["changes", "--follow", "--since", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert!(line.contains("appeared"), "{line}");
    drop(reader);
    let status = eventually("its end", PATIENCE, async || child.try_wait().unwrap()).await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn what_happens_wakes_whoever_listens() {
    let world = World::new().await;
    let mut listener = PgListener::connect_with(world.pool()).await.unwrap();
    listener.listen("advisoryd_changes").await.unwrap();
    world.pull_one().await;
    let heard = tokio::time::timeout(PATIENCE, listener.recv()).await;
    heard.expect("advisories wake it").unwrap();
    while let Ok(Some(_)) = tokio::time::timeout(Duration::ZERO, listener.try_recv())
        .await
        .unwrap_or(Ok(None))
    {}
    world.sync_tickets(TicketSync::Now).await;
    let heard = tokio::time::timeout(PATIENCE, listener.recv()).await;
    heard.expect("tickets wake it").unwrap();
}

#[tokio::test]
async fn a_number_that_was_never_given_is_told() {
    let world = World::new().await;
    world.pull_one().await;
    let notified = world.cli(&["changes", "--since", "1000"]);
    assert_eq!((notified.code, notified.stdout.as_str()), (0, ""));
    assert_reads!(notified);
    let notified = world.cli(&["changes", "--since", "60"]);
    assert_eq!(
        (notified.code, notified.stderr.as_str()),
        (0, ""),
        "the usual case"
    );
}

#[tokio::test]
async fn what_could_not_be_written_is_a_failure() {
    let world = World::new().await;
    world.pull_one().await;
    let mut all = Vec::new();
    for arguments in [&["advisories", "--csv"][..], &["changes"], &["status"]] {
        let command = world.command(arguments);
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = Command::new(command.get_program())
            .args(command.get_args())
            .stdout(full)
            .output()
            .unwrap();
        let notified = CommandResult::from(output);
        assert_eq!(notified.code, 1, "{arguments:?}: {notified:?}");
        all.push(notified.to_string());
    }
    assert_reads!(all.join("\n"));
}
