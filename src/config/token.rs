//! The API token of upstream: where it is read from, and how it is kept secret.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::regular_file::open_regular;
use super::secret::REDACTED;
use super::setting_error::shown_path;
use super::setting_source::SettingSource;
use crate::model::keep_secret;

/// Maximum length of a token, in characters. Known tokens have 40 (contract §2).
const MAX_TOKEN_CHARS: usize = 512;
/// Maximum size of a token file, in bytes: a larger file is not a token file.
const MAX_TOKEN_FILE_BYTES: u64 = 16 * 1024;
/// Length of the tokens that upstream is known to issue (contract §2).
const KNOWN_TOKEN_CHARS: usize = 40;
/// The credential's name under `$CREDENTIALS_DIRECTORY` (`LoadCredential=upstream-token:…`).
const CREDENTIAL: &str = "upstream-token";
/// Nothing but white space.
const EMPTY: &str = "it is empty";
const EMPTY_OR_MISSING: &str = "it is empty or missing";
/// Default token file.
pub(super) const DEFAULT_TOKEN_FILE: &str = "/etc/advisoryd/token";
/// The environment variable that may hold the token itself.
pub(super) const TOKEN_VARIABLE: &str = "ADVISORYD_UPSTREAM__TOKEN";

/// The account's API token, without the word `ApiToken`. Printing it prints `[redacted]`.
#[derive(Clone)]
pub struct ApiToken(SecretString);

/// Why there is no usable token. No variant contains any part of the token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No source has a token.
    #[error(
        "no token found (tried {looked_for}); store it in /etc/advisoryd/token, \
         or name its file in [upstream] token_file{advice}"
    )]
    Missing {
        /// All sources that were tried.
        looked_for: String,
        /// What else can be done.
        advice: String,
    },
    /// The file exists or is configured, but cannot be read.
    #[error("cannot read the token from {}", shown_path(.path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The content is not a token.
    #[error("{origin} does not contain a valid token: {why}")]
    Malformed {
        /// The file or variable.
        origin: String,
        /// What is wrong with the content.
        why: &'static str,
    },
}

impl ApiToken {
    /// Where nothing is requested, so that no token is needed.
    pub fn unused() -> Self {
        Self(SecretString::from("offline"))
    }

