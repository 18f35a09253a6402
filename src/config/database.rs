//! `[database]` and `[state]`: the PostgreSQL connection and the state directory.

use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::secret::SecretUrl;
use super::section::Section;
use super::tree::Node;
use super::values::{absolute_path, number, text};

/// One connection holds the lock of a run while another one writes.
const MIN_CONNECTIONS: u32 = 2;
/// PostgreSQL allows 100 connections by default; no site gives one program more than a few hundred.
const MAX_CONNECTIONS: u32 = 500;

/// `[database]`: the PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// If omitted: a private PostgreSQL under [`State::dir`].
    pub url: Option<SecretUrl>,
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

impl Database {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let database = Self {
            url: section.secret("url", database_url),
            max_connections: section.value(
                "max_connections",
                default.max_connections,
                number(MIN_CONNECTIONS..=MAX_CONNECTIONS),
            ),
        };
        section.close();
        database
    }
}

impl State {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let state = Self {
            dir: section.value("dir", default.dir, absolute_path),
        };
        section.close();
        state
    }
}

/// A URL that the database driver accepts, including `sslmode`.
fn database_url(node: &Node) -> Result<SecretUrl, String> {
    let advice = "expected a URL such as `postgres:///advisoryd?host=/run/postgresql`";
    let text = text(node)?;
    let url: Url = text
        .parse()
        .map_err(|error| format!("{advice} ({error})"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(advice.into());
    }
    match PgConnectOptions::from_str(&text) {
        Ok(_) => Ok(SecretUrl::new(&url)),
        Err(error) => Err(format!("{advice} ({error})")),
    }
}
