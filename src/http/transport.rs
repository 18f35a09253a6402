use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use reqwest::{Certificate, Proxy};

use super::error::ClientError;
use crate::config::{Upstream, is_loopback};

const USER_AGENT: &str = concat!("advisoryd/", env!("CARGO_PKG_VERSION"));
/// All certificates of the world's authorities are a quarter of a megabyte.
const MAX_CA_BYTES: u64 = 4 << 20;
/// Connections kept open: there are few requests at a time.
const MAX_IDLE_CONNECTIONS: usize = 4;

/// The one HTTP client. It keeps no cookies, follows nothing and repeats
/// nothing by itself: whatever leaves is counted and checked by [`super::Client`].
pub(super) fn transport(settings: &Upstream) -> Result<reqwest::Client, ClientError> {
    // An error means that another part of the process was first, with the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = &settings.base_url;
    if !settings.is_safe() {
        return Err(unusable(format!(
            "`upstream.base_url` {base} is not https and `upstream.allow_http` is not set"
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
    if let Some(proxy) = &settings.proxy {
        // The error of the library may repeat the password.
        let proxy = Proxy::all(proxy.expose())
            .map_err(|_| unusable(format!("`upstream.proxy` {proxy} cannot be used")))?;
        builder = builder.proxy(proxy);
    } else if is_loopback(base) {
        // A proxy of the environment would take the token off this machine.
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
    File::open(path)
        .and_then(|file| file.take(MAX_CA_BYTES).read_to_end(&mut pem))
        .map_err(|error| unreadable(error.into()))?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.into()))?;
    if certificates.is_empty() {
        return Err(unreadable(
            io::Error::other("it holds no certificate").into(),
        ));
    }
    Ok(certificates)
}
