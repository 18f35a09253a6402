//! `--state-file`: up to which change a script has been told.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::files::{followed, replace};

/// A longer file is not one of ours.
const MAX_BYTES: u64 = 64;

/// The file, and what was in it.
pub(super) struct StateFile {
    path: PathBuf,
    /// The last change that was printed; `None` where there is no file yet.
    pub(super) seq: Option<i64>,
}

impl StateFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or holds anything but a number: nobody knows then what was
    /// printed.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("--state-file {}", path.display());
        // The file that a link leads to is replaced, and not the link.
        let path = followed(path).with_context(named)?;
        let length = match fs::metadata(&path) {
            Ok(found) if !found.is_file() => anyhow::bail!("{}: not a regular file", named()),
            Ok(found) => found.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path, seq: None });
            }
            Err(error) => return Err(error).with_context(named),
        };
        let text = if length > MAX_BYTES {
            String::new()
        } else {
            fs::read_to_string(&path).with_context(named)?
        };
        let seq = text.trim().parse().ok().filter(|seq| *seq >= 0);
        anyhow::ensure!(
            seq.is_some(),
            "{}: expected the number of a change; correct it, or remove the file to begin at the newest change",
            named()
        );
        Ok(Self { path, seq })
    }

    /// Replaces the file: afterwards it holds the old number or the new one, also after a
    /// power failure.
    pub(super) fn write(&mut self, seq: i64) -> anyhow::Result<()> {
        if self.seq == Some(seq) {
            return Ok(());
        }
        let named = || format!("--state-file {}", self.path.display());
        self.replace(seq).with_context(named)?;
        self.seq = Some(seq);
        Ok(())
    }

    fn replace(&self, seq: i64) -> std::io::Result<()> {
        // A link stays one: what it names is replaced.
        let path = followed(&self.path)?;
        replace(&path, format!("{seq}\n").as_bytes(), 0o666)
    }
}
