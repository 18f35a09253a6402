//! `advisoryd database`: backup, restore, move and upgrade, also when they are killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;

use crate::support::settings::WatchList;
use crate::support::{
    CommandResult, PATIENCE, Running, World, assert_reads, binary, empty_database, eventually,
};

/// The answer of a question to the database of the configuration.
fn advisories(world: &World) -> String {
    let result = world.cli(&["advisories", "--json", "--limit", "0"]);
    assert_eq!(result.code, 0, "{result}");
    assert!(result.stdout.lines().count() > 1, "{result}");
    result.stdout
}

/// A world with stored advisories, and a backup of them.
async fn backed_up() -> (World, PathBuf) {
    let world = World::new().await;
    world.pull_one().await;
    let file = world.dir().join("advisoryd.dump");
    let result = world.cli(&["database", "backup", path(&file)]);
    assert_eq!(result.code, 0, "{result}");
    (world, file)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// From now on the world uses a private database of its own.
fn use_private(world: &mut World) -> PathBuf {
    let state = world.dir().join("state");
    world.settings.state.dir = Some(state.display().to_string());
    state
}

#[tokio::test]
async fn a_backup_is_restored_into_a_private_database() {
    let (mut world, file) = backed_up().await;
    drop(world.run().await);
    let result = world.cli(&["database", "backup", "--overwrite", path(&file)]);
    assert_eq!(result.code, 0, "{result}");
    let expected = advisories(&world);
    let verified = world.cli(&["verify"]).stdout;
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let result = world.cli(&["database", "backup", path(&file)]);
    assert_eq!(result.code, 1, "{result}");
    assert!(result.stderr.contains("--overwrite"), "{result}");

    use_private(&mut world);
    let result = world.cli(&["database", "restore", path(&file)]);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(advisories(&world), expected);
    assert_eq!(world.cli(&["verify"]).stdout, verified);
    let status = world.cli(&["status"]).stdout;
    assert!(
        status.starts_with("daemon: not running (none has been seen yet)"),
        "the daemon of the other database is none of this one: {status}"
    );
    let again = world.cli(&["database", "restore", path(&file)]);
    assert_eq!(again.code, 1, "{again}");
    assert!(again.stderr.contains("--replace"), "{again}");
    let replaced = world.cli(&["database", "restore", "--replace", "--yes", path(&file)]);
    assert_eq!(replaced.code, 0, "{replaced}");
    assert_eq!(advisories(&world), expected);
}

/// A copy of the database of a daemon that runs, restored elsewhere for tests: the daemon that
/// the copy remembers works with the other database.
#[tokio::test]
async fn a_backup_of_a_running_daemon_is_restored_for_another_configuration() {
    let (mut world, file) = backed_up().await;
    let daemon = world.run().await;
    let result = world.cli(&["database", "backup", "--overwrite", path(&file)]);
    assert_eq!(result.code, 0, "{result}");
    let expected = advisories(&world);
    use_private(&mut world);
    world.settings.watch_lists.push(WatchList {
        id: 77,
        ..WatchList::default()
    });
    for options in [&[][..], &["--replace", "--yes"]] {
        let command = [&["database", "restore"][..], options, &[path(&file)]].concat();
        let result = world.cli(&command);
        assert_eq!(result.code, 0, "{result}");
        assert!(result.stdout.starts_with("restored "), "{result}");
    }
    assert_eq!(advisories(&world), expected);
    drop(daemon);
}

#[tokio::test]
async fn a_damaged_backup_changes_nothing() {
    let (mut world, file) = backed_up().await;
    use_private(&mut world);
    let whole = fs::read(&file).unwrap();
    let broken = world.dir().join("broken.dump");
    let mut all = Vec::new();
    for length in [0, 3, whole.len() / 2, whole.len() - 1] {
        fs::write(&broken, &whole[..length]).unwrap();
        let result = world.cli(&["database", "restore", path(&broken)]);
        assert_eq!(result.code, 1, "{length} bytes: {result}");
        // On a busy machine the server of before is still starting.
        let is_of_restore = |line: &&str| !line.contains("is still recovering");
        let lines: Vec<&str> = result.stderr.lines().filter(is_of_restore).collect();
        all.push(lines.join("\n") + "\n");
    }
    assert_reads!(all.join("\n"));
    let result = world.cli(&["database", "restore", path(&file)]);
    assert_eq!(result.code, 0, "{result}");
    // What a replacement leaves that is killed between its two renames.
    let expected = advisories(&world);
    let data = world.dir().join("state/postgresql/data");
    fs::rename(&data, data.with_extension("next")).unwrap();
    assert_eq!(advisories(&world), expected);
}

#[tokio::test]
async fn a_backup_that_is_killed_leaves_no_file_of_its_name() {
    let (world, _) = backed_up().await;
    let file = world.dir().join("second.dump");
    let mut killed = Running::start(&mut world.command(&["database", "backup", path(&file)]));
    let partial = world.dir().join("second.dump.partial");
    eventually("the file that is being written", PATIENCE, async || {
        partial.exists().then_some(())
    })
    .await;
    killed.kill9();
    assert!(
        !file.exists() || !partial.exists(),
        "either complete or not there"
    );
    let result = world.cli(&["database", "backup", "--overwrite", path(&file)]);
    assert_eq!(result.code, 0, "{result}");
    assert!(!partial.exists());
}

#[tokio::test]
async fn all_data_moves_to_another_server_and_the_configuration_follows() {
    let (mut world, file) = backed_up().await;
    let expected = advisories(&world);
    use_private(&mut world);
    assert_eq!(world.cli(&["database", "restore", path(&file)]).code, 0);
    let empty = empty_database().await;
    let config = world.config_file();
    let run = |arguments: &[&str]| {
        let mut command = binary();
        command.arg("--config").arg(&config).args(arguments);
        command.output().expect("the command")
    };
    let refused = run(&["database", "move", "postgres://a:secret@127.0.0.1/x"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && error.contains("--password-file"),
        "{error}"
    );
    assert!(!error.contains("secret@"), "{error}");
    let moved = run(&["database", "move", &empty.url]);
    assert!(
        moved.status.success(),
        "{}",
        String::from_utf8_lossy(&moved.stderr)
    );
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains(&empty.url), "{text}");
    let asked = run(&["advisories", "--json", "--limit", "0"]);
    assert_eq!(String::from_utf8_lossy(&asked.stdout), expected);
    let again = run(&["database", "move", &empty.url]);
    assert!(!again.status.success());
}

#[tokio::test]
async fn a_daemon_that_runs_is_in_the_way() {
    let (mut world, file) = backed_up().await;
    use_private(&mut world);
    assert_eq!(world.cli(&["database", "restore", path(&file)]).code, 0);
    let daemon = world.run().await;
    for arguments in [
        &["database", "restore", "--replace", "--yes", path(&file)][..],
        &["database", "upgrade", "--rewrite"],
        &["database", "move", "postgres:///x?host=/nowhere"],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 1, "{result}");
    }
    drop(daemon);
}

