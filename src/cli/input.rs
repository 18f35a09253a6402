//! Documents that a command reads: files, or standard input.

use std::io;
use std::path::Path;

use tokio::io::AsyncRead;

use crate::config::open_regular;

/// What a command reads a document from.
pub(super) type DocumentReader = Box<dyn AsyncRead + Send + Unpin>;

/// Opens a file, or for `-` standard input.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub(super) fn open_input(file: &Path) -> io::Result<DocumentReader> {
    if file == Path::new("-") {
        return Ok(Box::new(tokio::io::stdin()));
    }
    match open_regular(file) {
        Ok(file) => Ok(Box::new(tokio::fs::File::from_std(file))),
        Err(error) if error.kind() == io::ErrorKind::Other => Err(io::Error::other(format!(
            "{error}; to read a pipe, use `-`"
        ))),
        Err(error) => Err(error),
    }
}
