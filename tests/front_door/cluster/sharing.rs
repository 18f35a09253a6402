//! Several processes and one server.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use advisoryd::cluster::{Cluster, ClusterError, ClusterOptions, Role};
use nix::sys::signal::Signal;

use super::{keep_a_row, kept_row, open, seeded_state_dir};
use crate::support::{PATIENCE, Running, eventually, is_alive};

/// Tells [`owner`] where to open a cluster; without it that test is none.
const OWNED_STATE_DIR: &str = "FRONT_DOOR_OWNED_STATE_DIR";

/// Not a test: the process that others kill. Opens a cluster, says so, and
/// keeps it until its standard input ends.
#[tokio::test]
#[ignore = "a process for the tests of this module"]
async fn owner() {
    let Some(state_dir) = std::env::var_os(OWNED_STATE_DIR) else {
        return;
    };
    let cluster = Cluster::open(Path::new(&state_dir), ClusterOptions::new(Role::Daemon))
        .await
        .unwrap();
    keep_a_row(&cluster).await;
    eprintln!("owned server={}", cluster.server_pid().unwrap());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    cluster.stop().await.unwrap();
}

/// Starts [`owner`] as a process; returns it with its server's number.
async fn start_owner(state_dir: &Path) -> (Running, u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "cluster::sharing::owner",
            "--ignored",
            "--nocapture",
        ])
        .env(OWNED_STATE_DIR, state_dir);
    let mut owner = Running::start(&mut command);
    let line = owner.line("owned server=").await;
    let server = line.rsplit('=').next().unwrap().trim().parse().unwrap();
    (owner, server)
}

#[tokio::test]
async fn the_server_dies_with_a_killed_owner_and_its_data_survive() {
    let state = seeded_state_dir();
    let (mut owner, server) = start_owner(state.path()).await;
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
    let (mut owner, server) = start_owner(state.path()).await;
    owner.signal(Signal::SIGTERM);
    assert!(!owner.ended().await.success());
    eventually("the end of the server", PATIENCE, async || {
        (!is_alive(server)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_server_of_an_owner_that_ends_is_stopped() {
    let state = seeded_state_dir();
    let (mut owner, server) = start_owner(state.path()).await;
    drop(owner.stdin());
    assert!(owner.ended().await.success(), "{}", owner.stderr());
    assert!(!is_alive(server));
}

#[tokio::test]
async fn a_second_daemon_is_told_the_first_ones_process() {
    let state = seeded_state_dir();
    let (mut owner, _) = start_owner(state.path()).await;
    let refused = open(state.path(), Role::Daemon).await.unwrap_err();
    assert!(
        matches!(refused, ClusterError::Held { pid, .. } if pid == owner.pid()),
        "{refused}"
    );
    assert!(refused.to_string().contains(&owner.pid().to_string()));
    owner.kill9();
}

#[tokio::test]
async fn a_client_joins_a_daemons_server_and_leaves_it_running() {
    let state = seeded_state_dir();
    let (mut owner, server) = start_owner(state.path()).await;
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
    let server = client.server_pid().unwrap();
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
    daemon.exited().await;
    daemon.restart().await.unwrap();
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
