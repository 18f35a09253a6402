//! How far the private server is, and the steps towards one that runs.
//!
//! A step changes the state only after the last point where it waits: a future
//! that is dropped there loses nothing, and the next call takes the step again.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::directory_lock::{DirectoryLock, LockAttempt, record_holder};
use super::error::ClusterError;
use super::join::Joining;
use super::launch::{Launch, LaunchPlan};
use super::ready::{Wait, connect_when_ready, progress};
use super::server::ServerProcess;
use super::setup::{SUPERUSER, set_up, superuser};
use super::site::Site;
use super::socket_dir;

/// Pause between two attempts to join a server that is starting, or to take over.
const JOIN_PAUSE: Duration = Duration::from_millis(50);

/// How far the server is.
#[derive(Debug)]
pub(super) enum ServerState {
    /// Not running, as far as we are concerned. The lock is kept if it was ours.
    Down { lock: Option<Arc<DirectoryLock>> },
    /// The lock is being taken, or the process that has it joined.
    Joining(Joining),
    /// The lock is ours; the process is being started.
    Launching {
        launch: Launch,
        lock: Arc<DirectoryLock>,
        wait: Wait,
    },
    /// The process runs and accepts no connections yet.
    Starting {
        server: ServerProcess,
        lock: Arc<DirectoryLock>,
        wait: Wait,
    },
    /// The start failed; the process is being stopped.
    GivingUp {
        server: ServerProcess,
        lock: Arc<DirectoryLock>,
        error: Option<ClusterError>,
    },
    /// We run it.
    Ours {
        server: ServerProcess,
        lock: Arc<DirectoryLock>,
        since: Instant,
    },
    /// Another process runs it.
    Joined { since: Instant },
}

