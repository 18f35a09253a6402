//! Why the private PostgreSQL cannot be used: error type, one variant for each
//! case in which the operator has to do something else.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use humantime::format_duration;

use super::owner::owner_clause;

/// What programs print when the disk or the quota is used up, in the C locale
/// that ours run with (`strerror` of `ENOSPC` and `EDQUOT`).
const DISK_FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// PostgreSQL's `disk_full`. Source: PostgreSQL documentation, appendix A.
const SQLSTATE_DISK_FULL: &str = "53100";

/// What kept the private PostgreSQL from serving. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable server program is installed.
    #[error(
        "no PostgreSQL server of version {oldest} or newer found ({searched}); install one with `apt-get install postgresql`, or set [database] url to use another server"
    )]
    NoServer {
        /// Oldest major version that is supported.
        oldest: u32,
        /// Where was searched and what was found there.
        searched: String,
    },
    /// The data was written by a major version of which no server is installed.
    #[error(
        "the data in `{}` was written by PostgreSQL {data_version}, and no such server was found ({searched}); install it with `apt-get install postgresql-{data_version}`, then run `advisoryd database upgrade`", data.display()
    )]
    OtherMajor {
        /// The data directory.
        data: PathBuf,
        /// Its major version, as its file `PG_VERSION` states.
        data_version: String,
        /// Where was searched and what was found there.
        searched: String,
    },
    /// `pg_dump` and `pg_restore` are missing, or too old for the server.
    #[error(
        "no `pg_dump` and `pg_restore` of version {server_major} or newer found ({found}); install them with `apt-get install postgresql-client-{server_major}`"
    )]
    NoClientPrograms {
        /// The server's major version.
        server_major: u32,
        /// What was found.
        found: String,
    },
    /// The data of an earlier upgrade or restore is still there.
    #[error(
        "`{}` is left from an earlier upgrade or restore; remove it when it is no longer needed: rm -r {}", path.display(), path.display()
    )]
    FormerData {
        /// The directory.
        path: PathBuf,
    },
    /// A Unix socket's path is limited, and no short directory was available.
    #[error(
        "`{}` cannot be the path of a socket (at most {limit_bytes} bytes, no comma), and no other directory could be used ({tried}); set [state] dir to a shorter path", path.display()
    )]
    SocketPathTooLong {
        /// The path that the socket would have under the state directory.
        path: PathBuf,
        /// Longest path that the system accepts.
        limit_bytes: usize,
        /// The short directories that were tried and why they failed.
        tried: String,
    },
    /// We are root, which PostgreSQL refuses, and there is no user to switch to.
    #[error(
        "PostgreSQL refuses to run as root and this system has no user `{user}`; create it with `useradd --system {user}`, or start advisoryd as an ordinary user, or set [database] url"
    )]
    RootWithoutUser {
        /// The user that was looked up.
        user: &'static str,
    },
    /// The system has no name for our user, which PostgreSQL's programs look up.
    #[error(
        "PostgreSQL refuses to run as the user {user}, which has no name on this system. For a unit with DynamicUser=, install libnss-systemd (`apt-get install libnss-systemd`). While the unit is stopped, run the command with `systemd-run --pipe -p DynamicUser=yes -p User=advisoryd -p StateDirectory=advisoryd advisoryd …`. Otherwise set [database] url"
    )]
    NamelessUser {
        /// The user's number.
        user: u32,
    },
    /// The user that the server runs as cannot enter the state directory.
    #[error(
        "PostgreSQL runs as the user `{user}`, who cannot enter `{}`, a parent of `{}`; set [state] dir to a directory that this user can reach, such as /var/lib/advisoryd", blocked.display(), directory.display()
    )]
    Unreachable {
        /// The user.
        user: String,
        /// The first directory that it cannot enter.
        blocked: PathBuf,
        /// The directory that it has to reach.
        directory: PathBuf,
    },
    /// This process lacks the rights for a path that it needs.
    #[error(
        "permission denied for `{}`{owner}", path.display()
    )]
    PermissionDenied {
        /// The path.
        path: PathBuf,
        /// Who owns it, in words, or nothing.
        owner: String,
        /// What the system reported.
        source: io::Error,
    },
    /// A path is not the plain file or private directory that it has to be:
    /// somebody else could redirect or change what is done there.
    #[error("`{}` {found}, expected {expected}; remove it, or set [state] dir", path.display())]
    Unsafe {
        /// The path.
        path: PathBuf,
        /// What it is, as a predicate: `is a symbolic link`.
        found: String,
        /// What it has to be: `a directory that belongs to the user x`.
        expected: String,
    },
    /// A small file has other content than PostgreSQL or advisoryd writes.
    #[error("`{}` is damaged: expected {expected}; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it has to contain.
        expected: &'static str,
    },
    /// The file system of the state directory has no space left.
    #[error("disk full: no space left for the private PostgreSQL in `{}` ({reason}); free some space there", directory.display())]
    DiskFull {
        /// The directory.
        directory: PathBuf,
        /// What was reported.
        reason: String,
    },
    /// Another daemon runs the server of this directory.
    #[error(
        "the private PostgreSQL in `{}` is in use by another advisoryd daemon, process {pid}; stop that daemon, or give this one its own [state] dir", directory.display()
    )]
    AlreadyRunning {
        /// The directory.
        directory: PathBuf,
        /// The daemon's process.
        pid: u32,
    },
    /// The process that holds the directory lock is stopped, and so is its server.
    #[error(
        "the private PostgreSQL in `{}` is locked by {holder}, which is suspended (a stop signal or a frozen control group), and its server does not answer; resume it with `kill -CONT {pid}`, or end it with `kill -KILL {pid}`", directory.display()
    )]
    HolderSuspended {
        /// The directory.
        directory: PathBuf,
        /// The process that holds the lock, in words.
        holder: String,
        /// Its number.
        pid: u32,
    },
    /// The server of another process accepts no connections.
    #[error(
        "the private PostgreSQL in `{}` is locked by {holder}, and its server accepted no connection within {}: {reason}", directory.display(), format_duration(*waited)
    )]
    HolderNotReady {
        /// The directory.
        directory: PathBuf,
        /// The process that holds the lock, in words.
        holder: String,
        /// How long it was waited for.
        waited: Duration,
        /// Why the last attempt failed.
        reason: String,
    },
    /// A server that no advisoryd manages runs on the data.
    #[error(
        "a PostgreSQL server, process {pid}, is still running on `{}` after {}; stop it with `kill -INT {pid}`", data.display(), format_duration(*waited)
    )]
    Occupied {
        /// The data directory.
        data: PathBuf,
        /// The server's process.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// `initdb` failed.
    #[error("initdb could not create `{}`: {output}", data.display())]
    Initdb {
        /// The data directory.
        data: PathBuf,
        /// The end of what it printed.
        output: String,
    },
    /// The server ended before it accepted a connection.
    #[error("the PostgreSQL server ended while starting ({status}): {log}")]
    EndedWhileStarting {
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// The server runs, accepts no connections and does not report recovery.
    #[error(
        "the PostgreSQL server accepted no connection within {}: {reason}", format_duration(*waited)
    )]
    NotReady {
        /// How long it was waited for.
        waited: Duration,
        /// Why the last attempt failed.
        reason: String,
    },
    /// The server survived every signal that should have ended it.
    #[error(
        "the PostgreSQL server, process {pid}, did not stop within {}", format_duration(*waited)
    )]
    StillRunning {
        /// The server's process.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The start was cancelled: the program is stopping.
    #[error("the start of the private PostgreSQL was cancelled")]
    Cancelled,
    /// The server's roles or database could not be created.
    #[error("cannot set up the private PostgreSQL")]
    Setup(#[source] sqlx::Error),
    /// Anything else that the system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// A verb phrase.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
}

impl ClusterError {
    /// What an error of the file system means: missing rights and a full disk
    /// are cases of their own.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::PermissionDenied {
                owner: owner_clause(&path),
                path,
                source,
            },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                directory: path,
                reason: source.to_string(),
            },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }

    /// What an error of the server at set-up means.
    pub(super) fn setup(directory: &Path, source: sqlx::Error) -> Self {
        let code = source
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        if code.as_deref() == Some(SQLSTATE_DISK_FULL) {
            return Self::DiskFull {
                directory: directory.to_owned(),
                reason: source.to_string(),
            };
        }
        Self::Setup(source)
    }

    /// The disk is full, if that is what a program's `output` says.
    pub(super) fn disk_full(directory: &Path, output: &str) -> Option<Self> {
        let line = output
            .split(['\n', ';'])
            .find(|line| is_disk_full(line))?
            .trim();
        Some(Self::DiskFull {
            directory: directory.to_owned(),
            reason: line.to_owned(),
        })
    }

    /// A full disk, if that is what the log of a server that ended says; else
    /// the error as it is.
    pub(super) fn or_disk_full(self, directory: &Path) -> Self {
        match &self {
            Self::EndedWhileStarting { log, .. } => Self::disk_full(directory, log).unwrap_or(self),
            _ => self,
        }
    }

    /// Whether the same start can succeed later without a change by an
    /// operator of what is installed or configured: worth waiting for.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::DiskFull { .. }
            | Self::HolderSuspended { .. }
            | Self::HolderNotReady { .. }
            | Self::Occupied { .. }
            | Self::NotReady { .. }
            | Self::StillRunning { .. } => true,
            Self::NoServer { .. }
            | Self::OtherMajor { .. }
            | Self::NoClientPrograms { .. }
            | Self::FormerData { .. }
            | Self::SocketPathTooLong { .. }
            | Self::RootWithoutUser { .. }
            | Self::NamelessUser { .. }
            | Self::Unreachable { .. }
            | Self::PermissionDenied { .. }
            | Self::Unsafe { .. }
            | Self::Damaged { .. }
            | Self::AlreadyRunning { .. }
            | Self::Initdb { .. }
            | Self::EndedWhileStarting { .. }
            | Self::Cancelled
            | Self::Setup(_)
            | Self::Io { .. } => false,
        }
    }
}

/// Whether a line of a program's output reports a full disk.
fn is_disk_full(line: &str) -> bool {
    DISK_FULL.iter().any(|text| line.contains(text))
}
