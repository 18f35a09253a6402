//! A PostgreSQL server process of ours: how it ends, how it is stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::time::timeout_at;
use tracing::warn;

use super::error::ClusterError;
use super::process::Process;
use super::server_log::ServerLog;

/// How a server is stopped: a fast shutdown ends the sessions at once and then
/// writes at most `shared_buffers` to the disk; an immediate one writes nothing,
/// and after 5 s the server itself kills those of its processes that are left.
const STOP_STEPS: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(20)),
    (Signal::SIGQUIT, Duration::from_secs(7)),
    (Signal::SIGKILL, Duration::from_secs(2)),
];

/// The same for a server that is starting. It has no sessions and nothing to
/// write: what it recovered is recovered again, whichever signal ends it.
/// Together less than the 10 s that an orderly stop of the daemon may take.
const STOP_STEPS_WHILE_STARTING: [(Signal, Duration); 2] = [
    (Signal::SIGQUIT, Duration::from_secs(7)),
    (Signal::SIGKILL, Duration::from_secs(2)),
];

/// Pause between two checks whether a dropped server has ended.
const END_PAUSE: Duration = Duration::from_millis(20);

/// A server that runs, or did. Dropping it stops it in the background.
#[derive(Debug)]
pub(super) struct ServerProcess {
    process: Arc<Process>,
    ended: watch::Receiver<Option<String>>,
    log: ServerLog,
    is_serving: bool,
    /// Until when each signal that [`stop`](Self::stop) has sent is waited for.
    stop_deadlines: Vec<Instant>,
    /// The directory of its programs.
    pub binaries: PathBuf,
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let (process, steps) = (Arc::clone(&self.process), self.stop_steps());
        // The first signal is sent now: the process may end before the thread runs.
        send_first(&process, steps);
        if process.has_ended() {
            return;
        }
        let thread = thread::Builder::new().name("postgresql-stop".to_owned());
        if let Err(error) = thread.spawn(move || force_end(&process, steps)) {
            warn!("cannot watch the end of server {}: {error}", self.id());
        }
    }
}

/// Sends the first signal.
fn send_first(process: &Process, steps: &[(Signal, Duration)]) {
    for (signal, _) in steps.iter().take(1) {
        send(process, *signal);
    }
}

/// Waits for the end after the first signal; sends the next ones when that takes too
/// long.
fn force_end(process: &Process, steps: &[(Signal, Duration)]) {
    for (index, (signal, within)) in steps.iter().enumerate() {
        if index > 0 {
            send(process, *signal);
        }
        let until = Instant::now() + *within;
        while Instant::now() < until {
            if process.has_ended() {
                return;
            }
            thread::sleep(END_PAUSE);
        }
    }
}

fn send(process: &Process, signal: Signal) {
    if let Err(error) = process.signal(signal) {
        warn!("cannot stop server {}: {error}", process.id());
    }
}

impl ServerProcess {
    /// A process that was just started, and what its end will be recognised by.
    pub(super) fn new(
        process: Arc<Process>,
        log: ServerLog,
        binaries: PathBuf,
    ) -> (Self, watch::Sender<Option<String>>) {
        let (end, ended) = watch::channel(None);
        let server = Self {
            process,
            ended,
            log,
            is_serving: false,
            stop_deadlines: Vec::new(),
            binaries,
        };
        (server, end)
    }

    /// The server's process.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its log.
    pub(super) fn log(&self) -> &ServerLog {
        &self.log
    }

    /// From now on it has sessions, and changes that it did not write yet.
    pub(super) fn serves(&mut self) {
        self.is_serving = true;
        self.log.is_serving();
    }

    /// Waits for its end; returns how it ended. Can be dropped and called again.
    pub(super) async fn ended(&mut self) -> String {
        match self.ended.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            Err(_) => "its thread ended".to_owned(),
        }
    }

    /// Stops it, with more force when that takes too long. No acknowledged row is
    /// lost either way. Can be dropped and called again: the next call goes on where
    /// this one was, so that a server that ignores one signal gets the next.
    pub(super) async fn stop(&mut self) -> Result<(), ClusterError> {
        let mut waited = Duration::ZERO;
        for (index, &(signal, within)) in self.stop_steps().iter().enumerate() {
            let until = match self.stop_deadlines.get(index) {
                Some(until) => *until,
                None => self.send_until(signal, within)?,
            };
            if timeout_at(until.into(), self.ended()).await.is_ok() {
                return Ok(());
            }
            waited += within;
            if self.stop_deadlines.len() == index + 1 {
                warn!(
                    "the PostgreSQL server, process {}, did not end within {within:?} of {signal}",
                    self.process.id()
                );
            }
        }
        Err(ClusterError::StillRunning {
            pid: self.process.id(),
            waited,
        })
    }

    /// Sends a signal; returns until when it is waited for.
    fn send_until(&mut self, signal: Signal, within: Duration) -> Result<Instant, ClusterError> {
        let process = &self.process;
        process
            .signal(signal)
            .map_err(|error| ClusterError::io("stop", process.id().to_string(), error))?;
        let until = Instant::now() + within;
        self.stop_deadlines.push(until);
        Ok(until)
    }

    /// The signals that stop it, and how long each is waited for.
    fn stop_steps(&self) -> &'static [(Signal, Duration)] {
        if self.is_serving {
            &STOP_STEPS
        } else {
            &STOP_STEPS_WHILE_STARTING
        }
    }
}
