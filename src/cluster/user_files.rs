//! Creates, writes, renames and removes files as the server's user: by a child
//! process that *is* that user (privilege separation).
//!
//! Root must not write in a directory that the server's user controls: a
//! symbolic link put there would lead root elsewhere. The child has no more
//! rights than the user who put it there. `sh` is at hand wherever initdb is,
//! which needs it itself.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::account::Account;
use super::error::ClusterError;
use super::program::{CancelFlag, Finished, Keep, run};

/// Longest time for one operation; the longest removes the data directory of an
/// unfinished start, some 40 MB.
const WITHIN: Duration = Duration::from_mins(1);

/// Makes files in `directory` as `account`. Names are relative to it.
pub(super) struct UserFiles<'a> {
    account: &'a Account,
    directory: &'a Path,
}

impl<'a> UserFiles<'a> {
    pub(super) fn new(account: &'a Account, directory: &'a Path) -> Self {
        Self { account, directory }
    }

    /// Creates a directory that only its owner can enter, unless it exists.
    pub(super) fn create_dir(&self, name: &OsStr) -> Result<(), ClusterError> {
        let script = r#"mkdir -m 0700 -- "$1" || test -d "$1""#;
        self.run("create", name, script, "")
    }

    /// Creates directories down to `path`, with the usual mode.
    pub(super) fn create_dir_all(&self, path: &OsStr) -> Result<(), ClusterError> {
        let script = r#"umask 022; exec mkdir -p -- "$1""#;
        self.run("create", path, script, "")
    }

    /// Replaces the content of a file that only its owner can read, creating it
    /// if need be.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), ClusterError> {
        let script = r#"umask 077; exec cat > "$1""#;
        self.run("write", OsStr::new(name), script, text)
    }

    /// Adds to the end of a file, creating it if need be; it is on the disk when this returns.
    pub(super) fn append(&self, name: &str, text: &str) -> Result<(), ClusterError> {
        let script = r#"umask 077; cat >> "$1" && exec sync "$1""#;
        self.run("write", OsStr::new(name), script, text)
    }

    /// Gives `from` the name `to`, which is free. Both are on the disk when
    /// this returns.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), ClusterError> {
        let script = r#"mv -T -- "$1" "$2" && exec sync ."#;
        let arguments = [OsStr::new(from), OsStr::new(to)];
        self.run_with("rename", &arguments, script, "")
    }

    /// Removes a file or a directory with all that is in it, if it exists.
    pub(super) fn remove_all(&self, name: &str) -> Result<(), ClusterError> {
        self.run("remove", OsStr::new(name), r#"exec rm -rf -- "$1""#, "")
    }

    fn run(
        &self,
        doing: &'static str,
        name: &OsStr,
        script: &str,
        input: &str,
    ) -> Result<(), ClusterError> {
        self.run_with(doing, &[name], script, input)
    }

    fn run_with(
        &self,
        doing: &'static str,
        names: &[&OsStr],
        script: &str,
        input: &str,
    ) -> Result<(), ClusterError> {
        let mut command = self.account.command(Path::new("/bin/sh"), self.directory);
        command.args(["-c", script, "sh"]).args(names);
        let finished = run(
            &mut command,
            input,
            Keep::Stderr,
            WITHIN,
            &CancelFlag::default(),
        )
        .map_err(|error| self.account.spawn_error(self.directory, error))?;
        let error = match finished {
            Finished::Exited { status, .. } if status.success() => return Ok(()),
            Finished::Exited { status, output } if output.is_empty() => {
                io::Error::other(status.to_string())
            }
            Finished::Exited { output, .. } => from_output(output),
            Finished::Cancelled | Finished::TimedOut => io::ErrorKind::TimedOut.into(),
        };
        let path = names.first().map(|name| self.directory.join(name));
        Err(ClusterError::io(
            doing,
            path.unwrap_or_else(|| self.directory.to_path_buf()),
            error,
        ))
    }
}

/// The error that a program printed, in the C locale.
fn from_output(output: String) -> io::Error {
    const KINDS: [(&str, io::ErrorKind); 3] = [
        ("Permission denied", io::ErrorKind::PermissionDenied),
        ("No space left on device", io::ErrorKind::StorageFull),
        ("Disk quota exceeded", io::ErrorKind::QuotaExceeded),
    ];
    let kind = KINDS
        .iter()
        .find(|(text, _)| output.contains(text))
        .map_or(io::ErrorKind::Other, |(_, kind)| *kind);
    io::Error::new(kind, output)
}
