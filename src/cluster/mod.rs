//! The private PostgreSQL: a server of our own under the state directory, for
//! whoever configured none. It starts and ends with this program, however the
//! program ends, and listens on nothing but a unix socket.

mod account;
mod address;
mod binaries;
mod error;
mod hold;
mod initdb;
mod log;
mod occupant;
mod options;
mod place;
mod process;
mod ready;
mod server;
mod settings;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::time::sleep;
use tracing::{error, info, warn};

use self::account::Account;
use self::hold::{Hold, Holder, Taken};
use self::occupant::Occupant;
use self::place::Place;
use self::server::{Plan, Server};

pub use self::error::ClusterError;
pub use self::options::{ClusterOptions, Role, ServerSearch};

/// The role of the server that may do everything. Who can connect at all may
/// connect as this role; the daemon uses it only to create its own.
pub const SUPERUSER: &str = "postgres";

/// Pause between two attempts to join a server that is starting, or to take over.
const JOIN_PAUSE: Duration = Duration::from_millis(50);

/// Pause between two looks whether a joined server still runs.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// First pause before a server that died is started again; each is twice as long.
const FIRST_RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Longest such pause: a full disk is noticed to be free again within this time.
const LONGEST_RESTART_PAUSE: Duration = Duration::from_secs(30);

/// How long a server has to run to be no longer one that keeps dying.
const STEADY_AFTER: Duration = Duration::from_mins(1);

/// The private server, running. One that we started ends with this value (or
/// with the process); one that another advisoryd holds goes on.
#[derive(Debug)]
pub struct Cluster {
    place: Place,
    account: Account,
    options: ClusterOptions,
    sockets: PathBuf,
    serving: Serving,
}

/// By whom the server is held.
#[derive(Debug)]
enum Serving {
    /// By us.
    Ours { server: Server, hold: Arc<Hold> },
    /// By another process.
    Joined,
    /// By nobody, for the moment; the right to start it is still ours if it was.
    Ended { hold: Option<Arc<Hold>> },
}

impl Cluster {
    /// Starts the private server in `state_dir/postgresql`, creating it if need
    /// be, or joins the one that another advisoryd holds there. It accepts
    /// connections when this returns.
    pub async fn open(state_dir: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let (place, account) = Place::prepare(state_dir)?;
        let mut cluster = Self {
            place,
            account,
            options,
            sockets: PathBuf::new(),
            serving: Serving::Ended { hold: None },
        };
        cluster.restart().await?;
        Ok(cluster)
    }

    /// Starts or joins the server again, after it has [`exited`](Self::exited).
    /// Its socket stays the same, so that pools reconnect by themselves.
    pub async fn restart(&mut self) -> Result<(), ClusterError> {
        let hold = match std::mem::replace(&mut self.serving, Serving::Ended { hold: None }) {
            Serving::Ours { server, hold } => {
                server.stop().await?;
                Some(hold)
            }
            Serving::Ended { hold } => hold,
            Serving::Joined => None,
        };
        if let Some(hold) = hold {
            return self.start(hold).await;
        }
        let begun = Instant::now();
        loop {
            match Hold::take(&self.place.holder())? {
                Taken::Ours(hold) => {
                    let hold = self.sign(hold)?;
                    return self.start(hold).await;
                }
                Taken::Another(holder) => {
                    if self.join(holder, begun.elapsed()).await? {
                        return Ok(());
                    }
                }
            }
            sleep(JOIN_PAUSE).await;
        }
    }

    /// Waits until the server is gone, without being asked to by us; says how
    /// it ended. Cancelling loses nothing.
    pub async fn exited(&mut self) -> String {
        match &mut self.serving {
            Serving::Ours { server, .. } => server.ended().await,
            Serving::Joined => {
                while let Occupant::Server(_) = occupant::look(&self.place.data()) {
                    sleep(LOOK_EVERY).await;
                }
                "its holder ended".to_owned()
            }
            Serving::Ended { .. } => "it was not started".to_owned(),
        }
    }

