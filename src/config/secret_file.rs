//! Secret files and systemd credentials.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::environment::Environment;
use super::regular_file::open_regular;
use super::secret::REDACTED;
use super::setting_error::{has_odd_word, seems_generated, shown_path};
use super::tree::SettingNode;
use super::values::text;
use crate::config::advice::Advice;
use crate::model::keep_secret;

/// Directory of credentials when advisoryd is not started by systemd, so that a command
/// run by root finds the same secrets as the service.
const USUAL_DIR: &str = "/etc/advisoryd";
/// Maximum size of a secret file, in bytes: a larger file is not a secret.
const MAX_SECRET_BYTES: u64 = 16 * 1024;
/// Words in names of credentials.
const USUAL_WORDS: [&str; 15] = [
    "advisoryd",
    "token",
    "password",
    "passwd",
    "secret",
    "credential",
    "key",
    "url",
    "header",
    "bearer",
    "hook",
    "mail",
    "client",
    "login",
    "oauth",
];
/// Maximum length of a credential name, in characters: the limit of file names.
const MAX_CREDENTIAL_CHARS: usize = 255;

/// Location of a secret: a file or a systemd credential. It is read again at each
/// call, so that a reload picks up a new secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// The file.
    pub path: PathBuf,
    /// Whether it is a credential that systemd should have passed.
    pub is_credential: bool,
    /// The value in the configuration.
    pub given: Box<str>,
    /// Where it stands there.
    pub place: SecretPlace,
}

/// File and line of a setting, or its environment variable, for errors. It is no part of the
/// setting: one that has moved to another line is the same.
#[derive(Debug, Clone, Default)]
pub struct SecretPlace(Option<Arc<String>>);

impl SecretPlace {
    /// `FILE:LINE:COLUMN`, or the name of a variable.
    pub(super) fn of(origin: &str) -> Self {
        Self(Some(Arc::new(origin.to_owned())))
    }
}

impl PartialEq for SecretPlace {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SecretPlace {}

impl fmt::Display for SecretPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(place) => write!(formatter, "{place}: "),
            None => Ok(()),
        }
    }
}

/// The content of a secret file. Printing it prints `[redacted]`.
#[derive(Clone)]
pub struct Secret(SecretString);

/// Why there is no secret. No variant contains any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// systemd has not passed this credential.
    #[error(
        "{place}systemd has not passed the credential `{name}`; add \
         `LoadCredential={name}:/etc/advisoryd/{name}` to the unit (`systemctl edit advisoryd`) and restart it"
    )]
    NoCredential {
        /// Where it is configured.
        place: SecretPlace,
        /// Name of the credential.
        name: String,
    },
    /// A name that is no path, and no file of that name.
    #[error(
        "{place}there is no file {}. A name without `/` names a systemd credential, or for commands a file in \
         /etc/advisoryd or beside the configuration file. Create the file, or write an absolute path",
        shown_path(.path)
    )]
    NoNamed {
        /// Where it is configured.
        place: SecretPlace,
        /// The file.
        path: PathBuf,
    },
    /// There is no such file or credential, and its name may be the secret itself.
    #[error(
        "{place}there is no such file or credential; expected an absolute path, or the name of a \
         systemd credential (`LoadCredential=`) or of a file in /etc/advisoryd or beside the configuration file. The value is not shown, since it may be the \
         secret itself"
    )]
    Misplaced {
        /// Where it is configured.
        place: SecretPlace,
    },
    /// The file cannot be read.
    #[error("{place}cannot read a secret from {}", shown_path(.path))]
    Unreadable {
        /// Where it is configured.
        place: SecretPlace,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The content is not valid.
    #[error("{place}{} does not contain {wanted}: {why}", .path.display())]
    Malformed {
        /// Where it is configured.
        place: SecretPlace,
        /// The file.
        path: PathBuf,
        /// What it should contain.
        wanted: &'static str,
        /// What is wrong with the content.
        why: &'static str,
    },
}

