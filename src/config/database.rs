//! `[database]` and `[state]`: the PostgreSQL connection and the state directory.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::database_hosts::DatabaseUrl;
use super::database_url::{self, database_url};
use super::environment::Environment;
use super::secret_file::{SecretError, SecretFile, secret_file};
use super::section::Section;
use super::setting_error::resembles_secret;
use super::tree::SettingNode;
use super::values::{absolute_path, boolean, number, text};
use crate::config::advice::Advice;

/// One connection holds the lock of a run while another one writes.
const MIN_CONNECTIONS: u32 = 2;
/// PostgreSQL allows 100 connections by default; no site gives one program more than a few hundred.
const MAX_CONNECTIONS: u32 = 500;

/// Maximum length of the name of a group, in characters: twice that of `groupadd`, as a
/// directory service puts the name of a domain before or behind it.
const MAX_GROUP_CHARS: usize = 64;

/// `[database]`: the PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// If omitted: a private PostgreSQL under [`StateSettings::dir`].
    pub url: Option<DatabaseUrl>,
    /// A read replica, for commands that only read.
    pub read_url: Option<DatabaseUrl>,
    /// The file that contains the password, if the URLs do not.
    pub password_file: Option<SecretFile>,
    /// Allows connections to other machines without `sslmode=verify-full`. Default: `false`.
    pub allow_insecure: bool,
    /// Maximum number of concurrent connections. Default: 8.
    pub max_connections: u32,
    /// Unix group whose members may read the private PostgreSQL.
    pub share_with: Option<String>,
}

/// `[state]`: what advisoryd stores outside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSettings {
    /// An absolute path. Default: `/var/lib/advisoryd`.
    pub dir: PathBuf,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: None,
            read_url: None,
            password_file: None,
            allow_insecure: false,
            max_connections: 8,
            share_with: None,
        }
    }
}

impl Default for StateSettings {
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
    #[error("[database] url or read_url is not a PostgreSQL URL")]
    Url,
    /// `password_file` has no password.
    #[error("[database] password_file")]
    Password(#[from] SecretError),
}

impl DatabaseSettings {
    /// How to connect to each host of the configured database; `None` if it is the private
    /// one. The password is read again at each call.
    ///
    /// # Errors
    /// [`DatabaseError`]: the password file cannot be read.
    pub fn connect_options(&self) -> Result<Option<Vec<PgConnectOptions>>, DatabaseError> {
        self.options_of(self.url.as_ref())
    }

    /// The same for the read replica; `None` if there is none.
    ///
    /// # Errors
    /// [`DatabaseError`]: the password file cannot be read.
    pub fn replica_options(&self) -> Result<Option<Vec<PgConnectOptions>>, DatabaseError> {
        self.options_of(self.read_url.as_ref())
    }

    fn options_of(
        &self,
        url: Option<&DatabaseUrl>,
    ) -> Result<Option<Vec<PgConnectOptions>>, DatabaseError> {
        let Some(url) = url else {
            return Ok(None);
        };
        let password = self.password_file.as_ref().map(SecretFile::line);
        let password = password.transpose()?;
        let mut hosts = Vec::with_capacity(url.hosts().len());
        for host in url.hosts() {
            let options = database_url::options(host).map_err(|_| DatabaseError::Url)?;
            hosts.push(match &password {
                Some(password) => options.password(password.expose()),
                None => options,
            });
        }
        Ok(Some(hosts))
    }

    /// A warning if the connection to another machine is not protected.
    pub(super) fn warning(&self) -> Option<String> {
        let (_, host, mode) = self.insecure()?;
        Some(format!(
            "the connection to the database on {host} is not protected against eavesdropping: sslmode is `{mode}`, expected `verify-full`"
        ))
    }

    /// Whether the password is part of the URL, and so of the configuration.
    pub fn has_password_in_url(&self) -> bool {
        self.urls().any(|(_, url)| has_password(url))
    }

    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        section.refuse(
            "password",
            "the password does not belong here; store it in a file and set `password_file`",
        );
        let default = Self::default();
        let database = Self {
            url: section.secret("url", database_url),
            read_url: section.secret("read_url", database_url),
            password_file: section.secret("password_file", secret_file(env)),
            allow_insecure: section.value("allow_insecure", default.allow_insecure, boolean),
            max_connections: section.value(
                "max_connections",
                default.max_connections,
                number(MIN_CONNECTIONS..=MAX_CONNECTIONS),
            ),
            share_with: section.secret("share_with", group),
        };
        database.check(&mut section);
        section.close();
        database
    }
}

impl DatabaseSettings {
    /// The URLs, by their keys.
    fn urls(&self) -> impl Iterator<Item = (&'static str, &DatabaseUrl)> {
        let url = self.url.iter().map(|url| ("url", url));
        url.chain(self.read_url.iter().map(|url| ("read_url", url)))
    }

    /// The first host that is not protected, its key, and its TLS mode.
    fn insecure(&self) -> Option<(&'static str, String, &'static str)> {
        self.urls().find_map(|(key, url)| {
            let (host, mode) = url.hosts().iter().find_map(database_url::insecure)?;
            Some((key, host, mode))
        })
    }

    /// Settings that contradict each other.
    fn check(&self, section: &mut Section<'_>) {
        if self.password_file.is_some() {
            match &self.url {
                None => section.unusable(
                    "password_file",
                    "needs a `url`; the private PostgreSQL has no password",
                ),
                Some(url) if has_password(url) => section.unusable(
                    "password_file",
                    "contradicts the password in `url`; remove one of them",
                ),
                Some(_) => {}
            }
        }
        if self.password_file.is_some() && self.read_url.as_ref().is_some_and(has_password) {
            section.unusable(
                "password_file",
                "contradicts the password in `read_url`; remove one of them",
            );
        }
        if self.read_url.is_some() && self.url.is_none() {
            section.unusable(
                "read_url",
                "needs a `url`; the private PostgreSQL has no replica",
            );
        }
        if self.share_with.is_some() && self.url.is_some() {
            section.unusable(
                "share_with",
                "is for the private PostgreSQL; with a `url`, grant `advisoryd_reader` to roles of that server",
            );
        }
        if let Some((key, host, mode)) = self.insecure()
            && !self.allow_insecure
        {
            let text = format!(
                "sslmode is `{mode}`, so whoever answers for {host} could read the password; expected `verify-full`, or set `allow_insecure = true`"
            );
            section.unusable(key, &text);
        }
    }
}

/// The name of a Unix group. It is part of messages: whatever cannot be one is refused.
fn group(node: &SettingNode) -> Result<String, Advice> {
    let name = text(node)?;
    let is_usual = |letter: char| letter.is_alphanumeric() || "._-@\\$ ".contains(letter);
    let is_name = name.chars().count() <= MAX_GROUP_CHARS && name.chars().all(is_usual);
    if is_name && !resembles_secret(&name) {
        return Ok(name);
    }
    let advice = "expected the name of a group, of at most 64 characters: letters, digits, blanks and any of `._-@$\\`";
    Err(advice.into())
}

fn has_password(url: &DatabaseUrl) -> bool {
    url.hosts().iter().any(database_url::has_password)
}

impl StateSettings {
    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        let state = Self {
            dir: section.value("dir", env.instance.state_dir(), absolute_path),
        };
        section.close();
        state
    }
}
