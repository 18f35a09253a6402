use std::net::{Ipv4Addr, SocketAddr};

use tracing_subscriber::EnvFilter;

use super::section::Section;
use super::tree::Node;
use super::values::{any_text, listen, text};

/// Where `/healthz`, `/readyz` and `/metrics` listen unless told otherwise.
const DEFAULT_PORT: u16 = 8787;

/// `[http]`: health and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `None` is off (`""`). Default: `127.0.0.1:8787`.
    pub listen: Option<SocketAddr>,
}

/// `[log]`: how the program speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Default: [`LogFormat::Auto`].
    pub format: LogFormat,
    /// Which lines, in the language of `RUST_LOG`. Default: `info`.
    pub filter: String,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// journald under systemd, pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
    /// Straight to the journal, with fields.
    Journald,
}

impl LogFormat {
    /// From its name in the configuration and on the command line.
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

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".into(),
        }
    }
}

impl Http {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let http = Self {
            listen: section.value("listen", Self::default().listen, listen),
        };
        section.close();
        http
    }
}

impl Log {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let log = Self {
            format: section.value("format", default.format, format),
            filter: section.value("filter", default.filter, filter),
        };
        section.close();
        log
    }
}

fn format(node: &Node) -> Result<LogFormat, String> {
    any_text(node)
        .ok()
        .and_then(|name| LogFormat::from_name(&name))
        .ok_or_else(|| "write `auto`, `pretty`, `json` or `journald`".into())
}

fn filter(node: &Node) -> Result<String, String> {
    let filter = text(node)?;
    match EnvFilter::try_new(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => Err(format!(
            "write a filter such as `info` or `warn,advisoryd=debug` ({error})"
        )),
    }
}
