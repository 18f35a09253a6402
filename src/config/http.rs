//! `[http]`: the listener of health checks and metrics, and who may use it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::environment::Environment;
use super::secret_file::{Secret, SecretError, SecretFile, secret_file};
use super::section::Section;
use super::values::{boolean, listen, texts};

/// Default port of `/healthz`, `/readyz` and `/metrics`.
const DEFAULT_PORT: u16 = 8787;

/// `[http]`: health checks and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `None` is off (`""`). Default: `127.0.0.1:8787`.
    pub listen: Option<SocketAddr>,
    /// Whether `listen` may be an address that other machines reach. Default: false.
    pub allow_remote: bool,
    /// Further host names that requests may carry in `Host`, in lower case, without port.
    pub hosts: Vec<String>,
    /// The password that requests must carry. Default: none.
    pub password_file: Option<SecretFile>,
}

/// The password of `[http] password_file` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("[http] password_file")]
pub struct HttpPasswordError(#[from] SecretError);

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))),
            allow_remote: false,
            hosts: Vec::new(),
            password_file: None,
        }
    }
}

impl Http {
    /// The password that requests must carry, read from its file.
    ///
    /// # Errors
    /// [`HttpPasswordError`]: the file is missing or does not contain one line.
    pub fn password(&self) -> Result<Option<Secret>, HttpPasswordError> {
        let file = self.password_file.as_ref();
        Ok(file.map(SecretFile::line).transpose()?)
    }

    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        section.refuse(
            "password",
            "the password does not belong here; store it in a file and set `password_file`",
        );
        let default = Self::default();
        let hosts = section.value("hosts", default.hosts, texts);
        let http = Self {
            listen: section.value("listen", default.listen, listen),
            allow_remote: section.value("allow_remote", default.allow_remote, boolean),
            hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            password_file: section.secret("password_file", secret_file(env)),
        };
        http.check(&mut section);
        section.close();
        http
    }

    /// Refuses a listener that other machines reach without the operator's explicit word
    /// and without a password.
    fn check(&self, section: &mut Section<'_>) {
        let Some(listen) = self.listen.filter(|listen| !is_local(listen.ip())) else {
            return;
        };
        if !self.allow_remote {
            let advice = "other machines could reach this address; use `127.0.0.1` or `[::1]`, or set `allow_remote = true` and `password_file`";
            section.wrong("listen", &listen.to_string(), advice);
        } else if self.password_file.is_none() {
            section.unusable(
                "allow_remote",
                "needs `password_file`: other machines must send a password, as HTTP Basic or bearer token",
            );
        }
    }
}

fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
