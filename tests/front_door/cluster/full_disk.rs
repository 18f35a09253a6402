//! A disk that is full, and one that is no longer.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use advisoryd::cluster::{Cluster, ClusterError, Role, SUPERUSER};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::{is_root, kept_row, open, options, program, start_daemon_as};
use crate::support::{Manager, Running, eventually, state_dir};

/// How long the pause before the next attempt may get, and the attempt.
const RETRIED_WITHIN: Duration = Duration::from_mins(1);

/// Runs a test that has a small disk of its own. It is mounted for the thread of
/// the test and what that starts, and gone with them.
pub(super) fn with_small_disk(megabytes: u32, test: impl AsyncFnOnce(&Path) + Send + 'static) {
    if !may_mount() {
        // Not `eprintln!`: the harness would keep it to itself.
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED, NOT TESTED: a full disk. It needs root and permission to mount a tmpfs."
        );
        return;
    }
    let state = state_dir();
    let disk = state.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted_on = disk.clone();
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount::<str, str, str, str>(None, "/", None, private, None).unwrap();
        let size = format!("mode=0755,size={megabytes}m");
        mount(
            Some("tmpfs"),
            &disk,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(size.as_str()),
        )
        .unwrap();
        Runtime::new().unwrap().block_on(test(&disk));
    })
    .join()
    .unwrap();
    assert!(fs::read_dir(mounted_on).unwrap().next().is_none());
}

/// Whether a thread of this process may mount in a namespace of its own: not as another
/// user, and not in a container without the capability.
fn may_mount() -> bool {
    let may = || {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount::<str, str, str, str>(None, "/", None, private, None)
    };
    is_root() && thread::spawn(move || may().is_ok()).join().unwrap()
}

/// Takes all the space that is left.
fn fill(disk: &Path) -> PathBuf {
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    filler
}

#[test]
fn a_full_disk_is_an_error_of_its_own_at_the_first_start() {
    with_small_disk(24, async |disk| {
        let state = disk.join("state");
        let refused = open(&state, Role::Client).await.unwrap_err();
        assert!(
            matches!(refused, ClusterError::DiskFull { .. }),
            "{refused}"
        );
        assert!(refused.to_string().starts_with("disk full: "), "{refused}");
        assert!(refused.is_temporary());
        let enlarged = Command::new("mount")
            .args(["-o", "remount,size=256m"])
            .arg(disk)
            .status()
            .unwrap();
        assert!(enlarged.success());
        let cluster = open(&state, Role::Client).await.unwrap();
        cluster.stop().await.unwrap();
    });
}

#[test]
fn a_full_disk_is_an_error_of_its_own_at_a_later_start() {
    with_small_disk(256, async |disk| {
        let state = disk.join("state");
        let cluster = open(&state, Role::Client).await.unwrap();
        cluster.stop().await.unwrap();
        let filler = fill(disk);
        let refused = open(&state, Role::Client).await.unwrap_err();
        assert!(
            matches!(refused, ClusterError::DiskFull { .. }),
            "{refused}"
        );
        // Waits, and goes on by itself.
        let mut waiting = Cluster::prepare(&state, options(Role::Daemon)).unwrap();
        while !waiting.progress().contains("disk full") {
            let attempts = timeout(Duration::from_millis(200), waiting.start_patiently());
            let early = attempts.await;
            assert!(early.is_err(), "{early:?}");
        }
        fs::remove_file(filler).unwrap();
        waiting.start_patiently().await.unwrap();
        waiting.stop().await.unwrap();
    });
}

#[test]
fn a_daemon_outlives_a_full_disk_and_reports_it_once() {
    with_small_disk(160, async |disk| {
        let state = disk.join("state");
        fs::create_dir(&state).unwrap();
        let mut command = program(&state, &["run"]);
        // Repeated failures are logged at this level only.
        command.env("ADVISORYD_LOG__FILTER", "info,advisoryd::cluster=debug");
        let (mut daemon, _) = start_daemon_as(&state, &mut command).await;
        let client = open(&state, Role::Client).await.unwrap();
        let filler = fill(disk);
        use_up_the_log(&client).await;
        let reports = |daemon: &Running| -> (usize, usize) {
            let events = daemon.events();
            let is_report = |event: &&Value| {
                let message = event["message"].as_str().unwrap_or_default();
                message.contains("disk full")
            };
            let (repeated, loud): (Vec<&Value>, Vec<&Value>) = events
                .iter()
                .filter(is_report)
                .partition(|event| event["level"] == "DEBUG");
            (loud.len(), repeated.len())
        };
        eventually("three more attempts", RETRIED_WITHIN, async || {
            (reports(&daemon).1 >= 3).then_some(())
        })
        .await;
        assert_eq!(reports(&daemon).0, 1, "{}", daemon.stderr());
        fs::remove_file(filler).unwrap();
        let word = eventually("the server to be back", RETRIED_WITHIN, async || {
            let client = open(&state, Role::Client).await.ok()?;
            let word = kept_row(&client).await;
            client.stop().await.ok()?;
            Some(word)
        })
        .await;
        assert_eq!(word, "still here");
        assert_eq!(reports(&daemon).0, 1, "{}", daemon.stderr());
        daemon.kill9();
    });
}

/// Writes to the server's log until there is no space for more.
async fn use_up_the_log(cluster: &Cluster) {
    let options = cluster.connect_options().username(SUPERUSER);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let sql = "select pg_logical_emit_message(false, 'filler', repeat('x', 1000000))";
    while sqlx::query(sql).execute(&mut connection).await.is_ok() {}
}

#[test]
fn a_daemon_that_is_started_on_a_full_disk_waits() {
    with_small_disk(160, async |disk| {
        let state = disk.join("state");
        let client = open(&state, Role::Client).await.unwrap();
        client.stop().await.unwrap();
        let mut command = program(&state, &["run"]);
        let filler = fill(disk);
        let mut manager = Manager::new();
        let mut daemon = Running::start(manager.listens_to(&mut command));
        let failed = daemon.event("a failed start", |event| event["level"] == "ERROR");
        let failed = failed.await;
        assert!(failed["message"].to_string().contains("disk full"));
        fs::remove_file(filler).unwrap();
        manager.hears("READY=1").await;
        daemon.kill9();
    });
}
