use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::statvfs::{FsFlags, statvfs};
use tempfile::TempDir;

/// From which age on a directory without a lock file belongs to no run that is
/// just starting.
const ABANDONED_AFTER: Duration = Duration::from_hours(1);

/// Bytes: several times of what a run was seen to take at most.
const ROOM: u64 = 6 << 30;

/// The directory of this run and the lock that says that the run lives.
struct RunDir {
    path: PathBuf,
    _lock: File,
}

/// A state directory for one test, removed with the value. Unlike what
/// `tempfile` makes by default, the server's user can enter it.
pub fn state_dir() -> TempDir {
    static RUN: OnceLock<RunDir> = OnceLock::new();
    let run = RUN.get_or_init(begin);
    new_dir(&run.path, "state-")
}

/// Makes this run's directory. What earlier runs left is removed: nothing of a
/// run is awake any more when its process has ended, and a process that is
/// killed removes nothing.
fn begin() -> RunDir {
    let parent = parent();
    for entry in fs::read_dir(&parent)
        .expect("the tests' directory")
        .flatten()
    {
        sweep(&entry.path());
    }
    loop {
        let path = new_dir(&parent, "run-").keep();
        // Another run that sweeps may have been quicker with the new directory.
        let lock = File::create(path.join("lock"));
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
        {
            return RunDir { path, _lock: lock };
        }
    }
}

/// Removes a run's directory if that run has ended.
fn sweep(run: &Path) {
    // The lock is kept until all is gone.
    let lock = File::open(run.join("lock"));
    let is_abandoned = match &lock {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => fs::metadata(run)
            .and_then(|found| found.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED_AFTER)),
    };
    if is_abandoned {
        // What is left now goes with a later run.
        let _ = fs::remove_dir_all(run);
    }
}

/// One directory for all runs of one user.
fn parent() -> PathBuf {
    let user = nix::unistd::geteuid();
    let parent = base().join(format!("advisoryd-tests-{user}"));
    match DirBuilder::new().mode(0o755).create(&parent) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            panic!("cannot create {}: {error}", parent.display())
        }
        _ => parent,
    }
}

/// Where `TMPDIR` says, else in memory where there is room: hundreds of databases
/// of hundreds of files each are made and removed, which costs a file system on
/// disk more than all that the tests do with them.
fn base() -> PathBuf {
    let in_memory = PathBuf::from("/dev/shm");
    if env::var_os("TMPDIR").is_none() && is_roomy(&in_memory) {
        return in_memory;
    }
    env::temp_dir()
}

/// Whether all that a run needs at once finds room there, and its scripts run.
fn is_roomy(directory: &Path) -> bool {
    statvfs(directory).is_ok_and(|found| {
        let free = found.blocks_available() * found.fragment_size();
        free >= ROOM && !found.flags().contains(FsFlags::ST_NOEXEC)
    })
}

fn new_dir(parent: &Path, prefix: &str) -> TempDir {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(parent)
        .expect("a directory")
}
