//! A server that is blocked before it handles signals: PostgreSQL blocks all signals
//! first and reads its configuration next.

use std::fs;
use std::path::Path;
use std::time::Duration;

use advisoryd::cluster::{Cluster, ClusterError, Role};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tokio::time::timeout;

use super::{give_to_server_user, options, seeded_state_dir, started_server};
use crate::support::{PATIENCE, eventually, is_alive};

/// How long a future runs before it is dropped.
const SOON: Duration = Duration::from_millis(50);

/// Replaces the configuration by a named pipe that nobody writes to.
fn plant_pipe(state_dir: &Path) {
    let file = state_dir.join("postgresql/data/postgresql.conf");
    fs::remove_file(&file).unwrap();
    mkfifo(&file, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    give_to_server_user(&file);
}

/// A server that opens the pipe, by a start whose future was dropped.
async fn begin(state_dir: &Path) -> (Cluster, u32) {
    let mut options = options(Role::Client);
    options.ready_within = Duration::from_secs(1);
    let mut cluster = Cluster::prepare(state_dir, options).unwrap();
    let server = eventually("the server to be started", PATIENCE, async || {
        let early = timeout(SOON, cluster.start()).await;
        assert!(early.is_err(), "{early:?}");
        started_server(state_dir)
    })
    .await;
    // Before that a signal would still end it.
    eventually("the server to block signals", PATIENCE, async || {
        blocks_signals(server).then_some(())
    })
    .await;
    (cluster, server)
}

/// Whether a process blocks SIGQUIT.
fn blocks_signals(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    mask & 1 << (Signal::SIGQUIT as i32 - 1) != 0
}

#[tokio::test]
async fn a_server_that_ignores_signals_has_ended_when_its_start_fails() {
    let state = seeded_state_dir();
    plant_pipe(state.path());
    let (mut cluster, server) = begin(state.path()).await;
    assert!(is_alive(server));
    // Each call of `start` may be dropped, also while it stops the server.
    let refused = eventually("the error", PATIENCE, async || {
        timeout(SOON, cluster.start()).await.ok()
    })
    .await
    .unwrap_err();
    assert!(
        matches!(refused, ClusterError::NotReady { .. }),
        "{refused}"
    );
    assert!(!is_alive(server), "server {server} is still running");
}

#[tokio::test]
async fn a_server_that_ignores_signals_ends_when_it_is_dropped() {
    let state = seeded_state_dir();
    plant_pipe(state.path());
    let (cluster, server) = begin(state.path()).await;
    drop(cluster);
    eventually("the end of the server", PATIENCE, async || {
        (!is_alive(server)).then_some(())
    })
    .await;
}
