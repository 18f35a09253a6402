//! Why a bundle cannot be written or is not accepted.

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::config::SecretError;

/// Why a bundle cannot be written or is not accepted. Nothing of it is imported.
#[derive(Debug, thiserror::Error)]
pub enum NotABundle {
    /// The operating system returned an error.
    #[error("cannot read or write {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The key cannot be read.
    #[error("the key of the bundle cannot be used")]
    Key(#[from] SecretError),
    /// The key is too short.
    #[error(
        "the key of the bundle has fewer than {least} characters; make one with `head -c 32 /dev/urandom | base64`"
    )]
    ShortKey {
        /// Its minimum length.
        least: usize,
    },
    /// There is no manifest.
    #[error(
        "{} is not a complete bundle: it has no manifest.json; if `advisoryd mirror` was interrupted, run it again with the same --out", .directory.display()
    )]
    Incomplete {
        /// The directory.
        directory: PathBuf,
    },
    /// The bundle is complete already.
    #[error("{} is a complete bundle already; use another directory with --out", .directory.display())]
    Complete {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory has other files.
    #[error("{} is not empty and not an unfinished bundle; use another directory with --out", .directory.display())]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
    /// The bundle was begun with other settings, or too long ago.
    #[error("{} is an unfinished bundle {why}; remove it, or use another directory with --out", .directory.display())]
    Stale {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The signature is wrong.
    #[error(
        "the signature of {} is wrong: the bundle was signed with another key, or the manifest was changed", .path.display()
    )]
    WrongSignature {
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest cannot be understood.
    #[error("{} cannot be read; the bundle may have been made by a newer version of advisoryd", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file is missing.
    #[error("{} is missing; copy the bundle again", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file is not what the manifest says.
    #[error("{} is damaged: its SHA-256 differs from the manifest; copy the bundle again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It is older than one that was imported.
    #[error(
        "the bundle is of {}, but one of {} was imported; an older bundle is not accepted",
        time(created_at),
        time(newest)
    )]
    Older {
        /// When it was begun.
        created_at: DateTime<Utc>,
        /// When the imported one was begun.
        newest: DateTime<Utc>,
    },
    /// It is from the future.
    #[error(
        "the bundle is of {}, but the clock of this machine says {}; set the clock that is wrong",
        time(created_at),
        time(now)
    )]
    Future {
        /// When it was begun.
        created_at: DateTime<Utc>,
        /// The time of this machine.
        now: DateTime<Utc>,
    },
}

fn time(at: &DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}
