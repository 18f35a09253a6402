//! The one way in which messages are posted over HTTP.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Certificate, Proxy, Response, StatusCode};
use url::Url;

use super::gate::Gate;
use super::open::{OpenError, certificates, provide_cryptography};
use super::outcome::{MAX_WAIT, Receipt, Refused, chain};
use super::secrets::Secrets;
use crate::config::{Address, Auth, Secret, Target, may_be_public, parse_url};
use crate::http::told_wait;

const USER_AGENT: &str = concat!("advisoryd/", env!("CARGO_PKG_VERSION"));
/// How much of an answer is read: its beginning is what people look at.
const MAX_READ_BYTES: usize = 16 * 1024;
/// How long an answer is waited for once its status is there, which alone decides.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// Posts to one address: TLS by `rustls`, no redirects, no cookies, nothing
/// repeated, and only to public addresses unless others are allowed.
pub(super) struct Post {
    client: reqwest::Client,
    url: Url,
    /// The URL as people may see it.
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
}

/// What is posted.
pub(super) struct Body {
    pub(super) content_type: HeaderValue,
    pub(super) bytes: Bytes,
    /// Headers of this one message.
    pub(super) headers: HeaderMap,
}

impl fmt::Debug for Post {
    /// The URL may be the secret, and so may a header.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Post({})", self.shown)
    }
}

impl Body {
    pub(super) fn json(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: HeaderValue::from_static("application/json"),
            bytes: bytes.into(),
            headers: HeaderMap::new(),
        }
    }
}

impl Post {
    pub(super) fn open(
        target: &Target,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let (url, shown) = url(target, secrets)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &target.headers {
            let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            ) else {
                return Err(OpenError::unusable(format!(
                    "the header `{name}` cannot be sent"
                )));
            };
            headers.insert(name, value);
        }
        if let Some(proxy) = &target.proxy
            && let Ok(url) = proxy.expose().parse::<Url>()
        {
            secrets.add(&Secret::new(url.password().unwrap_or_default()));
        }
        if let Some(auth) = &target.auth {
            headers.insert(AUTHORIZATION, authorization(auth, secrets)?);
        }
        Ok(Self {
            client: client(target, &url, timeout)?,
            url,
            shown,
            headers,
            timeout,
        })
    }

    /// Puts a path behind the one of the URL.
    pub(super) fn at(mut self, path: &str) -> Self {
        let whole = format!("{}{path}", self.url.path().trim_end_matches('/'));
        self.url.set_path(&whole);
        self
    }

    /// Posts once. `now` is what dates are compared with when the receiver
    /// does not tell its own time.
    pub(super) async fn send(&self, body: Body, now: DateTime<Utc>) -> Result<Receipt, Refused> {
        let Body {
            content_type,
            bytes,
            headers,
        } = body;
        let request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .headers(headers)
            .header(CONTENT_TYPE, content_type)
            .body(bytes);
        match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(Ok(response)) => self.judge(response, now).await,
            Ok(Err(error)) if !error.is_timeout() => {
                let error = chain(&error.without_url());
                Err(Refused::repeatable(format!("POST {}: {error}", self.shown)))
            }
            _ => Err(Refused::late(&format!("POST {}", self.shown), self.timeout)),
        }
    }

    async fn judge(&self, response: Response, now: DateTime<Utc>) -> Result<Receipt, Refused> {
        let status = response.status();
        let wait = asked_wait(response.headers(), now);
        let is_redirect = response.headers().contains_key(LOCATION);
        let answer = beginning(response).await;
        let code = Some(i32::from(status.as_u16()));
        if status.is_success() {
            return Ok(Receipt {
                status: code,
                answer,
            });
        }
        let advice = match status {
            _ if status.is_redirection() && is_redirect => {
                "; redirects are not followed, write the address it leads to"
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; check the secrets of this sink",
            StatusCode::NOT_FOUND => "; check the address of this sink",
            StatusCode::GONE => "; the receiver wants no more messages",
            _ => "",
        };
        let shown = &self.shown;
        Err(Refused {
            reason: format!("POST {shown} was answered with status {status}{advice}"),
            status: code,
            answer,
            can_repeat: can_repeat(status),
            wait,
        })
    }
}

/// Whether a status speaks of now and not of the message.
fn can_repeat(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// `Retry-After`, in seconds or as a date, which is compared with the
/// receiver's own clock where it tells it.
fn asked_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let theirs = text(DATE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(|| SystemTime::from(now));
    told_wait(text(RETRY_AFTER)?, DateTime::from(theirs)).map(|wait| wait.min(MAX_WAIT))
}

/// The beginning of an answer, or as much of it as comes.
async fn beginning(mut response: Response) -> String {
    let mut answer = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_READ_BYTES - answer.len();
            answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if answer.len() == MAX_READ_BYTES {
                break;
            }
        }
    };
    // Too late is the same as nothing more: the status is known.
    let _ = tokio::time::timeout(ANSWER_PATIENCE, reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Where to, and how people may see it: of a secret URL only the host.
fn url(target: &Target, secrets: &mut Secrets) -> Result<(Url, String), OpenError> {
    let (url, shown) = match &target.address {
        Address::Url(url) => {
            let path = url.path().trim_end_matches('/');
            (url.clone(), format!("{}{path}", origin(url)))
        }
        Address::File(file) => {
            let secret = file.line()?;
            let url = parse_url(secret.expose())
                .map_err(|why| OpenError::malformed(file, "an URL", why))?;
            secrets.add(&secret);
            secrets.add_url(&url);
            let shown = format!("{}/…", origin(&url));
            (url, shown)
        }
    };
    let is_allowed = target.allow_private || (url.scheme() == "https" && may_be_public(&url));
    if !is_allowed {
        return Err(OpenError::unusable(format!(
            "{shown} is not `https://` with a public address; \
             write `allow_private = true` if it is meant"
        )));
    }
    Ok((url, shown))
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
            secrets.add(&secret);
            let both = STANDARD.encode(format!("{username}:{}", secret.expose()));
            secrets.add(&Secret::new(&both));
            (format!("Basic {both}"), password)
        }
        Auth::Bearer(file) => {
            let secret = file.line()?;
            secrets.add(&secret);
            (format!("Bearer {}", secret.expose()), file)
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        OpenError::malformed(file, "a token", "it has characters that no token has")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn client(target: &Target, url: &Url, timeout: Duration) -> Result<reqwest::Client, OpenError> {
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
        // The proxy resolves the name; its own address is the operator's choice.
        Some(proxy) => builder.proxy(Proxy::all(proxy.expose()).map_err(|_| {
            // The error of the library may repeat the password.
            OpenError::unusable(format!("`proxy` {proxy} cannot be used"))
        })?),
        None => builder.no_proxy(),
    };
    if target.proxy.is_none() && !target.allow_private {
        builder = builder.dns_resolver(Gate);
    }
    if let Some(path) = &target.ca_file {
        builder = builder.tls_certs_merge(certificates(path, Certificate::from_pem_bundle)?);
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

    use super::{chain, client};
    use crate::config::{Address, Target};

    #[tokio::test]
    async fn a_name_that_means_this_machine_is_not_connected_to_unless_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        // A name is only known when it is asked for; this one is known to be this machine.
        let url: url::Url = format!("https://localhost:{port}/").parse().unwrap();
        for (allow_private, reached) in [(false, false), (true, true)] {
            let target = Target {
                address: Address::Url(url.clone()),
                auth: None,
                headers: BTreeMap::new(),
                allow_private,
                proxy: None,
                ca_file: None,
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
