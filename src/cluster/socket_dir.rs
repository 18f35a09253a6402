//! The directory of the Unix socket. It guards the server: whoever can enter it
//! can connect as any role.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::account::Account;
use super::directory::{Directory, SOCKETS, give};
use super::error::ClusterError;
use super::safe_dir::SafeDir;
use super::user_files::UserFiles;

/// The port in the socket's name; no port is ever opened.
pub(super) const PORT: u16 = 5432;

/// Longest path of a socket on Linux: 108 bytes with the final zero.
const SOCKET_PATH_LIMIT_BYTES: usize = 107;

/// In a directory with this bit, only the owner of an entry can replace it.
const STICKY: u32 = 0o1000;

/// The socket that the server makes in `sockets`.
pub(super) fn socket_file(sockets: &Path) -> PathBuf {
    sockets.join(format!(".s.PGSQL.{PORT}"))
}

/// Makes the directory of the socket: below `directory`, or, if that path is
/// too long, a short one under one of `parents`. It belongs to `account`.
pub(super) fn prepare(
    directory: &Directory,
    account: &Account,
    parents: &[PathBuf],
) -> Result<PathBuf, ClusterError> {
    let near = directory.path().join(SOCKETS);
    if fits(&near) {
        if directory.open()?.subdir(SOCKETS)?.is_none() {
            UserFiles::new(account, directory.path()).create_dir(SOCKETS.as_ref())?;
        }
        check(&near, account)?;
        return Ok(near);
    }
    let mut tried = Vec::new();
    for parent in parents {
        let short = parent.join(short_name(directory));
        match make_short(parent, &short, account) {
            Ok(()) => return Ok(short),
            Err(reason) => tried.push(format!("{}: {reason}", short.display())),
        }
    }
    Err(ClusterError::SocketPathTooLong {
        path: socket_file(&near),
        limit_bytes: SOCKET_PATH_LIMIT_BYTES,
        tried: tried.join(", "),
    })
}

/// Checks a directory that another process recorded: it must be one that
/// [`prepare`] could have made.
pub(super) fn verify(
    sockets: &Path,
    directory: &Directory,
    account: &Account,
) -> Result<(), ClusterError> {
    let is_near = sockets == directory.path().join(SOCKETS);
    let is_short =
        sockets.is_absolute() && sockets.file_name() == Some(short_name(directory).as_ref());
    if is_near || is_short {
        return check(sockets, account);
    }
    Err(ClusterError::Unsafe {
        path: sockets.to_path_buf(),
        found: "is recorded as the socket's directory".to_owned(),
        expected: format!(
            "`{}` or a short directory",
            directory.path().join(SOCKETS).display()
        ),
    })
}

fn check(sockets: &Path, account: &Account) -> Result<(), ClusterError> {
    match SafeDir::open(sockets, account.user_id())? {
        Some(dir) => dir.require_private(),
        None => Err(ClusterError::io(
            "open",
            sockets,
            io::ErrorKind::NotFound.into(),
        )),
    }
}

/// The same name for the same directory at every start.
fn short_name(directory: &Directory) -> String {
    let bytes = directory.path().as_os_str().as_bytes();
    format!("advisoryd-{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
}

/// Whether the system accepts the path, and whether it can be written into a
/// URL: in libpq's a comma begins the next host.
fn fits(sockets: &Path) -> bool {
    let is_short = socket_file(sockets).as_os_str().len() <= SOCKET_PATH_LIMIT_BYTES;
    is_short && sockets.to_str().is_some_and(|path| !path.contains(','))
}

/// Makes the short directory `short` in `parent`. One that exists must be what
/// we would have made: in `/tmp` anybody may have been there first.
fn make_short(parent: &Path, short: &Path, account: &Account) -> Result<(), String> {
    if !fits(short) {
        return Err("cannot be a socket's path, either".to_owned());
    }
    if can_be_changed_by_others(parent) {
        return Err("other users can change its parent directory".to_owned());
    }
    if let Some(blocked) = account.blocked_at(parent) {
        return Err(format!("the server cannot enter `{}`", blocked.display()));
    }
    match DirBuilder::new().mode(0o700).create(short) {
        Ok(()) => give(short, account).map_err(reason)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.to_string()),
    }
    check(short, account).map_err(reason)
}

/// Why a directory cannot be used, without its name and advice.
fn reason(error: ClusterError) -> String {
    match error {
        ClusterError::Unsafe {
            found, expected, ..
        } => format!("{found}, expected {expected}"),
        other => other.to_string(),
    }
}

/// Whether a directory that root makes in `parent` could be replaced by another user.
fn can_be_changed_by_others(parent: &Path) -> bool {
    geteuid().is_root()
        && fs::metadata(parent).is_ok_and(|found| {
            found.uid() != 0 || (found.mode() & 0o022 != 0 && found.mode() & STICKY == 0)
        })
}
