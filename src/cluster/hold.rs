use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::{ClusterError, Role};

/// Longest content of the file: two short words and a path.
const CONTENT_LIMIT_BYTES: u64 = 8 * 1024;

/// The right to run the server of a directory: a lock that the system takes
/// back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Hold {
    file: File,
}

/// Who has that right, as it wrote down.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub pid: u32,
    pub is_daemon: bool,
    /// Where its server's socket is.
    pub sockets: PathBuf,
}

/// What became of an attempt to take the right.
pub(super) enum Taken {
    /// It is ours.
    Ours(Hold),
    /// It is another's; `None` in the moment before that one wrote its name.
    Another(Option<Holder>),
}

impl Hold {
    /// Takes the right that `file` stands for, unless another has it.
    pub(super) fn take(path: &Path) -> Result<Taken, ClusterError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // The server's user could otherwise make root write elsewhere.
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)
            .map_err(|error| ClusterError::io("open", path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Taken::Ours(Self { file })),
            Err(TryLockError::WouldBlock) => {
                let mut content = Vec::new();
                Read::by_ref(&mut file)
                    .take(CONTENT_LIMIT_BYTES)
                    .read_to_end(&mut content)
                    .map_err(|error| ClusterError::io("read", path, error))?;
                Ok(Taken::Another(parse(&content)))
            }
            Err(TryLockError::Error(error)) => Err(ClusterError::io("lock", path, error)),
        }
    }

    /// Writes down who we are, for those who come next.
    pub(super) fn sign(&mut self, role: Role, sockets: &Path) -> std::io::Result<()> {
        let mut content = format!("{}\n{}\n", std::process::id(), role.word()).into_bytes();
        content.extend_from_slice(sockets.as_os_str().as_bytes());
        content.push(b'\n');
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&content)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Closing is not enough at once: a child that is just being started still
        // has a copy of the descriptor until it becomes its program.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the private database's lock goes with its file");
        }
    }
}

/// Reads what [`Hold::sign`] wrote; `None` when it is not all there.
fn parse(content: &[u8]) -> Option<Holder> {
    let content = content.strip_suffix(b"\n")?;
    let mut lines = content.splitn(3, |byte| *byte == b'\n');
    let pid = std::str::from_utf8(lines.next()?).ok()?.parse().ok()?;
    let is_daemon = lines.next()? == Role::Daemon.word().as_bytes();
    let sockets = PathBuf::from(std::ffi::OsString::from_vec(lines.next()?.to_vec()));
    Some(Holder {
        pid,
        is_daemon,
        sockets,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_half_written_signature_is_nobodys() {
        let whole = b"4711\ndaemon\n/run/advisoryd-1\n";
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_none(), "first {length} bytes");
        }
        assert!(parse(whole).is_some_and(|holder| holder.pid == 4711 && holder.is_daemon));
    }
}
