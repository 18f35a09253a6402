//! A disk that fills up while upstream sends: nothing of it is lost.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use advisoryd::cluster::Role;
use advisoryd::simulate::{self, SimulatorOptions};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::full_disk::with_small_disk;
use super::{connect, open, program};
use crate::support::{Manager, Running, eventually};

const ADVISORIES: i64 = 4000;
/// What is left when the load begins; the load needs several times as much.
const LEFT_BYTES: u64 = 6 * 1024 * 1024;
/// The longest pause of the server's restarts and of the workers' retries, several times.
const RETRIED_WITHIN: Duration = Duration::from_mins(3);

/// Takes all the space but [`LEFT_BYTES`].
fn nearly_fill(disk: &Path) -> std::path::PathBuf {
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.seek(SeekFrom::End(0)).unwrap();
    file.set_len(length - LEFT_BYTES).unwrap();
    filler
}

/// Lines about the full disk: those that an operator sees, and those below.
fn reports(daemon: &Running) -> (Vec<Value>, usize) {
    let is_report = |event: &Value| {
        event["message"]
            .as_str()
            .unwrap_or("")
            .contains("disk full")
    };
    let events = daemon.events().into_iter().filter(is_report);
    let (repeated, loud): (Vec<Value>, Vec<Value>) =
        events.partition(|event| event["level"] == "DEBUG");
    (loud, repeated.len())
}

fn succeeds(mut command: Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let result = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{result}{said}");
}

#[test]
fn what_is_sent_while_the_disk_is_full_is_stored_when_there_is_space() {
    with_small_disk(240, async |disk| {
        let options = SimulatorOptions {
            advisories: usize::try_from(ADVISORIES).unwrap(),
            tickets: 0,
            watch_lists: 1,
            token: "nobody-asks-for-it".to_owned(),
            ..SimulatorOptions::default()
        };
        let simulator = simulate::start(options).await.unwrap();
        let state = disk.join("state");
        fs::create_dir(&state).unwrap();
        let command = |arguments: &[&str]| {
            let mut command = program(&state, arguments);
            command.env("ADVISORYD_UPSTREAM__BASE_URL", simulator.base_url());
            command.env("ADVISORYD_TICKETS__ENABLED", "false");
            command.env("ADVISORYD_FEEDS__DETAILS", "never");
            command.env("ADVISORYD_FEEDS__SWEEP", "false");
            command
        };
        succeeds(command(&["migrate"]));
        let filler = nearly_fill(disk);
        let mut manager = Manager::new();
        let mut daemon = Running::start(manager.listens_to(
            // Repeated failures are logged at this level only.
            command(&["run"]).env("ADVISORYD_LOG__FILTER", "info,advisoryd=debug"),
        ));
        manager.hears("disk full: ").await;
        eventually("three more attempts", RETRIED_WITHIN, async || {
            (reports(&daemon).1 >= 3).then_some(())
        })
        .await;
        fs::remove_file(filler).unwrap();
        let client = eventually("all advisories", RETRIED_WITHIN, async || {
            let client = open(&state, Role::Client).await.ok()?;
            let count = "select count(*) from advisoryd_v1.advisories";
            let stored: i64 = sqlx::query_scalar(count)
                .fetch_one(&mut connect(&client).await)
                .await
                .ok()?;
            (stored == ADVISORIES).then_some(client)
        })
        .await;
        // The workers say it once together; the server does if it ended of it.
        let (loud, _) = reports(&daemon);
        assert!((1..=2).contains(&loud.len()), "{loud:#?}");
        manager.hears("STATUS=following").await;
        // The last record is stored before its run has ended.
        eventually("a database that verifies", RETRIED_WITHIN, async || {
            let verified = command(&["verify"]).output().unwrap();
            verified.status.success().then_some(())
        })
        .await;
        client.stop().await.unwrap();
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.ended().await.success(), "{}", daemon.stderr());
    });
}
