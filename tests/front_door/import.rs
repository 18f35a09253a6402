//! Saved documents, stored as if they had just been pulled.

use std::io::Write as _;
use std::process::{Output, Stdio};

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use tokio::io::AsyncWriteExt as _;

use crate::support::{CommandResult, Running, World, assert_reads};

const ONE: &str = "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>One</title></advisory></advisories>";
const TWO: &str = "<advisories><advisory><advisory_identifier>SA2</advisory_identifier><title>Two</title></advisory></advisories>";
const THREE: &str = "<advisories><advisory><advisory_identifier>SA3</advisory_identifier><title>Three</title></advisory></advisories>";

/// Imports on standard input.
fn piped(world: &World, bytes: &[u8]) -> Output {
    let mut child = world
        .command(&["import", "-", "--watch-list", "1", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn saved_documents_come_in_as_pulled_ones_and_move_no_window() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let gzip = dir.path().join("one.xml.gz");
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(ONE.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    std::fs::write(&gzip, encoder.into_inner()).unwrap();
    let zstd = dir.path().join("two.xml.zst");
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(TWO.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    std::fs::write(&zstd, encoder.into_inner()).unwrap();
    // No token anywhere: an air-gapped site has none.
    let mut command = world.command(&["import"]);
    std::fs::remove_file(world.token_file()).unwrap();
    let output = command
        .args([&gzip, &zstd])
        .args(["--watch-list", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(piped(&world, THREE.as_bytes()).status.success());
    // The same again says nothing new.
    let again = piped(&world, THREE.as_bytes());
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(
        (&report["mode"], &report["unchanged"]),
        (&"import".into(), &1.into())
    );
    assert_eq!(report["requests"], 0);
    let said: Vec<String> = world.versions().await.into_keys().collect();
    assert_eq!(said, ["SA1", "SA2", "SA3"]);
    let moved = "select count(*) from advisoryd.source where not isempty(covered) or last_success_at is not null";
    assert_eq!(world.count(moved).await, 0);
    let runs = "select count(*) from advisoryd_v1.sync_runs where mode = 'import' and outcome = 'ok' and window_from is null";
    assert_eq!(world.count(runs).await, 4);
    assert_eq!(world.simulator.requests().len(), 0);
}

#[tokio::test]
async fn a_file_that_is_no_feed_fails_and_leaves_the_list_as_it_was() {
    let world = World::new().await;
    let mut failures = Vec::new();
    for bytes in [
        &b"<html><body>Sign in</body></html>"[..],
        b"\x1f\x8b\x08\x00broken",
        b"<advisories><advisory><advisory_identifier>SA9",
    ] {
        let result = CommandResult::from(piped(&world, bytes));
        assert_eq!(result.code, 1, "{result:?}");
        failures.push(result.without_data().to_string());
    }
    assert_reads!(failures.join("\n"));
    let failing = "select count(*) from advisoryd_v1.watch_lists where last_error is not null";
    assert_eq!(world.count(failing).await, 0);
}

#[tokio::test]
async fn a_record_that_is_new_in_quarantine_fails_the_command_once() {
    const WITHOUT_ID: &str = "<advisories><advisory><title>One</title></advisory><advisory><advisory_identifier>SA2</advisory_identifier><title>Two</title></advisory></advisories>";
    let world = World::new().await;
    let first = CommandResult::from(piped(&world, WITHOUT_ID.as_bytes()));
    assert_eq!(first.code, 1, "{first}");
    assert_reads!(first.stderr);
    let again = CommandResult::from(piped(&world, WITHOUT_ID.as_bytes()));
    assert_eq!(again.code, 0, "{again}");
}

#[tokio::test]
async fn a_list_that_is_not_configured_takes_nothing_in() {
    let world = World::new().await;
    let result = world.cli(&["import", "x.xml", "--watch-list", "99"]);
    assert_eq!(result.code, 1);
    assert_reads!(result);
}

/// What was repaired, what could not be read, and what nobody knows is counted by name.
#[tokio::test]
async fn what_could_not_be_read_is_said_as_show_does() {
    let world = World::new().await;
    let record = |number: u32, more: &str| {
        format!(
            "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T</title>{more}</advisory>"
        )
    };
    let document = |records: &[String]| format!("<advisories>{}</advisories>", records.join(""));
    let first = document(&[
        record(1, "<criticality>Purple</criticality><colour>red</colour>"),
        record(
            2,
            "<criticality>Pink</criticality><released>soon</released>",
        ),
        record(3, "<description>tab \u{b} character</description>"),
        record(4, "<criticality>2</criticality>"),
    ]);
    let file = world.dir().join("feed.xml");
    std::fs::write(&file, &first).unwrap();
    let path = file.display().to_string();
    let page = world.cli(&["import", "--watch-list", "1", &path]);
    assert_eq!(page.code, 0, "{page}");
    // Only of what this run stored.
    let second = first.replace("SA1", "SA5");
    let output = piped(&world, second.as_bytes());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["added"], &report["unchanged"]),
        (&1.into(), &3.into())
    );
    assert_eq!(
        (&report["repaired"], &report["unread_values"]),
        (&0.into(), &1.into())
    );
    assert_eq!(report["unread_fields"], serde_json::json!(["criticality"]));
    assert_eq!(
        report["unknown_fields"],
        serde_json::json!(["advisory/colour"])
    );
    std::fs::write(
        &file,
        document(&[record(9, "<criticality>2</criticality>")]),
    )
    .unwrap();
    let nothing = world.cli(&["import", "--watch-list", "1", &path]);
    assert_eq!(nothing.stdout.lines().count(), 1, "{nothing}");
    assert_reads!(page, nothing);
}

#[tokio::test]
async fn a_pipe_in_place_of_a_file_keeps_no_command_waiting() {
    let world = World::new().await;
    world.pull_one().await;
    let pipe = world.dir().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let bundle = world.dir().join("bundle");
    std::fs::create_dir(&bundle).unwrap();
    std::fs::rename(&pipe, bundle.join("manifest.json")).unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let key = world.dir().join("key");
    std::fs::write(&key, "bm9ib2R5IGd1ZXNzZXMgdGhpcyBrZXkgb2YgYSB0ZXN0").unwrap();
    let text = |path: &std::path::Path| path.display().to_string();
    let (pipe, bundle, key) = (text(&pipe), text(&bundle), text(&key));
    let mut said = Vec::new();
    for arguments in [
        &["import", &pipe, "--watch-list", "1"][..],
        &["inspect", &pipe],
        &["enrich", &pipe],
        &["import", &bundle, "--key-file", &key],
        &["import", &bundle, "--key-file", &pipe],
        &["mirror", "--out", &bundle, "--key-file", &pipe],
        &["database", "restore", &pipe, "--yes"],
    ] {
        let mut command = world.command(arguments);
        if arguments[0] == "import" && arguments[2] == "--key-file" {
            command.env("ADVISORYD_UPSTREAM__OFFLINE", "true");
        }
        let mut running = Running::start(&mut command);
        let status = running.ended().await;
        let stderr = running.stderr();
        assert!(!status.success(), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("not a regular file"),
            "{arguments:?}: {stderr}"
        );
        said.push(stderr);
    }
    assert_reads!(said.join(""));
}
