//! A server that recovers for long, and who waits for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use advisoryd::cluster::{Cluster, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{
    as_server_user, keep_a_row, kept_row, open, options, program, seeded_state_dir, server_of,
    start_daemon,
};
use crate::support::{PATIENCE, Running, eventually, is_alive};

/// What an operator expects of a stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A recovery that ends when the test says so.
struct Recovery {
    may_end: PathBuf,
}

impl Recovery {
    /// Makes the next start of the server of `state_dir` recover: PostgreSQL asks
    /// a command for archived files first, which waits.
    fn prepare(state_dir: &Path) -> Self {
        let may_end = state_dir.join("recovery-may-end");
        let script = format!(
            "cd '{0}/postgresql/data' && touch recovery.signal && cat >> postgresql.auto.conf <<'END'\n\
             hot_standby = off\n\
             restore_command = 'while [ -d {0} ] && [ ! -e {1} ]; do sleep 0.05; done; false'\n\
             END\n",
            state_dir.display(),
            may_end.display()
        );
        let prepared = as_server_user(state_dir, &script).status().unwrap();
        assert!(prepared.success());
        Self { may_end }
    }

    fn end(&self) {
        fs::write(&self.may_end, "").unwrap();
    }
}

fn kill9(process: u32) {
    let pid = Pid::from_raw(i32::try_from(process).unwrap());
    kill(pid, Signal::SIGKILL).unwrap();
}

/// Waits for a server on the data that is not `former`.
async fn next_server(state_dir: &Path, former: Option<u32>) -> u32 {
    eventually("the next server", PATIENCE, async || {
        let server = server_of(state_dir).filter(|server| Some(*server) != former)?;
        startup_process(server).map(|_| server)
    })
    .await
}

/// The process of `server` that recovers.
fn startup_process(server: u32) -> Option<u32> {
    let children = format!("/proc/{server}/task/{server}/children");
    let children = fs::read_to_string(children).ok()?;
    children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .find(|child: &u32| {
            let title = fs::read_to_string(format!("/proc/{child}/cmdline"));
            title.is_ok_and(|title| title.contains("startup"))
        })
}

/// Drops the future of [`Cluster::keep_running`] again and again, for a while.
async fn drop_again_and_again(cluster: &mut Cluster, within: Duration) {
    let began = Instant::now();
    while began.elapsed() < within {
        let dropped = timeout(Duration::from_millis(100), cluster.keep_running()).await;
        assert!(dropped.is_err());
    }
}

