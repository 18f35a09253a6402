//! Access to the HTTP endpoints: the `Host` header and the password.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::config::{Http, HttpPasswordError};

/// Who may use the endpoints.
pub struct EndpointAccess {
    hosts: Vec<String>,
    /// SHA-256 of the password: comparing digests takes the same time for every guess.
    password: Option<[u8; 32]>,
}

impl EndpointAccess {
    /// Reads the password.
    ///
    /// # Errors
    /// [`HttpPasswordError`].
    pub fn new(http: &Http) -> Result<Self, HttpPasswordError> {
        let password = http.password()?;
        Ok(Self {
            hosts: http.hosts.clone(),
            password: password.map(|password| Sha256::digest(password.expose()).into()),
        })
    }

    /// Whether the request is addressed to this service. A web page whose name resolves
    /// to this machine (DNS rebinding) sends its own name. An address cannot be rebound.
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        // Only HTTP/1.0 clients send none; browsers always send it.
        let Some(host) = headers.get(HOST) else {
            return true;
        };
        let Ok(host) = host.to_str() else {
            return false;
        };
        let name = without_port(host).to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || bare.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }

    /// Whether the request carries the password, if there is one.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = self.password else {
            return true;
        };
        let sent = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let Some((scheme, credentials)) = sent.and_then(|it| it.split_once(' ')) else {
            return false;
        };
        let credentials = credentials.trim();
        let password = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => credentials.as_bytes().to_vec(),
            "basic" => basic_password(credentials).unwrap_or_default(),
            _ => return false,
        };
        expected == <[u8; 32]>::from(Sha256::digest(password))
    }
}

/// Refuses requests with a foreign `Host` or without the password. `/healthz` says no
/// more than that the process works, so it needs no password.
pub async fn check(
    State(access): State<Arc<EndpointAccess>>,
    request: Request,
    next: Next,
) -> Response {
    if !access.knows_host(request.headers()) {
        let text = "unknown Host; add its name to [http] hosts\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    if request.uri().path() != "/healthz" && !access.admits(request.headers()) {
        let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"advisoryd\"")];
        let text = "a password is required ([http] password_file), as HTTP Basic or bearer token\n";
        return (StatusCode::UNAUTHORIZED, challenge, text).into_response();
    }
    next.run(request).await
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The password of Basic credentials; the user name is not checked.
fn basic_password(credentials: &str) -> Option<Vec<u8>> {
    let mut decoded = BASE64_STANDARD.decode(credentials).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded.split_off(colon + 1))
}
