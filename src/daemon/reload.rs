//! What a reload does before anything is replaced: it loads the configuration, checks that all
//! that it names can be used, and lets the database store it.

use anyhow::{Context as _, anyhow};
use sqlx::PgPool;
use tracing::{error, warn};

use super::presence::{Presence, STORED_WITHIN};
use crate::clock::Clock;
use crate::config::{ApiToken, Config, ConfigError, ListNames, SinkSettings};
use crate::http::{Client, account};
use crate::measures;
use crate::model::{chain, shortened};
use crate::startup;
use crate::store::ledger::daemon::Announced;

/// Maximum length of the reason of a refused reload in the status line, in characters.
const MAX_REFUSAL_CHARS: usize = 300;

/// A configuration, and what it names that was read from elsewhere.
#[derive(Clone)]
pub(super) struct Usable {
    pub(super) config: Config,
    pub(super) token: ApiToken,
}

impl Usable {
    /// Reads the token, and checks that nothing but the database can keep this configuration
    /// from starting. A sink that cannot be used does not: advisories are read without it.
    pub(super) fn new(config: Config, clock: &Clock) -> anyhow::Result<Self> {
        let token = config.upstream.token()?;
        startup::rules(&config)?;
        Client::new(&config.upstream, token.clone(), Vec::new(), clock.clone())?;
        Ok(Self { config, token })
    }
}

/// The configuration as it is now, stored in the database. The error says why the `former`
/// one stays.
pub(super) async fn accept(
    load: impl Fn() -> Result<Config, ConfigError>,
    former: &Config,
    (pool, presence): (&PgPool, &Presence),
    clock: &Clock,
) -> anyhow::Result<Usable> {
    let config = load()?;
    config.require_something()?;
    // One that could not be used before must not keep lists from being read.
    let is_new = |sink: &&SinkSettings| !former.alerts.sinks.contains(*sink);
    for sink in config.alerts.sinks.iter().filter(is_new) {
        startup::open_sink(sink)?;
    }
    let usable = Usable::new(config, clock)?;
    let announced = announced_with(&usable.config, &usable.token);
    let storing = presence.reconfigure(pool, announced, &usable.config, clock.now());
    if !storing.await.context("database error")? {
        return Err(anyhow!(
            "the database did not store it within {} s; another session may hold a lock",
            STORED_WITHIN.as_secs()
        ));
    }
    warn_about(&usable.config);
    Ok(usable)
}

/// Logs what is valid in the configuration but probably unintended.
pub(super) fn warn_about(config: &Config) {
    let unmatched = config.rules_of_unknown_lists(&ListNames::default());
    for warning in config.warnings().into_iter().chain(unmatched) {
        warn!("{warning}");
    }
}

/// What this daemon says of itself to others.
pub(super) fn announced(config: &Config) -> anyhow::Result<Announced> {
    let token = config.upstream.token()?;
    Ok(announced_with(config, &token))
}

fn announced_with(config: &Config, token: &ApiToken) -> Announced {
    let is_online = !config.upstream.offline;
    Announced {
        refused: None,
        configuration: config.recorded(),
        account: is_online.then(|| account(&config.upstream.base_url, token)),
    }
}

/// Logs why a reload was refused, a line per error; returns the first one.
pub(super) fn refuse(error: &anyhow::Error) -> String {
    measures::reloaded(false);
    let errors = match error.downcast_ref::<ConfigError>() {
        Some(error) => error.errors.iter().map(ToString::to_string).collect(),
        None => vec![chain(&**error)],
    };
    for error in &errors {
        error!("the configuration was not reloaded: {error}");
    }
    shortened(errors.first().map_or("", String::as_str), MAX_REFUSAL_CHARS)
}
