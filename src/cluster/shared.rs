//! A second socket of the private server, for members of a Unix group.
//!
//! With `[database] share_with`, members of that group may read. Otherwise, if the unit opens
//! its runtime directory to its group (`Group=`, `RuntimeDirectoryMode=0750`), members may do
//! what the service may. The state directory stays closed in both cases.

use std::env;
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::{Group, geteuid};
use sqlx::postgres::PgConnectOptions;
use tracing::warn;

use super::account::Account;
use super::address;
use super::directory::give;
use super::options::Role;
use super::safe_dir::SafeDir;
use super::setup::{COMMANDS_ROLE, GROUP_ROLE, OWN_NAME};
use super::site::Site;
use super::socket_dir::socket_file;

/// Set by systemd for units with `RuntimeDirectory=`.
const RUNTIME_DIRECTORY: &str = "RUNTIME_DIRECTORY";
/// Where systemd makes runtime directories. Only root can.
const RUN: &str = "/run";
/// Whether the group may enter, and whether others may do anything.
const GROUP_ENTERS: u32 = 0o010;
const OTHERS: u32 = 0o007;
/// The group may enter and look, and others may do nothing.
const OPEN_TO_GROUP: u32 = 0o750;

/// What whoever can use the second socket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketAccess {
    /// Read, as the roles for that.
    Read,
    /// What the service may: connect as its role.
    AsService,
}

impl SocketAccess {
    /// The roles that it allows.
    pub(super) fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Read => &[GROUP_ROLE, COMMANDS_ROLE],
            Self::AsService => &[OWN_NAME],
        }
    }
}

/// The directory of the second socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedDirectory {
    pub(super) path: PathBuf,
    pub(super) access: SocketAccess,
}

/// The directory of the second socket; `None` if there is to be none. A group that cannot be
/// given access is a warning: the daemon does its work without.
pub(super) fn directory(site: &Site) -> Option<SharedDirectory> {
    let Some(group) = &site.options.share_with else {
        let path = opened_by_unit(&site.account)?;
        let access = SocketAccess::AsService;
        return Some(SharedDirectory { path, access });
    };
    // A command runs the server for its own time only.
    if site.options.role == Role::Client {
        return None;
    }
    match open_to(site, group) {
        Ok(path) => Some(SharedDirectory {
            path,
            access: SocketAccess::Read,
        }),
        Err(reason) => {
            warn!("the private PostgreSQL is not shared with the group `{group}`: {reason}");
            None
        }
    }
}

/// The runtime directory of the unit, if the unit opens it to a group.
fn opened_by_unit(account: &Account) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(RUNTIME_DIRECTORY)?);
    let found = fs::symlink_metadata(&path).ok()?;
    let is_shared = found.uid() == account.user_id() && is_open_to_group_only(&found);
    (is_plain(&path) && is_shared).then_some(path)
}

fn is_open_to_group_only(found: &Metadata) -> bool {
    found.is_dir() && found.mode() & GROUP_ENTERS != 0 && found.mode() & OTHERS == 0
}

/// Two runtime directories are joined by a colon; the server's list has commas and quotes.
fn is_plain(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| !path.contains([':', ',', '"']))
}

/// Opens the runtime directory to `group`, and to nobody else. Without a unit, root makes one.
fn open_to(site: &Site, group: &str) -> Result<PathBuf, String> {
    let found = Group::from_name(group).map_err(|error| error.to_string())?;
    let Some(found) = found else {
        return Err(format!(
            "there is no such group; create it: groupadd --system {group}"
        ));
    };
    let (gid, account) = (found.gid.as_raw(), &site.account);
    let path = match env::var_os(RUNTIME_DIRECTORY) {
        Some(path) => PathBuf::from(path),
        None => made_by_root(site)?,
    };
    if !is_plain(&path) {
        return Err(format!("`{}` cannot be used", path.display()));
    }
    let dir = SafeDir::open(&path, account.user_id()).map_err(|error| error.to_string())?;
    let dir = dir.ok_or_else(|| format!("there is no `{}`", path.display()))?;
    let now = dir.metadata().map_err(|error| error.to_string())?;
    let refused = |doing: &str, error: io::Error| {
        format!(
            "cannot {doing} of `{}` ({error}); set Group={group} in the unit",
            path.display()
        )
    };
    if now.gid() != gid {
        fchown(dir.file(), None, Some(gid)).map_err(|error| refused("change the group", error))?;
    }
    if now.mode() & 0o777 != OPEN_TO_GROUP {
        dir.file()
            .set_permissions(Permissions::from_mode(OPEN_TO_GROUP))
            .map_err(|error| refused("change the mode", error))?;
    }
    Ok(path)
}

/// The directory that systemd would have made.
fn made_by_root(site: &Site) -> Result<PathBuf, String> {
    if !geteuid().is_root() {
        return Err("it needs the runtime directory of a systemd unit, or root".to_owned());
    }
    let path = site.directory.path().parent().and_then(beside);
    let path = path.ok_or_else(|| "the state directory has no name".to_owned())?;
    match DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => give(&path, &site.account).map_err(|error| error.to_string())?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("cannot create `{}`: {error}", path.display())),
    }
    Ok(path)
}

/// The runtime directory of the service with this state directory: it has the same name.
fn beside(state_dir: &Path) -> Option<PathBuf> {
    Some(Path::new(RUN).join(state_dir.file_name()?))
}

/// The private server of a service, for a member of its group.
#[derive(Debug, Clone)]
pub struct Shared {
    sockets: PathBuf,
    may_only_read: bool,
}

impl Shared {
    /// The server of the service whose state directory this is. `may_only_read`: its
    /// configuration has `share_with`.
    pub fn of(state_dir: &Path, may_only_read: bool) -> Option<Self> {
        let sockets = beside(state_dir)?;
        let found = fs::metadata(socket_file(&sockets)).ok()?;
        found.file_type().is_socket().then_some(Self {
            sockets,
            may_only_read,
        })
    }

    /// Whether the system has such a group.
    pub fn is_group(name: &str) -> bool {
        matches!(Group::from_name(name), Ok(Some(_)))
    }

    /// Whether members of the group may only read.
    pub fn may_only_read(&self) -> bool {
        self.may_only_read
    }

    /// How commands connect to the daemon's database.
    pub fn connect_options(&self) -> PgConnectOptions {
        address::connect_options(&self.sockets).username(if self.may_only_read {
            COMMANDS_ROLE
        } else {
            OWN_NAME
        })
    }

    /// The same, if members of the group may only read.
    pub fn psql_of_readers(&self) -> Option<String> {
        self.may_only_read.then(|| self.psql())
    }

    /// The line that a member of the group pastes into a shell to connect.
    pub fn psql(&self) -> String {
        let path = env::var_os("PATH").unwrap_or_default();
        let role = if self.may_only_read {
            GROUP_ROLE
        } else {
            OWN_NAME
        };
        address::psql(&self.sockets, role, &path, None)
    }
}
