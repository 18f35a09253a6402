//! The private server as a value: start or join it, keep it running, stop it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::account::Account;
use super::address;
use super::backoff::LaunchBackoff;
use super::directory::Directory;
use super::error::ClusterError;
use super::options::{ClusterOptions, ServerSearch};
use super::postmaster::{Occupant, occupant};
use super::setup::OWN_NAME;
use super::site::Site;
use super::state::ServerState;
use crate::model::chain;

/// Pause between two checks whether a joined server still runs.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// The private server. One that we started ends with this value (or with the
/// process); one that another advisoryd runs goes on.
///
/// What is under way lives in this value, not in the futures of its functions.
/// Each may be dropped and called again: a start goes on meanwhile, and the next
/// call waits for the same one.
#[derive(Debug)]
pub struct Cluster {
    site: Site,
    state: ServerState,
    backoff: LaunchBackoff,
    /// Why the last attempt to start failed.
    failure: watch::Sender<Option<String>>,
}

impl Cluster {
    /// The private server in `state_dir/postgresql`, which is created if need
    /// be. Nothing is started yet.
    pub fn prepare(state_dir: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let (directory, account) = Directory::prepare(state_dir)?;
        Ok(Self {
            site: Site {
                directory,
                account,
                options,
                sockets: PathBuf::new(),
            },
            state: ServerState::Down { lock: None },
            backoff: LaunchBackoff::new(),
            failure: watch::Sender::default(),
        })
    }

    /// [`prepare`](Self::prepare) and [`start`](Self::start) in one. What was
    /// begun is given up when this future is dropped.
    pub async fn open(state_dir: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let mut cluster = Self::prepare(state_dir, options)?;
        cluster.start().await?;
        Ok(cluster)
    }

    /// Starts the server, creating its data if need be, or joins the one that
    /// another advisoryd runs. It accepts connections when this returns.
    ///
    /// A server that recovers is waited for however long it takes, with a line
    /// in the log now and then. After an error no server of ours runs any more, and
    /// the next call starts anew.
    pub async fn start(&mut self) -> Result<(), ClusterError> {
        while !self.state.is_running() {
            let is_retry = self.backoff.is_retry();
            if let Err(error) = self.state.step(&mut self.site, is_retry).await
                && let Some(error) = self.state.give_up(error)
            {
                return Err(error.or_disk_full(self.site.directory.path()));
            }
        }
        Ok(())
    }

    /// Like [`start`](Self::start), but waits out failures that can pass without
    /// a change of what is installed or configured, such as a full disk.
    pub async fn start_patiently(&mut self) -> Result<(), ClusterError> {
        loop {
            match self.retry().await {
                Err(failure) if failure.is_temporary() => self.record(&failure),
                result => return result,
            }
        }
    }

    /// Waits until the running server is gone without being stopped by us;
    /// returns how it ended.
    async fn exited(&mut self) -> String {
        match &mut self.state {
            ServerState::Ours { server, .. } => server.ended().await,
            ServerState::Joined { .. } => {
                while matches!(occupant(&self.site.directory), Ok(Occupant::Server(_))) {
                    sleep(CHECK_EVERY).await;
                }
                "the process that ran it ended".to_owned()
            }
            _ => "it is not running".to_owned(),
        }
    }

    /// Starts the server again whenever it ends, for ever, with pauses that grow
    /// while that fails. Failures are logged when they differ from the one before.
    pub async fn keep_running(&mut self) -> Infallible {
        loop {
            if self.state.is_running() {
                let since = self.state.running_since();
                let status = self.exited().await;
                warn!("the private PostgreSQL ended ({status}); starting it again");
                self.backoff.ended(since);
                self.state.reset();
            }
            if let Err(failure) = self.retry().await {
                self.record(&failure);
            }
        }
    }

    /// Stops the server if it is ours, also while it starts: fast, and with more
    /// force when that takes too long. No acknowledged row is lost either way.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        if let ServerState::Ours { server, .. } = &mut self.state {
            return server.stop().await;
        }
        self.cancel_start().await
    }

    /// Stops the server if it is ours, and keeps the lock of its directory.
    pub(super) async fn halt(&mut self) -> Result<(), ClusterError> {
        if let ServerState::Ours { server, .. } = &mut self.state {
            server.stop().await?;
        }
        Ok(())
    }

    /// The directory of this server, and the user it runs as.
    pub(super) fn location(&self) -> (&Directory, &Account) {
        (&self.site.directory, &self.site.account)
    }

    /// Where server programs are searched for.
    pub(super) fn search(&self) -> &ServerSearch {
        &self.site.options.search
    }

    /// Ends a start that is under way, within 10 s; a server that is ready is
    /// left alone. Whoever waits for a connection to the one that starts gets an
    /// error at once, instead of waiting for the end of its recovery.
    pub async fn cancel_start(&mut self) -> Result<(), ClusterError> {
        self.state.cancel().await
    }

    /// One line for people about a start that is under way.
    pub fn progress(&self) -> String {
        match (&self.state, &*self.failure.borrow()) {
            (ServerState::Down { .. }, Some(failure)) => format!("{failure}; retrying"),
            (state, _) => state.progress(),
        }
    }

    /// Why the server does not run and the last attempt to start it failed; `None` once
    /// one succeeds.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }

    /// Whether this process started the server; else it joined another's.
    pub fn is_ours(&self) -> bool {
        matches!(self.state, ServerState::Ours { .. })
    }

    /// How to connect: by the socket, to the daemon's database as its role.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.site.connect_options()
    }

    /// The same as a URL, which libpq understands, too.
    pub fn url(&self) -> String {
        address::url(&self.site.sockets, OWN_NAME)
    }

    /// The line that a person pastes into a shell to connect. It works for the
    /// user that runs advisoryd, and for root, whom no directory keeps out.
    pub fn psql(&self) -> String {
        let binaries = self.state.server().map(|server| server.binaries.as_path());
        address::psql(
            &self.site.sockets,
            OWN_NAME,
            &self.site.options.search.path,
            binaries,
        )
    }

    /// One attempt to start, when it is due.
    async fn retry(&mut self) -> Result<(), ClusterError> {
        if matches!(self.state, ServerState::Down { .. }) {
            self.backoff.wait().await;
        }
        self.start().await?;
        self.failure
            .send_if_modified(|failure| failure.take().is_some());
        Ok(())
    }

    /// Notes that an attempt to start failed. Logged when it is news.
    fn record(&mut self, failure: &ClusterError) {
        let text = chain(failure);
        if self.backoff.failed(failure) {
            error!("cannot start the private PostgreSQL: {text}; retrying");
        } else {
            debug!("cannot start the private PostgreSQL: {text}");
        }
        self.failure.send_replace(Some(text));
    }
}
