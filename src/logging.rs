//! Where log lines go and how they look.

use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::linux::fs::MetadataExt as _;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::LogFormat;

/// The scheduler tells every tick at `info`; ours are told by what they do.
const QUIETER: &[&str] = &[
    "tokio_cron_scheduler=warn",
    "sqlx::postgres::notice=warn",
    // A slow statement is nobody's business but a developer's.
    "sqlx::query=error",
    // A connection that broke is replaced; whoever needed it says so.
    "sqlx_core::pool=error",
    "hyper=warn",
    "rustls=warn",
];

/// What can go wrong while setting up logging.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `[log] filter` is no filter.
    #[error(
        "[log] filter is `{filter}`: {source}; write for example `info` or `info,advisoryd::http=debug`"
    )]
    Filter {
        /// What it says.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The journal cannot be reached.
    #[error("the journal cannot be reached; set [log] format to `json` or `pretty`")]
    Journal(#[source] std::io::Error),
}

/// Sets logging up for the whole process; a second call changes nothing.
pub fn start(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let filter = env_filter(filter)?;
    let layer = match resolve(format) {
        LogFormat::Journald => tracing_journald::layer()
            .map_err(LogError::Journal)?
            .boxed(),
        LogFormat::Pretty | LogFormat::Auto => fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(colours())
            .with_target(false)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_writer(std::io::stderr)
            .boxed(),
    };
    // Fails only when logging is set up already.
    let _ = registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}

fn env_filter(filter: &str) -> Result<EnvFilter, LogError> {
    let parse = |text: &str| {
        EnvFilter::builder()
            .parse(text)
            .map_err(|source| LogError::Filter {
                filter: filter.to_owned(),
                source,
            })
    };
    let named = parse(filter)?;
    let mut all = named;
    for directive in QUIETER {
        let target = directive.split('=').next().unwrap_or_default();
        if !filter.contains(target)
            && let Ok(directive) = directive.parse()
        {
            all = all.add_directive(directive);
        }
    }
    Ok(all)
}

/// Whether colours are wanted on stderr.
pub fn colours() -> bool {
    std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn resolve(format: LogFormat) -> LogFormat {
    match format {
        LogFormat::Auto if stderr_is_journal() => LogFormat::Journald,
        LogFormat::Auto if std::io::stderr().is_terminal() => LogFormat::Pretty,
        LogFormat::Auto => LogFormat::Json,
        named => named,
    }
}

/// systemd names the device and inode of the journal's stream; only if stderr
/// is that very file does the journal read it. Source: systemd.exec(5), `$JOURNAL_STREAM`.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    std::fs::File::from(stderr)
        .metadata()
        .is_ok_and(|file| stream == format!("{}:{}", file.st_dev(), file.st_ino()))
}
