use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::account::Account;
use super::{ClusterError, ServerSearch};

/// Oldest major version that is still maintained and knows lz4.
const OLDEST_MAJOR: u32 = 14;

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

/// Finds the server for `data`: of its very version where there is data, else
/// the first in the order of [`ServerSearch`] that is new enough.
pub(super) fn find(
    search: &ServerSearch,
    account: &Account,
    data: &Path,
) -> Result<Binaries, ClusterError> {
    let wanted = data_version(data)?;
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for directory in places(search, account) {
        let Some(directory) = server_directory(&directory) else {
            continue;
        };
        if !seen.insert(directory.clone()) {
            continue;
        }
        let Some(major) = major_version(&directory, account) else {
            continue;
        };
        let fits = wanted
            .as_ref()
            .map_or(major >= OLDEST_MAJOR, |wanted| *wanted == major.to_string());
        if fits {
            return Ok(Binaries { directory, major });
        }
        found.push(format!("{major} in {}", directory.display()));
    }
    Err(not_found(search, wanted, data, &found))
}

/// The candidates, best first. Each is looked for only when those before it
/// would not do: `pg_config` is a process to start.
fn places<'a>(
    search: &'a ServerSearch,
    account: &'a Account,
) -> impl Iterator<Item = PathBuf> + 'a {
    let on_path = env::split_paths(&search.path);
    let by_config = env::split_paths(&search.path)
        .map(|directory| directory.join("pg_config"))
        .filter(|program| program.is_file())
        .filter_map(|program| said_by(account, &program, "--bindir"))
        .map(PathBuf::from);
    let installed = std::iter::once_with(|| installed_versions(&search.versions)).flatten();
    on_path.chain(by_config).chain(installed)
}

/// `VERSION/bin` under Debian's directory, newest first.
fn installed_versions(versions: &Path) -> Vec<PathBuf> {
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

/// The major version, as the server itself says: `postgres (PostgreSQL) 15.14 (…)`.
fn major_version(directory: &Path, account: &Account) -> Option<u32> {
    let said = said_by(account, &directory.join("postgres"), "--version")?;
    let version = said.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits = version
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(version.len());
    version[..digits].parse().ok()
}

/// The one line that a program prints, `None` when it does not work for `account`.
fn said_by(account: &Account, program: &Path, argument: &str) -> Option<String> {
    let output = account
        .command(program, Path::new("/"))
        .arg(argument)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| said.trim_end().to_owned())
        .filter(|said| !said.is_empty())
}

/// The major version that wrote `data`; `None` when there is none yet.
fn data_version(data: &Path) -> Result<Option<String>, ClusterError> {
    let file = data.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(version) => Ok(Some(version.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClusterError::io("read", file, error)),
    }
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
        "looked on PATH, asked pg_config, looked under {}, {found}",
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
