//! Which process uses the data directory: reads `postmaster.pid`, waits for the
//! end of another server, removes a stale lock file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::account::Account;
use super::directory::{DATA, Directory};
use super::error::ClusterError;
use super::process_state::process_state;
use super::program::CancelFlag;
use super::user_files::UserFiles;

/// PostgreSQL's lock file.
const LOCK_FILE: &str = "postmaster.pid";

/// Longest content of that file: eight short lines, two of them paths.
const LOCK_FILE_LIMIT_BYTES: u64 = 16 * 1024;

/// How long the server of a killed process may take to stop: it was signalled
/// when that process died, and writes a checkpoint first.
const LEAVING_WITHIN: Duration = Duration::from_mins(1);

/// How long a dead server may stay a zombie before its lock file is removed.
/// Usually its new parent collects it at once; in a container whose first
/// process collects nothing it stays for ever, and PostgreSQL would never start again.
const ZOMBIE_FOR: Duration = Duration::from_secs(2);

/// Pause between two checks.
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// Which process, by `postmaster.pid`, uses a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occupant {
    /// None, or one that is gone: PostgreSQL itself deals with that.
    None,
    /// A dead server that its parent has not collected.
    Zombie(u32),
    /// A process that has nothing to do with the data: its number was given
    /// out again, after a restart of the machine or container.
    Unrelated(u32),
    /// A server that runs on the data.
    Server(u32),
}

/// Checks which process uses the data of `directory`.
pub(super) fn occupant(directory: &Directory) -> Result<Occupant, ClusterError> {
    let Some(data) = directory.open_data()? else {
        return Ok(Occupant::None);
    };
    let expected = "what PostgreSQL writes into its lock file";
    let content = data.read(LOCK_FILE, LOCK_FILE_LIMIT_BYTES, expected)?;
    let pid = content.and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
    let Some(pid) = pid else {
        return Ok(Occupant::None);
    };
    let process = PathBuf::from(format!("/proc/{pid}"));
    match process_state(pid) {
        None => return Ok(Occupant::None),
        Some('Z' | 'X') => return Ok(Occupant::Zombie(pid)),
        Some(_) => {}
    }
    // A server's working directory is its data directory. A process that we may
    // not inspect is taken for a server: waiting is the error that does no harm.
    let Ok(at) = fs::metadata(process.join("cwd")) else {
        return Ok(Occupant::Server(pid));
    };
    let data = data.metadata()?;
    if (at.dev(), at.ino()) == (data.dev(), data.ino()) {
        Ok(Occupant::Server(pid))
    } else {
        Ok(Occupant::Unrelated(pid))
    }
}

/// Waits until no server runs on the data of `directory`, whose lock we hold.
/// PostgreSQL's own lock file is removed only when its process is known to be
/// no server.
pub(super) fn wait_until_free(
    directory: &Directory,
    account: &Account,
    cancel: &CancelFlag,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let mut logged = false;
    loop {
        if cancel.is_set() {
            return Err(ClusterError::Cancelled);
        }
        match occupant(directory)? {
            Occupant::None => return Ok(()),
            Occupant::Zombie(pid) if began.elapsed() >= ZOMBIE_FOR => {
                return remove_stale(directory, account, pid, "which its parent does not collect");
            }
            Occupant::Unrelated(pid) => {
                return remove_stale(directory, account, pid, "which is another program now");
            }
            Occupant::Server(pid) if began.elapsed() >= LEAVING_WITHIN => {
                return Err(ClusterError::Occupied {
                    data: directory.data(),
                    pid,
                    waited: LEAVING_WITHIN,
                });
            }
            Occupant::Server(pid) if !logged => {
                info!(
                    server.pid = pid,
                    "waiting for the PostgreSQL server of process {pid} to end"
                );
                logged = true;
            }
            Occupant::Zombie(_) | Occupant::Server(_) => {}
        }
        thread::sleep(CHECK_EVERY);
    }
}

fn remove_stale(
    directory: &Directory,
    account: &Account,
    pid: u32,
    why: &str,
) -> Result<(), ClusterError> {
    warn!(
        server.pid = pid,
        "removing the stale lock file of process {pid}, {why}"
    );
    UserFiles::new(account, &directory.path().join(DATA)).remove_all(LOCK_FILE)
}
