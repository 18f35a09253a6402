//! `--state-file`: the cursor of a script that reads changes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::files::{followed, read_small, replace};

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
        let Some(content) = read_small(&path, MAX_BYTES + 1).with_context(named)? else {
            return Ok(Self { path, seq: None });
        };
        let content = String::from_utf8_lossy(&content);
        let text = if content.len() as u64 > MAX_BYTES {
            ""
        } else {
            &*content
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
