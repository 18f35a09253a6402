//! Options that every command takes.

use super::drawn;
use super::output::print_note;
use super::times::Times;
use crate::config::{Config, ConfigError, LogFormat, process_environment};
use crate::logging;

/// What a command says of what would be logged: warnings, but neither outcomes that it prints
/// itself, nor what is mended by asking again, nor conditions, which `status` shows, nor what
/// PostgreSQL logs.
const NOTED: &str = "advisoryd=warn,advisoryd::job::run::report=off,advisoryd::job::outcome=off,\
    advisoryd::job::collection::count=off,advisoryd::job::health::check=off,advisoryd::cluster::server_log=off";

/// What holds for every command.
#[derive(Clone)]
pub(super) struct GlobalArgs {
    pub(super) config: Option<std::path::PathBuf>,
    pub(super) verbose: u8,
    pub(super) quiet: bool,
    pub(super) log_format: Option<LogFormat>,
    pub(super) utc: bool,
    pub(super) primary: bool,
}

impl GlobalArgs {
    /// How times are read and printed.
    pub(super) fn times(&self) -> Times {
        Times::new(self.utc)
    }

    /// Loads the configuration. Where there is none at all, the user forgot to name it; a
    /// private database that exists can be asked without one.
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        let config = self.load_or_default()?;
        if !config.state.dir.join("postgresql").exists() {
            config.require_something()?;
        }
        Ok(config)
    }

    /// The same for what also works without a configuration.
    pub(super) fn load_or_default(&self) -> Result<Config, ConfigError> {
        let mut config = Config::load(self.config.as_deref(), process_environment())?;
        if self.primary {
            config.database.read_url = None;
        }
        config.keep_secrets();
        config.refuse_misplaced_secrets()?;
        Ok(config)
    }

    /// Loads the configuration and starts logging as it and the flags say, for the daemon.
    pub(super) fn load_and_log(&self) -> anyhow::Result<Config> {
        let config = self.load()?;
        #[cfg(feature = "otlp")]
        crate::traces::configure(config.log.otlp.as_deref());
        let filter = if self.quiet {
            "error"
        } else {
            &config.log.filter
        };
        self.log(config.log.format, filter)?;
        Ok(config)
    }

    /// Loads the configuration for a command, see [`Self::note`].
    pub(super) fn load_and_note(&self) -> anyhow::Result<Config> {
        let config = self.load()?;
        self.note(&config)?;
        Ok(config)
    }

    /// Starts the output of a command. It has no log unless one was asked for, or stderr goes
    /// to the journal: what would be logged and matters to its user is a line of its output.
    pub(super) fn note(&self, config: &Config) -> anyhow::Result<()> {
        #[cfg(feature = "otlp")]
        crate::traces::configure(config.log.otlp.as_deref());
        let is_journal = logging::stderr_is_journal();
        if self.quiet {
            // A command prints each failure itself.
            return self.log(config.log.format, "off");
        }
        if self.verbose == 0 && self.log_format.is_none() && !is_journal {
            logging::start_notes(NOTED, print_note)?;
            return Ok(());
        }
        drawn::leave_to_log();
        let format = match config.log.format {
            // The log of a command is read by who started it, or by the receiver of cron's
            // mail. Only the daemon's is collected.
            LogFormat::Auto if !is_journal => LogFormat::Pretty,
            format => format,
        };
        self.log(format, NOTED)
    }

    /// The same without a configuration.
    pub(super) fn note_at(&self, filter: &'static str) -> anyhow::Result<()> {
        match (self.quiet, self.verbose, self.log_format) {
            (false, 0, None) if !logging::stderr_is_journal() => {
                logging::start_notes(filter, print_note)?;
                Ok(())
            }
            (quiet, ..) => self.log(LogFormat::Auto, if quiet { "off" } else { filter }),
        }
    }

    fn log(&self, configured: LogFormat, filter: &str) -> anyhow::Result<()> {
        let format = self.log_format.unwrap_or(configured);
        let filter = match self.verbose {
            0 => filter,
            1 => "info,advisoryd=debug",
            _ => "debug,advisoryd=trace",
        };
        logging::start(format, filter)?;
        Ok(())
    }
}
