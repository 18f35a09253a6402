//! Logging setup: journald, pretty or JSON output, and the filter.

mod notes;
mod outgoing_layer;
mod pretty;

use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::linux::fs::MetadataExt as _;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt, registry};

use self::notes::Notes;
use self::outgoing_layer::OutgoingLayer;
use self::pretty::{PrettyLines, SpanFields};
use crate::config::LogFormat;

/// Quieter defaults for libraries. The scheduler logs every tick at `info`.
const QUIETER: &[&str] = &[
    "tokio_cron_scheduler=warn",
    // A listener for states of jobs, which nobody listens to, may be too slow for them; it says
    // so with an error and goes on.
    "tokio_cron_scheduler::notification=off",
    "sqlx::postgres::notice=warn",
    // Slow statements only interest developers.
    "sqlx::query=error",
    // A broken connection is replaced; the code that used it logs the error.
    "sqlx_core::pool=error",
    "hyper=warn",
    "rustls=warn",
];

/// Errors of the logging setup.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `[log] filter` is invalid.
    #[error(
        "invalid [log] filter `{filter}`: {source}; use for example `info` or `info,advisoryd::http=debug`"
    )]
    Filter {
        /// Its value.
        filter: String,
        /// The parse error.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The journal is unreachable.
    #[error("the journal is unreachable; set [log] format to `json` or `pretty`")]
    Journal(#[source] std::io::Error),
}

/// Sets up logging for the whole process; a second call changes nothing.
pub fn start(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let filter = env_filter(filter)?;
    let layer = match resolve(format) {
        LogFormat::Journald => tracing_journald::layer()
            .map_err(LogError::Journal)?
            // Of the program, as journald's documentation asks for; `F_` is the library's own.
            .with_field_prefix(Some("ADVISORYD".to_owned()))
            .boxed(),
        LogFormat::Pretty | LogFormat::Auto => fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(console::colors_enabled_stderr())
            .fmt_fields(SpanFields)
            .event_format(PrettyLines)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_writer(std::io::stderr)
            .boxed(),
    };
    // The filter is a layer of its own and not one of `layer`: a filter of a layer
    // remembers per thread what it refused, and when a library only asks whether an
    // event is enabled, the next event of that thread is lost.
    // Fails only when logging is set up already.
    let _ = registry()
        .with(filter)
        .with(OutgoingLayer(layer))
        .try_init();
    Ok(())
}

/// Sets up a command that has no log: what would be logged is printed as its own lines.
pub fn start_notes(filter: &str, print: fn(&str)) -> Result<(), LogError> {
    // Fails only when logging is set up already.
    let _ = registry()
        .with(env_filter(filter)?)
        .with(OutgoingLayer(Notes::new(print)))
        .try_init();
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

fn resolve(format: LogFormat) -> LogFormat {
    match format {
        LogFormat::Auto if stderr_is_journal() => LogFormat::Journald,
        LogFormat::Auto if std::io::stderr().is_terminal() => LogFormat::Pretty,
        LogFormat::Auto => LogFormat::Json,
        named => named,
    }
}

/// Whether stderr goes to the journal: systemd sets `$JOURNAL_STREAM` to the device and
/// inode of the journal's stream (systemd.exec(5)).
pub fn stderr_is_journal() -> bool {
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
