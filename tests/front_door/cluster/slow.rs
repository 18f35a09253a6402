//! A server that takes its time.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use advisoryd::cluster::Role;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{
    kept_row, open, program, seeded_state_dir, server_of, start_daemon_as, started_server,
};
use crate::support::{PATIENCE, eventually, state_dir};

/// Longer than any pause in which the daemon looks after something else.
const SECONDS: u32 = 2;

#[tokio::test]
async fn a_server_that_is_slow_to_come_back_comes_back_beside_a_running_daemon() {
    let (state, programs) = (seeded_state_dir(), state_dir());
    let slow = programs.path().join("slow");
    wrap_server(
        programs.path(),
        &server_directory(state.path()).await,
        &slow,
    );
    let mut command = program(state.path(), &["run"]);
    let (mut daemon, server) =
        start_daemon_as(state.path(), command.env("PATH", programs.path())).await;

    fs::write(&slow, "").unwrap();
    kill(
        Pid::from_raw(i32::try_from(server).unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
    eventually("the next server to be started", PATIENCE, async || {
        started_server(state.path()).filter(|next| *next != server)
    })
    .await;
    let client = open(state.path(), Role::Client).await.unwrap();
    assert_eq!(kept_row(&client).await, "still here");
    assert!(
        !client.is_ours(),
        "the daemon started it:\n{}",
        daemon.stderr()
    );
    let starts = daemon.stderr().matches("started as process").count();
    assert_eq!(
        starts,
        2,
        "once at first and once again:\n{}",
        daemon.stderr()
    );
    daemon.kill9();
}

/// Where the programs are that serve `state_dir`.
async fn server_directory(state_dir: &Path) -> PathBuf {
    let cluster = open(state_dir, Role::Client).await.unwrap();
    let server = server_of(state_dir).unwrap();
    let program = fs::read_link(format!("/proc/{server}/exe")).unwrap();
    cluster.stop().await.unwrap();
    program.parent().unwrap().to_owned()
}

/// Makes a server in `directory` that sleeps before it starts once the file `slow`
/// exists, as one does that has much to recover.
fn wrap_server(directory: &Path, real: &Path, slow: &Path) {
    symlink(real.join("initdb"), directory.join("initdb")).unwrap();
    let server = directory.join("postgres");
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$1\" = -D ] && [ -e '{slow}' ]; then sleep {SECONDS}; fi\n\
         exec '{real}/postgres' \"$@\"\n",
        slow = slow.display(),
        real = real.display(),
    );
    fs::write(&server, script).unwrap();
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).unwrap();
}
