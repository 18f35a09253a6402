use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use tracing::info;

use super::account::Account;
use super::binaries::Binaries;
use super::place::Place;
use super::process::die_with_us;
use super::{ClusterError, SUPERUSER};
use crate::model::shortened;

/// Locales to make the cluster with, best first: the same order of text on
/// every machine, and where the system lacks it, the order of bytes.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Attempts to remove what a killed start left: the last children of its
/// `initdb` may still be writing.
const REMOVE_ATTEMPTS: u32 = 20;

/// Pause between two such attempts.
const REMOVE_PAUSE: Duration = Duration::from_millis(100);

/// How much of what initdb printed goes into an error.
const SAID_LIMIT_CHARS: usize = 600;

/// Only whoever can enter the socket's directory gets this far.
const AUTHENTICATION: &str = "# Written by advisoryd: the socket's directory is the guard.\n\
    local all all trust\nlocal replication all trust\n";

/// What an operator may change by `alter system` or in this file. What the
/// daemon relies on is on the server's command line.
const TUNING: &str = "\n# Written by advisoryd for a small machine.\n\
    shared_buffers = 128MB\nmax_wal_size = 1GB\nrandom_page_cost = 1.1\n\
    timezone = 'UTC'\nlog_timezone = 'UTC'\n";

/// Makes the data directory unless it exists. It is built beside and then
/// renamed: under its own name it is always whole.
pub(super) fn ensure(
    place: &Place,
    account: &Account,
    binaries: &Binaries,
    durable: bool,
) -> Result<(), ClusterError> {
    let data = place.data();
    let exists = data
        .try_exists()
        .map_err(|error| ClusterError::io("look at", &data, error))?;
    if exists {
        return Ok(());
    }
    info!("creating the private PostgreSQL in `{}`", data.display());
    let unfinished = place.unfinished_data();
    let mut said = String::new();
    for locale in LOCALES {
        remove(&unfinished).map_err(|error| ClusterError::io("remove", &unfinished, error))?;
        said = match initdb(place, account, binaries, locale, durable)? {
            Ok(()) => return finish(place, account, binaries),
            Err(said) => said,
        };
        if !said.contains("invalid locale") {
            break;
        }
    }
    Err(ClusterError::Initdb { data, said })
}

/// Runs `initdb` once; the inner error is what it printed.
fn initdb(
    place: &Place,
    account: &Account,
    binaries: &Binaries,
    locale: &str,
    durable: bool,
) -> Result<Result<(), String>, ClusterError> {
    let mut command = account.command(&binaries.program("initdb"), place.directory());
    command
        .arg("--pgdata")
        .arg(place.unfinished_data())
        .arg(format!("--username={SUPERUSER}"))
        .arg(format!("--locale={locale}"))
        .args(["-E", "UTF8", "--data-checksums", "--no-instructions"])
        .args(["--auth-local=trust", "--auth-host=reject"]);
    if !durable {
        command.arg("--no-sync");
    }
    die_with_us(&mut command, Signal::SIGKILL);
    let output = command
        .output()
        .map_err(|error| account.spawn_error(place.directory(), error))?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let said = shortened(&lines.join("; "), SAID_LIMIT_CHARS);
    Ok(Err(format!("{}; {said}", output.status)))
}

/// Writes the configuration and gives the directory its name.
fn finish(place: &Place, account: &Account, binaries: &Binaries) -> Result<(), ClusterError> {
    let unfinished = place.unfinished_data();
    let mut tuning = TUNING.to_owned();
    for (setting, value) in [
        ("default_toast_compression", "lz4"),
        ("wal_compression", "lz4"),
    ] {
        let value = if is_known(
            account,
            binaries,
            &unfinished,
            &format!("{setting}={value}"),
        ) {
            value
        } else if setting == "wal_compression" {
            "on"
        } else {
            continue;
        };
        // Writing to a string cannot fail.
        let _ = writeln!(tuning, "{setting} = {value}");
    }
    let configuration = unfinished.join("postgresql.conf");
    append(&configuration, &tuning)
        .map_err(|error| ClusterError::io("write", &configuration, error))?;
    let authentication = unfinished.join("pg_hba.conf");
    replace(&authentication, AUTHENTICATION)
        .map_err(|error| ClusterError::io("write", &authentication, error))?;
    fs::rename(&unfinished, place.data())
        .and_then(|()| File::open(place.directory())?.sync_all())
        .map_err(|error| ClusterError::io("rename", unfinished, error))
}

/// Whether the server takes a setting; not each was built with lz4.
fn is_known(account: &Account, binaries: &Binaries, data: &Path, setting: &str) -> bool {
    account
        .command(&binaries.program("postgres"), Path::new("/"))
        .arg("-D")
        .arg(data)
        .args(["-c", setting, "-C", "data_directory"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn append(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Replaces a file's content, keeping its owner and mode.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(true).open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Removes an unfinished data directory, if there is one.
fn remove(unfinished: &Path) -> io::Result<()> {
    for attempt in 1.. {
        match fs::remove_dir_all(unfinished) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) if attempt == REMOVE_ATTEMPTS => return Err(error),
            Err(_) => thread::sleep(REMOVE_PAUSE),
            Ok(()) => {}
        }
    }
    Ok(())
}
