//! Options that every command takes.

use super::times::Times;
use crate::config::{Config, ConfigError, LogFormat, process_environment};
use crate::logging;

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

    /// Loads the configuration and starts logging as it and the flags say.
    /// `usual` is the filter where neither says anything.
    pub(super) fn load_and_log(&self, usual: Option<&str>) -> anyhow::Result<Config> {
        let config = self.load()?;
        self.log_as(&config, usual)?;
        Ok(config)
    }

    /// Starts logging as a configuration and the flags say.
    pub(super) fn log_as(&self, config: &Config, usual: Option<&str>) -> anyhow::Result<()> {
        let filter = match usual {
            // A command prints each failure itself.
            Some(_) if self.quiet => "off",
            Some(usual) => usual,
            None if self.quiet => "error",
            None => &config.log.filter,
        };
        let format = match (config.log.format, usual) {
            // The log of a command is read by who started it, or by the receiver of cron's
            // mail. Only the daemon's is collected.
            (LogFormat::Auto, Some(_)) if !logging::stderr_is_journal() => LogFormat::Pretty,
            (format, _) => format,
        };
        #[cfg(feature = "otlp")]
        crate::traces::configure(config.log.otlp.as_deref());
        self.log(Some(format), filter)
    }

    pub(super) fn log(&self, configured: Option<LogFormat>, filter: &str) -> anyhow::Result<()> {
        let format = self.log_format.or(configured).unwrap_or(LogFormat::Auto);
        let filter = match self.verbose {
            0 => filter,
            1 => "info,advisoryd=debug",
            _ => "debug,advisoryd=trace",
        };
        logging::start(format, filter)?;
        Ok(())
    }
}
