//! `advisoryd check`: is everything right, and if not, what to do.

use super::finding::{Finding, Reporter};
use super::output::{print_error, print_json};
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
            print_json(&Finding::bad("configuration", error.to_string()))?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let mut reporter = Reporter { json, good: true };
    reporter.report(Finding::good("configuration", configuration(&config)))?;
    for warning in config.warnings() {
        print_error(&warning);
    }
    let token = config.upstream.token();
    reporter.report(match &token {
        Ok(token) if token.looks_usual() => Finding::good("token", "found"),
        Ok(_) => Finding::good(
            "token",
            "found, but it is not the usual 40 hexadecimal digits",
        ),
        Err(error) => Finding::bad("token", chain(error)),
    })?;
    alerts(&config, &mut reporter)?;
    if offline {
        return Ok(reporter.good);
    }
    online(&config, token.ok(), &mut reporter).await?;
    Ok(reporter.good)
}

/// Whether every sink could be told: its secrets, certificates and template.
fn alerts(config: &Config, reporter: &mut Reporter) -> anyhow::Result<()> {
    for settings in &config.alerts.sinks {
        let what = format!("sink {}", settings.name);
        reporter.report(match Sink::open(settings) {
            Ok(sink) => {
                let says = format!(
                    "{} configured; test it with `advisoryd alerts test {}`",
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
        let says = format!("{rules}; dry-run them with `advisoryd rules test`");
        reporter.report(Finding::good("alert rules", says))?;
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

async fn online(
    config: &Config,
    token: Option<Token>,
    reporter: &mut Reporter,
) -> anyhow::Result<()> {
    let mut is_open = false;
    let result = ask::with_database(config, async |opened| {
        is_open = true;
        with_database(config, token, opened, reporter).await
    })
    .await;
    match result {
        Err(error) if !is_open => reporter.report(Finding::bad("database", format!("{error:#}"))),
        result => result,
    }
}

async fn with_database(
    config: &Config,
    token: Option<Token>,
    opened: &Opened,
    reporter: &mut Reporter,
) -> anyhow::Result<()> {
    match database::schema_state(&opened.pool).await {
        Ok(SchemaState::UpToDate) => {
            reporter.report(Finding::good("database", "reachable and up to date"))?;
        }
        Ok(SchemaState::Development(found)) => {
            return reporter.report(Finding::bad("database", found.to_string()));
        }
        Ok(SchemaState::Behind(missing)) => {
            let says = format!(
                "reachable, {missing} migrations pending: run `advisoryd migrate` or start the daemon"
            );
            return reporter.report(Finding::bad("database", says));
        }
        Err(error) => {
            let says = format!("unreachable: {error}; check [database] url and the server");
            return reporter.report(Finding::bad("database", says));
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
    check_upstream::check(&context, reporter).await
}
