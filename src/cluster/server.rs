use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::{info, warn};

use super::account::Account;
use super::hold::Hold;
use super::log::Tail;
use super::place::{Place, socket_file};
use super::process::{Process, die_with_us};
use super::settings::settings;
use super::{ClusterError, ClusterOptions, binaries, initdb, occupant};

/// How long a fast shutdown may take: it ends the sessions at once and then
/// writes at most `shared_buffers` to the disk.
const FAST_STOP_WITHIN: Duration = Duration::from_secs(20);

/// How long an immediate shutdown may take, which writes nothing.
const IMMEDIATE_STOP_WITHIN: Duration = Duration::from_secs(5);

/// All that a start needs.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub place: Place,
    pub account: Account,
    pub options: ClusterOptions,
    pub sockets: PathBuf,
    /// Kept for as long as the server runs, even when nobody wants it any more:
    /// the next one must not start before this one has ended.
    pub hold: Arc<Hold>,
}

/// A server that runs, or did. Dropping it begins a fast shutdown.
#[derive(Debug)]
pub(super) struct Server {
    process: Arc<Process>,
    ended: watch::Receiver<Option<String>>,
    tail: Tail,
    /// Where its programs are.
    pub binaries: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.process.signal(Signal::SIGINT) {
            warn!("cannot stop server {}: {error}", self.process.id());
        }
    }
}

impl Server {
    /// Starts the server, creating its data if need be, on a thread of its own
    /// that lives as long as the server does: the system takes the end of the
    /// thread that started a process for the death of its parent.
    pub(super) async fn start(plan: Plan) -> Result<Self, ClusterError> {
        let directory = plan.place.directory().to_path_buf();
        let (tell, told) = oneshot::channel();
        thread::Builder::new()
            .name("postgresql".to_owned())
            .spawn(move || match launch(&plan) {
                Ok((server, end)) => attend(server, &end, tell, plan.hold),
                Err(error) => drop(tell.send(Err(error))),
            })
            .map_err(|error| ClusterError::io("start a thread for", &directory, error))?;
        told.await.unwrap_or_else(|_| {
            let error = io::Error::other("the thread of the server ended");
            Err(ClusterError::io("start PostgreSQL in", &directory, error))
        })
    }

    /// The server's process.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The last lines of its log.
    pub(super) fn said(&self) -> String {
        self.tail.said()
    }

    /// Waits for its end; says how it ended.
    pub(super) async fn ended(&mut self) -> String {
        match self.ended.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            Err(_) => "its thread ended".to_owned(),
        }
    }

    /// Stops it: fast, and when that takes too long, at once.
    pub(super) async fn stop(mut self) -> Result<(), ClusterError> {
        for (signal, within) in [
            (Signal::SIGINT, FAST_STOP_WITHIN),
            (Signal::SIGQUIT, IMMEDIATE_STOP_WITHIN),
        ] {
            let process = &self.process;
            process
                .signal(signal)
                .map_err(|error| ClusterError::io("stop", process.id().to_string(), error))?;
            if timeout(within, self.ended()).await.is_ok() {
                return Ok(());
            }
            warn!("server {} ignored {signal}", self.process.id());
        }
        Err(ClusterError::StillRunning {
            pid: self.process.id(),
            waited: FAST_STOP_WITHIN + IMMEDIATE_STOP_WITHIN,
        })
    }
}

/// Does all that comes before the server's first breath. Runs on its thread.
fn launch(plan: &Plan) -> Result<(Server, watch::Sender<Option<String>>), ClusterError> {
    let data = plan.place.data();
    let binaries = binaries::find(&plan.options.search, &plan.account, &data)?;
    initdb::ensure(&plan.place, &plan.account, &binaries, plan.options.durable)?;
    occupant::wait_until_free(&data)?;
    clear_sockets(&plan.sockets)?;
    let mut command = plan.account.command(&binaries.program("postgres"), &data);
    command
        .arg("-D")
        .arg(&data)
        .args(settings(&plan.sockets, plan.options.durable))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let (process, tail) =
        spawn(&mut command).map_err(|error| plan.account.spawn_error(&data, error))?;
    info!(
        server.pid = process.id(),
        server.version = binaries.major,
        "PostgreSQL {} started as process {}",
        binaries.major,
        process.id()
    );
    let (end, ended) = watch::channel(None);
    let server = Server {
        process: Arc::new(process),
        ended,
        tail,
        binaries: binaries.directory,
    };
    Ok((server, end))
}

/// Hands the server over and stays with it to its end.
fn attend(
    server: Server,
    end: &watch::Sender<Option<String>>,
    tell: oneshot::Sender<Result<Server, ClusterError>>,
    hold: Arc<Hold>,
) {
    let process = Arc::clone(&server.process);
    // When nobody waits any more, the server comes back and is dropped: that stops it.
    drop(tell.send(Ok(server)));
    let status = match process.wait() {
        Ok(status) => in_words(status),
        Err(error) => error.to_string(),
    };
    // Whoever hears of the end may start the next one at once.
    drop(hold);
    end.send_replace(Some(status));
}

fn in_words(status: ExitStatus) -> String {
    status.to_string()
}

/// Starts the server in its own process group, so that a Ctrl-C at the
/// terminal reaches only us, and follows its log on a second thread.
fn spawn(command: &mut Command) -> io::Result<(Process, Tail)> {
    command.process_group(0);
    die_with_us(command, Signal::SIGINT);
    let mut child = command.spawn()?;
    let tail = Tail::default();
    if let Some(stderr) = child.stderr.take() {
        let tail = tail.clone();
        thread::Builder::new()
            .name("postgresql-log".to_owned())
            .spawn(move || tail.follow(stderr))?;
    }
    Ok((Process::new(child)?, tail))
}

/// Removes what a killed server left in the socket's directory. Nobody else
/// uses that directory, and its lock file would be believed after a restart of
/// the machine gave the number to another process.
fn clear_sockets(sockets: &Path) -> Result<(), ClusterError> {
    let socket = socket_file(sockets);
    let mut lock = socket.clone().into_os_string();
    lock.push(".lock");
    for file in [socket, PathBuf::from(lock)] {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ClusterError::io("remove", file, error));
            }
            _ => {}
        }
    }
    Ok(())
}
