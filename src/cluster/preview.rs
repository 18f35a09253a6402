//! Preview of the first start: whether a private server could be created, found out
//! without creating anything.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::account::{Account, Ids};
use super::binaries;
use super::directory::DATA;
use super::error::ClusterError;
use super::options::ServerSearch;
use super::owner::user_name;
use super::replacement::COMPLETE;

/// What a first start would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The directory that it would create.
    pub directory: PathBuf,
    /// Major version of the PostgreSQL that it would run.
    pub major: u32,
}

impl Preview {
    /// What the first start would do; `None` if the private server has data already.
    ///
    /// # Errors
    /// [`ClusterError`]: why a first start would fail, as far as it can be known without
    /// creating anything.
    pub fn of(state_dir: &Path, search: &ServerSearch) -> Result<Option<Self>, ClusterError> {
        let state_dir = std::path::absolute(state_dir)
            .map_err(|error| ClusterError::io("resolve", state_dir, error))?;
        let directory = state_dir.join("postgresql");
        let data = directory.join(DATA);
        // A replacement that was killed left the data under the second name.
        for name in [DATA, COMPLETE] {
            match fs::symlink_metadata(directory.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // The start itself says best what hinders it.
                _ => return Ok(None),
            }
        }
        let parent = directory
            .ancestors()
            .find_map(|ancestor| Some((ancestor, fs::metadata(ancestor).ok()?)));
        let Some((parent, found)) = parent else {
            return Err(ClusterError::io(
                "open",
                directory,
                io::ErrorKind::NotFound.into(),
            ));
        };
        let account = Account::for_owner(Ids::owner(&found))?;
        access(parent, AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|error| ClusterError::io("create a directory in", parent, error.into()))?;
        if let Some(blocked) = account.blocked_at(parent) {
            return Err(ClusterError::Unreachable {
                user: user_name(account.user_id()),
                blocked,
                directory,
            });
        }
        let major = binaries::find_new(search, &account, &data)?.major;
        Ok(Some(Self { directory, major }))
    }
}