/// Killed at many moments, the data in use is complete at each.
#[tokio::test]
async fn an_upgrade_that_is_killed_loses_nothing() {
    let (mut world, file) = backed_up().await;
    let expected = advisories(&world);
    let state = use_private(&mut world);
    assert_eq!(world.cli(&["database", "restore", path(&file)]).code, 0);
    let verified = world.cli(&["verify"]).stdout;
    let upgrade = ["database", "upgrade", "--rewrite"];
    let old = state.join("postgresql/data.old");
    let mut killed = 0;
    for step in 1.. {
        let mut running = Running::start(&mut world.command(&upgrade));
        let is_over = tokio::select! {
            status = running.ended() => { assert!(status.success(), "{}", running.stderr()); true }
            () = sleep(Duration::from_millis(step * 700)) => false,
        };
        if !is_over {
            running.kill9();
            killed += 1;
        }
        drop(running);
        assert_eq!(advisories(&world), expected, "killed in step {step}");
        if old.exists() {
            fs::remove_dir_all(&old).unwrap();
        }
        if is_over {
            break;
        }
    }
    assert!(killed > 0, "it was never killed");
    assert_eq!(world.cli(&["verify"]).stdout, verified);
}

/// Starts a command and kills it after a time that grows with `step`, unless it ends before;
/// whether it ended.
async fn is_over_before(step: u64, mut command: Command) -> bool {
    let mut running = Running::start(&mut command);
    tokio::select! {
        status = running.ended() => {
            assert!(status.success(), "step {step}: {}", running.stderr());
            true
        }
        () = sleep(Duration::from_millis(step * 250)) => {
            running.kill9();
            false
        }
    }
}

