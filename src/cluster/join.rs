//! Joins the server that another advisoryd runs. A process that holds the lock
//! and does nothing keeps nobody waiting for long: the error names it.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::Connection;
use tracing::{info, warn};

use super::address::connect_options;
use super::directory::UNFINISHED_DATA;
use super::directory_lock::LockHolder;
use super::error::ClusterError;
use super::options::Role;
use super::process_state::{is_suspended, process_state};
use super::ready::{Wait, connect};
use super::site::Site;
use super::socket_dir;

/// How long a holder and its server may give no sign of life. A start takes a
/// second; a busy machine takes longer.
const SILENT_WITHIN: Duration = Duration::from_secs(15);

/// The same for a holder that is suspended. Not at once: its server may be
/// about to answer.
const SUSPENDED_WITHIN: Duration = Duration::from_secs(2);

/// What the server answers for a database that does not exist (`invalid_catalog_name`).
const NO_SUCH_DATABASE: &str = "3D000";

/// What it answers while there is no room for the locks of a new session: a code that it has
/// for memory too, and the message of a server with `lc_messages=C`.
const OUT_OF_MEMORY: &str = "53200";
const LOCK_TABLE: &str = "out of shared memory";

/// Why a server cannot be joined yet.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    /// Its process has just begun, or cannot be seen from here.
    #[error("it has not recorded its process id")]
    Unrecorded,
    /// That is so in a first start, which takes its time on a busy machine.
    #[error("its database is being created")]
    NoDatabaseYet,
    #[error(
        "its lock table is full, because sessions hold too many locks; close the clients that hold them, or restart the daemon"
    )]
    LockTableFull,
    #[error("{0}")]
    Refused(sqlx::Error),
}

/// An attempt to join, over several looks at the lock.
#[derive(Debug)]
pub(super) struct Joining {
    wait: Wait,
    pid: Option<u32>,
}

impl Joining {
    pub(super) fn begin() -> Self {
        Self {
            wait: Wait::begin(),
            pid: None,
        }
    }

    /// What is being waited for.
    pub(super) fn progress(&self) -> String {
        let holder = self
            .pid
            .map_or_else(String::new, |pid| format!(" of process {pid}"));
        let seconds = self.wait.seconds();
        format!("waiting for the private PostgreSQL{holder} for {seconds} s")
    }

    /// Tries once to join the server of `holder`, the process that has the lock. Returns the directory of its socket; `None` when it is
    /// not ready, but may still become so.
    pub(super) async fn attempt(
        &mut self,
        holder: Option<LockHolder>,
        site: &Site,
    ) -> Result<Option<PathBuf>, ClusterError> {
        let pid = holder.as_ref().map(|holder| holder.pid);
        if self.pid != pid {
            self.pid = pid;
            self.wait.is_alive();
        }
        // What a dead holder recorded is still there until the next one records itself.
        let visible = holder
            .as_ref()
            .filter(|holder| process_state(holder.pid).is_some());
        let reason = match visible {
            Some(holder) => match self.connect_to(holder, site).await? {
                Ok(()) => return Ok(Some(holder.sockets.clone())),
                Err(reason) => reason,
            },
            None => NotReady::Unrecorded,
        };
        let holder_in_words = match &holder {
            Some(holder) if visible.is_some() => holder.in_words(),
            Some(holder) => format!(
                "a process that cannot be seen from here (the last one was {})",
                holder.in_words()
            ),
            None => "an advisoryd process".to_owned(),
        };
        if self.wait.report_is_due() {
            let text = format!("waiting for the private PostgreSQL of {holder_in_words}: {reason}");
            if matches!(reason, NotReady::NoDatabaseYet) {
                info!("{text}");
            } else {
                warn!("{text}");
            }
        }
        if let Some(holder) = visible
            && self.wait.silent_for() >= SUSPENDED_WITHIN
            && is_suspended(holder.pid)
        {
            return Err(ClusterError::HolderSuspended {
                directory: site.directory.path().to_path_buf(),
                holder: holder_in_words,
                pid: holder.pid,
            });
        }
        if self.has_waited_enough(site) {
            return Err(ClusterError::HolderNotReady {
                directory: site.directory.path().to_path_buf(),
                holder: holder_in_words,
                waited: Duration::from_secs(self.wait.seconds()),
                reason: reason.to_string(),
            });
        }
        Ok(None)
    }

    /// The inner error is why the server cannot be joined yet.
    async fn connect_to(
        &mut self,
        holder: &LockHolder,
        site: &Site,
    ) -> Result<Result<(), NotReady>, ClusterError> {
        if holder.role == Role::Daemon && site.options.role == Role::Daemon {
            return Err(ClusterError::AlreadyRunning {
                directory: site.directory.path().to_path_buf(),
                pid: holder.pid,
            });
        }
        socket_dir::verify(&holder.sockets, &site.directory, &site.account)?;
        match connect(&connect_options(&holder.sockets)).await {
            Ok(connection) => {
                // A failed disconnect does not matter here.
                let _ = connection.close().await;
                info!("joined the private PostgreSQL of process {}", holder.pid);
                Ok(Ok(()))
            }
            Err(error) => {
                if error.as_database_error().is_some() {
                    self.wait.is_alive();
                }
                let code = error
                    .as_database_error()
                    .and_then(sqlx::error::DatabaseError::code);
                Ok(Err(match code.as_deref() {
                    Some(NO_SUCH_DATABASE) => NotReady::NoDatabaseYet,
                    Some(OUT_OF_MEMORY) if error.to_string().contains(LOCK_TABLE) => {
                        NotReady::LockTableFull
                    }
                    _ => NotReady::Refused(error),
                }))
            }
        }
    }

    /// A daemon waits for a server that is alive, however long it recovers; a
    /// command has a user who waits.
    fn has_waited_enough(&self, site: &Site) -> bool {
        let is_being_created = site
            .directory
            .path()
            .join(UNFINISHED_DATA)
            .symlink_metadata()
            .is_ok();
        let silent_within = if is_being_created {
            site.options.ready_within
        } else {
            SILENT_WITHIN.min(site.options.ready_within)
        };
        self.wait.silent_for() >= silent_within
            || (site.options.role == Role::Client
                && self.wait.elapsed() >= site.options.ready_within)
    }
}