    /// Starts the server again whenever it ends, for ever. To be cancelled by
    /// dropping, before [`stop`](Self::stop), and kept until then: dropping it gives
    /// up a start under way and the pauses that have grown.
    pub async fn keep_running(&mut self) -> Infallible {
        let mut pause = FIRST_RESTART_PAUSE;
        loop {
            let begun = Instant::now();
            let status = self.exited().await;
            warn!("the private PostgreSQL ended ({status}); starting it again");
            if begun.elapsed() >= STEADY_AFTER {
                pause = FIRST_RESTART_PAUSE;
            }
            sleep(pause).await;
            while let Err(failure) = self.restart().await {
                error!("cannot start the private PostgreSQL again: {failure}");
                pause = (pause * 2).min(LONGEST_RESTART_PAUSE);
                sleep(pause).await;
            }
            pause = (pause * 2).min(LONGEST_RESTART_PAUSE);
        }
    }

    /// Stops the server if it is ours: fast, and after a time limit at once.
    /// No acknowledged row is lost either way.
    pub async fn stop(self) -> Result<(), ClusterError> {
        match self.serving {
            Serving::Ours { server, .. } => server.stop().await,
            Serving::Joined | Serving::Ended { .. } => Ok(()),
        }
    }

    /// Whether this process started the server; else it joined another's.
    pub fn is_ours(&self) -> bool {
        matches!(self.serving, Serving::Ours { .. })
    }

    /// The server's process, when it is ours.
    pub fn server_pid(&self) -> Option<u32> {
        match &self.serving {
            Serving::Ours { server, .. } => Some(server.id()),
            Serving::Joined | Serving::Ended { .. } => None,
        }
    }

    fn sign(&mut self, mut hold: Hold) -> Result<Arc<Hold>, ClusterError> {
        let holder = self.place.holder();
        self.sockets = self
            .place
            .sockets(&self.account, &self.options.short_directories)?;
        self.account.give(&holder)?;
        hold.sign(self.options.role, &self.sockets)
            .map_err(|error| ClusterError::io("write", holder, error))?;
        Ok(Arc::new(hold))
    }

    async fn start(&mut self, hold: Arc<Hold>) -> Result<(), ClusterError> {
        let begun = Instant::now();
        self.serving = Serving::Ended {
            hold: Some(Arc::clone(&hold)),
        };
        let plan = Plan {
            place: self.place.clone(),
            account: self.account.clone(),
            options: self.options.clone(),
            sockets: self.sockets.clone(),
            hold: Arc::clone(&hold),
        };
        let mut server = Server::start(plan).await?;
        let superuser = self
            .connect_options()
            .username(SUPERUSER)
            .database("postgres");
        let mut connection =
            ready::wait(&mut server, &superuser, self.options.ready_within).await?;
        ready::set_up(&mut connection)
            .await
            .map_err(ClusterError::Setup)?;
        // A failed goodbye is the server's business.
        let _ = connection.close().await;
        info!(
            elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "the private PostgreSQL is ready in `{}`",
            self.sockets.display()
        );
        self.serving = Serving::Ours { server, hold };
        Ok(())
    }

    /// Tries once to join the server of `holder`; `waited` is how long that
    /// has been tried.
    async fn join(
        &mut self,
        holder: Option<Holder>,
        waited: Duration,
    ) -> Result<bool, ClusterError> {
        // What a dead holder wrote is still there in the moment before the next one signs.
        let holder = holder.filter(|holder| Path::new(&format!("/proc/{}", holder.pid)).exists());
        let pid = holder.as_ref().map_or(0, |holder| holder.pid);
        let mut said = "its holder has not said who it is".to_owned();
        if let Some(holder) = holder {
            if holder.is_daemon && self.options.role == Role::Daemon {
                return Err(ClusterError::Held {
                    directory: self.place.directory().to_path_buf(),
                    pid,
                });
            }
            self.sockets = holder.sockets;
            match ready::connect(&self.connect_options()).await {
                Ok(connection) => {
                    let _ = connection.close().await;
                    info!("joined the private PostgreSQL of process {pid}");
                    self.serving = Serving::Joined;
                    return Ok(true);
                }
                Err(error) => said = error.to_string(),
            }
        }
        if waited < self.options.ready_within {
            return Ok(false);
        }
        Err(ClusterError::NotReady {
            holder: pid,
            waited,
            said,
        })
    }
}
