//! Errors when opening a sink: secrets, certificates, templates and programs.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::config::{ClientCert, SecretError, SecretFile, open_regular};

/// Maximum size of a CA file, in bytes: all public CAs together need a quarter of a megabyte.
const MAX_CA_BYTES: u64 = 4 << 20;

/// Why a sink cannot be used as configured. No variant contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The content of a secret file is not valid.
    #[error("{file} does not contain {wanted}: {why}")]
    Malformed {
        /// Path or credential, as configured.
        file: String,
        /// What it should contain.
        wanted: &'static str,
        /// What is wrong, or what is expected.
        why: String,
    },
    /// `ca_file` is unusable.
    #[error("cannot read CA certificates (PEM) from {}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The template is invalid or does not render a valid body.
    #[error("{template}: {why}")]
    Template {
        /// Path, or name of the preset.
        template: String,
        /// Line and reason.
        why: String,
    },
    /// The program's user is not known.
    #[error("cannot run a program as user `{name}`")]
    User {
        /// Name of the user.
        name: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The program cannot be started.
    #[error("cannot run {}", .path.display())]
    Program {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Another setting is invalid.
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
            file: file.given.to_string(),
            wanted,
            why: why.into(),
        }
    }

    pub(super) fn unusable(what: impl Into<String>) -> Self {
        Self::Unusable { what: what.into() }
    }
}

/// Reads certificates and passes them to a library that parses them.
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
    open_regular(path)
        .and_then(|file| file.take(MAX_CA_BYTES).read_to_end(&mut pem))
        .map_err(|error| unreadable(error.into()))?;
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(unreadable(
            io::Error::other("it contains no certificate").into(),
        ));
    }
    read(&pem).map_err(|error| unreadable(error.into()))
}

/// Reads a client certificate and its key, as one PEM text.
pub(super) fn identity<T, E>(
    client: &ClientCert,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, OpenError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let key = client.key.pem()?;
    let wanted = "a private key (PEM)";
    if !key.expose().contains("PRIVATE KEY-----") {
        return Err(OpenError::malformed(&client.key, wanted, "there is none"));
    }
    certificates(&client.cert, |certificate| {
        let mut pem = certificate.to_vec();
        pem.push(b'\n');
        pem.extend_from_slice(key.expose().as_bytes());
        pem.push(b'\n');
        read(&pem)
    })
}

/// Installs `ring` as the TLS provider of the process.
pub(super) fn provide_cryptography() {
    // An error means that the same provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
