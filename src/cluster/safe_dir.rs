//! Opens directories and reads small files that another user controls:
//! `openat` with `O_NOFOLLOW`, owner and mode checked, bounded reads.
//!
//! Root must not be led elsewhere by a symbolic link, wait for ever at a FIFO,
//! or read a file without an end. Nothing is written here; see `user_files`.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::error::ClusterError;
use super::owner::user_name;

/// Whoever may write in a directory decides what its names mean.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The mode bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// A directory that belongs to the expected user and that only this user can
/// change. It stays the same directory, whatever becomes of its path.
#[derive(Debug)]
pub(super) struct SafeDir {
    file: File,
    path: PathBuf,
    owner: u32,
}

impl SafeDir {
    /// Opens `path`, whose last component must not be a link; `None` when there
    /// is nothing.
    pub(super) fn open(path: &Path, owner: u32) -> Result<Option<Self>, ClusterError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
            .open(path);
        Self::checked(opened, path.to_path_buf(), owner)
    }

    /// Opens the directory `name` in this one; `None` when there is nothing.
    pub(super) fn subdir(&self, name: &str) -> Result<Option<Self>, ClusterError> {
        let opened = self.open_at(name, OFlag::O_DIRECTORY);
        Self::checked(opened, self.path.join(name), self.owner)
    }

    /// Where it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its descriptor.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// What the system knows about it.
    pub(super) fn metadata(&self) -> Result<Metadata, ClusterError> {
        self.file
            .metadata()
            .map_err(|error| ClusterError::io("inspect", &self.path, error))
    }

    /// Refuses a directory that anybody else can enter.
    pub(super) fn require_private(&self) -> Result<(), ClusterError> {
        let mode = self.metadata()?.mode() & 0o777;
        if mode & OTHERS == 0 {
            return Ok(());
        }
        Err(unsafe_directory(
            &self.path,
            self.owner,
            format!("is open to other users (mode {mode:04o})"),
        ))
    }

    /// Opens the regular file `name` for reading; `None` when there is none.
    pub(super) fn regular_file(&self, name: &str) -> Result<Option<File>, ClusterError> {
        let path = self.path.join(name);
        // Opening a FIFO would wait for a writer.
        let file = match self.open_at(name, OFlag::O_NONBLOCK) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(error, path, "a regular file")),
        };
        let metadata = file
            .metadata()
            .map_err(|error| ClusterError::io("inspect", &path, error))?;
        if metadata.is_file() {
            return Ok(Some(file));
        }
        Err(ClusterError::Unsafe {
            found: describe(metadata.file_type()).to_owned(),
            path,
            expected: "a regular file".to_owned(),
        })
    }

    /// The text of the file `name`, which has at most `limit_bytes`; `None` when
    /// there is none. `expected` says what such a file contains.
    pub(super) fn read(
        &self,
        name: &str,
        limit_bytes: u64,
        expected: &'static str,
    ) -> Result<Option<String>, ClusterError> {
        let Some(file) = self.regular_file(name)? else {
            return Ok(None);
        };
        let path = self.path.join(name);
        let mut content = Vec::new();
        file.take(limit_bytes + 1)
            .read_to_end(&mut content)
            .map_err(|error| ClusterError::io("read", &path, error))?;
        let is_whole = u64::try_from(content.len()).is_ok_and(|length| length <= limit_bytes);
        match String::from_utf8(content) {
            Ok(text) if is_whole => Ok(Some(text)),
            _ => Err(ClusterError::Damaged { path, expected }),
        }
    }

    fn open_at(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let descriptor = openat(&self.file, name, flags, Mode::empty())?;
        Ok(File::from(descriptor))
    }

    fn checked(
        opened: io::Result<File>,
        path: PathBuf,
        owner: u32,
    ) -> Result<Option<Self>, ClusterError> {
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(error, path, &expected(owner))),
        };
        let dir = Self { file, path, owner };
        check_owner_and_mode(&dir.path, &dir.metadata()?, owner)?;
        Ok(Some(dir))
    }
}

/// Refuses what is not a directory of `owner` that only this user can change.
pub(super) fn check_owner_and_mode(
    path: &Path,
    metadata: &Metadata,
    owner: u32,
) -> Result<(), ClusterError> {
    let mode = metadata.mode() & 0o7777;
    let found = if !metadata.is_dir() {
        describe(metadata.file_type()).to_owned()
    } else if metadata.uid() != owner {
        format!("belongs to the user {}", user_name(metadata.uid()))
    } else if mode & WRITABLE_BY_OTHERS != 0 {
        format!("can be changed by other users (mode {mode:04o})")
    } else {
        return Ok(());
    };
    Err(unsafe_directory(path, owner, found))
}

fn unsafe_directory(path: &Path, owner: u32, found: String) -> ClusterError {
    ClusterError::Unsafe {
        path: path.to_path_buf(),
        found,
        expected: expected(owner),
    }
}

fn expected(owner: u32) -> String {
    format!("a private directory of the user {}", user_name(owner))
}

/// What a failed open means: that of a link is no trouble with the system.
fn refused(error: io::Error, path: PathBuf, expected: &str) -> ClusterError {
    // What `O_NOFOLLOW` and `O_DIRECTORY` report.
    let is_other_type = [Errno::ELOOP, Errno::ENOTDIR]
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32));
    match fs::symlink_metadata(&path) {
        Ok(metadata) if is_other_type => ClusterError::Unsafe {
            found: describe(metadata.file_type()).to_owned(),
            path,
            expected: expected.to_owned(),
        },
        _ => ClusterError::io("open", path, error),
    }
}

fn describe(found: FileType) -> &'static str {
    if found.is_symlink() {
        "is a symbolic link"
    } else if found.is_dir() {
        "is a directory"
    } else if found.is_file() {
        "is a file"
    } else if found.is_fifo() {
        "is a named pipe"
    } else {
        "is a special file"
    }
}
