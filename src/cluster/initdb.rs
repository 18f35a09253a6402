//! Creates the data directory with initdb, into `data.new`, which is then
//! renamed: under its own name it is always complete.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tracing::info;

use super::account::Account;
use super::binaries::Binaries;
use super::directory::{DATA, Directory, UNFINISHED_DATA};
use super::error::ClusterError;
use super::program::{CancelFlag, Finished, Keep, run};
use super::setup::SUPERUSER;
use super::user_files::UserFiles;

/// Locales to create the cluster with, best first: the same sort order on every
/// machine, and where the system lacks it, the order of bytes.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Longest time for initdb, which writes 40 MB: seconds on any disk that works.
const INITDB_WITHIN: Duration = Duration::from_mins(10);

/// Longest time for a program that only prints one of its settings.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What initdb prints if the system has no name for its user, in the C locale.
const NAMELESS_USER: &str = "could not look up effective user ID";

/// What an operator may change by `alter system` or in this file. What the
/// daemon relies on is on the server's command line.
const TUNING: &str = "\n# Written by advisoryd for a small machine.\n\
    shared_buffers = 128MB\nmax_wal_size = 1GB\nrandom_page_cost = 1.1\n\
    timezone = 'UTC'\nlog_timezone = 'UTC'\n";

/// Creates the data directory unless it exists.
pub(super) fn ensure(
    directory: &Directory,
    account: &Account,
    binaries: &Binaries,
    durable: bool,
    cancel: &CancelFlag,
) -> Result<(), ClusterError> {
    if directory.open_data()?.is_some() {
        return Ok(());
    }
    let data = directory.data();
    info!("creating the private PostgreSQL in `{}`", data.display());
    let files = UserFiles::new(account, directory.path());
    let mut output = String::new();
    for locale in LOCALES {
        files.remove_all(UNFINISHED_DATA)?;
        let mut command = initdb(directory, account, binaries, locale);
        if !durable {
            command.arg("--no-sync");
        }
        let finished = run(&mut command, "", Keep::Stderr, INITDB_WITHIN, cancel)
            .map_err(|error| account.spawn_error(directory.path(), error))?;
        output = match finished {
            Finished::Exited { status, .. } if status.success() => {
                return finish(directory, account, binaries);
            }
            Finished::Exited { status, output } => format!("{status}; {output}"),
            Finished::Cancelled => return Err(ClusterError::Cancelled),
            Finished::TimedOut => "it took too long".to_owned(),
        };
        if !output.contains("invalid locale") {
            break;
        }
    }
    if output.contains(NAMELESS_USER) {
        let user = account.user_id();
        return Err(ClusterError::NamelessUser { user });
    }
    Err(ClusterError::disk_full(directory.path(), &output)
        .unwrap_or(ClusterError::Initdb { data, output }))
}

/// Local connections are trusted: only whoever can enter the socket's directory
/// gets that far. There are no others.
fn initdb(
    directory: &Directory,
    account: &Account,
    binaries: &Binaries,
    locale: &str,
) -> std::process::Command {
    let mut command = account.command(&binaries.program("initdb"), directory.path());
    command
        .args(["--pgdata", UNFINISHED_DATA])
        .arg(format!("--username={SUPERUSER}"))
        .arg(format!("--locale={locale}"))
        .args(["-E", "UTF8", "--data-checksums", "--no-instructions"])
        .args(["--auth-local=trust", "--auth-host=reject"]);
    command
}

/// Adds to the configuration and gives the directory its name.
fn finish(
    directory: &Directory,
    account: &Account,
    binaries: &Binaries,
) -> Result<(), ClusterError> {
    let files = UserFiles::new(account, directory.path());
    let configuration = format!("{UNFINISHED_DATA}/postgresql.conf");
    files.append(&configuration, &tuning(directory, account, binaries))?;
    files.rename(UNFINISHED_DATA, DATA)
}

fn tuning(directory: &Directory, account: &Account, binaries: &Binaries) -> String {
    let unfinished = directory.path().join(UNFINISHED_DATA);
    let mut tuning = TUNING.to_owned();
    for (setting, otherwise) in [
        ("default_toast_compression", None),
        ("wal_compression", Some("on")),
    ] {
        let lz4 = format!("{setting}=lz4");
        let value = if is_known(account, binaries, &unfinished, &lz4) {
            "lz4"
        } else if let Some(value) = otherwise {
            value
        } else {
            continue;
        };
        // Writing to a string cannot fail.
        let _ = writeln!(tuning, "{setting} = {value}");
    }
    tuning
}

/// Whether the server accepts a setting; not each was built with lz4.
fn is_known(account: &Account, binaries: &Binaries, data: &Path, setting: &str) -> bool {
    let mut command = account.command(&binaries.program("postgres"), Path::new("/"));
    command
        .arg("-D")
        .arg(data)
        .args(["-c", setting, "-C", "data_directory"]);
    let finished = run(
        &mut command,
        "",
        Keep::Stderr,
        ANSWER_WITHIN,
        &CancelFlag::default(),
    );
    matches!(finished, Ok(Finished::Exited { status, .. }) if status.success())
}
