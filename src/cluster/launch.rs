//! Launches the server on a thread of its own: finds the programs, creates the
//! data directory, waits for a former server to end, starts the process.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::sync::{oneshot, watch};
use tracing::{debug, info};

use super::account::Account;
use super::directory_lock::DirectoryLock;
use super::error::ClusterError;
use super::postmaster::wait_until_free;
use super::process::{Process, signal_on_our_death};
use super::program::CancelFlag;
use super::server::ServerProcess;
use super::server_log::ServerLog;
use super::settings::settings;
use super::shared;
use super::site::Site;
use super::socket_dir::socket_file;
use super::user_files::UserFiles;
use super::{authentication, binaries, initdb, replacement};

/// How long the last lines of a server that ended may take to be read.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(500);

/// Pause between two checks whether they were.
const READER_PAUSE: Duration = Duration::from_millis(1);

/// All that a launch needs.
#[derive(Debug, Clone)]
pub(super) struct LaunchPlan {
    pub site: Site,
    /// Kept for as long as the server runs, even when nobody wants it any more:
    /// the next one must not start before this one has ended.
    pub lock: Arc<DirectoryLock>,
    /// The attempt before failed: this one is not worth a line in the log.
    pub is_retry: bool,
}

/// A launch under way. Dropping it cancels it.
#[derive(Debug)]
pub(super) struct Launch {
    launched: oneshot::Receiver<Result<ServerProcess, ClusterError>>,
    cancel: CancelFlag,
    directory: PathBuf,
}

impl Drop for Launch {
    fn drop(&mut self) {
        self.cancel.set();
    }
}

impl Launch {
    /// Begins to launch the server, on a thread that lives as long as the server
    /// does: the system takes the end of the thread that started a process for
    /// the death of its parent.
    pub(super) fn begin(plan: LaunchPlan) -> Result<Self, ClusterError> {
        let directory = plan.site.directory.path().to_path_buf();
        let cancel = CancelFlag::default();
        let cancelled = cancel.clone();
        let (sender, launched) = oneshot::channel();
        thread::Builder::new()
            .name("postgresql".to_owned())
            .spawn(move || match launch(&plan, &cancelled) {
                Ok(launched) => {
                    // When nobody waits any more, the server is dropped: that stops it.
                    drop(sender.send(Ok(launched.server)));
                    attend(
                        &launched.process,
                        &launched.reader,
                        &launched.end,
                        plan.lock,
                    );
                }
                Err(error) => {
                    // Whoever learns of the error may launch again at once.
                    drop(plan.lock);
                    drop(sender.send(Err(error)));
                }
            })
            .map_err(|error| ClusterError::io("start a thread for", &directory, error))?;
        Ok(Self {
            launched,
            cancel,
            directory,
        })
    }

    /// Waits for the server. Can be dropped and called again, until it has
    /// returned once.
    pub(super) async fn server(&mut self) -> Result<ServerProcess, ClusterError> {
        (&mut self.launched).await.unwrap_or_else(|_| {
            let error = io::Error::other("its thread ended");
            Err(ClusterError::io(
                "start PostgreSQL in",
                &self.directory,
                error,
            ))
        })
    }

    /// Asks the launch to end early; [`server`](Self::server) returns soon.
    pub(super) fn cancel(&self) {
        self.cancel.set();
    }
}

/// A server and what its thread needs to stay with it.
struct Launched {
    server: ServerProcess,
    process: Arc<Process>,
    end: watch::Sender<Option<String>>,
    reader: JoinHandle<()>,
}

/// Does all that comes before the server starts. Runs on its thread.
fn launch(plan: &LaunchPlan, cancel: &CancelFlag) -> Result<Launched, ClusterError> {
    let Site {
        directory,
        account,
        options,
        sockets,
    } = &plan.site;
    let data = directory.data();
    replacement::finish(directory, account)?;
    let binaries = binaries::find(&options.search, account, directory)?;
    initdb::ensure(directory, account, &binaries, options.durable, cancel)?;
    wait_until_free(directory, account, cancel)?;
    clear_sockets(sockets, account)?;
    let shared = match shared::directory(&plan.site) {
        Some(shared) => {
            clear_sockets(&shared.path, account)?;
            Some(authentication::write(directory, account, shared)?)
        }
        None => None,
    };
    let mut command = account.command(&binaries.program("postgres"), &data);
    command
        .arg("-D")
        .arg(&data)
        .args(settings(sockets, shared.as_ref(), options.durable))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let (process, log, reader) =
        spawn(&mut command).map_err(|error| account.spawn_error(&data, error))?;
    let (pid, major) = (process.id(), binaries.major);
    if plan.is_retry {
        debug!("PostgreSQL {major} started as process {pid}");
    } else {
        info!(
            server.pid = pid,
            server.version = major,
            "PostgreSQL {major} started as process {pid}"
        );
    }
    let process = Arc::new(process);
    let (server, end) = ServerProcess::new(Arc::clone(&process), log, binaries.directory);
    Ok(Launched {
        server,
        process,
        end,
        reader,
    })
}

/// Stays with the server to its end.
fn attend(
    process: &Process,
    reader: &JoinHandle<()>,
    end: &watch::Sender<Option<String>>,
    lock: Arc<DirectoryLock>,
) {
    let status = match process.wait() {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    // Its last lines say why; a process of its own may keep the pipe open.
    let ended = Instant::now();
    while !reader.is_finished() && ended.elapsed() < LAST_LINES_WITHIN {
        thread::sleep(READER_PAUSE);
    }
    // Whoever learns of the end may launch the next one at once.
    drop(lock);
    end.send_replace(Some(status));
}

/// Starts the server in its own process group, so that a Ctrl-C at the
/// terminal reaches only us, and follows its log on a second thread.
fn spawn(command: &mut Command) -> io::Result<(Process, ServerLog, JoinHandle<()>)> {
    command.process_group(0);
    signal_on_our_death(command, Signal::SIGINT);
    let mut child = command.spawn()?;
    let log = ServerLog::default();
    let followed = log.clone();
    let stderr = child.stderr.take();
    let reader = thread::Builder::new()
        .name("postgresql-log".to_owned())
        .spawn(move || {
            if let Some(stderr) = stderr {
                followed.follow(stderr);
            }
        })?;
    Ok((Process::new(child)?, log, reader))
}

/// Removes what a killed server left in the socket's directory. No other server
/// uses that directory, and its lock file would be believed after a restart of
/// the machine gave the number to another process.
fn clear_sockets(sockets: &Path, account: &Account) -> Result<(), ClusterError> {
    let socket = socket_file(sockets);
    let Some(name) = socket.file_name().and_then(|name| name.to_str()) else {
        return Ok(());
    };
    let files = UserFiles::new(account, sockets);
    for name in [name.to_owned(), format!("{name}.lock")] {
        if sockets.join(&name).symlink_metadata().is_ok() {
            files.remove_all(&name)?;
        }
    }
    Ok(())
}
