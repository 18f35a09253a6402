//! `[log]`: log format and log filter.

use tracing_subscriber::EnvFilter;

use super::section::Section;
use super::tree::Node;
use super::values::{any_text, text};

/// `[log]`: logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Default: [`LogFormat::Auto`].
    pub format: LogFormat,
    /// Log filter, in the syntax of `RUST_LOG`. Default: `info`.
    pub filter: String,
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

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".into(),
        }
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
        .ok_or_else(|| "expected `auto`, `pretty`, `json` or `journald`".into())
}

fn filter(node: &Node) -> Result<String, String> {
    let filter = text(node)?;
    match EnvFilter::try_new(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => Err(format!(
            "expected a filter such as `info` or `warn,advisoryd=debug` ({error})"
        )),
    }
}