impl Secret {
    /// Takes a string and removes surrounding white space.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim()))
    }

    /// The secret itself; use it only where it is sent.
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
    /// A secret file by path.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_credential: false,
            given: path.display().to_string().into(),
            place: SecretPlace::default(),
        }
    }

    /// Whether the configured value may be the secret, put in the place of its file. A path
    /// in a directory that exists is none, nor is a name that says what it names.
    fn may_be_secret(&self) -> bool {
        let given = Path::new(&*self.given);
        if given.is_absolute() {
            let is_odd = self.given.split('/').any(has_odd_word);
            return is_odd && !given.parent().is_some_and(Path::is_dir);
        }
        let lower = self.given.to_ascii_lowercase();
        let says_what = USUAL_WORDS.iter().any(|word| lower.contains(word));
        !says_what || has_odd_word(&self.given)
    }

    /// The lines of the file that are not empty, at least one.
    ///
    /// # Errors
    /// [`SecretError`]: no such credential, or the file cannot be read, is empty or is not text.
    pub fn lines(&self) -> Result<Vec<Secret>, SecretError> {
        let text = self.text()?;
        let lines: Vec<Secret> = text
            .trim_start_matches('\u{feff}')
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(Secret::new)
            .collect();
        for line in &lines {
            keep_line(line.expose());
        }
        if lines.is_empty() {
            return Err(self.malformed("a secret", "it is empty"));
        }
        Ok(lines)
    }

    /// The whole file, a private key. It is never sent and not registered.
    ///
    /// # Errors
    /// Same as [`SecretFile::lines`].
    pub fn pem(&self) -> Result<Secret, SecretError> {
        self.text().map(|text| Secret::new(&text))
    }

    fn text(&self) -> Result<String, SecretError> {
        let (path, place) = (&self.path, self.place.clone());
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound if self.may_be_secret() => SecretError::Misplaced {
                place: place.clone(),
            },
            io::ErrorKind::NotFound if self.is_credential => SecretError::NoCredential {
                place: place.clone(),
                name: self.given.to_string(),
            },
            io::ErrorKind::NotFound if !self.given.contains('/') => SecretError::NoNamed {
                place: place.clone(),
                path: path.clone(),
            },
            _ => SecretError::Unreadable {
                place: place.clone(),
                path: path.clone(),
                source,
            },
        };
        let mut bytes = Vec::new();
        let file = open_regular(path).map_err(unreadable)?;
        file.take(MAX_SECRET_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_SECRET_BYTES) {
            return Err(self.malformed("a secret", "it is too long"));
        }
        String::from_utf8(bytes).map_err(|_| self.malformed("a secret", "it is not valid UTF-8"))
    }

    /// The one line of the file.
    ///
    /// # Errors
    /// Same as [`SecretFile::lines`], and if there are several lines.
    pub fn line(&self) -> Result<Secret, SecretError> {
        let mut lines = self.lines()?;
        match (lines.pop(), lines.is_empty()) {
            (Some(line), true) => Ok(line),
            _ => Err(self.malformed("one secret", "expected one line, got several lines")),
        }
    }

    /// The error for a file with other content.
    pub fn malformed(&self, wanted: &'static str, why: &'static str) -> SecretError {
        SecretError::Malformed {
            place: self.place.clone(),
            path: self.path.clone(),
            wanted,
            why,
        }
    }
}

/// Registers a line, and the secret parts of one that is a URL, a header or a signing
/// secret.
fn keep_line(line: &str) {
    /// Shorter parts of a path, such as `services`, are words.
    const MIN_SEGMENT_BYTES: usize = 8;
    keep_secret(line);
    if let Some(encoded) = line.strip_prefix("whsec_") {
        keep_secret(encoded);
    }
    if let Ok(url) = line.parse::<Url>()
        && url.has_host()
    {
        let has_digit = |text: &str| text.contains(|letter: char| letter.is_ascii_digit());
        let segments = url.path_segments().into_iter().flatten();
        segments
            .filter(|segment| segment.len() >= MIN_SEGMENT_BYTES && has_digit(segment))
            .for_each(keep_secret);
        url.query_pairs().for_each(|(_, value)| keep_secret(&value));
    } else if let Some((_, value)) = line.split_once(':') {
        keep_secret(value);
    }
}

/// A path, or the name of a credential, which is a file in `/etc/advisoryd` or beside the
/// configuration file when advisoryd is not started by systemd. Any other value may be the secret itself, put in the
/// wrong place: it is not shown.
pub(super) fn secret_file(
    env: &Environment,
) -> impl FnOnce(&SettingNode) -> Result<SecretFile, Advice> {
    move |node| {
        let advice = "expected an absolute path, or the name of a systemd credential \
                      (`LoadCredential=`); the secret itself does not belong here";
        let given = text(node).map_err(|_| advice)?;
        let place = SecretPlace::of(&node.origin);
        if Path::new(&given).is_absolute() {
            return Ok(SecretFile {
                place,
                ..SecretFile::at(Path::new(&given))
            });
        }
        let fits =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        let is_name = given.len() <= MAX_CREDENTIAL_CHARS
            && given.chars().all(fits)
            && !given.starts_with('.')
            && !seems_generated(&given);
        if !is_name {
            return Err(advice.into());
        }
        let dir = env.credentials_dir.as_deref();
        let usual = Path::new(USUAL_DIR).join(&given);
        let of_unit = env.instance.credentials_dir().join(&given);
        let path = match dir {
            Some(dir) => dir.join(&given),
            // Root's command beside a service whose secrets are encrypted.
            None if usual.exists() => usual,
            None if of_unit.exists() => of_unit,
            None => match env.folder.as_ref().map(|dir| dir.join(&given)) {
                Some(beside) if beside.exists() => beside,
                _ => usual,
            },
        };
        Ok(SecretFile {
            path,
            is_credential: dir.is_some(),
            given: given.into(),
            place,
        })
    }
}
