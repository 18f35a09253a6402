//! Migrations are written once: what databases already have stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha384};

use crate::support::World;

/// A line for each migration, as `sha384sum` writes it. The same checksums stand
/// in `advisoryd._sqlx_migrations` of every database.
const LIST: &str = "migrations/SHA384SUMS";

/// Checksums of the migrations that are there, by file name.
fn files(directory: &Path) -> BTreeMap<String, String> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let digest = Sha384::digest(std::fs::read(&path).unwrap());
            let checksum = digest.iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            });
            (name, checksum)
        })
        .collect()
}

#[test]
fn a_migration_is_never_edited() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = files(&root.join("migrations"));
    let list = std::fs::read_to_string(root.join(LIST)).unwrap();
    let listed: BTreeMap<&str, &str> = list
        .lines()
        .map(|line| line.split_once("  ").expect(line))
        .map(|(checksum, name)| (name, checksum))
        .collect();
    assert!(!files.is_empty());
    for (name, checksum) in &files {
        match listed.get(name.as_str()) {
            Some(listed) => assert_eq!(
                checksum, listed,
                "migrations/{name} was edited. Databases that have it refuse a program with \
                 another one: restore it, and add a new migration instead"
            ),
            None => panic!("migrations/{name} is new: add `{checksum}  {name}` to {LIST}"),
        }
    }
    for name in listed.keys() {
        assert!(
            files.contains_key(*name),
            "migrations/{name} is gone. Databases that have it refuse a program without it: \
             restore it, and add a new migration instead"
        );
    }
}

/// The first commit whose migrations were released for good.
const BASELINE: &str = "a600fdeb";

/// What git prints, or why there is no answer.
fn git(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR")])
        .args(arguments)
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("git {}: {}", arguments.join(" "), stderr.trim()))
}

/// The test above compares list and files of one commit, so it passes if both were edited.
#[test]
fn a_migration_of_an_earlier_commit_is_never_edited() {
    if let Err(reason) = git(&["merge-base", "--is-ancestor", BASELINE, "HEAD"]) {
        // Not `eprintln!`: the harness would keep it to itself.
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED, NOT TESTED: migrations of earlier commits. No history since {BASELINE}: {reason}"
        );
        return;
    }
    let range = format!("{BASELINE}..HEAD");
    let edited = git(&["rev-list", "--full-history", &range, "--", LIST]).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join(LIST)).unwrap();
    let listed: BTreeSet<&str> = list.lines().collect();
    for commit in edited.lines().chain([BASELINE]) {
        let earlier = git(&["show", &format!("{commit}:{LIST}")]).unwrap();
        assert!(!earlier.is_empty());
        for line in earlier.lines() {
            assert!(
                listed.contains(line),
                "{LIST} of commit {commit} has the line\n{line}\nwhich is gone or was edited. \
                 Databases may have that migration: restore it, and add a new one instead. If \
                 it was never on main, join the commits that add and edit it"
            );
        }
    }
}

/// Databases of two development versions: the numbers of their migrations.
const DEVELOPMENT: &[&str] = &["1, 2, 3", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 20, 21"];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_development_version_is_refused_with_a_way_out() {
    let world = World::new().await;
    for numbers in DEVELOPMENT {
        let sql = format!(
            "truncate advisoryd._sqlx_migrations;
             insert into advisoryd._sqlx_migrations (version, description, success, checksum, execution_time)
             select version, 'of a development version', true, '\\x00', 0
             from unnest(array[{numbers}]) as version"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(world.pool())
            .await
            .unwrap();
        for command in ["migrate", "run", "sync", "status", "changes", "check"] {
            let result = world.cli(&[command]);
            // A service manager must not start it again and again.
            let code = if command == "run" { 69 } else { 1 };
            assert_eq!(result.code, code, "{command}: {}", result.stderr);
            let said = result.stdout + &result.stderr;
            for part in [
                "created by a development version of advisoryd before 0.1",
                "its migration 1 ",
                "create a new one",
            ] {
                assert!(said.contains(part), "{command}: {said}");
            }
        }
        let applied = "select count(*) from advisoryd._sqlx_migrations where checksum <> '\\x00'";
        assert_eq!(world.count(applied).await, 0, "nothing was applied to it");
    }
}
