use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::ClusterError;
use super::account::Account;

/// The port in the socket's name; no port is ever opened.
pub(super) const PORT: u16 = 5432;

/// What a socket's path may be long on Linux: 108 bytes with the final zero.
const SOCKET_PATH_LIMIT_BYTES: usize = 107;

/// The mode bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Where one private server lives: `STATE/postgresql` and what is in it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    directory: PathBuf,
}

impl Place {
    /// Makes sure that the directories exist, and finds out who serves them.
    pub(super) fn prepare(state_dir: &Path) -> Result<(Self, Account), ClusterError> {
        let state_dir = std::path::absolute(state_dir)
            .map_err(|error| ClusterError::io("find", state_dir, error))?;
        let directory = state_dir.join("postgresql");
        fs::create_dir_all(&state_dir)
            .map_err(|error| ClusterError::io("create", &state_dir, error))?;
        make_private(&directory).map_err(|error| ClusterError::io("create", &directory, error))?;
        let account = Account::for_directory(&directory)?;
        account.give(&directory)?;
        Ok((Self { directory }, account))
    }

    /// The directory of all of it, mode 0700.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The server's data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Where the data directory is made before it gets its name.
    pub(super) fn unfinished_data(&self) -> PathBuf {
        self.directory.join("data.new")
    }

    /// The file that is locked by whoever runs the server.
    pub(super) fn holder(&self) -> PathBuf {
        self.directory.join("holder")
    }

    /// The directory of the socket, made and belonging to `account`: ours, or
    /// where our path is too long a short one under one of `parents`.
    pub(super) fn sockets(
        &self,
        account: &Account,
        parents: &[PathBuf],
    ) -> Result<PathBuf, ClusterError> {
        let near = self.directory.join("socket");
        if fits(&near) {
            make_private(&near).map_err(|error| ClusterError::io("create", &near, error))?;
            account.give(&near)?;
            return Ok(near);
        }
        let mut tried = Vec::new();
        for parent in parents {
            let short = parent.join(self.short_name());
            match make_short(&short, account) {
                Ok(()) => return Ok(short),
                Err(error) => tried.push(format!("{}: {error}", short.display())),
            }
        }
        Err(ClusterError::SocketPathTooLong {
            path: socket_file(&near),
            limit_bytes: SOCKET_PATH_LIMIT_BYTES,
            tried: tried.join(", "),
        })
    }

    /// The same name for the same directory at every start.
    fn short_name(&self) -> String {
        let bytes = self.directory.as_os_str().as_bytes();
        format!("advisoryd-{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
    }
}

/// The socket that the server makes in `sockets`.
pub(super) fn socket_file(sockets: &Path) -> PathBuf {
    sockets.join(format!(".s.PGSQL.{PORT}"))
}

/// Whether the system takes the path, and whether it can be written into a URL:
/// in libpq's a comma begins the next host.
fn fits(sockets: &Path) -> bool {
    let is_short = socket_file(sockets).as_os_str().len() <= SOCKET_PATH_LIMIT_BYTES;
    is_short && sockets.to_str().is_some_and(|path| !path.contains(','))
}

/// Makes a directory that only its owner can enter, unless it exists.
fn make_private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Makes the short directory. One that exists must be what we would have made:
/// in `/tmp` anybody may have been there first.
fn make_short(directory: &Path, account: &Account) -> io::Result<()> {
    if !fits(directory) {
        return Err(io::Error::other("cannot be a socket's path, either"));
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => return account.give(directory).map_err(io::Error::other),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    let found = fs::symlink_metadata(directory)?;
    if found.is_dir() && found.uid() == account.user_id() && found.mode() & OTHERS == 0 {
        return Ok(());
    }
    Err(io::Error::other(
        "exists and is not a private directory of the server's user",
    ))
}
