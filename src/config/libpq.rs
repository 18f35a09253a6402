//! Environment variables for libpq's programs (`pg_dump`, `pg_restore`): the server that
//! the pool uses, without secrets on a command line.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::database::{DatabaseError, DatabaseSettings};
use super::database_url;
use super::secret::{SecretUrl, decoded};
use super::secret_file::SecretFile;

/// The certificates that the system trusts. libpq before version 16 has no name for them.
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Variables of libpq, with their values. Printing it shows only the names.
#[derive(Clone, Default)]
pub struct LibpqEnvironment {
    variables: Vec<(&'static str, SecretString)>,
}

impl LibpqEnvironment {
    /// The variables to set for a program.
    pub fn expose(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (*name, value.expose_secret()))
    }

    /// How to reach a server without TLS files and password, such as the private one.
    pub fn new(server: &PgConnectOptions) -> Self {
        let mut environment = Self::default();
        let host = match server.get_socket() {
            Some(directory) => directory.to_string_lossy().into_owned(),
            None => server.get_host().to_owned(),
        };
        environment.set("PGHOST", &host);
        environment.set("PGPORT", &server.get_port().to_string());
        environment.set("PGUSER", server.get_username());
        environment.set("PGSSLMODE", mode(server.get_ssl_mode()));
        environment.set(
            "PGDATABASE",
            server.get_database().unwrap_or(server.get_username()),
        );
        if let Some(options) = server.get_options() {
            environment.set("PGOPTIONS", options);
        }
        environment
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, SecretString::from(value)));
    }
}

impl fmt::Debug for LibpqEnvironment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variables.iter().map(|(name, _)| name);
        formatter.debug_list().entries(names).finish()
    }
}

fn mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

impl DatabaseSettings {
    /// How libpq's programs reach `server`, one of the configured hosts.
    ///
    /// # Errors
    /// [`DatabaseError`]: the password file cannot be read.
    pub fn libpq(&self, server: &PgConnectOptions) -> Result<LibpqEnvironment, DatabaseError> {
        let mut environment = LibpqEnvironment::new(server);
        let Some(url) = self.url.as_ref().and_then(|url| {
            let mut hosts = url.hosts().iter();
            hosts.find(|host| is_same(host, server))
        }) else {
            return Ok(environment);
        };
        let url: Url = url.expose().parse().map_err(|_| DatabaseError::Url)?;
        for (name, parameters) in [
            ("PGSSLROOTCERT", ["sslrootcert", "ssl-root-cert", "ssl-ca"]),
            ("PGSSLCERT", ["sslcert", "ssl-cert", "sslcert"]),
            ("PGSSLKEY", ["sslkey", "ssl-key", "sslkey"]),
            ("PGPASSWORD", ["password", "password", "password"]),
        ] {
            if let Some(value) = parameter(&url, &parameters) {
                environment.set(name, &value);
            } else if name == "PGSSLROOTCERT" && Path::new(SYSTEM_CERTIFICATES).exists() {
                environment.set(name, SYSTEM_CERTIFICATES);
            }
        }
        if let Some(password) = url.password() {
            environment.set("PGPASSWORD", &decoded(password));
        }
        let password = self.password_file.as_ref().map(SecretFile::line);
        if let Some(password) = password.transpose()? {
            environment.set("PGPASSWORD", password.expose());
        }
        Ok(environment)
    }
}

/// Whether the URL names the server.
fn is_same(url: &SecretUrl, server: &PgConnectOptions) -> bool {
    database_url::options(url).is_ok_and(|options| {
        options.get_socket() == server.get_socket()
            && options.get_host() == server.get_host()
            && options.get_port() == server.get_port()
    })
}

fn parameter(url: &Url, names: &[&str]) -> Option<String> {
    let mut pairs = url.query_pairs();
    let (_, value) = pairs.find(|(name, _)| names.contains(&&**name))?;
    Some(value.into_owned())
}
