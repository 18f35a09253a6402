//! `[database]` and `[state]`: the PostgreSQL connection and the state directory.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::database_url::{self, database_url};
use super::environment::Environment;
use super::secret::SecretUrl;
use super::secret_file::{SecretError, SecretFile, secret_file};
use super::section::Section;
use super::values::{absolute_path, boolean, number};

/// One connection holds the lock of a run while another one writes.
const MIN_CONNECTIONS: u32 = 2;
/// PostgreSQL allows 100 connections by default; no site gives one program more than a few hundred.
const MAX_CONNECTIONS: u32 = 500;

/// `[database]`: the PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// If omitted: a private PostgreSQL under [`State::dir`].
    pub url: Option<SecretUrl>,
    /// The file that contains the password, if the URL does not.
    pub password_file: Option<SecretFile>,
    /// Allows connections to other machines without `sslmode=verify-full`. Default: `false`.
    pub allow_insecure: bool,
    /// Maximum number of concurrent connections. Default: 8.
    pub max_connections: u32,
}

/// `[state]`: what advisoryd stores outside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// An absolute path. Default: `/var/lib/advisoryd`.
    pub dir: PathBuf,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            password_file: None,
            allow_insecure: false,
            max_connections: 8,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/lib/advisoryd"),
        }
    }
}

/// Why there are no connection options.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database driver does not accept the URL. Its error may repeat parts of it.
    #[error("[database] url is not a PostgreSQL URL")]
    Url,
    /// `password_file` has no password.
    #[error("[database] password_file")]
    Password(#[from] SecretError),
}

impl Database {
    /// How to connect to the configured database; `None` if it is the private one. The
    /// password is read again at each call.
    ///
    /// # Errors
    /// [`DatabaseError`]: the password file cannot be read.
    pub fn connect_options(&self) -> Result<Option<PgConnectOptions>, DatabaseError> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        let options = database_url::options(url).map_err(|_| DatabaseError::Url)?;
        Ok(Some(match &self.password_file {
            Some(file) => options.password(file.line()?.expose()),
            None => options,
        }))
    }

    /// A warning if the connection to another machine is not protected.
    pub(super) fn warning(&self) -> Option<String> {
        let (host, mode) = database_url::insecure(self.url.as_ref()?)?;
        Some(format!(
            "the connection to the database on {host} is not protected against eavesdropping: sslmode is `{mode}`, expected `verify-full`"
        ))
    }

    /// Whether the password is part of the URL, and so of the configuration.
    pub fn has_password_in_url(&self) -> bool {
        self.url.as_ref().is_some_and(database_url::has_password)
    }

    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        section.refuse(
            "password",
            "the password does not belong here; store it in a file and set `password_file`",
        );
        let default = Self::default();
        let database = Self {
            url: section.secret("url", database_url),
            password_file: section.secret("password_file", secret_file(env)),
            allow_insecure: section.value("allow_insecure", default.allow_insecure, boolean),
            max_connections: section.value(
                "max_connections",
                default.max_connections,
                number(MIN_CONNECTIONS..=MAX_CONNECTIONS),
            ),
        };
        database.check(&mut section);
        section.close();
        database
    }
}

impl Database {
    /// Settings that contradict each other.
    fn check(&self, section: &mut Section<'_>) {
        if self.password_file.is_some() {
            match &self.url {
                None => section.unusable(
                    "password_file",
                    "needs a `url`; the private PostgreSQL has no password",
                ),
                Some(url) if database_url::has_password(url) => section.unusable(
                    "password_file",
                    "contradicts the password in `url`; remove one of them",
                ),
                Some(_) => {}
            }
        }
        if let Some((host, mode)) = self.url.as_ref().and_then(database_url::insecure)
            && !self.allow_insecure
        {
            let text = format!(
                "sslmode is `{mode}`, so whoever answers for {host} could read the password; expected `verify-full`, or set `allow_insecure = true`"
            );
            section.unusable("url", &text);
        }
    }
}

impl State {
    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        let state = Self {
            dir: section.value("dir", env.instance.state_dir(), absolute_path),
        };
        section.close();
        state
    }
}
