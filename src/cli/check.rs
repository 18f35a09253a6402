//! `advisoryd check`: is everything right, and if not, what to do.

use super::finding::{Finding, Teller};
use super::output::{complain, tell_json};
use super::shared::Shared;
use super::{ask, check_upstream};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Token};
use crate::model::chain;
use crate::sink::Sink;
use crate::startup::{self, Opened};
use crate::store::database::{self, SchemaState};

pub(super) async fn run(shared: Shared, offline: bool, json: bool) -> anyhow::Result<bool> {
    let config = match shared.load_and_log(Some("warn")) {
        Ok(config) => config,
        Err(error) if json && error.downcast_ref::<ConfigError>().is_some() => {
            tell_json(&Finding::bad("configuration", error.to_string()))?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let mut teller = Teller { json, good: true };
    teller.tell(Finding::good("configuration", configuration(&config)))?;
    for warning in config.warnings() {
        complain(&warning);
    }
    let token = config.upstream.token();
    teller.tell(match &token {
        Ok(token) if token.looks_usual() => Finding::good("token", "found"),
        Ok(_) => Finding::good(
            "token",
            "found, but it is not the usual 40 hexadecimal digits",
        ),
        Err(error) => Finding::bad("token", chain(error)),
    })?;
    alerts(&config, &mut teller)?;
    if offline {
        return Ok(teller.good);
    }
    online(&config, token.ok(), &mut teller).await?;
    Ok(teller.good)
}

/// Whether every sink could be told: its secrets, certificates and template.
fn alerts(config: &Config, teller: &mut Teller) -> anyhow::Result<()> {
    for settings in &config.alerts.sinks {
        let what = format!("sink {}", settings.name);
        teller.tell(match Sink::open(settings) {
            Ok(sink) => {
                let says = format!(
                    "{} can be used; `advisoryd alerts test {}` tries it",
                    sink.kind(),
                    sink.name()
                );
                Finding::good(what, says)
            }
            Err(error) => Finding::bad(what, chain(&error)),
        })?;
    }
    let rules = config.alerts.rules.len();
    if rules > 0 {
        let says = format!("{rules}; `advisoryd rules test` shows what they would have sent");
        teller.tell(Finding::good("rules of alerts", says))?;
    }
    Ok(())
}

fn configuration(config: &Config) -> String {
    let file = config.file.as_ref().map_or_else(
        || "environment only".to_owned(),
        |file| file.display().to_string(),
    );
    let watch_lists = config.watch_lists.len();
    let discovery = if config.discovery.watch_lists {
        " and those that discovery finds"
    } else {
        ""
    };
    format!(
        "{file}: {watch_lists} watch lists{discovery}, {} extra feeds",
        config.extra_feeds.len()
    )
}

async fn online(config: &Config, token: Option<Token>, teller: &mut Teller) -> anyhow::Result<()> {
    let mut is_open = false;
    let result = ask::with_database(config, async |opened| {
        is_open = true;
        with_database(config, token, opened, teller).await
    })
    .await;
    match result {
        Err(error) if !is_open => teller.tell(Finding::bad("database", format!("{error:#}"))),
        result => result,
    }
}

async fn with_database(
    config: &Config,
    token: Option<Token>,
    opened: &Opened,
    teller: &mut Teller,
) -> anyhow::Result<()> {
    match database::schema_state(&opened.pool).await {
        Ok(SchemaState::UpToDate) => {
            teller.tell(Finding::good("database", "reachable and up to date"))?;
        }
        Ok(SchemaState::Development(found)) => {
            return teller.tell(Finding::bad("database", found.to_string()));
        }
        Ok(SchemaState::Behind(missing)) => {
            let says = format!(
                "reachable; {missing} migrations are missing: run `advisoryd migrate`, or start the daemon"
            );
            return teller.tell(Finding::bad("database", says));
        }
        Err(error) => {
            let says = format!("not reachable: {error}; look at [database] url and at the server");
            return teller.tell(Finding::bad("database", says));
        }
    }
    let Some(token) = token else {
        return Ok(());
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let context = startup::context(
        config.clone(),
        token,
        opened.pool.clone(),
        Clock::system(),
        stop,
    )
    .await?;
    check_upstream::check(&context, teller).await
}
