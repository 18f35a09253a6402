//! A second socket of the private server, for members of a group: in the unit's runtime
//! directory, if that directory is open to its group (`Group=`, `RuntimeDirectoryMode=0750`).
//!
//! The state directory stays closed. Whoever can use the socket can connect as any role, and
//! so can do what the service can.

use std::env;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;

use super::account::Account;
use super::address;
use super::socket_dir::socket_file;

/// Set by systemd for units with `RuntimeDirectory=`.
const RUNTIME_DIRECTORY: &str = "RUNTIME_DIRECTORY";
/// Where systemd makes runtime directories. Only root can.
const RUN: &str = "/run";
/// Whether the group may enter, and whether others may do anything.
const GROUP_ENTERS: u32 = 0o010;
const OTHERS: u32 = 0o007;

/// The directory of the second socket; `None` unless the unit opens it to a group.
pub(super) fn directory(account: &Account) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(RUNTIME_DIRECTORY)?);
    let found = fs::symlink_metadata(&path).ok()?;
    let mode = found.mode();
    // Two of them are joined by a colon; the server's list has commas and quotes.
    let is_plain = path
        .to_str()
        .is_some_and(|path| !path.contains([':', ',', '"']));
    let is_shared = found.is_dir()
        && found.uid() == account.user_id()
        && mode & GROUP_ENTERS != 0
        && mode & OTHERS == 0;
    (is_plain && is_shared).then_some(path)
}

/// The private server of a service, for a member of its group.
#[derive(Debug, Clone)]
pub struct Shared {
    sockets: PathBuf,
}

impl Shared {
    /// The server of the service whose state directory this is. The names of its state and
    /// runtime directories are the same.
    pub fn of(state_dir: &Path) -> Option<Self> {
        let sockets = Path::new(RUN).join(state_dir.file_name()?);
        let found = fs::metadata(socket_file(&sockets)).ok()?;
        found.file_type().is_socket().then_some(Self { sockets })
    }

    /// How to connect to the daemon's database as its role.
    pub fn connect_options(&self) -> PgConnectOptions {
        address::connect_options(&self.sockets)
    }

    /// The line that a person pastes into a shell to connect.
    pub fn psql(&self) -> String {
        let path = env::var_os("PATH").unwrap_or_default();
        address::psql(&self.sockets, &path, None)
    }
}
