use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

/// From which age on a directory without a lock file belongs to no run that is
/// just starting.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// A state directory for one test, removed with the value. Unlike what
/// `tempfile` makes by default, the server's user can enter it.
pub fn state_dir() -> TempDir {
    let parent = parent();
    tempfile::Builder::new()
        .prefix("state-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in(parent)
        .expect("a directory for the test's state")
}

/// A directory for this run's cluster. What earlier runs left is removed:
/// nothing of a run is awake any more when its process has ended, and a killed
/// process removes nothing.
pub(super) fn for_this_run() -> PathBuf {
    let parent = parent();
    for entry in fs::read_dir(&parent)
        .expect("the tests' directory")
        .flatten()
    {
        if is_abandoned(&entry.path()) {
            // Another run may be sweeping, too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    state_dir().keep()
}

/// One directory for all runs of one user.
fn parent() -> PathBuf {
    let user = nix::unistd::geteuid();
    let parent = std::env::temp_dir().join(format!("advisoryd-tests-{user}"));
    match DirBuilder::new().mode(0o755).create(&parent) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            panic!("cannot create {}: {error}", parent.display())
        }
        _ => parent,
    }
}

fn is_abandoned(directory: &Path) -> bool {
    match File::open(directory.join("postgresql/holder")) {
        Ok(holder) => holder.try_lock().is_ok(),
        Err(_) => fs::metadata(directory)
            .and_then(|found| found.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED_AFTER)),
    }
}
