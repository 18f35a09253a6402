//! `[log]`: log format and log filter.

use reqwest::header::HeaderMap;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::environment::Environment;
use super::secret_file::{SecretError, SecretFile, secret_file};
use super::section::Section;
use super::sinks::header_line;
use super::tree::SettingNode;
use super::values::{any_text, is_loopback, plain_url, text};
use crate::config::advice::Advice;

const NOT_BUILT: &str = "this program was built without OpenTelemetry; remove the key, or build it with `cargo build --release --features otlp`";

/// `[log]`: logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Default: [`LogFormat::Auto`].
    pub format: LogFormat,
    /// Log filter, in the syntax of `RUST_LOG`. Default: `info`.
    pub filter: String,
    /// Where traces are sent. Default: nowhere.
    pub otlp: Option<Box<Otlp>>,
}

/// A collector of OpenTelemetry traces. Only a build with the feature `otlp` can have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otlp {
    /// The collector; `/v1/traces` is appended.
    pub endpoint: Url,
    /// HTTP headers for it, such as a key.
    pub headers_file: Option<SecretFile>,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// journald under systemd, pretty on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For humans.
    Pretty,
    /// One JSON object per line.
    Json,
    /// The native protocol of journald, with fields.
    Journald,
}

impl LogFormat {
    /// The names.
    pub(crate) const NAMES: [&str; 4] = ["auto", "pretty", "json", "journald"];

    /// Parses the name used in the configuration and on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "pretty" => Some(Self::Pretty),
            "json" => Some(Self::Json),
            "journald" => Some(Self::Journald),
            _ => None,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".into(),
            otlp: None,
        }
    }
}

impl LogSettings {
    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        let default = Self::default();
        let log = Self {
            format: section.value("format", default.format, format),
            filter: section.value("filter", default.filter, filter),
            otlp: Otlp::read(&mut section, env).map(Box::new),
        };
        section.close();
        log
    }
}

/// The headers of `[log] otlp_headers_file` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("[log] otlp_headers_file")]
pub struct OtlpHeadersError(#[from] SecretError);

impl Otlp {
    /// The HTTP headers for the collector, read from their file.
    ///
    /// # Errors
    /// [`OtlpHeadersError`]: the file is missing, or a line is no header.
    pub fn headers(&self) -> Result<HeaderMap, OtlpHeadersError> {
        let mut headers = HeaderMap::new();
        if let Some(file) = &self.headers_file {
            for line in file.lines()? {
                let (name, value) = header_line(line.expose())
                    .map_err(|why| file.malformed("HTTP headers", why))?;
                headers.insert(name, value);
            }
        }
        Ok(headers)
    }

    fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        if !cfg!(feature = "otlp") {
            for key in ["otlp_endpoint", "otlp_headers_file"] {
                section.refuse(key, NOT_BUILT);
            }
            return None;
        }
        let endpoint = section.secret("otlp_endpoint", endpoint);
        let headers_file = section.secret("otlp_headers_file", secret_file(env));
        if endpoint.is_none() && headers_file.is_some() {
            section.unusable("otlp_headers_file", "expected `otlp_endpoint` too");
        }
        let endpoint = endpoint?;
        if headers_file.is_some() && endpoint.scheme() == "http" && !is_loopback(&endpoint) {
            section.unusable(
                "otlp_headers_file",
                "would be sent unencrypted; expected an `otlp_endpoint` with `https://`, or on this machine",
            );
        }
        Some(Self {
            endpoint,
            headers_file,
        })
    }
}

fn endpoint(node: &SettingNode) -> Result<Url, Advice> {
    plain_url(
        node,
        "expected `http://` or `https://`, a host and a port, such as `http://127.0.0.1:4318`; keys belong in `otlp_headers_file`",
    )
}

fn format(node: &SettingNode) -> Result<LogFormat, Advice> {
    let name = any_text(node).unwrap_or_default();
    LogFormat::from_name(&name).ok_or_else(|| Advice::one_of(&name, &LogFormat::NAMES))
}

fn filter(node: &SettingNode) -> Result<String, Advice> {
    let filter = text(node)?;
    match EnvFilter::try_new(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => Err(format!(
            "expected a filter such as `info` or `warn,advisoryd=debug` ({error})"
        )
        .into()),
    }
}
