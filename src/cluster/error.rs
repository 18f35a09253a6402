use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What kept the private PostgreSQL from serving. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable server program is installed.
    #[error(
        "no PostgreSQL server of version {oldest} or newer was found ({searched}); install one with `apt-get install postgresql`, or set `url` under `[database]` to use another"
    )]
    NoServer {
        /// Oldest major version that will do.
        oldest: u32,
        /// Where was looked and what was found there.
        searched: String,
    },
    /// The data was written by a major version of which no server is installed.
    #[error(
        "the data in `{}` is of PostgreSQL {data_version}, and no such server was found ({searched}); install it with `apt-get install postgresql-{data_version}`, or move the data to another version with pg_upgrade", data.display()
    )]
    OtherMajor {
        /// The data directory.
        data: PathBuf,
        /// Its major version, as written in its file `PG_VERSION`.
        data_version: String,
        /// Where was looked and what was found there.
        searched: String,
    },
    /// A unix socket's path has a small limit and no short directory was to be had.
    #[error(
        "`{}` cannot be a socket's path, which has at most {limit_bytes} bytes and no comma, and no other directory could be made for the socket ({tried}); set `dir` under `[state]` to a shorter path", path.display()
    )]
    SocketPathTooLong {
        /// The path that the socket would have under the state directory.
        path: PathBuf,
        /// Longest path that the system takes.
        limit_bytes: usize,
        /// The short directories that were tried and why they failed.
        tried: String,
    },
    /// We are root, which PostgreSQL refuses, and there is nobody to become.
    #[error(
        "PostgreSQL refuses to run as root and this system has no user `{user}`; create it with `useradd --system {user}`, or start advisoryd as an ordinary user, or set `url` under `[database]`"
    )]
    RootWithoutUser {
        /// The user that was looked for.
        user: &'static str,
    },
    /// The user that the server runs as cannot get into the state directory.
    #[error(
        "the user `{user}`, as which PostgreSQL runs, cannot enter `{}` on the way to `{}`; set `dir` under `[state]` to a directory that it can reach, such as /var/lib/advisoryd", blocked.display(), directory.display()
    )]
    Unreachable {
        /// The user.
        user: String,
        /// The first directory that it cannot enter.
        blocked: PathBuf,
        /// The directory that it has to reach.
        directory: PathBuf,
    },
    /// This process may not do something with a path that it needs.
    #[error(
        "not enough rights for `{}`{belongs_to}; run advisoryd as the user who owns the state directory, or set `dir` under `[state]`", path.display()
    )]
    Rights {
        /// The path.
        path: PathBuf,
        /// Whose it is, in words, or nothing.
        belongs_to: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another daemon holds the directory.
    #[error(
        "the private PostgreSQL in `{}` is held by another advisoryd daemon, process {pid}; stop that one, or give this one its own `dir` under `[state]`", directory.display()
    )]
    Held {
        /// The directory.
        directory: PathBuf,
        /// The daemon's process, 0 when it did not say.
        pid: u32,
    },
    /// A server that no advisoryd holds runs on the data.
    #[error(
        "a PostgreSQL server, process {pid}, is still running on `{}` after {}; stop it with `kill -INT {pid}`", data.display(), humantime::format_duration(*waited)
    )]
    Occupied {
        /// The data directory.
        data: PathBuf,
        /// The server's process.
        pid: u32,
        /// How long its end was awaited.
        waited: Duration,
    },
    /// `initdb` did not finish its work.
    #[error("initdb could not create `{}`: {said}", data.display())]
    Initdb {
        /// The data directory.
        data: PathBuf,
        /// The end of what it printed.
        said: String,
    },
    /// The server ended before it accepted a connection.
    #[error("the PostgreSQL server ended while starting ({status}): {said}")]
    Ended {
        /// How it ended.
        status: String,
        /// The end of what it logged.
        said: String,
    },
    /// The server runs and does not accept connections.
    #[error(
        "the PostgreSQL server of process {holder} accepted no connection within {}: {said}", humantime::format_duration(*waited)
    )]
    NotReady {
        /// The advisoryd that holds the server.
        holder: u32,
        /// How long was waited.
        waited: Duration,
        /// The last reason.
        said: String,
    },
    /// The server took none of the signals that should have ended it.
    #[error(
        "the PostgreSQL server, process {pid}, did not stop within {}", humantime::format_duration(*waited)
    )]
    StillRunning {
        /// The server's process.
        pid: u32,
        /// How long was waited.
        waited: Duration,
    },
    /// The server's role or database could not be made.
    #[error("cannot set up the private PostgreSQL")]
    Setup(#[source] sqlx::Error),
    /// Anything else that the system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// A verb phrase.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ClusterError {
    /// What to make of an error of the file system: missing rights are their own case.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        if source.kind() == io::ErrorKind::PermissionDenied {
            let belongs_to = super::account::owner_in_words(&path);
            return Self::Rights {
                path,
                belongs_to,
                source,
            };
        }
        Self::Io {
            doing,
            path,
            source,
        }
    }
}
