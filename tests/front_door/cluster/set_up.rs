//! A set-up of the server whose future is dropped: the server goes on with what it was asked.

use std::time::Duration;

use advisoryd::cluster::{Cluster, Role, SUPERUSER};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

use super::{open, options, seeded_state_dir};
use crate::support::{PATIENCE, eventually};

async fn superuser(cluster: &Cluster, database: &str) -> sqlx::Result<PgConnection> {
    let options = cluster.connect_options();
    PgConnection::connect_with(&options.username(SUPERUSER).database(database)).await
}

/// Waits until this many other sessions of the superuser's database are at work.
async fn at_work(watching: &mut PgConnection, sessions: i64) {
    eventually("the set-up to be at work", PATIENCE, async || {
        let count: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where backend_type = 'client backend' and datname = 'postgres' and state = 'active'",
        )
        .fetch_one(&mut *watching)
        .await
        .unwrap();
        (count == sessions).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_set_up_whose_future_is_dropped_does_not_collide_with_the_next() {
    let state = seeded_state_dir();
    let former = open(state.path(), Role::Daemon).await.unwrap();
    let mut connection = superuser(&former, "postgres").await.unwrap();
    let drop = "drop database advisoryd with (force)";
    connection.execute(drop).await.unwrap();
    connection.close().await.unwrap();
    former.stop().await.unwrap();

    let mut cluster = Cluster::prepare(state.path(), options(Role::Daemon)).unwrap();
    while cluster.server_pid().is_none() {
        let early = timeout(Duration::from_millis(1), cluster.start()).await;
        assert!(early.is_err(), "ready at once");
    }
    // A session in the template delays the creation of a database.
    let mut template = eventually("the server", PATIENCE, async || {
        superuser(&cluster, "template1").await.ok()
    })
    .await;
    tokio::select! {
        started = cluster.start() => panic!("the database was not delayed: {started:?}"),
        () = at_work(&mut template, 1) => {}
    }
    let (started, ()) = tokio::join!(timeout(PATIENCE, cluster.start()), async {
        at_work(&mut template, 2).await;
        template.close().await.unwrap();
    });
    started.unwrap().unwrap();
    let connected = PgConnection::connect_with(&cluster.connect_options()).await;
    connected.unwrap().close().await.unwrap();
    cluster.stop().await.unwrap();
}
