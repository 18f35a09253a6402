//! HTTP targets of sinks: URL, authentication, headers, proxy and private addresses.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::super::environment::Environment;
use super::super::secret::SecretUrl;
use super::super::secret_file::{SecretFile, secret_file};
use super::super::section::Section;
use super::super::setting_error::{NOT_SHOWN, resembles_secret, seems_generated};
use super::super::tree::SettingNode;
use super::super::upstream::proxy;
use super::super::values::{absolute_path, boolean, text};
use super::email::Login;
use super::reach::may_be_public;
use crate::config::advice::Advice;
use crate::model::keep_secret;

/// Maximum number of user-defined headers or labels.
const MAX_PAIRS: usize = 32;
/// Maximum length of the value of a header or label, in characters.
pub(super) const MAX_VALUE_CHARS: usize = 1000;
/// Headers that advisoryd sets.
const RESERVED_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// Headers that would put a secret into the configuration; `headers_file` may contain them.
const SECRET_HEADERS: [&str; 2] = ["authorization", "cookie"];

/// Where messages are posted, and how the connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostTarget {
    /// `url` or `url_file`.
    pub address: Address,
    /// Authentication; if omitted, none.
    pub auth: Option<Auth>,
    /// Additional headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The file that contains further headers, one `Name: value` per line.
    pub headers_file: Option<SecretFile>,
    /// Allows addresses that are not public, and `http://`.
    pub allow_private: bool,
    /// An HTTP proxy; if omitted, none is used, regardless of the environment.
    pub proxy: Option<SecretUrl>,
    /// CA certificates (PEM) that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this client shows; if omitted, none.
    pub client_cert: Option<ClientCert>,
}

/// A client certificate (PEM) and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCert {
    /// The certificate, and those of its issuers.
    pub cert: PathBuf,
    /// The file that contains the private key.
    pub key: SecretFile,
}

impl ClientCert {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let cert = section.optional("client_cert_file", absolute_path);
        let key = section.secret("client_key_file", secret_file(env));
        match (cert, key) {
            (Some(cert), Some(key)) => Some(Self { cert, key }),
            (Some(_), None) => {
                let advice = "add the file that contains the private key of the certificate";
                section.missing("client_key_file", advice);
                None
            }
            (None, Some(_)) => {
                let advice = "add the certificate that the private key belongs to";
                section.missing("client_cert_file", advice);
                None
            }
            (None, None) => None,
        }
    }
}

/// A URL, or the file that contains it if the URL is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The URL in the configuration.
    Url(Url),
    /// The file that contains the URL.
    File(SecretFile),
}

/// HTTP authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `username` and `password_file`.
    Basic {
        /// The user name.
        username: String,
        /// The file that contains the password.
        password: SecretFile,
    },
    /// `bearer_file`.
    Bearer(SecretFile),
}

impl PostTarget {
    /// The files with secrets that it needs.
    pub(super) fn secret_files(&self) -> Vec<&SecretFile> {
        let address = match &self.address {
            Address::File(file) => Some(file),
            Address::Url(_) => None,
        };
        let auth = self.auth.as_ref().map(|auth| match auth {
            Auth::Basic { password, .. } => password,
            Auth::Bearer(file) => file,
        });
        let headers = self.headers_file.as_ref();
        let key = self.client_cert.as_ref().map(|client| &client.key);
        let files = address.into_iter().chain(auth).chain(headers);
        files.chain(key).collect()
    }

    /// Reports headers with templates, which only hooks render.
    pub(super) fn refuse_templates(&self, section: &mut Section<'_>) {
        if self.headers.values().any(|value| value.contains("{{")) {
            section.unusable("headers", "contains a template, which only hooks have");
        }
    }

    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let address = address(section, env);
        let target = Self {
            auth: auth(section, env),
            headers: pairs(section.section("headers"), header),
            headers_file: section.secret("headers_file", secret_file(env)),
            allow_private: section.value("allow_private", false, boolean),
            proxy: section.secret("proxy", proxy),
            ca_file: section.optional("ca_file", absolute_path),
            client_cert: ClientCert::read(section, env),
            address: address?,
        };
        for (name, value) in &target.headers {
            if is_secret_header(name, value) && !value.contains("{{") {
                keep_secret(value);
            }
        }
        if let Address::Url(url) = &target.address {
            keep_secret_parts(url);
        }
        if let Address::Url(url) = &target.address
            && !target.allow_private
            && let Some(advice) = needs_permission(url)
        {
            section.wrong("url", &shown(url), advice);
        }
        Some(target)
    }
}

/// A URL without its path, which may be secret.
fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Registers what may be a secret in the path or the query of a URL: `url_file` is the place
/// for it, but people copy what a receiver shows. The rest may be words of other texts.
fn keep_secret_parts(url: &Url) {
    /// `{{` of a template.
    const TEMPLATE: &str = "%7B%7B";
    let segments = url.path_segments().into_iter().flatten();
    for segment in segments.filter(|segment| !segment.contains(TEMPLATE)) {
        // Words of a path are also in other texts and names.
        if seems_generated(segment) {
            keep_secret(segment);
        }
    }
    for (name, value) in url.query_pairs() {
        if is_secret_header(&name, &value) {
            keep_secret(&value);
        }
    }
}

