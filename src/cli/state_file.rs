//! `--state-file`: up to which change a script has been told.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

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
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
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
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = path.with_file_name(name);
        let written = File::create(&new).and_then(|mut file| {
            writeln!(file, "{seq}")?;
            file.sync_all()
        });
        let replaced = written.and_then(|()| fs::rename(&new, &path));
        if replaced.is_err() {
            // The first failure is the one that explains.
            let _ = fs::remove_file(&new);
        }
        replaced?;
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }
}
