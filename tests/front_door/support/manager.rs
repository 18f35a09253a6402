//! A service manager's end of `NOTIFY_SOCKET`: what the daemon says of itself.

use std::ops::{Deref, DerefMut};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::process::Running;
use super::run_dir::state_dir;
use super::wait::{PATIENCE, eventually};

/// Listens until it is dropped.
pub struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    heard: String,
    _dir: TempDir,
}

impl Manager {
    pub fn new() -> Self {
        let dir = state_dir();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        Self {
            socket,
            path,
            heard: String::new(),
            _dir: dir,
        }
    }

    /// Lets `command` speak to it.
    pub fn listens_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("NOTIFY_SOCKET", &self.path)
    }

    /// Forgets what was said until now.
    pub fn forget(&mut self) {
        self.listen();
        self.heard.clear();
    }

    /// Waits until something with `part` was said since the last wait.
    pub async fn hears(&mut self, part: &str) {
        let what = format!("`{part}` on NOTIFY_SOCKET");
        eventually(&what, PATIENCE, async || {
            self.listen();
            let at = self.heard.find(part)?;
            self.heard.drain(..at + part.len());
            Some(())
        })
        .await;
    }

    /// Waits until the daemon's state in words begins with this number.
    pub async fn hears_of(&mut self, number: usize) {
        let what = format!("{number} in a STATUS on NOTIFY_SOCKET");
        eventually(&what, PATIENCE, async || {
            self.listen();
            let digits = |status: &str| -> String {
                // What is wrong comes first.
                let rest = status.split_once("following ").map_or("", |(_, rest)| rest);
                rest.chars().take_while(char::is_ascii_digit).collect()
            };
            let mut states = self.heard.lines().filter_map(|l| l.strip_prefix("STATUS="));
            states.find(|status| digits(status) == number.to_string())?;
            self.heard.clear();
            Some(())
        })
        .await;
    }

    fn listen(&mut self) {
        let mut message = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut message) {
            self.heard
                .push_str(&String::from_utf8_lossy(&message[..length]));
            self.heard.push('\n');
        }
    }
}

/// A daemon, and what it says to its service manager.
pub struct Daemon {
    process: Running,
    pub manager: Manager,
}

impl Daemon {
    /// Starts `command` and waits until it is ready.
    pub async fn start(command: &mut Command) -> Self {
        let mut manager = Manager::new();
        let process = Running::start(manager.listens_to(command));
        manager.hears("READY=1").await;
        Self { process, manager }
    }
}

impl Deref for Daemon {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.process
    }
}

impl DerefMut for Daemon {
    fn deref_mut(&mut self) -> &mut Running {
        &mut self.process
    }
}
