//! State of another process by `/proc` and its control group: running, dead,
//! suspended.

use std::fs;
use std::path::Path;

/// The state of a process as in `ps` (`R`, `S`, `T`, `Z`, …); `None` when there
/// is no such process.
pub(super) fn process_state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(proc_file(pid, "stat")).ok()?;
    // It follows the name, which is in brackets and may contain some.
    stat.rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next())
}

/// Whether a process does nothing until someone resumes it: stopped by a signal
/// or a debugger, or in a frozen control group.
pub(super) fn is_suspended(pid: u32) -> bool {
    matches!(process_state(pid), Some('T' | 't')) || is_frozen(pid).unwrap_or(false)
}

/// By the freezer of control groups, version 2; `None` when there is none.
fn is_frozen(pid: u32) -> Option<bool> {
    let groups = fs::read_to_string(proc_file(pid, "cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let events = Path::new("/sys/fs/cgroup")
        .join(group)
        .join("cgroup.events");
    let events = fs::read_to_string(events).ok()?;
    Some(events.lines().any(|line| line == "frozen 1"))
}

fn proc_file(pid: u32, name: &str) -> std::path::PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}
