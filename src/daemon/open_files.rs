//! The limit of open files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::debug;

/// Raises the soft limit of open files to the hard one, as systemd's manual recommends for
/// programs that do not use `select()`. The usual soft limit of 1024 is for those that do.
pub fn raise_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(())
    });
    if let Err(error) = raised {
        debug!(%error, "the limit of open files cannot be raised");
    }
}
