use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::super::environment::Environment;
use super::super::secret::REDACTED;
use super::super::tree::Node;
use super::super::values::text;

/// Where a secret that is only named stands when systemd hands none over: a
/// command that root calls beside the service finds the same.
const USUAL_DIR: &str = "/etc/advisoryd";
/// Longest file of a secret, in bytes: anything longer is another file.
const MAX_SECRET_BYTES: u64 = 16 * 1024;
/// Longest name of a credential, in characters; systemd allows no more in a file's name.
const MAX_CREDENTIAL_CHARS: usize = 255;

/// Where a secret is kept: a file, or a credential that systemd hands over.
/// Read anew each time it is asked for, so that a reload sees a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// The file.
    pub path: PathBuf,
    /// Whether it is a credential that systemd should have handed over.
    pub is_credential: bool,
    /// As the configuration says it.
    pub said: String,
}

/// What a file of a secret holds. Printing it prints `[redacted]`.
#[derive(Clone)]
pub struct Secret(SecretString);

/// Why there is no secret. No variant holds any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// systemd has handed over no such credential.
    #[error(
        "systemd has handed over no credential `{name}`; write \
         `LoadCredential={name}:/etc/advisoryd/{name}` into the unit (`systemctl edit advisoryd`) and restart it"
    )]
    NoCredential {
        /// Of the credential.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read a secret from {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was read cannot be what is wanted.
    #[error("{} does not hold {wanted}: {why}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Secret {
    /// Takes a text, without blanks and line ends around it.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim()))
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl SecretFile {
    /// A file by its path.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_credential: false,
            said: path.display().to_string(),
        }
    }

    /// The lines of the file that are not empty, at least one.
    ///
    /// # Errors
    /// [`SecretError`]: no such credential, or the file cannot be read, is empty or is no text.
    pub fn lines(&self) -> Result<Vec<Secret>, SecretError> {
        let path = &self.path;
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound if self.is_credential => SecretError::NoCredential {
                name: self.said.clone(),
            },
            _ => SecretError::Unreadable {
                path: path.clone(),
                source,
            },
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_SECRET_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_SECRET_BYTES) {
            return Err(self.malformed("a secret", "it is too long"));
        }
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(self.malformed("a secret", "it is not text in UTF-8"));
        };
        let lines: Vec<Secret> = text
            .trim_start_matches('\u{feff}')
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(Secret::new)
            .collect();
        if lines.is_empty() {
            return Err(self.malformed("a secret", "it is empty"));
        }
        Ok(lines)
    }

    /// The one line of the file.
    ///
    /// # Errors
    /// As [`SecretFile::lines`], and when there are several.
    pub fn line(&self) -> Result<Secret, SecretError> {
        let mut lines = self.lines()?;
        match (lines.pop(), lines.is_empty()) {
            (Some(line), true) => Ok(line),
            _ => Err(self.malformed("one secret", "it has several lines")),
        }
    }

    /// Says that the file holds something else.
    pub fn malformed(&self, wanted: &'static str, why: &'static str) -> SecretError {
        SecretError::Malformed {
            path: self.path.clone(),
            wanted,
            why,
        }
    }
}

/// A path, or the name of a credential, which is a file of `/etc/advisoryd` for
/// who is not started by systemd. What is neither may be the secret
/// itself, written into the wrong place: it is not shown.
pub(super) fn secret_file(env: &Environment) -> impl FnOnce(&Node) -> Result<SecretFile, String> {
    move |node| {
        let advice = "write a path that begins with `/`, or the name of a credential of systemd \
                      (`LoadCredential=`); the secret itself does not belong here";
        let said = text(node).map_err(|_| advice)?;
        if Path::new(&said).is_absolute() {
            return Ok(SecretFile::at(Path::new(&said)));
        }
        let fits =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        let is_name = said.len() <= MAX_CREDENTIAL_CHARS
            && said.chars().all(fits)
            && !said.starts_with('.')
            && !said.starts_with("whsec_");
        if !is_name {
            return Err(advice.into());
        }
        let dir = env.credentials_dir.as_deref();
        Ok(SecretFile {
            path: dir.unwrap_or(Path::new(USUAL_DIR)).join(&said),
            is_credential: dir.is_some(),
            said,
        })
    }
}
