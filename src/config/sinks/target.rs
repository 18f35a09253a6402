use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::super::environment::Environment;
use super::super::secret::SecretUrl;
use super::super::section::Section;
use super::super::tree::Node;
use super::super::upstream::proxy;
use super::super::values::{absolute_path, boolean, text};
use super::email::Login;
use super::reach::may_be_public;
use super::secret_file::{SecretFile, secret_file};

/// More headers or labels than anybody needs beside ours.
const MAX_PAIRS: usize = 32;
/// Longest value of a header or label, in characters.
pub(super) const MAX_VALUE_CHARS: usize = 1000;
/// Headers that are ours, or that would carry a secret in the configuration.
const RESERVED_HEADERS: [&str; 10] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// Where a message is posted, and how the way there looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `url` or `url_file`.
    pub address: Address,
    /// Left out: nobody is told who we are.
    pub auth: Option<Auth>,
    /// Further headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// Allows addresses that are not public, and `http://`.
    pub allow_private: bool,
    /// An HTTP proxy; left out, none is used, whatever the environment says.
    pub proxy: Option<SecretUrl>,
    /// Certificates (PEM) that are trusted besides those of the machine.
    pub ca_file: Option<PathBuf>,
}

/// An URL, or the file of one that is itself the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// As written.
    Url(Url),
    /// Where it is written.
    File(SecretFile),
}

/// Who we are to an HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `username` and `password_file`.
    Basic {
        /// The name.
        username: String,
        /// Where the password is.
        password: SecretFile,
    },
    /// `bearer_file`.
    Bearer(SecretFile),
}

impl Target {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let address = address(section, env);
        let target = Self {
            auth: auth(section, env),
            headers: pairs(section.section("headers"), header),
            allow_private: section.value("allow_private", false, boolean),
            proxy: section.secret("proxy", proxy),
            ca_file: section.optional("ca_file", absolute_path),
            address: address?,
        };
        if let Address::Url(url) = &target.address
            && !target.allow_private
            && let Some(advice) = needs_permission(url)
        {
            section.wrong("url", url.as_str(), advice);
        }
        Some(target)
    }
}

fn address(section: &mut Section<'_>, env: &Environment) -> Option<Address> {
    let has_address = section.has("url") || section.has("url_file");
    // What is no URL may still hold a password, or be a hook that nobody else may know.
    let url = section.secret("url", url);
    let file = section.secret("url_file", secret_file(env));
    match (url, file) {
        (Some(url), Some(_)) => {
            section.wrong("url", url.as_str(), "write `url` or `url_file`, not both");
            None
        }
        (Some(url), None) => Some(Address::Url(url)),
        (None, Some(file)) => Some(Address::File(file)),
        (None, None) => {
            if !has_address {
                let advice = "write where it goes, or `url_file` where that is secret";
                section.missing("url", advice);
            }
            None
        }
    }
}

fn auth(section: &mut Section<'_>, env: &Environment) -> Option<Auth> {
    for (key, file) in [("password", "password_file"), ("bearer", "bearer_file")] {
        let why = format!("does not belong here; write it to a file and name it in `{file}`");
        section.refuse(key, &why);
    }
    let has_bearer = section.has("bearer_file");
    let bearer = section.secret("bearer_file", secret_file(env));
    let login = super::email::login(section, env);
    if has_bearer && login.is_some() {
        let advice = "leave it out beside `username`, or the other way round";
        section.wrong("bearer_file", "[not shown]", advice);
    }
    match (bearer, login) {
        (Some(file), _) => Some(Auth::Bearer(file)),
        (None, Some(Login { username, password })) => Some(Auth::Basic { username, password }),
        (None, None) => None,
    }
}

/// What `allow_private` has to allow, if anything: as far as the URL itself tells.
fn needs_permission(url: &Url) -> Option<&'static str> {
    if url.scheme() == "http" {
        return Some(
            "write `https://…`, or `allow_private = true` if it may cross your own network \
             unencrypted",
        );
    }
    (!may_be_public(url)).then_some(
        "write an address that is public, or `allow_private = true` if this one is meant",
    )
}

/// An URL as it stands in the configuration or in the file of a secret.
pub fn parse_url(text: &str) -> Result<Url, &'static str> {
    let advice = "write `https://`, a host and a path";
    let url: Url = text.parse().map_err(|_| advice)?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err(advice);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("write the user into `username` and the password into `password_file`");
    }
    if url.fragment().is_some() {
        return Err("write it without `#` and what follows");
    }
    Ok(url)
}

fn url(node: &Node) -> Result<Url, String> {
    Ok(parse_url(&text(node)?)?)
}

fn header(name: &str, value: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    if RESERVED_HEADERS.contains(&name.as_str()) || name.starts_with("webhook-") {
        return Err("leave it out, advisoryd sets it itself; see `bearer_file`".into());
    }
    let is_header =
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
    is_header
        .then_some(name)
        .ok_or_else(|| "write a name and a value that a header may have".into())
}

/// A table of names and texts; `check` returns the name as it is used. A value that is
/// refused is not shown: people write passwords into headers.
pub(super) fn pairs(
    mut section: Section<'_>,
    check: impl Fn(&str, &str) -> Result<String, String>,
) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for (key, node) in section.rest() {
        let pair = text(&node).and_then(|value| {
            if value.chars().count() > MAX_VALUE_CHARS {
                return Err(format!("write at most {MAX_VALUE_CHARS} characters"));
            }
            Ok((check(&key, &value)?, value))
        });
        match pair {
            Ok((name, value)) => {
                pairs.insert(name, value);
            }
            Err(advice) => section.wrong_at(&node.place, &key, "[not shown]", &advice),
        }
    }
    if pairs.len() > MAX_PAIRS {
        let advice = format!("write at most {MAX_PAIRS}");
        section.wrong("", &format!("{} entries", pairs.len()), &advice);
    }
    section.close();
    pairs
}
