//! Restore of a dump, from a file or directly from another server, in one transaction.

use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncWriteExt as _};

use super::error::TransferError;
use super::file::DUMP;
use super::program::DatabaseServer;
use crate::config::open_regular;

/// Arguments of `pg_restore`. All or nothing: a truncated dump changes nothing.
const RESTORE: [&str; 6] = [
    "--format=custom",
    "--no-owner",
    "--no-privileges",
    "--no-password",
    "--single-transaction",
    "--exit-on-error",
];

/// Reads a dump to its end without a server: a damaged or truncated one is refused
/// before anything is changed.
///
/// # Errors
/// [`TransferError`].
pub async fn readable(server: &DatabaseServer, path: &Path) -> Result<(), TransferError> {
    let arguments = ["--format=custom", "--file=/dev/null"];
    let file = open(path)?;
    let read = feed(server, &arguments, file, path).await;
    read.map_err(|error| match error {
        TransferError::Program { reason, .. } if is_cut(&reason) => TransferError::Incomplete {
            path: path.to_path_buf(),
            reason,
        },
        other => other,
    })
}

/// Whether `pg_restore` says that a dump ends too early.
fn is_cut(reason: &str) -> bool {
    ["end of file", "too short"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Restores a dump into the database, which must not have the schemas yet.
///
/// # Errors
/// [`TransferError`]; the database is then as it was.
pub async fn restore(server: &DatabaseServer, path: &Path) -> Result<(), TransferError> {
    let file = open(path)?;
    into(server, file, path).await
}

/// Copies the schemas of `from` into the database of `to`, without a file between.
///
/// # Errors
/// [`TransferError`]; the database of `to` is then as it was.
pub async fn copy(from: &DatabaseServer, to: &DatabaseServer) -> Result<(), TransferError> {
    let mut dump = from.start("pg_dump", &DUMP, Stdio::null(), Stdio::piped())?;
    let Some(output) = dump.child.stdout.take() else {
        return dump.finish().await;
    };
    let restored = into(to, output, Path::new("pg_dump")).await;
    match restored {
        // If the dump failed, that is the cause.
        Err(TransferError::Program { program, reason }) => {
            dump.finish().await?;
            Err(TransferError::Program { program, reason })
        }
        Err(error) => Err(error),
        Ok(()) => dump.finish().await,
    }
}

fn open(path: &Path) -> Result<tokio::fs::File, TransferError> {
    open_regular(path)
        .map(tokio::fs::File::from_std)
        .map_err(|error| TransferError::io("read", path, error))
}

async fn into(
    server: &DatabaseServer,
    dump: impl AsyncRead + Unpin,
    path: &Path,
) -> Result<(), TransferError> {
    let database = format!("--dbname={}", server.connection_string());
    let mut arguments = RESTORE.to_vec();
    arguments.push(&database);
    feed(server, &arguments, dump, path).await
}

/// Runs `pg_restore` and writes the dump to its stdin. If this process is killed, the
/// dump ends early, and the transaction is rolled back.
async fn feed(
    server: &DatabaseServer,
    arguments: &[&str],
    mut dump: impl AsyncRead + Unpin,
    path: &Path,
) -> Result<(), TransferError> {
    let mut running = server.start("pg_restore", arguments, Stdio::piped(), Stdio::null())?;
    if let Some(mut stdin) = running.child.stdin.take() {
        let copied = tokio::io::copy(&mut dump, &mut stdin).await;
        match copied {
            Ok(_) => {}
            // The program has ended; its own message says why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(TransferError::io("read", path, error)),
        }
        // Closing is what ends the program's input; it cannot be refused.
        let _ = stdin.shutdown().await;
    }
    running.finish().await
}
