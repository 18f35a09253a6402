//! The directory of the private server, `STATE/postgresql`: its layout, its
//! creation, and who owns it.
//!
//! | name | content |
//! |---|---|
//! | `data` | the data directory |
//! | `data.new` | a data directory that initdb has not finished |
//! | `holder` | the directory lock, and which process holds it |
//! | `socket` | the Unix socket, unless its path would be too long |

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::account::{Account, Ids};
use super::error::ClusterError;
use super::safe_dir::{SafeDir, check_owner_and_mode};
use super::user_files::UserFiles;

/// The data directory's name.
pub(super) const DATA: &str = "data";

/// Under which name the data directory is made.
pub(super) const UNFINISHED_DATA: &str = "data.new";

/// The file that is locked by whoever runs the server.
pub(super) const LOCK_FILE: &str = "holder";

/// The directory of the socket.
pub(super) const SOCKETS: &str = "socket";

/// Root's number.
const ROOT: u32 = 0;

/// The directory of one private server. It belongs to the server's user.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
    user: u32,
}

impl Directory {
    /// Makes sure that the directory exists, and finds out as whom the server
    /// runs: the directory's owner decides.
    pub(super) fn prepare(state_dir: &Path) -> Result<(Self, Account), ClusterError> {
        let state_dir = std::path::absolute(state_dir)
            .map_err(|error| ClusterError::io("resolve", state_dir, error))?;
        let state_owner = ensure_state_dir(&state_dir)?;
        let path = state_dir.join("postgresql");
        let account = match fs::symlink_metadata(&path) {
            Ok(found) => adopt(&path, &found, state_owner)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path, state_owner)?,
            Err(error) => return Err(ClusterError::io("inspect", path, error)),
        };
        let directory = Self {
            path,
            user: account.user_id(),
        };
        directory.open()?;
        Ok((directory, account))
    }

    /// Its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The data directory's path.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Opens it, checked.
    pub(super) fn open(&self) -> Result<SafeDir, ClusterError> {
        SafeDir::open(&self.path, self.user)?
            .ok_or_else(|| ClusterError::io("open", &self.path, io::ErrorKind::NotFound.into()))
    }

    /// Opens the data directory, checked; `None` when there is none yet.
    pub(super) fn open_data(&self) -> Result<Option<SafeDir>, ClusterError> {
        self.open()?.subdir(DATA)
    }
}

/// Makes sure that the state directory exists; returns its owner. What is
/// missing is made by the owner of the directory that it is made in.
fn ensure_state_dir(state_dir: &Path) -> Result<Ids, ClusterError> {
    match fs::metadata(state_dir) {
        Ok(found) => return Ok(Ids::owner(&found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(ClusterError::io("open", state_dir, error)),
    }
    let parent = state_dir
        .ancestors()
        .find_map(|ancestor| Some((ancestor, fs::metadata(ancestor).ok()?)));
    match parent {
        Some((parent, found)) if is_of_another_user(Ids::owner(&found)) => {
            let account = Account::for_owner(Ids::owner(&found))?;
            UserFiles::new(&account, parent).create_dir_all(state_dir.as_os_str())?;
        }
        _ => fs::create_dir_all(state_dir)
            .map_err(|error| ClusterError::io("create", state_dir, error))?,
    }
    let found =
        fs::metadata(state_dir).map_err(|error| ClusterError::io("open", state_dir, error))?;
    Ok(Ids::owner(&found))
}

/// Whether root has to leave what belongs to `owner` to that user.
fn is_of_another_user(owner: Ids) -> bool {
    geteuid().is_root() && owner.user != ROOT
}

/// The account for a directory that exists.
fn adopt(path: &Path, found: &Metadata, state_owner: Ids) -> Result<Account, ClusterError> {
    let owner = Ids::owner(found);
    if !geteuid().is_root() {
        if found.is_dir() && owner.user != geteuid().as_raw() {
            let error = io::ErrorKind::PermissionDenied.into();
            return Err(ClusterError::io("open", path, error));
        }
        return Account::for_owner(owner);
    }
    // A user's state directory holds that user's server, or what an earlier
    // start of root's left to `postgres`. Anything else was put there.
    let is_expected = state_owner.user == ROOT
        || owner.user == state_owner.user
        || Account::is_server_user(owner.user);
    let expected = if is_expected { owner } else { state_owner };
    check_owner_and_mode(path, found, expected.user)?;
    let account = Account::for_owner(owner)?;
    if owner.user == ROOT {
        give(path, &account)?;
    }
    Ok(account)
}

/// Creates the directory for the server of a state directory of `state_owner`.
fn create(path: &Path, state_owner: Ids) -> Result<Account, ClusterError> {
    let account = Account::for_owner(state_owner)?;
    if is_of_another_user(state_owner)
        && let (Some(parent), Some(name)) = (path.parent(), path.file_name())
    {
        UserFiles::new(&account, parent).create_dir(name)?;
        return Ok(account);
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another process that starts at the same moment created it.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(ClusterError::io("create", path, error));
        }
        _ => give(path, &account)?,
    }
    Ok(account)
}

/// Gives a directory of root's, in a directory of root's, to the server's user.
/// Through its descriptor: a link could lead elsewhere.
pub(super) fn give(path: &Path, account: &Account) -> Result<(), ClusterError> {
    let Some(Ids { user, group }) = account.switch_to() else {
        return Ok(());
    };
    let dir = match SafeDir::open(path, ROOT) {
        Ok(Some(dir)) => dir,
        // Already given, by another process that starts at the same moment.
        _ if matches!(SafeDir::open(path, user), Ok(Some(_))) => return Ok(()),
        Ok(None) => {
            let error = io::ErrorKind::NotFound.into();
            return Err(ClusterError::io("open", path, error));
        }
        Err(error) => return Err(error),
    };
    fchown(dir.file(), Some(user), Some(group))
        .map_err(|error| ClusterError::io("give to the server's user", path, error))
}
