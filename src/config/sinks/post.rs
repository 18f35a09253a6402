use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::super::environment::Environment;
use super::super::secret::SecretUrl;
use super::super::section::{Section, said};
use super::super::tree::Node;
use super::super::upstream::proxy;
use super::super::values::{absolute_path, duration, text, truth};
use super::email::Login;
use super::reach::may_be_public;
use super::secret_file::{SecretFile, secret_file};
use super::template::{Template, template};

/// More headers or labels than anybody needs beside ours.
const MAX_PAIRS: usize = 32;
/// Longest value of a header or label, in characters.
const MAX_VALUE_CHARS: usize = 1000;
/// A shorter time would end an alert before anybody looks; a longer one is for ever.
const ACTIVE_FOR: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(365 * 24);
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
/// Labels that the sink itself sets.
const RESERVED_LABELS: [&str; 6] = ["alertname", "key", "kind", "purpose", "rule", "severity"];

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

/// `kind = "webhook"`: JSON, signed as Standard Webhooks says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where it goes.
    pub target: Target,
    /// One secret, or two while they are rotated.
    pub secret: SecretFile,
    /// Makes the body; left out, the body is the message as JSON.
    pub template: Option<Template>,
}

/// `kind = "alertmanager"`: Prometheus' Alertmanager, API version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alertmanager {
    /// Where it goes, without `/api/v2/alerts`.
    pub target: Target,
    /// Further labels of every alert.
    pub labels: BTreeMap<String, String>,
    /// How long an alert stays active that nobody resolves. Default: 24 h.
    pub active_for: Duration,
}

/// `kind = "hook"`: an incoming hook whose body a template makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where it goes.
    pub target: Target,
    /// What makes the body.
    pub body: HookBody,
    /// Default: `application/json`; the body is then checked to be JSON.
    pub content_type: String,
}

/// What makes the body of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookBody {
    /// `preset = "slack"`
    Slack,
    /// `preset = "teams"`
    Teams,
    /// `preset = "mattermost"`
    Mattermost,
    /// `template_file`
    Template(Template),
}

impl Target {
    fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let address = address(section, env);
        let target = Self {
            auth: auth(section, env),
            headers: pairs(section.section("headers"), header),
            allow_private: section.value("allow_private", false, truth),
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

impl Webhook {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        section.refuse(
            "secret",
            "the secret does not belong here; write it to a file and name it in `secret_file`",
        );
        if !section.has("secret_file") {
            let advice = "write the file that holds `whsec_…`, made by \
                          `echo whsec_$(openssl rand -base64 32)`";
            section.missing("secret_file", advice);
        }
        let target = Target::read(section, env);
        let secret = section.secret("secret_file", secret_file(env));
        let has_template = section.has("template_file");
        let template = section.optional("template_file", template);
        (template.is_some() == has_template).then_some(())?;
        Some(Self {
            target: target?,
            secret: secret?,
            template,
        })
    }
}

impl Alertmanager {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let target = Target::read(section, env);
        let labels = pairs(section.section("labels"), label);
        let day = Duration::from_hours(24);
        let active_for = section.value("active_for", day, duration(ACTIVE_FOR));
        Some(Self {
            target: target?,
            labels,
            active_for,
        })
    }
}

impl Hook {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let target = Target::read(section, env);
        let body = body(section);
        let json = "application/json".to_owned();
        let content_type = section.value("content_type", json, content_type);
        Some(Self {
            target: target?,
            body: body?,
            content_type,
        })
    }

    /// Whether what is posted has to be JSON.
    pub fn is_json(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        essence.trim().ends_with("json")
    }
}

fn address(section: &mut Section<'_>, env: &Environment) -> Option<Address> {
    let has_address = section.has("url") || section.has("url_file");
    let url = section.optional("url", url);
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

fn body(section: &mut Section<'_>) -> Option<HookBody> {
    let has_preset = section.has("preset");
    let preset = section.optional("preset", |node| match text(node)?.as_str() {
        "slack" => Ok(HookBody::Slack),
        "teams" => Ok(HookBody::Teams),
        "mattermost" => Ok(HookBody::Mattermost),
        _ => Err("write `slack`, `teams` or `mattermost`, or use `template_file`".into()),
    });
    let has_template = section.has("template_file");
    let template = section.optional("template_file", template);
    if has_preset && has_template {
        let advice = "write `preset` or `template_file`, not both";
        section.wrong("preset", "[not shown]", advice);
    }
    if !has_preset && !has_template {
        let advice = "write `slack`, `teams` or `mattermost`, or use `template_file`";
        section.missing("preset", advice);
    }
    preset.or(template.map(HookBody::Template))
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

fn content_type(node: &Node) -> Result<String, String> {
    let text = text(node)?;
    let is_type = text.contains('/') && text.len() <= MAX_VALUE_CHARS;
    match HeaderValue::from_str(&text) {
        Ok(_) if is_type => Ok(text.to_ascii_lowercase()),
        _ => Err("write a media type such as `application/json` or `text/plain`".into()),
    }
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

fn label(name: &str, _: &str) -> Result<String, String> {
    if RESERVED_LABELS.contains(&name) {
        return Err("leave it out, advisoryd sets it itself".into());
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let is_label =
        name.chars().all(fits) && !name.starts_with(|first: char| first.is_ascii_digit());
    is_label
        .then(|| name.to_owned())
        .ok_or_else(|| "write letters, digits and `_`, no digit first".into())
}

/// A table of names and texts; `check` returns the name as it is used.
fn pairs(
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
            Err(advice) => section.wrong_at(&node.place, &key, &said(&node), &advice),
        }
    }
    if pairs.len() > MAX_PAIRS {
        let advice = format!("write at most {MAX_PAIRS}");
        section.wrong("", &format!("{} entries", pairs.len()), &advice);
    }
    section.close();
    pairs
}
