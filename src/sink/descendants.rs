//! Processes that a command sink started and that left its process group.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that marks a command and all that it starts: children inherit it, also
/// those that call `setsid`.
pub(super) const MARK: &str = "ADVISORYD_MESSAGE_ID";
/// A process may start another one while it is being killed.
const ROUNDS: u32 = 20;
/// Pause between two rounds: what was killed needs a moment to end.
const PAUSE: Duration = Duration::from_millis(1);

/// How many commands run for each message: several sinks may get the same one.
static RUNNING: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// Kills what the commands for a message have left behind, when the last of them ends
/// and this is dropped.
pub(super) struct Descendants(String);

impl Descendants {
    pub(super) fn of(message_id: &str) -> Self {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        *running.entry(message_id.to_owned()).or_default() += 1;
        Self(message_id.to_owned())
    }
}

impl Drop for Descendants {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(others) = running.get_mut(&self.0).filter(|commands| **commands > 1) {
            *others -= 1;
            return;
        }
        running.remove(&self.0);
        let mark = format!("{MARK}={}", self.0);
        for _ in 0..ROUNDS {
            let marked = marked(mark.as_bytes());
            if marked.is_empty() {
                return;
            }
            for pid in marked {
                // It may have ended already.
                let _ = kill(pid, Signal::SIGKILL);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The processes with this variable in their environment. That of other users cannot be
/// read, and that of a process which has ended is empty.
fn marked(mark: &[u8]) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let is_marked = environment.split(|byte| *byte == 0).any(|one| one == mark);
            is_marked.then(|| Pid::from_raw(pid))
        })
        .filter(|pid| *pid != Pid::this())
        .collect()
}
