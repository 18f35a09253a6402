//! The directory lock (`flock`): at most one process runs the server of a
//! directory. The file also records who that is, for everybody else.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::directory::{Directory, LOCK_FILE};
use super::error::ClusterError;
use super::options::Role;
use super::user_files::UserFiles;

/// Longest content of the file: a number, a word and a path.
const CONTENT_LIMIT_BYTES: u64 = 8 * 1024;

/// The lock, held. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    file: File,
}

/// The process that holds the lock, as it recorded itself.
#[derive(Debug, Clone)]
pub(super) struct LockHolder {
    pub pid: u32,
    pub role: Role,
    /// The directory of its server's socket.
    pub sockets: PathBuf,
}

impl LockHolder {
    /// The process in words, for messages.
    pub(super) fn in_words(&self) -> String {
        let role = match self.role {
            Role::Daemon => "the advisoryd daemon",
            Role::Client => "an advisoryd command",
        };
        format!("{role}, process {}", self.pid)
    }
}

/// What came of an attempt to take the lock.
pub(super) enum LockAttempt {
    /// It is ours.
    Acquired(DirectoryLock),
    /// Another process has it; `None` in the moment before that one recorded itself.
    HeldBy(Option<LockHolder>),
}

impl DirectoryLock {
    /// Takes the lock of `directory`, unless another process has it.
    pub(super) fn try_acquire(
        directory: &Directory,
        account: &Account,
    ) -> Result<LockAttempt, ClusterError> {
        let path = directory.path().join(LOCK_FILE);
        let mut file = open(directory, account)?;
        match file.try_lock() {
            Ok(()) => Ok(LockAttempt::Acquired(Self { file })),
            Err(TryLockError::WouldBlock) => {
                let mut content = Vec::new();
                Read::by_ref(&mut file)
                    .take(CONTENT_LIMIT_BYTES)
                    .read_to_end(&mut content)
                    .map_err(|error| ClusterError::io("read", path, error))?;
                Ok(LockAttempt::HeldBy(parse(&content)))
            }
            Err(TryLockError::Error(error)) => Err(ClusterError::io("lock", path, error)),
        }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing is not enough at once: a child that is just being started still
        // has a copy of the descriptor until it becomes its program.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the directory lock is released with its file");
        }
    }
}

/// Opens the file, which the server's user creates if need be. Reading is
/// enough to lock it.
fn open(directory: &Directory, account: &Account) -> Result<File, ClusterError> {
    let dir = directory.open()?;
    if let Some(file) = dir.regular_file(LOCK_FILE)? {
        return Ok(file);
    }
    UserFiles::new(account, directory.path()).append(LOCK_FILE, "")?;
    dir.regular_file(LOCK_FILE)?.ok_or_else(|| {
        let path = directory.path().join(LOCK_FILE);
        ClusterError::io("open", path, std::io::ErrorKind::NotFound.into())
    })
}

/// Records who we are, for those who find the lock taken.
pub(super) fn record_holder(
    directory: &Directory,
    account: &Account,
    role: Role,
    sockets: &Path,
) -> Result<(), ClusterError> {
    let sockets = sockets.to_string_lossy();
    let content = format!("{}\n{}\n{sockets}\n", std::process::id(), role.word());
    UserFiles::new(account, directory.path()).write(LOCK_FILE, &content)
}

/// Reads what [`record_holder`] wrote; `None` when it is incomplete.
fn parse(content: &[u8]) -> Option<LockHolder> {
    let content = content.strip_suffix(b"\n")?;
    let mut lines = content.splitn(3, |byte| *byte == b'\n');
    let pid = std::str::from_utf8(lines.next()?).ok()?.parse().ok()?;
    let role = Role::from_word(lines.next()?)?;
    let sockets = PathBuf::from(OsString::from_vec(lines.next()?.to_vec()));
    Some(LockHolder { pid, role, sockets })
}

#[cfg(test)]
mod tests {
    use super::{Role, parse};

    #[test]
    fn an_incomplete_record_names_nobody() {
        let whole = b"4711\ndaemon\n/run/advisoryd-1\n";
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_none(), "first {length} bytes");
        }
        assert!(
            parse(whole).is_some_and(|holder| holder.pid == 4711 && holder.role == Role::Daemon)
        );
    }
}
