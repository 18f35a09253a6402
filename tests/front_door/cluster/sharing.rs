//! Several processes and one server.

use advisoryd::cluster::{ClusterError, Role};
use nix::sys::signal::Signal;
use sqlx::{Connection, PgConnection};

use super::{keep_a_row, kept_row, open, seeded_state_dir, server_of, start_daemon};
use crate::support::{PATIENCE, eventually, is_alive};

#[tokio::test]
async fn the_server_dies_with_a_killed_owner_and_its_data_survive() {
    let state = seeded_state_dir();
    let (mut owner, server) = start_daemon(state.path()).await;
    assert!(is_alive(server));
    owner.kill9();
    // At once, without waiting for the server's end: that is the next one's work.
    let next = open(state.path(), Role::Daemon).await.unwrap();
    assert!(!is_alive(server), "two servers on one directory");
    assert_eq!(kept_row(&next).await, "still here");
    next.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_of_a_killed_owner_ends_even_when_nobody_comes() {
    let state = seeded_state_dir();
    let (mut owner, server) = start_daemon(state.path()).await;
    owner.kill9();
    eventually("the end of the server", PATIENCE, async || {
        (!is_alive(server)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_server_of_an_owner_that_ends_is_stopped() {
    let state = seeded_state_dir();
    let (mut owner, server) = start_daemon(state.path()).await;
    owner.signal(Signal::SIGTERM);
    assert!(owner.ended().await.success(), "{}", owner.stderr());
    assert!(!is_alive(server));
}

#[tokio::test]
async fn a_second_daemon_is_told_the_first_ones_process() {
    let state = seeded_state_dir();
    let (mut owner, _) = start_daemon(state.path()).await;
    let refused = open(state.path(), Role::Daemon).await.unwrap_err();
    assert!(
        matches!(refused, ClusterError::AlreadyRunning { pid, .. } if pid == owner.pid()),
        "{refused}"
    );
    assert!(refused.to_string().contains(&owner.pid().to_string()));
    owner.kill9();
}

#[tokio::test]
async fn a_client_joins_a_daemons_server_and_leaves_it_running() {
    let state = seeded_state_dir();
    let (mut owner, server) = start_daemon(state.path()).await;
    let client = open(state.path(), Role::Client).await.unwrap();
    assert!(!client.is_ours());
    assert_eq!(kept_row(&client).await, "still here");
    client.stop().await.unwrap();
    assert!(is_alive(server));
    owner.kill9();
}

#[tokio::test]
async fn a_client_alone_starts_the_server_and_stops_it() {
    let state = seeded_state_dir();
    let client = open(state.path(), Role::Client).await.unwrap();
    assert!(client.is_ours());
    let server = server_of(state.path()).unwrap();
    client.stop().await.unwrap();
    assert!(!is_alive(server));
}

#[tokio::test]
async fn a_daemon_beside_a_client_joins_and_takes_over() {
    let state = seeded_state_dir();
    let client = open(state.path(), Role::Client).await.unwrap();
    keep_a_row(&client).await;
    let mut daemon = open(state.path(), Role::Daemon).await.unwrap();
    assert!(!daemon.is_ours());
    client.stop().await.unwrap();
    let options = daemon.connect_options();
    let its_own = eventually("its own server", PATIENCE, async || {
        PgConnection::connect_with(&options).await.ok()
    });
    tokio::select! {
        _ = its_own => (),
        never = daemon.keep_running() => match never {},
    }
    // The one that answered may have been noticed before its owner knew.
    daemon.start().await.unwrap();
    assert!(daemon.is_ours());
    assert_eq!(kept_row(&daemon).await, "still here");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn two_starting_at_once_share_one_server() {
    let state = seeded_state_dir();
    let (left, right) = tokio::join!(
        open(state.path(), Role::Client),
        open(state.path(), Role::Client)
    );
    let (left, right) = (left.unwrap(), right.unwrap());
    assert!(left.is_ours() != right.is_ours());
    keep_a_row(&left).await;
    assert_eq!(kept_row(&right).await, "still here");
    right.stop().await.unwrap();
    left.stop().await.unwrap();
}