fn address(section: &mut Section<'_>, env: &Environment) -> Option<Address> {
    let has_address = section.has("url") || section.has("url_file");
    // An invalid URL may still contain a password, or be a secret webhook URL.
    let url = section.secret("url", url);
    let file = section.secret("url_file", secret_file(env));
    match (url, file) {
        (Some(url), Some(_)) => {
            section.wrong(
                "url",
                &shown(&url),
                "expected `url` or `url_file`, not both",
            );
            None
        }
        (Some(url), None) => Some(Address::Url(url)),
        (None, Some(file)) => Some(Address::File(file)),
        (None, None) => {
            if !has_address {
                let advice = "add the URL, or set `url_file` if the URL is secret";
                section.missing("url", advice);
            }
            None
        }
    }
}

fn auth(section: &mut Section<'_>, env: &Environment) -> Option<Auth> {
    for (key, file) in [("password", "password_file"), ("bearer", "bearer_file")] {
        let why = format!("does not belong here; store it in a file and set `{file}`");
        section.refuse(key, &why);
    }
    let has_bearer = section.has("bearer_file");
    let bearer = section.secret("bearer_file", secret_file(env));
    let login = super::email::login(section, env);
    if has_bearer && login.is_some() {
        let advice = "expected `bearer_file` or `username`, not both";
        section.wrong("bearer_file", NOT_SHOWN, advice);
    }
    match (bearer, login) {
        (Some(file), _) => Some(Auth::Bearer(file)),
        (None, Some(Login { username, password })) => Some(Auth::Basic { username, password }),
        (None, None) => None,
    }
}

/// Why the URL needs `allow_private`, if it does, judged by the URL alone.
pub(super) fn needs_permission(url: &Url) -> Option<&'static str> {
    if url.scheme() == "http" {
        return Some(
            "expected `https://…`; set `allow_private = true` if messages may be sent \
             unencrypted",
        );
    }
    (!may_be_public(url)).then_some(
        "expected a public address; set `allow_private = true` if a private one is intended",
    )
}

/// Parses a URL from the configuration or from a secret file.
pub fn parse_url(text: &str) -> Result<Url, &'static str> {
    let advice = "expected `https://`, a host and a path";
    let url: Url = text.parse().map_err(|_| advice)?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err(advice);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected a URL without user and password; use `username` and `password_file`");
    }
    if url.fragment().is_some() {
        return Err("expected a URL without a fragment (`#…`)");
    }
    Ok(url)
}

fn url(node: &SettingNode) -> Result<Url, Advice> {
    Ok(parse_url(&text(node)?)?)
}

fn is_reserved(name: &str) -> bool {
    RESERVED_HEADERS.contains(&name) || name.starts_with("webhook-")
}

/// Whether the value of a header is probably a secret, by its name or looks. `headers` is
/// not the place for it, but people put it there.
pub fn is_secret_header(name: &str, value: &str) -> bool {
    const NAMES: [&str; 8] = [
        "key", "token", "auth", "secret", "pass", "cookie", "session", "sign",
    ];
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|word| name.contains(word)) || resembles_secret(value)
}

/// A line of `headers_file`: name in lower case, and value. The error does not repeat it.
///
/// # Errors
/// What is expected instead.
pub fn header_line(line: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    const EXPECTED: &str = "expected lines such as `X-Api-Key: value`";
    let (name, value) = line.split_once(':').ok_or(EXPECTED)?;
    let name = name.trim().to_ascii_lowercase();
    if is_reserved(&name) {
        return Err("it sets a header that advisoryd sets itself");
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EXPECTED)?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| EXPECTED)?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn header(name: &str, value: &str) -> Result<String, Advice> {
    let name = name.to_ascii_lowercase();
    if SECRET_HEADERS.contains(&name.as_str()) && !value.contains("{{") {
        return Err("it is a secret; use `bearer_file`, `password_file` or `headers_file`".into());
    }
    if is_reserved(&name) {
        return Err("remove it; advisoryd sets it".into());
    }
    let is_header =
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
    is_header
        .then_some(name)
        .ok_or_else(|| "expected a valid HTTP header name and value".into())
}

/// A table of names and strings; `check` returns the name to use. A rejected value is not
/// shown: headers may contain passwords.
pub(super) fn pairs(
    mut section: Section<'_>,
    check: impl Fn(&str, &str) -> Result<String, Advice>,
) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for (key, node) in section.rest() {
        let pair = text(&node).and_then(|value| {
            if value.chars().count() > MAX_VALUE_CHARS {
                return Err(format!("expected at most {MAX_VALUE_CHARS} characters").into());
            }
            Ok((check(&key, &value)?, value))
        });
        match pair {
            Ok((name, value)) => {
                pairs.insert(name, value);
            }
            Err(advice) => section.wrong_at(&node.origin, &key, NOT_SHOWN, &advice),
        }
    }
    if pairs.len() > MAX_PAIRS {
        let advice = format!("expected at most {MAX_PAIRS}");
        section.wrong("", &format!("{} entries", pairs.len()), &advice);
    }
    section.close();
    pairs
}
