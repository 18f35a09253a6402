//! Why a backup, restore or copy failed.

use std::io;
use std::path::{Path, PathBuf};

/// Each message says what to do, where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file to write exists.
    #[error("`{}` exists; name another file, or use --overwrite", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A directory, device, pipe or symbolic link is in the place of the file.
    #[error("`{}` is not a regular file; name another file, or use `-` for standard output", path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// A directory is in the place of the file.
    #[error("`{}` is a directory; name a file in it, such as `{}`", path.display(), path.join("advisoryd.dump").display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// Another backup writes the same file.
    #[error("another backup is writing `{}`; wait for it, or name another file", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A program of PostgreSQL reported an error.
    #[error("{program} failed: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What it printed, in one line.
        reason: String,
    },
    /// A backup ends too early.
    #[error("`{}` is not a complete backup: {reason}", path.display())]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// What `pg_restore` printed, in one line.
        reason: String,
    },
    /// The file or the pipe.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// A verb phrase.
        doing: &'static str,
        /// The file or program.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
}

impl TransferError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_path_buf(),
            source,
        }
    }
}
