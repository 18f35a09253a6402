//! `[database] url`: allowed parameters, and the TLS mode that the host needs.

use std::net::IpAddr;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::{Host, Url};

use super::database_hosts::DatabaseUrl;
use super::secret::SecretUrl;
use super::tree::SettingNode;
use super::values::{is_loopback_host, text};
use crate::config::advice::Advice;

/// Parameters that the database driver knows. It would log any other with its value.
const PARAMETERS: [&str; 19] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "target_session_attrs",
    "user",
];
/// Maximum length of a parameter's name in messages, in characters: a longer one is none.
const MAX_NAME_CHARS: usize = 32;

/// A URL that the database driver accepts, for each of its hosts.
pub(super) fn database_url(node: &SettingNode) -> Result<DatabaseUrl, Advice> {
    let advice = "expected a URL such as `postgres:///advisoryd?host=/run/postgresql`";
    let found = DatabaseUrl::parse(&text(node)?, advice)?;
    for host in found.hosts() {
        let url: Url = host.expose().parse().map_err(|_| advice)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(advice.into());
        }
        // First: the driver logs unknown parameters.
        if let Some(name) = unknown_parameter(&url) {
            return Err(format!(
                "expected a URL with known parameters, not {name}; known are {}",
                PARAMETERS.join(", ")
            )
            .into());
        }
        if PgConnectOptions::from_str(host.expose()).is_err() {
            // Its text may repeat the value of a parameter.
            return Err(format!("{advice}, with values that the driver accepts").into());
        }
    }
    Ok(found)
}

/// The first unknown parameter, by its name, if that cannot be a misplaced value.
fn unknown_parameter(url: &Url) -> Option<String> {
    let is_known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
    let pairs = url.query_pairs();
    let (name, value) = pairs.into_iter().find(|(name, _)| !is_known(name))?;
    let is_name = !value.is_empty()
        && name.len() <= MAX_NAME_CHARS
        && name
            .chars()
            .all(|one| one.is_ascii_lowercase() || matches!(one, '_' | '-'));
    Some(if is_name {
        format!("`{name}`")
    } else {
        "an unknown one".to_owned()
    })
}

/// Whether the URL has a password.
pub(super) fn has_password(url: &SecretUrl) -> bool {
    url.expose().parse::<Url>().is_ok_and(|url| {
        url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
    })
}

/// The connection that the URL describes. For another machine without `sslmode`, the
/// server's certificate and name are verified.
///
/// # Errors
/// The driver's, if it does not accept the URL.
pub(super) fn options(url: &SecretUrl) -> Result<PgConnectOptions, sqlx::Error> {
    let mut options = PgConnectOptions::from_str(url.expose())?;
    if !names_user(url) && std::env::var_os("PGUSER").is_none() {
        options = options.username(&system_user());
    }
    let states_mode = url.expose().parse::<Url>().is_ok_and(|url| {
        url.query_pairs()
            .any(|(name, _)| matches!(&*name, "sslmode" | "ssl-mode"))
    });
    if !states_mode && is_remote(&options) {
        return Ok(options.ssl_mode(PgSslMode::VerifyFull));
    }
    Ok(options)
}

fn names_user(url: &SecretUrl) -> bool {
    url.expose().parse::<Url>().is_ok_and(|url| {
        !url.username().is_empty() || url.query_pairs().any(|(name, _)| name == "user")
    })
}

/// Name of the user of this process, which is libpq's default and what peer
/// authentication compares. A dynamic user of systemd may have no entry that this program
/// can look up; systemd then names it in `$USER`.
fn system_user() -> String {
    let uid = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map(|user| user.name)
        .or_else(|| std::env::var("USER").ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| uid.to_string())
}

/// The host and the TLS mode, if the mode does not prove that the host is the one that
/// was named. The password and all data could then be read by whoever answers for it.
pub(super) fn insecure(url: &SecretUrl) -> Option<(String, &'static str)> {
    let options = options(url).ok()?;
    let mode = match options.get_ssl_mode() {
        PgSslMode::VerifyFull => return None,
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::Require => "require",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Allow => "allow",
        PgSslMode::Disable => "disable",
    };
    is_remote(&options).then(|| (options.get_host().to_owned(), mode))
}

/// Whether the server is on another machine: neither a socket nor a loopback address.
fn is_remote(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    if options.get_socket().is_some() || host.starts_with(['/', '@']) {
        return false;
    }
    match host.parse::<IpAddr>() {
        Ok(address) => !address.is_loopback(),
        Err(_) => !Host::parse(host).is_ok_and(|host| is_loopback_host(&host)),
    }
}
