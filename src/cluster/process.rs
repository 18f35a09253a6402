//! A child process that can be signalled safely (no pid reuse) and that is
//! signalled when this process dies (parent-death signal).

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getppid};

/// A child that can be signalled from any thread without ever hitting another
/// process that got its number.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    /// `None` once it is collected.
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(super) fn new(child: Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        Ok(Self {
            pid: Pid::from_raw(pid),
            child: Mutex::new(Some(child)),
        })
    }

    /// The process's number.
    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Sends `signal`, unless the process has ended.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.child().is_some() {
            kill(self.pid, signal)?;
        }
        Ok(())
    }

    /// Whether the process has ended and was collected by [`wait`](Self::wait).
    pub(super) fn has_ended(&self) -> bool {
        self.child().is_none()
    }

    /// Waits for the end. Until it is collected under the lock, the dead
    /// process keeps its number, so that a signal cannot go astray.
    pub(super) fn wait(&self) -> io::Result<ExitStatus> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while let Err(error) = waitid(Id::Pid(self.pid), flags) {
            if error != Errno::EINTR {
                return Err(error.into());
            }
        }
        match self.child().take() {
            Some(mut child) => child.wait(),
            None => Err(Errno::ECHILD.into()),
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the system send `signal` to the child when the *thread* that starts it
/// ends: that thread must live as long as the child should. The request is made
/// after the change of user, which would clear it.
#[expect(
    unsafe_code,
    reason = "`pre_exec` is the only way to run code between the change of user and the program"
)]
pub(super) fn signal_on_our_death(command: &mut Command, signal: Signal) {
    let parent = Pid::this();
    let request = move || {
        set_pdeathsig(signal)?;
        // Our end before the request would have gone unnoticed.
        if getppid() != parent {
            return Err(Errno::ESRCH.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec the child may call only what is safe in a
    // signal handler. `request` makes two system calls; it neither allocates (an
    // error from a number does not), nor locks, nor touches shared memory.
    unsafe {
        command.pre_exec(request);
    }
}
