use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::config::{SecretError, SecretFile};

/// All certificates of the world's authorities are a quarter of a megabyte.
const MAX_CA_BYTES: u64 = 4 << 20;

/// Why a sink cannot be used as it is configured. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What a file of a secret holds is not what is wanted.
    #[error("{file} does not hold {wanted}: {why}")]
    Malformed {
        /// Path or credential, as configured.
        file: String,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong, or what to write.
        why: String,
    },
    /// `ca_file` cannot be used.
    #[error("cannot read certificates (PEM) from {}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The template does not make what is to be sent.
    #[error("{template}: {why}")]
    Template {
        /// Path, or name of the preset.
        template: String,
        /// Where and why.
        why: String,
    },
    /// The program cannot be started.
    #[error("cannot run {}", .path.display())]
    Program {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Another setting makes no sink.
    #[error("{what}")]
    Unusable {
        /// Which setting, and what is wrong with it.
        what: String,
    },
}

impl OpenError {
    pub(super) fn malformed(
        file: &SecretFile,
        wanted: &'static str,
        why: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            file: file.said.clone(),
            wanted,
            why: why.into(),
        }
    }

    pub(super) fn unusable(what: impl Into<String>) -> Self {
        Self::Unusable { what: what.into() }
    }
}

/// Reads certificates and hands them to a library that makes sense of them.
pub(super) fn certificates<T, E>(
    path: &Path,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, OpenError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let unreadable = |source| OpenError::Certificates {
        path: path.to_owned(),
        source,
    };
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_CA_BYTES).read_to_end(&mut pem))
        .map_err(|error| unreadable(error.into()))?;
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(unreadable(
            io::Error::other("it holds no certificate").into(),
        ));
    }
    read(&pem).map_err(|error| unreadable(error.into()))
}

/// TLS is done by `ring` in the whole process.
pub(super) fn provide_cryptography() {
    // An error means that another part of the process was first, with the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
