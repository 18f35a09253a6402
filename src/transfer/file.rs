//! Backup into a file. Under its own name the file is always complete.

use std::fs::{File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::error::TransferError;
use super::program::DatabaseServer;
use crate::files::open_own;

/// Only its owner may read it.
const PRIVATE: u32 = 0o600;

/// Arguments of `pg_dump` for the schemas of advisoryd, without owners and privileges.
pub(super) const DUMP: [&str; 7] = [
    "--format=custom",
    "--no-owner",
    "--no-privileges",
    "--no-password",
    "--strict-names",
    "--schema=advisoryd",
    "--schema=advisoryd_v1",
];

/// Writes a dump to `path`; returns its size in bytes. It is written to `path.partial`,
/// which then gets its name.
///
/// # Errors
/// [`TransferError`]; `path` is then as it was.
pub async fn backup(
    server: &DatabaseServer,
    path: &Path,
    is_overwritten: bool,
) -> Result<u64, TransferError> {
    if let Ok(found) = path.symlink_metadata() {
        let path = path.to_path_buf();
        if found.is_dir() {
            return Err(TransferError::Directory { path });
        }
        if !found.is_file() {
            return Err(TransferError::NoFile { path });
        }
        if !is_overwritten {
            return Err(TransferError::Exists { path });
        }
    }
    let partial = partial(path);
    let file = create(&partial, path)?;
    let mut writer = tokio::fs::File::from_std(file);
    let written = dump(server, &mut writer, &partial).await;
    let synced = match written {
        Ok(size) => writer
            .sync_all()
            .await
            .map(|()| size)
            .map_err(|error| TransferError::io("write", &partial, error)),
        Err(error) => Err(error),
    };
    let finished = synced.and_then(|size| {
        std::fs::rename(&partial, path)
            .and_then(|()| sync_directory(path))
            .map_err(|error| TransferError::io("write", path, error))?;
        Ok(size)
    });
    if finished.is_err() {
        // What was written is of no use; the error that is returned says why.
        let _ = std::fs::remove_file(&partial);
    }
    finished
}

/// Writes a dump to stdout; returns its size in bytes.
///
/// # Errors
/// [`TransferError`].
pub async fn backup_to_stdout(server: &DatabaseServer) -> Result<u64, TransferError> {
    dump(server, &mut tokio::io::stdout(), Path::new("-")).await
}

async fn dump(
    server: &DatabaseServer,
    writer: &mut (impl AsyncWrite + Unpin),
    path: &Path,
) -> Result<u64, TransferError> {
    let mut running = server.start("pg_dump", &DUMP, Stdio::null(), Stdio::piped())?;
    let Some(mut output) = running.child.stdout.take() else {
        running.finish().await?;
        return Ok(0);
    };
    let copied = tokio::io::copy(&mut output, writer).await;
    let size = match copied {
        Ok(size) => size,
        // Dropping the program ends it.
        Err(error) => return Err(TransferError::io("write", path, error)),
    };
    writer
        .flush()
        .await
        .map_err(|error| TransferError::io("write", path, error))?;
    running.finish().await?;
    Ok(size)
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Only its owner may read it. An earlier attempt that was killed is overwritten, one
/// that is under way is not.
fn create(partial: &Path, path: &Path) -> Result<File, TransferError> {
    let file =
        open_own(partial, PRIVATE).map_err(|error| TransferError::io("create", partial, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(TransferError::Busy {
                path: path.to_path_buf(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(TransferError::io("lock", partial, error)),
    }
    file.set_permissions(Permissions::from_mode(PRIVATE))
        .and_then(|()| file.set_len(0))
        .map_err(|error| TransferError::io("write", partial, error))?;
    Ok(file)
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
