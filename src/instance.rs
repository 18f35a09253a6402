//! Which process this is, and whether another one of this machine has ended.

use std::fs;
use std::sync::LazyLock;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, gethostname};

/// A process, as other processes can recognise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Name of the machine, for people.
    pub host: String,
    /// Process id.
    pub pid: i32,
    /// Boot and process namespace, in which `pid` is valid; `None` if they cannot be
    /// read (systemd's `ProcSubset=pid` hides the boot).
    pub machine: Option<String>,
    /// When the process started, in clock ticks since the boot.
    pub started: Option<i64>,
}

impl ProcessIdentity {
    /// This process.
    pub fn own() -> &'static Self {
        static OWN: LazyLock<ProcessIdentity> = LazyLock::new(|| {
            let host = gethostname().map(|name| name.to_string_lossy().into_owned());
            let pid = Pid::this().as_raw();
            ProcessIdentity {
                host: host.unwrap_or_else(|_| "unknown".to_owned()),
                pid,
                machine: machine(),
                started: stat(pid).and_then(|stat| stat.started),
            }
        });
        &OWN
    }

    /// Whether the process has certainly ended. False where that cannot be known: on
    /// another machine, after a boot, in another container.
    pub fn has_ended(&self) -> bool {
        let own = Self::own();
        if own.machine.is_none() || self.machine != own.machine || self.pid <= 0 {
            return false;
        }
        // A process of another user exists too (EPERM), also where /proc hides it.
        if kill(Pid::from_raw(self.pid), None) == Err(Errno::ESRCH) {
            return true;
        }
        let Some(stat) = stat(self.pid) else {
            return false;
        };
        // Its parent has not collected it yet, or its number belongs to another one now.
        let is_other = self.started.zip(stat.started);
        matches!(stat.state, 'Z' | 'X') || is_other.is_some_and(|(before, now)| before != now)
    }

    /// Whether the process certainly exists. False where that cannot be known.
    pub fn is_running(&self) -> bool {
        let own = Self::own();
        let is_here = own.machine.is_some() && self.machine == own.machine;
        is_here && !self.has_ended() && stat(self.pid).is_some()
    }
}

fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

struct Stat {
    state: char,
    started: Option<i64>,
}

fn stat(pid: i32) -> Option<Stat> {
    /// Place of the start time after the name. Source: proc_pid_stat(5), field 22.
    const STARTED: usize = 19;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may contain some.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(STARTED - 1).and_then(|ticks| ticks.parse().ok());
    Some(Stat { state, started })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    fn of(pid: u32) -> ProcessIdentity {
        let pid = i32::try_from(pid).unwrap();
        ProcessIdentity {
            pid,
            started: stat(pid).and_then(|stat| stat.started),
            ..ProcessIdentity::own().clone()
        }
    }

    #[test]
    fn this_process_has_not_ended() {
        assert!(ProcessIdentity::own().started.is_some());
        assert!(!ProcessIdentity::own().has_ended());
        assert!(ProcessIdentity::own().is_running());
    }

    #[test]
    fn a_process_has_ended_when_it_is_a_zombie_and_when_it_is_gone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let instance = of(child.id());
        assert!(!instance.has_ended());
        child.kill().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while !instance.has_ended() {
            assert!(Instant::now() < deadline, "it does not become a zombie");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(instance.has_ended());
        assert!(!instance.is_running());
    }

    #[test]
    fn a_number_that_belongs_to_another_process_now_is_recognised() {
        let own = ProcessIdentity::own();
        let started = own.started.map(|ticks| ticks - 1);
        let former = ProcessIdentity {
            started,
            ..own.clone()
        };
        assert!(former.has_ended());
    }

    #[test]
    fn of_other_machines_nothing_is_known() {
        let gone = ProcessIdentity {
            machine: Some("another boot".to_owned()),
            pid: i32::MAX,
            ..ProcessIdentity::own().clone()
        };
        assert!(!gone.has_ended());
        let unknown = ProcessIdentity {
            machine: None,
            ..gone
        };
        assert!(!unknown.has_ended());
    }
}
