//! Opens files that must be regular ones.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a file for reading. Opening a pipe or device could wait for ever: it is refused.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}
