//! Capture directory: writes the responses and the report.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;
use serde_json::json;

use super::captured::{Captured, Written};
use super::response::BodyFormat;

/// Why the directory is empty or incomplete.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The directory has other files, which would be mixed with the responses.
    #[error("{} is not empty; use a new directory with --out", .path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// Another user owns the directory, and could replace what is in it.
    #[error("{} belongs to another user (uid {owner}); use a directory of your own with --out", .path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The operating system returned an error.
    #[error("cannot write {}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

/// Accessible only to its owner.
const PRIVATE: u32 = 0o700;

/// A new or empty directory, accessible only to its owner. It is held open: a directory
/// that another user puts in its place later receives nothing.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    directory: File,
}

impl Folder {
    /// Creates the directory, or uses an empty one of this user and makes it private.
    ///
    /// # Errors
    /// [`NotWritten`]: it is a symbolic link, not empty, or of another user.
    pub fn prepare(path: &Path) -> Result<Self, NotWritten> {
        let failed = |source| NotWritten::Io {
            path: path.to_owned(),
            source,
        };
        match DirBuilder::new().mode(PRIVATE).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        // A slash behind the name of a link would follow it.
        let name: PathBuf = path.components().collect();
        let no_link = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(no_link.bits())
            .open(name)
            .map_err(failed)?;
        let owner = directory.metadata().map_err(failed)?.uid();
        if owner != geteuid().as_raw() {
            return Err(NotWritten::Foreign {
                path: path.to_owned(),
                owner,
            });
        }
        directory
            .set_permissions(Permissions::from_mode(PRIVATE))
            .map_err(failed)?;
        // By its name, it may be another one by now.
        let held = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let mut entries = std::fs::read_dir(held).map_err(failed)?;
        if entries.next().is_some() {
            return Err(NotWritten::NotEmpty {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            directory,
        })
    }

    /// Writes everything, the report last: a directory with a report is complete.
    pub fn write(&self, captured: &Captured) -> Result<(), NotWritten> {
        for (index, answer) in captured.answers.iter().enumerate() {
            self.answer(index + 1, answer)?;
        }
        let report = serde_json::to_string_pretty(&captured.report).unwrap_or_default();
        self.file("report.json", report.as_bytes())?;
        self.file("report.md", captured.report.markdown().as_bytes())
    }

    fn answer(&self, number: usize, answer: &Written) -> Result<(), NotWritten> {
        let response = &answer.response;
        let start = format!("{number:02}-{}", response.name);
        let ending = match response.form() {
            BodyFormat::Xml => "xml",
            BodyFormat::Json => "json",
            BodyFormat::Other => "txt",
        };
        let body = answer.body.as_ref().filter(|body| !body.is_empty());
        let name = body.map(|_| format!("{start}.{ending}"));
        let about = json!({
            "method": response.method,
            "target": response.target,
            "status": response.status,
            "headers": answer.headers,
            "body": name,
            "body_bytes": response.bytes.len(),
            "cut": response.is_cut,
            "error": response.error,
            "note": answer.body.is_none().then_some(
                "the body is neither XML nor JSON and cannot be anonymised; it is written only with --raw"),
        });
        let about = serde_json::to_string_pretty(&about).unwrap_or_default();
        self.file(&format!("{start}.answer.json"), about.as_bytes())?;
        match (name, body) {
            (Some(name), Some(body)) => self.file(&name, body),
            _ => Ok(()),
        }
    }

    fn file(&self, name: &str, content: &[u8]) -> Result<(), NotWritten> {
        let new =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.directory, name, new, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(io::Error::from)
            .and_then(|file| File::from(file).write_all(content))
            .map_err(|source| NotWritten::Io {
                path: self.path.join(name),
                source,
            })
    }
}
