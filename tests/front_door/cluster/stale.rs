//! What a killed server leaves behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use advisoryd::cluster::Role;

use super::{as_server_user, keep_a_row, kept_row, open, seeded_state_dir};
use crate::support::{PATIENCE, Running, eventually, is_alive};

#[tokio::test]
async fn a_stale_lock_file_of_another_program_keeps_nobody_out() {
    let state = seeded_state_dir();
    let first = open(state.path(), Role::Daemon).await.unwrap();
    keep_a_row(&first).await;
    first.stop().await.unwrap();
    // As after a restart of a container: the number belongs to someone else,
    // whom the server itself would take for its predecessor.
    let mut stranger = Running::start(&mut as_server_user(state.path(), "sleep 60"));
    let data = state.path().join("postgresql/data");
    let lock = data.join("postmaster.pid");
    fs::write(&lock, format!("{}\n{}\n", stranger.pid(), data.display())).unwrap();
    let second = open(state.path(), Role::Daemon).await.unwrap();
    assert_eq!(kept_row(&second).await, "still here");
    assert!(is_alive(stranger.pid()), "the stranger was not touched");
    stranger.kill9();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_still_runs_is_waited_for() {
    let state = seeded_state_dir();
    let first = open(state.path(), Role::Daemon).await.unwrap();
    first.stop().await.unwrap();
    // What works in the data directory is taken for a server.
    let data = state.path().join("postgresql/data");
    let script = format!("cd '{}' && exec sleep 60", data.display());
    let mut other = Running::start(&mut as_server_user(state.path(), &script));
    let pid = other.pid();
    eventually("the other to be in the directory", PATIENCE, async || {
        let at = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        (at == data).then_some(())
    })
    .await;
    fs::write(data.join("postmaster.pid"), format!("{pid}\n")).unwrap();
    let opening = open(state.path(), Role::Daemon);
    tokio::pin!(opening);
    let early = tokio::time::timeout(Duration::from_millis(500), &mut opening).await;
    assert!(early.is_err(), "started beside another server");
    other.kill9();
    opening.await.unwrap().stop().await.unwrap();
}

/// A dead process that its parent never collects, as in a container whose first
/// process collects nothing.
#[tokio::test]
async fn a_stale_lock_file_of_a_zombie_keeps_nobody_out() {
    let state = seeded_state_dir();
    let script = "sleep 0 & echo zombie=$!; exec sleep 60";
    let mut parent = Running::start(&mut as_server_user(state.path(), script));
    let line = parent.line("zombie=").await;
    let zombie: u32 = line.trim_start_matches("zombie=").parse().unwrap();
    eventually("the zombie", PATIENCE, async || {
        (!is_alive(zombie)).then_some(())
    })
    .await;
    let lock = state.path().join("postgresql/data/postmaster.pid");
    fs::write(&lock, format!("{zombie}\n")).unwrap();
    let cluster = open(state.path(), Role::Daemon).await.unwrap();
    assert!(Path::new(&format!("/proc/{zombie}")).exists());
    cluster.stop().await.unwrap();
}
