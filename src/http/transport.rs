//! HTTP transport: TLS, proxy, timeouts and connection pool.

use std::io::{self, Read};
use std::path::Path;

use reqwest::{Certificate, Proxy};

use super::error::ClientError;
use crate::config::{Upstream, is_loopback, open_regular};
use crate::model::chain;

const USER_AGENT: &str = concat!("advisoryd/", env!("CARGO_PKG_VERSION"));
/// Maximum size of a CA file, in bytes: all public CAs together need a quarter of a megabyte.
const MAX_CA_BYTES: u64 = 4 << 20;
/// Idle connections that are kept open: there are few concurrent requests.
const MAX_IDLE_CONNECTIONS: usize = 4;

/// Whether requests may go through a proxy.
pub(super) fn is_proxied(settings: &Upstream) -> bool {
    /// The HTTP library reads them.
    const VARIABLES: [&str; 6] = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    settings.proxy.is_some()
        || VARIABLES
            .iter()
            .any(|name| std::env::var_os(name).is_some())
}

/// Builds the HTTP client. It has no cookies, redirects or retries of its own: every
/// request is counted and checked by [`super::Client`].
pub(super) fn transport(settings: &Upstream) -> Result<reqwest::Client, ClientError> {
    // An error means that the same provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = &settings.base_url;
    if !settings.is_safe() {
        return Err(unusable(format!(
            "[upstream] base_url {base} is not https; expected `https://…`, or set [upstream] allow_http = true"
        )));
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .https_only(base.scheme() == "https")
        .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout);
    if let Some(path) = &settings.ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    let proxy = settings
        .proxy_with_password()
        .map_err(|error| unusable(format!("[upstream] proxy_password_file: {}", chain(&error))))?;
    if let Some(proxy) = proxy {
        // The error of the library may contain the password.
        let proxy = Proxy::all(proxy.expose())
            .map_err(|_| unusable(format!("invalid [upstream] proxy {proxy}")))?;
        builder = builder.proxy(proxy);
    } else if is_loopback(base) {
        // A proxy from the environment would send the token to another machine.
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| unusable(format!("cannot set up TLS: {error}")))
}

fn unusable(what: String) -> ClientError {
    ClientError::Unusable { what }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Certificates {
        path: path.to_owned(),
        source,
    };
    let mut pem = Vec::new();
    open_regular(path)
        .and_then(|file| file.take(MAX_CA_BYTES).read_to_end(&mut pem))
        .map_err(|error| unreadable(error.into()))?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.into()))?;
    if certificates.is_empty() {
        return Err(unreadable(
            io::Error::other("it contains no certificate").into(),
        ));
    }
    Ok(certificates)
}
