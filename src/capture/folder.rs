//! Capture directory: writes the responses and the report.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::captured::{Captured, Written};
use super::response::Form;

/// Why the directory is empty or incomplete.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The directory has other files, which would be mixed with the responses.
    #[error("{} is not empty; use a new directory with --out", .path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
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

/// A new or empty directory, accessible only to its owner.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Creates the directory, or uses an empty one.
    pub fn prepare(path: &Path) -> Result<Self, NotWritten> {
        let failed = |source| NotWritten::Io {
            path: path.to_owned(),
            source,
        };
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let mut entries = std::fs::read_dir(path).map_err(failed)?;
        if entries.next().is_some() {
            return Err(NotWritten::NotEmpty {
                path: path.to_owned(),
            });
        }
        Ok(Self(path.to_owned()))
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
            Form::Xml => "xml",
            Form::Json => "json",
            Form::Other => "txt",
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
        let path = self.0.join(name);
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        opened
            .and_then(|mut file: File| file.write_all(content))
            .map_err(|source| NotWritten::Io { path, source })
    }
}
