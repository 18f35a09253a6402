//! Runs `pg_dump` and `pg_restore`: environment, pipes, errors in one line.

use std::ffi::OsStr;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::error::TransferError;
use crate::cluster::ClientPrograms;
use crate::config::LibpqEnvironment;
use crate::model::{one_line, outgoing};

/// How much of what a program prints is kept for the error message.
const MAX_STDERR_BYTES: u64 = 4 * 1024;

/// Variables of ours that the programs keep. No other variable of libpq may redirect
/// them, and the token is none of their business.
const KEPT_VARIABLES: [&str; 4] = ["PATH", "HOME", "PGPASSFILE", "PGPASSWORD"];

/// A server, and the programs to dump and restore it with.
#[derive(Debug, Clone)]
pub struct DatabaseServer {
    /// The programs; not older than the server.
    pub programs: ClientPrograms,
    /// How they reach it.
    pub environment: LibpqEnvironment,
}

/// A program that runs, with what it prints on stderr.
pub(super) struct Running {
    name: &'static str,
    pub child: Child,
    stderr: JoinHandle<String>,
}

impl DatabaseServer {
    /// Names its database; all else is in the environment.
    pub(super) fn connection_string(&self) -> String {
        let mut variables = self.environment.expose();
        let found = variables.find(|(name, _)| *name == "PGDATABASE");
        let name = found.map_or("", |(_, value)| value);
        let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
        format!("dbname='{quoted}'")
    }

    /// Starts a program. It ends when this process ends: its pipe is closed then.
    pub(super) fn start(
        &self,
        name: &'static str,
        arguments: &[&str],
        stdin: Stdio,
        stdout: Stdio,
    ) -> Result<Running, TransferError> {
        let path = self.programs.program(name);
        let mut command = Command::new(&path);
        command.env_clear();
        for kept in KEPT_VARIABLES {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("PGAPPNAME", format!("advisoryd {name}"))
            .envs(
                self.environment
                    .expose()
                    .map(|(name, value)| (name, OsStr::new(value))),
            )
            .args(arguments)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| TransferError::io("start", &path, error))?;
        let stderr = child.stderr.take();
        let stderr = tokio::spawn(async move {
            match stderr {
                Some(stderr) => beginning(stderr).await,
                None => String::new(),
            }
        });
        Ok(Running {
            name,
            child,
            stderr,
        })
    }
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// [`TransferError::Program`] if it failed.
    pub(super) async fn finish(mut self) -> Result<(), TransferError> {
        let status = self.child.wait().await;
        let printed = self.stderr.await.unwrap_or_default();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(TransferError::Program {
                program: self.name,
                reason: if printed.is_empty() {
                    status.to_string()
                } else {
                    printed
                },
            }),
            Err(error) => Err(TransferError::Program {
                program: self.name,
                reason: error.to_string(),
            }),
        }
    }
}

/// The beginning of what a program prints, as one line; the rest is read and dropped, so
/// that it never waits for us.
async fn beginning(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let read = (&mut stderr)
        .take(MAX_STDERR_BYTES)
        .read_to_end(&mut kept)
        .await;
    if read.is_ok() {
        // A pipe that breaks here has nothing more to say.
        let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    }
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<String> = text.lines().map(one_line).collect();
    outgoing(&lines.join("; "))
}
