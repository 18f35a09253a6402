//! `[upstream]`: base URL, token, request limits, timeouts and retries.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::environment::Environment;
use super::secret::SecretUrl;
use super::secret_file::{SecretError, SecretFile, secret_file};
use super::section::Section;
use super::setting_error::is_shown_path;
use super::token::{ApiToken, TokenError, TokenSources};
use super::tree::SettingNode;
use super::values::{absolute_path, boolean, duration, is_loopback, number, plain_url, size, text};
use crate::config::advice::Advice;
use crate::model::{LinkTemplate, LinkTemplates};

/// More than any plan allows (contract §3: 250), so that a simulated upstream can be load-tested.
const MAX_REQUESTS_PER_MINUTE: u32 = 60_000;
/// The same for a whole day.
const MAX_REQUESTS_PER_DAY: u32 = 10_000_000;
/// Connections to other machines need longer than this.
const MIN_TIMEOUT: Duration = Duration::from_millis(100);
/// A connection that takes longer has failed.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_mins(5);
/// Upstream may need minutes to generate a feed of many years before its first byte; after an hour it hangs.
const MAX_READ_TIMEOUT: Duration = Duration::from_hours(1);
/// Longer than any feed takes; a schedule is at most a day.
const MAX_TOTAL_TIMEOUT: Duration = Duration::from_hours(24);
/// Even an empty response needs this much.
const MIN_BODY_BYTES: u64 = 1024;
/// Many times the size of all advisories ever published.
const MAX_BODY_BYTES: u64 = 1 << 40;
/// With delays that double up to a minute, twenty attempts take a quarter of an hour.
const MAX_ATTEMPTS: u32 = 20;

/// `[upstream]`: the API that advisories and tickets come from, and its request limits.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Scheme, host and port; a path is prepended to `/api/`. Default: the vendor's API (contract §1).
    pub base_url: Url,
    /// Nothing is requested, and no token is needed: data comes by `import`. Default: `false`.
    pub offline: bool,
    /// Allows `http://` to other machines, which exposes the token on the network. Default: `false`.
    pub allow_http: bool,
    /// Sources of the token; see [`Upstream::token`].
    pub token_sources: TokenSources,
    /// Maximum requests per minute. Default: 240 of the 250 that contract §3 allows.
    pub requests_per_minute: u32,
    /// Maximum requests in any 24 hours. Default: 0 (no limit).
    pub requests_per_day: u32,
    /// Timeout for connecting. Default: 10 s.
    pub connect_timeout: Duration,
    /// Timeout for each read, not for the whole download. Default: 60 s.
    pub read_timeout: Duration,
    /// Longest time that is spent waiting for one response and its whole body. Default: 30 min.
    pub total_timeout: Duration,
    /// Maximum size of a response in bytes, after decompression. Default: 2 GiB.
    pub max_body_bytes: u64,
    /// Maximum number of attempts per request. Default: 5.
    pub max_attempts: u32,
    /// An HTTP proxy; if omitted, the usual variables (`HTTPS_PROXY`…) apply.
    pub proxy: Option<SecretUrl>,
    /// The file that contains the password of the proxy's user.
    pub proxy_password_file: Option<SecretFile>,
    /// CA certificates (PEM) that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// Links of alerts: `advisory_url` and `ticket_url`. Default: none.
    pub links: LinkTemplates,
    /// Delays between attempts. Not a setting: only tests change them.
    pub backoff: BackoffSettings,
}

/// Retry delays (exponential backoff): they double from `first` to `longest`; the actual
/// delay is random between zero and that (full jitter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffSettings {
    /// Upper bound of the first delay.
    pub first: Duration,
    /// Upper bound of every delay.
    pub longest: Duration,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_mins(1),
        }
    }
}

impl Upstream {
    /// The defaults of surface §2 for a base URL.
    pub fn new(base_url: Url) -> Self {
        Self {
            base_url,
            offline: false,
            allow_http: false,
            token_sources: TokenSources::default(),
            requests_per_minute: 240,
            requests_per_day: 0,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_mins(1),
            total_timeout: Duration::from_mins(30),
            max_body_bytes: 2 << 30,
            max_attempts: 5,
            proxy: None,
            proxy_password_file: None,
            ca_file: None,
            links: LinkTemplates::default(),
            backoff: BackoffSettings::default(),
        }
    }

    /// Reads the token from the first source that has one: `token_file`,
    /// `$CREDENTIALS_DIRECTORY/upstream-token`, `ADVISORYD_UPSTREAM__TOKEN`,
    /// `/etc/advisoryd/token`. It is read again at each call. With `offline` none is read.
    ///
    /// # Errors
    /// [`TokenError`]: no source has one, the file cannot be read, or it does not contain a token.
    pub fn token(&self) -> Result<ApiToken, TokenError> {
        if self.offline {
            return Ok(ApiToken::unused());
        }
        self.token_sources.read()
    }

    /// Whether the proxy's URL, and so the configuration, contains a password.
    pub(super) fn has_proxy_password(&self) -> bool {
        let proxy = self.proxy.as_ref();
        proxy
            .and_then(|proxy| proxy.expose().parse::<Url>().ok())
            .is_some_and(|url| url.password().is_some())
    }

