//! Names of the directories while the data of the private server is replaced, and the end
//! of a replacement that was interrupted.
//!
//! | name | content |
//! |---|---|
//! | `next` | state directory of the server that is being filled |
//! | `data.next` | the same data, complete; about to become `data` |
//! | `data.old` | what `data` was before |
//!
//! Each step is one rename. A process that is killed between two of them leaves either
//! the old data in use, or the new one to be put in place by the next start.

use tracing::info;

use super::account::Account;
use super::directory::{DATA, Directory};
use super::error::ClusterError;
use super::user_files::UserFiles;

/// State directory of the server that is being filled.
pub(super) const NEXT: &str = "next";
/// Its data directory, when it is complete.
pub(super) const COMPLETE: &str = "data.next";
/// The data directory that was replaced.
pub(super) const OLD: &str = "data.old";

/// Ends a replacement that was interrupted. Called with the lock held, before the data
/// directory is looked at.
pub(super) fn finish(directory: &Directory, account: &Account) -> Result<(), ClusterError> {
    let exists = |name: &str| directory.path().join(name).symlink_metadata().is_ok();
    if !exists(COMPLETE) {
        return Ok(());
    }
    let files = UserFiles::new(account, directory.path());
    if exists(DATA) {
        // The old data is still in use, and has changed since.
        info!("removing `{COMPLETE}`, which an interrupted upgrade or restore left");
        return files.remove_all(COMPLETE);
    }
    info!("finishing an interrupted upgrade or restore of the private PostgreSQL");
    files.rename(COMPLETE, DATA)
}