    /// Parses a token in any of the forms that people paste (contract §2): with or
    /// without the word `ApiToken`, with surrounding white space. The error says what
    /// is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut words = text.split_whitespace();
        let first = words.next().ok_or(EMPTY)?;
        let token = if first.eq_ignore_ascii_case("token") {
            words.next().ok_or("nothing follows the word `Token`")?
        } else {
            first
        };
        if words.next().is_some() {
            return Err(if text.lines().count() > 1 {
                "expected one line, got several lines"
            } else {
                "expected one word, got several words"
            });
        }
        if token.len() > MAX_TOKEN_CHARS {
            return Err("it is too long for a token");
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it contains characters that are invalid in a token");
        }
        keep_secret(token);
        Ok(Self(SecretString::from(token)))
    }

    /// The token itself; use it only to send it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it looks like the tokens that upstream issues: 40 hexadecimal digits. Others may be valid too.
    pub fn has_usual_form(&self) -> bool {
        let token = self.expose();
        token.len() == KNOWN_TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

/// The sources of the token, in the order of surface §2. The token is read again at each
/// call, so that a reload picks up a new one.
#[derive(Debug, Clone, Default)]
pub struct TokenSources {
    /// `upstream.token_file`: if set, it is the only source.
    pub file: Option<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY`, set by systemd.
    pub credentials_dir: Option<PathBuf>,
    /// The content of `ADVISORYD_UPSTREAM__TOKEN`.
    pub variable: Option<SecretString>,
    /// The file of the unit that is tried after them.
    pub fallback: Option<PathBuf>,
    /// Where systemd puts the credentials of the unit while it runs: the last source, where
    /// this process is not of the unit.
    pub unit_credentials: Option<PathBuf>,
}

impl TokenSources {
    /// Reads the token from the first source that has one.
    ///
    /// # Errors
    /// [`TokenError`]: no source has one, the file cannot be read, or it does not contain a token.
    pub fn read(&self) -> Result<ApiToken, TokenError> {
        if let Some(path) = &self.file {
            return from_file(path);
        }
        let mut looked_for = Vec::new();
        if let Some(dir) = &self.credentials_dir {
            let path = dir.join(CREDENTIAL);
            if path.exists() {
                return from_file(&path).map_err(|error| self.behind(error));
            }
            looked_for.push(path.display().to_string());
        } else {
            looked_for.push(format!("$CREDENTIALS_DIRECTORY/{CREDENTIAL}"));
        }
        if let Some(text) = &self.variable {
            return token(TOKEN_VARIABLE, text.expose_secret());
        }
        looked_for.push(format!("${TOKEN_VARIABLE}"));
        if let Some(path) = &self.fallback {
            if path.exists() {
                return from_file(path);
            }
            looked_for.push(path.display().to_string());
        }
        let mut advice = String::new();
        if let (None, Some(dir)) = (&self.credentials_dir, &self.unit_credentials) {
            let path = dir.join(CREDENTIAL);
            if path.exists() {
                return from_file(&path);
            }
            looked_for.push(path.display().to_string());
            advice = encrypted(self.fallback.as_deref());
        }
        let looked_for = looked_for.join(", ");
        Err(TokenError::Missing { looked_for, advice })
    }
}

impl TokenSources {
    /// An error of a credential, with the file that systemd makes it of: the supplied
    /// units pass an empty credential if there is no such file.
    fn behind(&self, error: TokenError) -> TokenError {
        match (error, &self.fallback) {
            (TokenError::Malformed { origin, why }, Some(file)) => TokenError::Malformed {
                origin: format!(
                    "{origin}, which systemd reads from the file of `LoadCredential=` (usually {}),",
                    file.display()
                ),
                why: if why == EMPTY { EMPTY_OR_MISSING } else { why },
            },
            (error, _) => error,
        }
    }

    /// Where [`TokenSources::read`] reads the token from, for people.
    pub(super) fn origin(&self) -> (SettingSource, Option<String>) {
        let shown = |path: &Path| Some(shown_path(path));
        if let Some(file) = &self.file {
            return (SettingSource::File, shown(file));
        }
        let credential = |dir: &Option<PathBuf>| {
            let path = dir.as_ref()?.join(CREDENTIAL);
            path.exists().then_some(path)
        };
        if let Some(path) = credential(&self.credentials_dir) {
            return (SettingSource::Credential, shown(&path));
        }
        if self.variable.is_some() {
            return (SettingSource::Environment, Some(TOKEN_VARIABLE.to_owned()));
        }
        if let Some(path) = self.fallback.as_ref().filter(|path| path.exists()) {
            return (SettingSource::File, shown(path));
        }
        match credential(&self.unit_credentials) {
            Some(path) if self.credentials_dir.is_none() => {
                (SettingSource::Credential, shown(&path))
            }
            _ => (SettingSource::Default, None),
        }
    }

    /// The file from which [`TokenSources::read`] reads the token, if it is one that
    /// systemd has not passed.
    pub(super) fn own_file(&self) -> Option<&Path> {
        if let Some(path) = &self.file {
            return Some(path);
        }
        let is_passed = self
            .credentials_dir
            .as_ref()
            .is_some_and(|dir| dir.join(CREDENTIAL).exists());
        if is_passed || self.variable.is_some() {
            return None;
        }
        self.fallback.as_deref()
    }
}

impl TokenSources {
    /// What to do to replace the token, in the form of an imperative clause.
    pub fn advice(&self) -> String {
        let is_passed = self
            .credentials_dir
            .as_ref()
            .is_some_and(|dir| dir.join(CREDENTIAL).exists());
        match (&self.file, &self.fallback) {
            (None, _) if is_passed => {
                let file = self.fallback.as_deref();
                let file = file.map_or_else(|| DEFAULT_TOKEN_FILE.into(), Path::to_string_lossy);
                format!(
                    "put a new token into the file of `LoadCredential=` (usually {file}) and restart advisoryd; a reload does not pass it"
                )
            }
            (None, _) if self.variable.is_some() => {
                format!("set {TOKEN_VARIABLE} to a new token and restart advisoryd")
            }
            (Some(file), _) | (None, Some(file)) => reload(file),
            (None, None) => "set [upstream] token_file and reload advisoryd".to_owned(),
        }
    }
}

/// What a command does whose token is only passed to the service, encrypted.
fn encrypted(file: Option<&Path>) -> String {
    let file = file.unwrap_or(Path::new(DEFAULT_TOKEN_FILE));
    format!(
        ". If the unit passes the token by `LoadCredentialEncrypted=`, run the command as root while the service runs, or with `systemd-run --pipe -p LoadCredentialEncrypted={CREDENTIAL}:{}.cred advisoryd …`",
        file.display()
    )
}

fn reload(file: &Path) -> String {
    format!(
        "put a new token into {} and reload advisoryd",
        shown_path(file)
    )
}

fn from_file(path: &Path) -> Result<ApiToken, TokenError> {
    let unreadable = |source| TokenError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    open_regular(path)
        .and_then(|file| file.take(MAX_TOKEN_FILE_BYTES).read_to_end(&mut text))
        .map_err(unreadable)?;
    token(&shown_path(path), &String::from_utf8_lossy(&text))
}

fn token(origin: &str, text: &str) -> Result<ApiToken, TokenError> {
    ApiToken::parse(text).map_err(|why| TokenError::Malformed {
        origin: origin.into(),
        why,
    })
}