    /// The proxy with its password, which is read again at each call.
    ///
    /// # Errors
    /// [`SecretError`]: the file cannot be read, or contains no password.
    pub fn proxy_with_password(&self) -> Result<Option<SecretUrl>, SecretError> {
        let (Some(proxy), Some(file)) = (&self.proxy, &self.proxy_password_file) else {
            return Ok(self.proxy.clone());
        };
        let password = file.line()?;
        let with_password = proxy.expose().parse::<Url>().ok().and_then(|mut url| {
            url.set_password(Some(password.expose())).ok()?;
            Some(SecretUrl::new(&url))
        });
        match with_password {
            Some(url) => Ok(Some(url)),
            None => Err(file.malformed("a password", "the proxy's URL cannot contain it")),
        }
    }

    /// Whether requests to the base URL are allowed: `https://`, loopback addresses, or `http://` with `allow_http`.
    pub fn is_safe(&self) -> bool {
        match self.base_url.scheme() {
            "https" => true,
            "http" => self.allow_http || is_loopback(&self.base_url),
            _ => false,
        }
    }

    fn read_timeouts(&mut self, section: &mut Section<'_>) {
        self.connect_timeout = section.value(
            "connect_timeout",
            self.connect_timeout,
            duration(MIN_TIMEOUT..=MAX_CONNECT_TIMEOUT),
        );
        self.read_timeout = section.value(
            "read_timeout",
            self.read_timeout,
            duration(MIN_TIMEOUT..=MAX_READ_TIMEOUT),
        );
        self.total_timeout = section.value(
            "total_timeout",
            self.total_timeout,
            duration(MIN_TIMEOUT..=MAX_TOTAL_TIMEOUT),
        );
    }

    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Option<Self> {
        section.refuse(
            "token",
            "the token does not belong here; store it in a file and set `token_file`",
        );
        let default: Url = "https://api.app.secunia.com".parse().ok()?;
        let own = section.secret("base_url", base_url);
        let mut upstream = Self::new(own.unwrap_or(default));
        let it = &mut upstream;
        it.offline = section.value("offline", it.offline, boolean);
        it.allow_http = section.value("allow_http", it.allow_http, boolean);
        it.token_sources = TokenSources {
            file: token_file(&mut section),
            credentials_dir: env.credentials_dir.clone(),
            variable: env.token.clone(),
            fallback: Some(env.instance.token_file()),
            unit_credentials: Some(env.instance.credentials_dir()),
        };
        it.requests_per_minute = section.value(
            "requests_per_minute",
            it.requests_per_minute,
            number(1..=MAX_REQUESTS_PER_MINUTE),
        );
        it.requests_per_day = section.value(
            "requests_per_day",
            it.requests_per_day,
            number(0..=MAX_REQUESTS_PER_DAY),
        );
        it.read_timeouts(&mut section);
        it.max_body_bytes = section.value(
            "max_body",
            it.max_body_bytes,
            size(MIN_BODY_BYTES..=MAX_BODY_BYTES),
        );
        it.max_attempts = section.value("max_attempts", it.max_attempts, number(1..=MAX_ATTEMPTS));
        it.proxy = section.secret("proxy", proxy);
        it.proxy_password_file = section.secret("proxy_password_file", secret_file(env));
        if it.proxy_password_file.is_some()
            && let Some(why) = proxy_without_use(it.proxy.as_ref())
        {
            section.unusable("proxy_password_file", why);
        }
        it.ca_file = section.optional("ca_file", absolute_path);
        it.links = LinkTemplates {
            advisory: section.optional("advisory_url", link(&["said", "id"])),
            ticket: section.optional("ticket_url", link(&["number", "id", "said"])),
        };
        if !upstream.is_safe() {
            section.wrong(
                "base_url",
                upstream.base_url.as_str(),
                "expected `https://…`; set `allow_http = true` if the token may be sent unencrypted",
            );
        }
        section.close();
        Some(upstream)
    }
}

fn link(
    placeholders: &'static [&'static str],
) -> impl Fn(&SettingNode) -> Result<LinkTemplate, Advice> {
    move |node| LinkTemplate::new(&text(node)?, placeholders).map_err(Advice::from)
}

/// Why a password is of no use for the proxy.
fn proxy_without_use(proxy: Option<&SecretUrl>) -> Option<&'static str> {
    let Some(proxy) = proxy else {
        return Some("needs a `proxy`");
    };
    let url: Url = proxy.expose().parse().ok()?;
    if url.password().is_some() {
        return Some("contradicts the password in `proxy`; remove one of them");
    }
    url.username()
        .is_empty()
        .then_some("needs a user in `proxy`, such as `http://user@proxy:3128`")
}

/// The file of the token. A relative path is shown, unless it may be the token.
fn token_file(section: &mut Section<'_>) -> Option<PathBuf> {
    let is_path = section
        .peek("token_file")
        .is_some_and(|text| is_shown_path(&text));
    if is_path {
        section.optional("token_file", absolute_path)
    } else {
        section.secret("token_file", absolute_path)
    }
}

fn base_url(node: &SettingNode) -> Result<Url, Advice> {
    plain_url(
        node,
        "expected `https://` and a host, such as `https://api.app.secunia.com`",
    )
}

pub(super) fn proxy(node: &SettingNode) -> Result<SecretUrl, Advice> {
    let advice = "expected `http://` or `https://`, a host and a port, such as `http://proxy:3128`";
    let url: Url = text(node)?.parse().map_err(|_| advice)?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(SecretUrl::new(&url))
    } else {
        Err(advice.into())
    }
}
