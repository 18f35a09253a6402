//! A process that holds the lock and does nothing.

use std::fs;
use std::time::{Duration, Instant};

use advisoryd::cluster::{Cluster, ClusterError, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{as_server_user, kept_row, open, options, seeded_state_dir, start_daemon};
use crate::support::{PATIENCE, Running, eventually, is_alive};

/// "Within seconds", on a busy machine.
const SECONDS: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_command_is_not_kept_waiting_by_a_suspended_daemon() {
    let state = seeded_state_dir();
    let (mut daemon, server) = start_daemon(state.path()).await;
    daemon.signal(Signal::SIGSTOP);
    kill(
        Pid::from_raw(i32::try_from(server).unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
    let began = Instant::now();
    let refused = open(state.path(), Role::Client).await.unwrap_err();
    assert!(began.elapsed() < SECONDS, "{:?}", began.elapsed());
    assert!(
        matches!(&refused, ClusterError::HolderSuspended { pid, .. } if *pid == daemon.pid()),
        "{refused}"
    );
    assert!(refused.to_string().contains(&daemon.pid().to_string()));
    daemon.kill9();
}

#[tokio::test]
async fn a_command_uses_the_server_of_a_suspended_daemon() {
    let state = seeded_state_dir();
    let (mut daemon, server) = start_daemon(state.path()).await;
    daemon.signal(Signal::SIGSTOP);
    let client = open(state.path(), Role::Client).await.unwrap();
    assert_eq!(kept_row(&client).await, "still here");
    client.stop().await.unwrap();
    assert!(is_alive(server));
    daemon.kill9();
}

#[tokio::test]
async fn a_holder_that_never_gets_ready_is_named() {
    let state = seeded_state_dir();
    // Runs, has the lock, and serves nothing.
    let directory = state.path().join("postgresql");
    let script = format!(
        "cd '{}' && printf '%s\\ndaemon\\n%s/socket\\n' $$ \"$PWD\" > holder && exec flock holder sleep 60",
        directory.display()
    );
    let mut holder = Running::start(&mut as_server_user(state.path(), &script));
    let pid = holder.pid();
    eventually("the lock to be taken", PATIENCE, async || {
        let file = fs::File::open(directory.join("holder")).ok()?;
        file.try_lock().is_err().then_some(())
    })
    .await;
    let mut options = options(Role::Client);
    options.ready_within = Duration::from_secs(2);
    let refused = Cluster::open(state.path(), options).await.unwrap_err();
    assert!(
        matches!(&refused, ClusterError::HolderNotReady { holder, .. }
            if holder.contains(&format!("process {pid}"))),
        "{refused}"
    );
    holder.kill9();
}
