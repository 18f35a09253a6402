//! HTTP connections to receivers: URL, authentication, TLS, proxy and the check for
//! public addresses.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Identity, Proxy};
use url::Url;

use super::gate::SsrfGuard;
use super::open::{OpenError, certificates, identity, provide_cryptography};
use super::secrets::Secrets;
use crate::config::{Address, Auth, PostTarget, header_line, may_be_public, parse_url};

const USER_AGENT: &str = concat!("advisoryd/", env!("CARGO_PKG_VERSION"));

/// The URL, and the form to display: scheme and host. The path may be a secret, as Slack's is,
/// also where it stands in the configuration.
pub(super) fn url(target: &PostTarget, secrets: &mut Secrets) -> Result<(Url, String), OpenError> {
    let url = match &target.address {
        Address::Url(url) => url.clone(),
        Address::File(file) => {
            let secret = file.line()?;
            let url = parse_url(secret.expose())
                .map_err(|why| OpenError::malformed(file, "a URL", why))?;
            secrets.add(secret.expose());
            secrets.add_url(&url);
            url
        }
    };
    let shown = origin(&url);
    let is_allowed = target.allow_private || (url.scheme() == "https" && may_be_public(&url));
    if !is_allowed {
        return Err(OpenError::unusable(format!(
            "{shown}: expected `https://` with a public address; \
             set `allow_private = true` if this is intended"
        )));
    }
    Ok((url, shown))
}

/// The headers of every message: user-defined headers and authentication.
pub(super) fn headers(target: &PostTarget, secrets: &mut Secrets) -> Result<HeaderMap, OpenError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &target.headers {
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) else {
            return Err(OpenError::unusable(format!(
                "the header `{name}` contains characters that cannot be sent"
            )));
        };
        secrets.add_header(name.as_str(), value.to_str().unwrap_or_default());
        headers.insert(name, value);
    }
    if let Some(proxy) = &target.proxy
        && let Ok(url) = proxy.expose().parse::<Url>()
    {
        secrets.add(url.password().unwrap_or_default());
    }
    if let Some(file) = &target.headers_file {
        for line in file.lines()? {
            let (name, value) = header_line(line.expose())
                .map_err(|why| OpenError::malformed(file, "HTTP headers", why))?;
            if name == AUTHORIZATION && target.auth.is_some() {
                let why = "it sets `Authorization`, and so does `bearer_file` or `username`";
                return Err(OpenError::malformed(file, "HTTP headers", why));
            }
            secrets.add(value.to_str().unwrap_or_default());
            headers.insert(name, value);
        }
    }
    if let Some(auth) = &target.auth {
        headers.insert(AUTHORIZATION, authorization(auth, secrets)?);
    }
    Ok(headers)
}

fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

fn authorization(auth: &Auth, secrets: &mut Secrets) -> Result<HeaderValue, OpenError> {
    let (text, file) = match auth {
        Auth::Basic { username, password } => {
            let secret = password.line()?;
            secrets.add_login(username, secret.expose());
            let both = STANDARD.encode(format!("{username}:{}", secret.expose()));
            (format!("Basic {both}"), password)
        }
        Auth::Bearer(file) => {
            let secret = file.line()?;
            secrets.add(secret.expose());
            (format!("Bearer {}", secret.expose()), file)
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        OpenError::malformed(
            file,
            "a token",
            "it contains characters that are invalid in a token",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn client(
    target: &PostTarget,
    url: &Url,
    timeout: Duration,
) -> Result<reqwest::Client, OpenError> {
    provide_cryptography();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .https_only(url.scheme() == "https")
        .pool_max_idle_per_host(1)
        .connect_timeout(timeout);
    builder = match &target.proxy {
        // The proxy resolves the name; its own address may be private.
        Some(proxy) => builder.proxy(Proxy::all(proxy.expose()).map_err(|_| {
            // The error of the library may contain the password.
            OpenError::unusable(format!("invalid `proxy` {proxy}"))
        })?),
        None => builder.no_proxy(),
    };
    if target.proxy.is_none() && !target.allow_private {
        builder = builder.dns_resolver(SsrfGuard);
    }
    if let Some(path) = &target.ca_file {
        builder = builder.tls_certs_merge(certificates(path, Certificate::from_pem_bundle)?);
    }
    if let Some(client) = &target.client_cert {
        builder = builder.identity(identity(client, Identity::from_pem)?);
    }
    builder
        .build()
        .map_err(|error| OpenError::unusable(format!("cannot set up TLS: {error}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::BTreeMap;
    use std::io::ErrorKind;
    use std::net::TcpListener;
    use std::time::Duration;

    use super::client;
    use crate::config::{Address, PostTarget};
    use crate::model::chain;

    #[tokio::test]
    async fn a_name_that_means_this_machine_is_not_connected_to_unless_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        // A name has to be resolved to be checked; this one resolves to this machine.
        let url: url::Url = format!("https://localhost:{port}/").parse().unwrap();
        for (allow_private, reached) in [(false, false), (true, true)] {
            let target = PostTarget {
                address: Address::Url(url.clone()),
                auth: None,
                headers: BTreeMap::new(),
                headers_file: None,
                allow_private,
                proxy: None,
                ca_file: None,
                client_cert: None,
            };
            let timeout = Duration::from_millis(300);
            let client = client(&target, &url, timeout).unwrap();
            let request = client.post(url.clone()).timeout(timeout);
            let error = chain(&request.send().await.unwrap_err());
            let is_refused = error.contains("is not a public address");
            assert_eq!(is_refused, !reached, "{error}");
            match listener.accept() {
                Ok(_) => assert!(reached),
                Err(error) => assert!(!reached && error.kind() == ErrorKind::WouldBlock),
            }
        }
    }
}