#[tokio::test]
async fn a_recovery_goes_on_however_often_its_future_is_dropped() {
    let state = seeded_state_dir();
    let mut cluster = open(state.path(), Role::Daemon).await.unwrap();
    keep_a_row(&cluster).await;
    let recovery = Recovery::prepare(state.path());
    let former = server_of(state.path()).unwrap();
    kill9(former);
    let recovering = tokio::select! {
        server = next_server(state.path(), Some(former)) => server,
        never = cluster.keep_running() => match never {},
    };
    drop_again_and_again(&mut cluster, Duration::from_secs(2)).await;
    assert_eq!(
        server_of(state.path()),
        Some(recovering),
        "it was begun anew"
    );
    recovery.end();
    let options = cluster.connect_options();
    let back = eventually("the server to be back", PATIENCE, async || {
        drop_again_and_again(&mut cluster, Duration::from_millis(100)).await;
        let mut connection = PgConnection::connect_with(&options).await.ok()?;
        let word: Result<String, _> = sqlx::query_scalar("select word from kept.kept")
            .fetch_one(&mut connection)
            .await;
        word.ok()
    })
    .await;
    assert_eq!(back, "still here");
    assert_eq!(server_of(state.path()), Some(recovering));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_whose_future_is_dropped_is_resumed() {
    let state = seeded_state_dir();
    let recovery = Recovery::prepare(state.path());
    let mut cluster = Cluster::prepare(state.path(), options(Role::Daemon)).unwrap();
    // Also before there is a process.
    for milliseconds in 0..50 {
        let early = timeout(Duration::from_millis(milliseconds), cluster.start()).await;
        assert!(early.is_err(), "ready while it recovers");
    }
    let server = next_server(state.path(), None).await;
    recovery.end();
    cluster.start().await.unwrap();
    assert_eq!(server_of(state.path()), Some(server), "it was begun anew");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_recovery_longer_than_the_limit_of_a_start_is_waited_for_and_reported() {
    let state = seeded_state_dir();
    let recovery = Recovery::prepare(state.path());
    let mut options = options(Role::Daemon);
    options.ready_within = Duration::from_secs(4);
    let mut cluster = Cluster::prepare(state.path(), options).unwrap();
    let began = Instant::now();
    while !cluster.progress().contains("still recovering after 6 s") {
        let early = timeout(Duration::from_millis(100), cluster.start()).await;
        assert!(early.is_err(), "{early:?}");
        assert!(began.elapsed() < PATIENCE, "{}", cluster.progress());
    }
    recovery.end();
    timeout(PATIENCE, cluster.start()).await.unwrap().unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_of_a_daemon_comes_back_after_a_long_recovery() {
    let state = seeded_state_dir();
    let (mut daemon, server) = start_daemon(state.path()).await;
    let recovery = Recovery::prepare(state.path());
    kill9(server);
    // The line is what is promised: a long recovery is reported now and then.
    daemon.line("still recovering after").await;
    let recovering = next_server(state.path(), Some(server)).await;
    recovery.end();
    let client = eventually("the server to be back", PATIENCE, async || {
        open(state.path(), Role::Client).await.ok()
    })
    .await;
    assert_eq!(kept_row(&client).await, "still here");
    assert_eq!(
        server_of(state.path()),
        Some(recovering),
        "it was begun anew"
    );
    client.stop().await.unwrap();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success(), "{}", daemon.stderr());
}

#[tokio::test]
async fn a_stop_during_recovery_ends_soon_even_when_the_server_hangs() {
    let state = seeded_state_dir();
    let _recovery = Recovery::prepare(state.path());
    let mut cluster = Cluster::prepare(state.path(), options(Role::Daemon)).unwrap();
    let early = timeout(Duration::from_secs(1), cluster.start()).await;
    assert!(early.is_err(), "ready while it recovers");
    let server = next_server(state.path(), None).await;
    let startup = startup_process(server).expect("a process that recovers");
    kill(
        Pid::from_raw(i32::try_from(startup).unwrap()),
        Signal::SIGSTOP,
    )
    .unwrap();
    let began = Instant::now();
    cluster.stop().await.unwrap();
    assert!(began.elapsed() < STOP_WITHIN, "{:?}", began.elapsed());
    assert!(!is_alive(server) && !is_alive(startup));
}

#[tokio::test]
async fn a_daemon_told_to_stop_during_recovery_ends_with_its_server() {
    let state = seeded_state_dir();
    let _recovery = Recovery::prepare(state.path());
    let mut daemon = Running::start(&mut program(state.path(), &["run"]));
    let server = next_server(state.path(), None).await;
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success(), "{}", daemon.stderr());
    assert!(began.elapsed() < STOP_WITHIN, "{:?}", began.elapsed());
    assert!(!is_alive(server), "the server was left behind");
}

#[tokio::test]
async fn a_daemon_told_to_stop_while_its_server_recovers_again_ends_with_it() {
    let state = seeded_state_dir();
    let (mut daemon, former) = start_daemon(state.path()).await;
    let _recovery = Recovery::prepare(state.path());
    kill9(former);
    let server = next_server(state.path(), Some(former)).await;
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success(), "{}", daemon.stderr());
    assert!(began.elapsed() < STOP_WITHIN, "{:?}", began.elapsed());
    assert!(!is_alive(server), "the server was left behind");
}
