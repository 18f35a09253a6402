use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::ClusterError;

/// How long the server of a killed process may take to stop: it got its signal
/// when that process died, and writes a checkpoint first.
const LEAVING_WITHIN: Duration = Duration::from_mins(1);

/// How long a dead server may stay a zombie before its lock file is set aside.
/// Usually its new parent collects it at once; in a container whose first
/// process collects nothing it stays for ever, and PostgreSQL would never start again.
const ZOMBIE_FOR: Duration = Duration::from_secs(2);

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Who, by `postmaster.pid`, uses a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occupant {
    /// Nobody, or a process that is gone: PostgreSQL itself sorts that out.
    Nobody,
    /// A dead server that nobody has collected.
    Zombie(u32),
    /// A process that has nothing to do with the data: its number was given
    /// out again, after a restart of the machine or container.
    Stranger(u32),
    /// A server that runs on the data.
    Server(u32),
}

/// Looks who uses `data`.
pub(super) fn look(data: &Path) -> Occupant {
    let Some(pid) = fs::read_to_string(lock_file(data))
        .ok()
        .and_then(|content| content.lines().next()?.trim().parse::<u32>().ok())
    else {
        return Occupant::Nobody;
    };
    let process = PathBuf::from(format!("/proc/{pid}"));
    let Ok(stat) = fs::read_to_string(process.join("stat")) else {
        return Occupant::Nobody;
    };
    // The state follows the name, which is in brackets and may contain some.
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    if matches!(state, Some('Z' | 'X')) {
        return Occupant::Zombie(pid);
    }
    // A server lives in its data directory. One that we may not look at is
    // taken for a server: to wait is the mistake that harms nothing.
    let (Ok(at), Ok(data)) = (fs::metadata(process.join("cwd")), fs::metadata(data)) else {
        return Occupant::Server(pid);
    };
    if (at.dev(), at.ino()) == (data.dev(), data.ino()) {
        Occupant::Server(pid)
    } else {
        Occupant::Stranger(pid)
    }
}

/// Waits until no server runs on `data`, whose holder we are. A stale lock file
/// is removed only when its process is known to be no server.
pub(super) fn wait_until_free(data: &Path) -> Result<(), ClusterError> {
    let begun = Instant::now();
    let mut said = false;
    loop {
        match look(data) {
            Occupant::Nobody => return Ok(()),
            Occupant::Zombie(pid) if begun.elapsed() >= ZOMBIE_FOR => {
                return set_aside(data, pid, "which nobody collects");
            }
            Occupant::Stranger(pid) => {
                return set_aside(data, pid, "which is another program now");
            }
            Occupant::Server(pid) if begun.elapsed() >= LEAVING_WITHIN => {
                return Err(ClusterError::Occupied {
                    data: data.to_path_buf(),
                    pid,
                    waited: LEAVING_WITHIN,
                });
            }
            Occupant::Server(pid) if !said => {
                info!(server.pid = pid, "waiting for the end of server {pid}");
                said = true;
            }
            Occupant::Zombie(_) | Occupant::Server(_) => {}
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn set_aside(data: &Path, pid: u32, why: &str) -> Result<(), ClusterError> {
    warn!(
        server.pid = pid,
        "removing the stale lock file of process {pid}, {why}"
    );
    let file = lock_file(data);
    fs::remove_file(&file).map_err(|error| ClusterError::io("remove", file, error))
}

fn lock_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}
