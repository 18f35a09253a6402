//! `advisoryd check`: checks configuration, secrets, database and upstream, and says what
//! to do. It creates nothing.

use tokio_util::sync::CancellationToken;

use super::check_upstream::Known;
use super::finding::{Finding, Reporter};
use super::output::{print_error, print_json};
use super::shared::Shared;
use super::{ask, check_upstream};
use crate::clock::Clock;
use crate::cluster::{ClusterOptions, Preview, Role};
use crate::config::{Config, ConfigError, Token};
use crate::model::chain;
use crate::sink::Sink;
use crate::startup::{self, Opened};
use crate::store::database::{self, Requirement, SchemaState, TransactionPooling};

pub(super) async fn run(shared: Shared, offline: bool, json: bool) -> anyhow::Result<bool> {
    let loaded = shared.load_and_log(Some("warn")).and_then(|config| {
        config.require_something()?;
        Ok(config)
    });
    let config = match loaded {
        Ok(config) => config,
        Err(error) if json && error.downcast_ref::<ConfigError>().is_some() => {
            print_json(&Finding::bad("configuration", error.to_string()))?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let mut reporter = Reporter { json, good: true };
    reporter.report(Finding::good("configuration", configuration(&config)))?;
    for warning in config.warnings().into_iter().chain(config.exposed_files()) {
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
    if let Err(error) = config.http.password() {
        reporter.report(Finding::bad("http", chain(&error)))?;
    }
    alerts(&config, &mut reporter)?;
    if offline {
        return Ok(reporter.good);
    }
    online(&config, token.ok(), &mut reporter).await?;
    Ok(reporter.good)
}

/// Checks that every sink can be used: its secrets, certificates and template.
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

/// Checks the database, then upstream whatever became of the database.
async fn online(
    config: &Config,
    token: Option<Token>,
    reporter: &mut Reporter,
) -> anyhow::Result<()> {
    if config.database.url.is_none() && first_start(config, reporter)? {
        return without_database(config, token, reporter).await;
    }
    let mut token = Some(token);
    let result = ask::with_database(config, async |opened| {
        if !is_usable(opened, reporter).await? {
            return Ok(());
        }
        let Some(token) = token.take().flatten() else {
            return Ok(());
        };
        let stop = CancellationToken::new();
        let pool = opened.pool.clone();
        let context = startup::context(config.clone(), token, pool, Clock::system(), stop).await?;
        let checked = check_upstream::check(&context, Known::Database, reporter).await;
        context.budget.give_back().await;
        checked
    })
    .await;
    match token {
        // Upstream was asked, or it failed while it was.
        None => result,
        Some(token) => {
            if let Err(error) = result {
                reporter.report(Finding::bad("database", format!("{error:#}")))?;
            }
            without_database(config, token, reporter).await
        }
    }
}

/// Whether the private server has no data yet; then what its first start would do.
fn first_start(config: &Config, reporter: &mut Reporter) -> anyhow::Result<bool> {
    let search = ClusterOptions::new(Role::Client).search;
    let finding = match Preview::of(&config.state.dir, &search) {
        Ok(None) => return Ok(false),
        Ok(Some(Preview { directory, major })) => {
            let text = format!(
                "none yet; the first start creates a private PostgreSQL {major} in {}",
                directory.display()
            );
            Finding::good("database", text)
        }
        Err(error) => Finding::bad("database", chain(&error)),
    };
    reporter.report(finding)?;
    Ok(true)
}

/// Asks upstream what can be asked without a database.
async fn without_database(
    config: &Config,
    token: Option<Token>,
    reporter: &mut Reporter,
) -> anyhow::Result<()> {
    let Some(token) = token else {
        return Ok(());
    };
    let stop = CancellationToken::new();
    let context = startup::context_without_database(config, token, Clock::system(), stop).await?;
    check_upstream::check(&context, Known::Nothing, reporter).await
}

/// Whether the server is one that can be used: it accepts writes, is not behind a pooler
/// that shares sessions, and grants what is needed. Only what is wrong is told.
async fn has_usable_server(opened: &Opened, reporter: &mut Reporter) -> anyhow::Result<bool> {
    let asking = async {
        database::reachable(&opened.pool).await?;
        if database::shares_sessions(&opened.pool).await? {
            return Ok(Err(TransactionPooling));
        }
        let mut connection = opened.pool.acquire().await?;
        Ok(Ok(database::requirements(&mut connection).await?))
    };
    let missing = match asking.await {
        Ok(Ok(missing)) => missing,
        Ok(Err(pooler)) => {
            reporter.report(Finding::bad("database", pooler.to_string()))?;
            return Ok(false);
        }
        Err(error) => {
            let error: sqlx::Error = error;
            let text = format!("cannot be used: {error}; check [database] url and the server");
            reporter.report(Finding::bad("database", text))?;
            return Ok(false);
        }
    };
    let is_usable = missing.iter().all(Requirement::is_optional);
    for one in missing {
        reporter.report(if one.is_optional() {
            Finding::good("database", one.to_string())
        } else {
            Finding::bad("database", one.to_string())
        })?;
    }
    Ok(is_usable)
}

/// Whether the database can be used by this version as it is.
async fn is_usable(opened: &Opened, reporter: &mut Reporter) -> anyhow::Result<bool> {
    if !has_usable_server(opened, reporter).await? {
        return Ok(false);
    }
    let (finding, is_usable) = match database::schema_state(&opened.pool).await {
        Ok(SchemaState::UpToDate) => (Finding::good("database", "reachable and up to date"), true),
        Ok(SchemaState::Empty) => {
            let text = "reachable and empty; the first start creates the schema";
            (Finding::good("database", text), false)
        }
        Ok(SchemaState::Development(found)) => (Finding::bad("database", found.to_string()), false),
        Ok(SchemaState::Foreign(found)) => (Finding::bad("database", found.to_string()), false),
        Ok(SchemaState::Behind(missing)) => {
            let text = format!(
                "reachable, {missing} migrations pending: run `advisoryd migrate` or start the daemon"
            );
            (Finding::bad("database", text), false)
        }
        Err(error) => {
            let text = format!("cannot be used: {error}; check [database] url and the server");
            (Finding::bad("database", text), false)
        }
    };
    reporter.report(finding)?;
    Ok(is_usable)
}
