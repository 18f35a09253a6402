//! Finds the programs of an installed PostgreSQL server (`postgres`, `initdb`),
//! of the version that wrote the data.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::Account;
use super::directory::Directory;
use super::error::ClusterError;
use super::options::ServerSearch;
use super::program::{CancelFlag, Finished, Keep, run};

/// Oldest major version that is still maintained and knows lz4.
const OLDEST_MAJOR: u32 = 14;

/// Longest content of `PG_VERSION`: a number and a line feed.
const VERSION_LIMIT_BYTES: u64 = 16;

/// Longest time for a program that only prints its version or a path.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The programs of one server.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    /// Holds `postgres` and `initdb`.
    pub directory: PathBuf,
    pub major: u32,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Finds the server for `directory`: of the version of its data where there is
/// some, else the first in the order of [`ServerSearch`] that is new enough.
pub(super) fn find(
    search: &ServerSearch,
    account: &Account,
    directory: &Directory,
) -> Result<Binaries, ClusterError> {
    find_version(search, account, data_version(directory)?, &directory.data())
}

/// The newest installed server, wherever it is found.
pub(super) fn newest(search: &ServerSearch, account: &Account) -> Option<Binaries> {
    candidates(search, account)
        .filter_map(|directory| server_directory(&directory))
        .filter_map(|directory| {
            let major = major_version(&directory, account)?;
            Some(Binaries { directory, major })
        })
        .max_by_key(|binaries| binaries.major)
}

/// Finds the server for data that does not exist yet, at `data`.
pub(super) fn find_new(
    search: &ServerSearch,
    account: &Account,
    data: &Path,
) -> Result<Binaries, ClusterError> {
    find_version(search, account, None, data)
}

fn find_version(
    search: &ServerSearch,
    account: &Account,
    wanted: Option<String>,
    data: &Path,
) -> Result<Binaries, ClusterError> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for directory in candidates(search, account) {
        let Some(directory) = server_directory(&directory) else {
            continue;
        };
        if !seen.insert(directory.clone()) {
            continue;
        }
        let Some(major) = major_version(&directory, account) else {
            continue;
        };
        let is_usable = wanted
            .as_ref()
            .map_or(major >= OLDEST_MAJOR, |wanted| *wanted == major.to_string());
        if is_usable {
            return Ok(Binaries { directory, major });
        }
        found.push(format!("{major} in {}", directory.display()));
    }
    Err(not_found(search, wanted, data, &found))
}

/// Directories to search, best first. Each is computed only when those before it
/// did not serve: `pg_config` is a process to start.
fn candidates<'a>(
    search: &'a ServerSearch,
    account: &'a Account,
) -> impl Iterator<Item = PathBuf> + 'a {
    let on_path = env::split_paths(&search.path);
    let by_config = env::split_paths(&search.path)
        .map(|directory| directory.join("pg_config"))
        .filter(|program| program.is_file())
        .filter_map(|program| output_of(account, &program, "--bindir"))
        .map(PathBuf::from);
    let installed = std::iter::once_with(|| installed_versions(&search.versions)).flatten();
    on_path.chain(by_config).chain(installed)
}

/// `VERSION/bin` under Debian's directory, newest first.
pub(super) fn installed_versions(versions: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, directory)| directory).collect()
}

/// Where the server in `directory` really is: behind a link on `$PATH` lie only
/// some of the programs.
fn server_directory(directory: &Path) -> Option<PathBuf> {
    let server = fs::canonicalize(directory.join("postgres")).ok()?;
    let directory = server.parent()?;
    directory
        .join("initdb")
        .is_file()
        .then(|| directory.to_path_buf())
}

/// The major version that the server itself prints: `postgres (PostgreSQL) 15.14 (…)`.
fn major_version(directory: &Path, account: &Account) -> Option<u32> {
    major_of(&output_of(
        account,
        &directory.join("postgres"),
        "--version",
    )?)
}

/// The major version in what a program prints: `pg_dump (PostgreSQL) 15.14 (…)`.
pub(super) fn major_of(output: &str) -> Option<u32> {
    let version = output.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits = version
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(version.len());
    version[..digits].parse().ok()
}

/// The one line that a program prints, `None` when it does not work for `account`.
fn output_of(account: &Account, program: &Path, argument: &str) -> Option<String> {
    let mut command = account.command(program, Path::new("/"));
    command.arg(argument);
    let finished = run(
        &mut command,
        "",
        Keep::Stdout,
        ANSWER_WITHIN,
        &CancelFlag::default(),
    );
    match finished {
        Ok(Finished::Exited { status, output }) if status.success() && !output.is_empty() => {
            Some(output)
        }
        _ => None,
    }
}

/// The major version that wrote the data; `None` when there is none yet.
pub(super) fn data_version(directory: &Directory) -> Result<Option<String>, ClusterError> {
    const NAME: &str = "PG_VERSION";
    let expected = "a version of PostgreSQL";
    let Some(data) = directory.open_data()? else {
        return Ok(None);
    };
    let Some(content) = data.read(NAME, VERSION_LIMIT_BYTES, expected)? else {
        return Ok(None);
    };
    let version = content.trim();
    let is_version = !version.is_empty()
        && version
            .chars()
            .all(|character| character.is_ascii_digit() || character == '.');
    if is_version {
        return Ok(Some(version.to_owned()));
    }
    // The content is not shown: it may be that of any file.
    Err(ClusterError::Damaged {
        path: data.path().join(NAME),
        expected,
    })
}

fn not_found(
    search: &ServerSearch,
    wanted: Option<String>,
    data: &Path,
    found: &[String],
) -> ClusterError {
    let found = if found.is_empty() {
        "found none".to_owned()
    } else {
        format!("found only {}", found.join(" and "))
    };
    let searched = format!(
        "searched PATH, the directory that pg_config names, and {}; {found}",
        search.versions.display()
    );
    match wanted {
        Some(data_version) => ClusterError::OtherMajor {
            data: data.to_path_buf(),
            data_version,
            searched,
        },
        None => ClusterError::NoServer {
            oldest: OLDEST_MAJOR,
            searched,
        },
    }
}