/// Killed at many moments, the database has either the former data or that of the backup.
#[tokio::test]
async fn a_restore_that_is_killed_loses_nothing_and_can_be_repeated() {
    let (mut world, file) = backed_up().await;
    let restored = advisories(&world);
    let state = use_private(&mut world);
    assert_eq!(world.cli(&["database", "restore", path(&file)]).code, 0);
    let verified = world.cli(&["verify"]).stdout;
    world.simulator.publish(5);
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result}");
    let former = advisories(&world);
    assert_ne!(former, restored);
    let old = state.join("postgresql/data.old");
    let restore = ["database", "restore", "--replace", "--yes", path(&file)];
    let mut killed = 0;
    for step in 1.. {
        let is_over = is_over_before(step, world.command(&restore)).await;
        killed += u32::from(!is_over);
        let now = advisories(&world);
        assert!(now == former || now == restored, "killed in step {step}");
        if old.exists() {
            assert_eq!(now, restored, "killed in step {step}");
            fs::remove_dir_all(&old).unwrap();
        }
        if is_over {
            break;
        }
    }
    assert!(killed > 0, "it was never killed");
    assert_eq!(advisories(&world), restored);
    assert_eq!(world.cli(&["verify"]).stdout, verified);
}

/// The same into a private database without data.
#[tokio::test]
async fn a_first_restore_that_is_killed_can_be_repeated() {
    let (mut world, file) = backed_up().await;
    let expected = advisories(&world);
    use_private(&mut world);
    let mut killed = 0;
    for step in 1.. {
        let restore = ["database", "restore", path(&file)];
        if is_over_before(step, world.command(&restore)).await {
            break;
        }
        killed += 1;
        // Killed after everything was restored, it asks before it does so again.
        let again = world.cli(&["database", "restore", path(&file)]);
        if again.code != 0 {
            assert!(again.stderr.contains("use --replace"), "{again}");
        }
        assert_eq!(advisories(&world), expected, "killed in step {step}");
        let state = world.dir().join(format!("state-{step}"));
        world.settings.state.dir = Some(state.display().to_string());
    }
    assert!(killed > 0, "it was never killed");
    assert_eq!(advisories(&world), expected);
}

/// Killed at many moments, the configuration names a database that has everything, and the
/// same command completes the move.
#[tokio::test]
async fn a_move_that_is_killed_loses_nothing_and_can_be_repeated() {
    let (mut world, file) = backed_up().await;
    let expected = advisories(&world);
    use_private(&mut world);
    assert_eq!(world.cli(&["database", "restore", path(&file)]).code, 0);
    let config = world.config_file();
    let original = fs::read_to_string(&config).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = binary();
        command.arg("--config").arg(&config).args(arguments);
        command
    };
    let result = |arguments: &[&str]| CommandResult::from(command(arguments).output().unwrap());
    let all = ["advisories", "--json", "--limit", "0"];
    let mut killed = 0;
    for step in 1.. {
        let empty = empty_database().await;
        let is_over = is_over_before(step, command(&["database", "move", &empty.url])).await;
        killed += u32::from(!is_over);
        let text = fs::read_to_string(&config).unwrap();
        assert!(text == original || text.contains(&empty.url), "{text}");
        assert_eq!(result(&all).stdout, expected, "killed in step {step}");
        if text == original {
            let again = result(&["database", "move", &empty.url]);
            assert_eq!(again.code, 0, "killed in step {step}: {again}");
            assert_eq!(result(&all).stdout, expected, "killed in step {step}");
        }
        if is_over {
            break;
        }
        fs::write(&config, &original).unwrap();
    }
    assert!(killed > 0, "it was never killed");
}

/// Only its own copy, of an attempt that was killed, is in a move's way no more.
#[tokio::test]
async fn a_move_to_other_data_of_advisoryd_is_refused() {
    let (mut world, file) = backed_up().await;
    let moved_to = empty_database().await;
    let url = world.database.url.clone();
    world.settings.database.url = Some(moved_to.url.clone());
    assert_eq!(world.cli(&["database", "restore", path(&file)]).code, 0);
    world.settings.database.url = Some(url);
    world.simulator.publish(1);
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    let refused = world.cli(&["database", "move", &moved_to.url]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("with other data"), "{refused}");
}
