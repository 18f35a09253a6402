//! Opens files that must be regular ones.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

/// Opens a file for reading. A pipe or device could keep its reader waiting for ever: it is
/// refused.
///
/// # Errors
/// It cannot be opened, or is no regular file; then the kind is [`io::ErrorKind::Other`].
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Opening a FIFO would wait for a writer. What is opened is examined, not what the name
    // stood for before.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}