impl ServerState {
    /// Whether the server accepts connections, or did when it last answered.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Ours { .. } | Self::Joined { .. })
    }

    /// Since when it does.
    pub(super) fn running_since(&self) -> Instant {
        match self {
            Self::Ours { since, .. } | Self::Joined { since } => *since,
            _ => Instant::now(),
        }
    }

    /// The server, where it is ours.
    pub(super) fn server(&self) -> Option<&ServerProcess> {
        match self {
            Self::Ours { server, .. }
            | Self::Starting { server, .. }
            | Self::GivingUp { server, .. } => Some(server),
            _ => None,
        }
    }

    /// Gives up what is running or under way, except the lock.
    pub(super) fn reset(&mut self) {
        let lock = match self {
            Self::Down { lock } => lock.take(),
            Self::Launching { lock, .. }
            | Self::Starting { lock, .. }
            | Self::GivingUp { lock, .. }
            | Self::Ours { lock, .. } => Some(Arc::clone(lock)),
            Self::Joining(_) | Self::Joined { .. } => None,
        };
        *self = Self::Down { lock };
    }

    /// Gives up a start that failed. The error is returned at once, or by a later step
    /// if a server has to be stopped first.
    pub(super) fn give_up(&mut self, error: ClusterError) -> Option<ClusterError> {
        match self.take() {
            Self::Starting { server, lock, .. } => {
                let error = Some(error);
                *self = Self::GivingUp {
                    server,
                    lock,
                    error,
                };
                None
            }
            other => {
                *self = other;
                self.reset();
                Some(error)
            }
        }
    }

    /// Ends a start that is under way, and the server that it came to.
    pub(super) async fn cancel(&mut self) -> Result<(), ClusterError> {
        if let Self::Launching { launch, .. } = self {
            launch.cancel();
            match launch.server().await {
                Ok(server) => self.has_launched(server),
                Err(error) => {
                    debug!("the private PostgreSQL was not started: {error}");
                    self.reset();
                }
            }
        }
        if let Self::Starting { server, .. } | Self::GivingUp { server, .. } = self {
            server.stop().await?;
        }
        if !self.is_running() {
            self.reset();
        }
        Ok(())
    }

    /// One line about a start that is under way.
    pub(super) fn progress(&self) -> String {
        match self {
            Self::Starting { server, wait, .. } => progress(server, wait),
            Self::Joining(joining) => joining.progress(),
            Self::Ours { .. } | Self::Joined { .. } => "the private PostgreSQL is ready".to_owned(),
            Self::GivingUp { .. } => {
                "stopping the private PostgreSQL, which did not become ready".to_owned()
            }
            Self::Down { .. } | Self::Launching { .. } => {
                "starting the private PostgreSQL".to_owned()
            }
        }
    }

    /// Takes one step. `is_retry`: earlier attempts failed alike.
    pub(super) async fn step(
        &mut self,
        site: &mut Site,
        is_retry: bool,
    ) -> Result<(), ClusterError> {
        match self {
            Self::Ours { .. } | Self::Joined { .. } => {}
            Self::Down { lock: None } => *self = Self::Joining(Joining::begin()),
            Self::Joining(joining) => {
                if let Some(next) = lock_or_join(joining, site).await? {
                    *self = next;
                }
            }
            Self::Down { lock: Some(lock) } => {
                let lock = Arc::clone(lock);
                let launch = Launch::begin(LaunchPlan {
                    site: site.clone(),
                    lock: Arc::clone(&lock),
                    is_retry,
                })?;
                let wait = Wait::begin();
                *self = Self::Launching { launch, lock, wait };
            }
            Self::Launching { launch, .. } => {
                let server = launch.server().await?;
                self.has_launched(server);
            }
            Self::Starting { server, wait, .. } => {
                make_ready(server, wait, site).await?;
                self.has_become_ready(site);
            }
            Self::GivingUp { server, error, .. } => {
                if let Err(error) = server.stop().await {
                    warn!("{error}");
                }
                let error = error.take();
                self.reset();
                return error.map_or(Ok(()), Err);
            }
        }
        Ok(())
    }

    fn has_launched(&mut self, server: ServerProcess) {
        *self = match self.take() {
            Self::Launching { lock, mut wait, .. } => {
                wait.is_alive();
                Self::Starting { server, lock, wait }
            }
            other => other,
        };
    }

    fn has_become_ready(&mut self, site: &Site) {
        *self = match self.take() {
            Self::Starting {
                mut server,
                lock,
                wait,
            } => {
                server.serves();
                info!(
                    elapsed_ms = u64::try_from(wait.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "the private PostgreSQL is ready in `{}`",
                    site.sockets.display()
                );
                let since = Instant::now();
                Self::Ours {
                    server,
                    lock,
                    since,
                }
            }
            other => other,
        };
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Down { lock: None })
    }
}

/// Takes the lock, or joins the process that has it; `None` when neither was
/// possible yet.
async fn lock_or_join(
    joining: &mut Joining,
    site: &mut Site,
) -> Result<Option<ServerState>, ClusterError> {
    match DirectoryLock::try_acquire(&site.directory, &site.account)? {
        LockAttempt::Acquired(lock) => {
            let parents = &site.options.short_directories;
            site.sockets = socket_dir::prepare(&site.directory, &site.account, parents)?;
            record_holder(
                &site.directory,
                &site.account,
                site.options.role,
                &site.sockets,
            )?;
            let lock = Some(Arc::new(lock));
            Ok(Some(ServerState::Down { lock }))
        }
        LockAttempt::HeldBy(holder) => {
            if let Some(sockets) = joining.attempt(holder, site).await? {
                site.sockets = sockets;
                let since = Instant::now();
                return Ok(Some(ServerState::Joined { since }));
            }
            sleep(JOIN_PAUSE).await;
            Ok(None)
        }
    }
}

/// Waits until the started server accepts connections, and sets it up.
async fn make_ready(
    server: &mut ServerProcess,
    wait: &mut Wait,
    site: &Site,
) -> Result<(), ClusterError> {
    let own = site.connect_options();
    let options = superuser(own.clone(), SUPERUSER);
    let within = site.options.ready_within;
    let mut connection = connect_when_ready(server, wait, &options, within).await?;
    set_up(&mut connection, own, site.options.share_with.is_some())
        .await
        .map_err(|error| ClusterError::setup(site.directory.path(), error))?;
    // A failed disconnect does not matter here.
    let _ = connection.close().await;
    Ok(())
}
