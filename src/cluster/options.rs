//! How a process wants to start or join the private server: role, limits,
//! where to search for PostgreSQL.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server may take to accept its first connection while it does not
/// report recovery: a cold start on a slow disk takes a few seconds.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// What a process wants from the private server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs the server for long and alone: a second daemon is refused. Beside a
    /// running [`Role::Client`] it joins, and takes over when that one ends.
    Daemon,
    /// A command (`status`, `sync`, `check`): joins the process that runs the
    /// server, else starts it for its own duration.
    Client,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Client => "client",
        }
    }

    pub(super) fn from_word(word: &[u8]) -> Option<Self> {
        [Self::Daemon, Self::Client]
            .into_iter()
            .find(|role| role.word().as_bytes() == word)
    }
}

/// How to start or join the private server.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// What this process wants.
    pub role: Role,
    /// Whether every acknowledged row must survive a power cut. Tests say no.
    pub durable: bool,
    /// Longest wait for the first connection. A server of ours that reports
    /// recovery is waited for without a limit.
    pub ready_within: Duration,
    /// Where to search for server programs.
    pub search: ServerSearch,
    /// Parents of the short socket directory that is used when the state
    /// directory's path is too long for a socket; the first that works is used.
    pub short_directories: Vec<PathBuf>,
    /// Unix group whose members may read, by a second socket.
    pub share_with: Option<String>,
}

/// Where to search for server programs, in this order.
#[derive(Debug, Clone)]
pub struct ServerSearch {
    /// Directories as in `$PATH`, for `postgres` and for `pg_config`.
    pub path: OsString,
    /// Directory of Debian's layout, `VERSION/bin/postgres`; the newest is used.
    pub versions: PathBuf,
}

impl ClusterOptions {
    /// The options that a user gets.
    pub fn new(role: Role) -> Self {
        let user_id = nix::unistd::geteuid();
        Self {
            role,
            durable: true,
            ready_within: READY_WITHIN,
            search: ServerSearch {
                path: std::env::var_os("PATH").unwrap_or_default(),
                versions: PathBuf::from("/usr/lib/postgresql"),
            },
            short_directories: vec![
                PathBuf::from(format!("/run/user/{user_id}")),
                PathBuf::from("/run"),
                PathBuf::from("/tmp"),
            ],
            share_with: None,
        }
    }
}
