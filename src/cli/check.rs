//! `advisoryd check`: checks configuration, secrets, database and upstream, and says what
//! to do. It creates nothing.

use tokio_util::sync::CancellationToken;

use super::check_rules::{self, Seen};
use super::check_upstream::LocalData;
use super::finding::{CheckResult, Reporter};
use super::shared::GlobalArgs;
use super::{ask, check_database, check_upstream};
use crate::clock::Clock;
use crate::cluster::{ClusterOptions, Preview, Role, Shared as SharedServer};
use crate::config::{ApiToken, Config, ConfigError, Otlp};
use crate::model::{Matcher, chain, counted};
use crate::sink::Sink;
use crate::startup::{self, Opened};
use crate::store::database::{self, Requirement, SchemaState, TransactionPooling};
use crate::store::reports::named_list;

pub(super) async fn run(shared: GlobalArgs, offline: bool, json: bool) -> anyhow::Result<bool> {
    let loaded = shared.load_and_note().and_then(|config| {
        config.require_something()?;
        Ok(config)
    });
    let mut reporter = Reporter::new(json);
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            if let Some(found) = error.downcast_ref::<ConfigError>().filter(|_| json) {
                for one in &found.errors {
                    reporter.report(CheckResult::bad("configuration", one.to_string()));
                }
                reporter.end()?;
            }
            return Err(error);
        }
    };
    reporter.report(CheckResult::good("configuration", configuration(&config)));
    for warning in config.warnings() {
        reporter.report(CheckResult::warning("configuration", warning));
    }
    for exposed in config.exposed_files() {
        reporter.report(CheckResult::warning("secrets", exposed));
    }
    if let Some(group) = &config.database.share_with
        && !SharedServer::is_group(group)
    {
        let text = format!(
            "[database] share_with: there is no group `{group}`; groupadd --system {group}"
        );
        reporter.report(CheckResult::warning("database", text));
    }
    let token = config.upstream.token();
    reporter.report(match &token {
        Ok(_) if config.upstream.offline => {
            CheckResult::good("token", "not needed: [upstream] offline = true")
        }
        Ok(token) if token.has_usual_form() => CheckResult::good("token", "found"),
        Ok(_) => CheckResult::warning(
            "token",
            "the token was found, but it is not the usual 40 hexadecimal digits",
        ),
        Err(error) => CheckResult::bad("token", chain(error)),
    });
    if let Err(error) = config.http.password() {
        reporter.report(CheckResult::bad("http", chain(&error)));
    }
    if let Some(Err(error)) = config.log.otlp.as_deref().map(Otlp::headers) {
        reporter.report(CheckResult::bad("log", chain(&error)));
    }
    sinks(&config, &mut reporter);
    let mut seen = Seen::default();
    if !offline {
        online(&config, token.ok(), &mut seen, &mut reporter).await;
    }
    check_rules::report(&config, &seen, &mut reporter);
    reporter.end()
}

/// Checks that every sink can be used: its secrets, certificates and template.
fn sinks(config: &Config, reporter: &mut Reporter) {
    let is_used = |name: &str| {
        let mut rules = config.alerts.rules.iter().map(Matcher::rule);
        rules.any(|rule| rule.sinks.iter().any(|sink| sink == name))
    };
    for settings in &config.alerts.sinks {
        let what = format!("sink {}", settings.name);
        reporter.report(match Sink::open(settings) {
            Ok(sink) => {
                let (kind, name) = (sink.kind(), sink.name());
                let unused = if is_used(name) {
                    ""
                } else {
                    ", but no rule uses it (`sinks` of a rule)"
                };
                let says = format!(
                    "{kind} configured{unused}; test it with `advisoryd alerts test {name}`"
                );
                CheckResult::good(what, says)
            }
            Err(error) => CheckResult::bad(what, chain(&error)),
        });
    }
}

fn configuration(config: &Config) -> String {
    let file = config.file.as_ref().map_or_else(
        || "environment only".to_owned(),
        |file| file.display().to_string(),
    );
    let discovery = if config.discovery.watch_lists {
        " and those that discovery finds"
    } else {
        ""
    };
    let extra = match config.extra_feeds.len() {
        0 => String::new(),
        some => format!(", {}", counted(some, "extra feed")),
    };
    format!(
        "{file}: {}{discovery}{extra}",
        counted(config.watch_lists.len(), "watch list")
    )
}

/// Checks the database, then upstream whatever became of the database.
async fn online(
    config: &Config,
    token: Option<ApiToken>,
    seen: &mut Seen,
    reporter: &mut Reporter,
) {
    if config.database.url.is_none() && first_start(config, reporter) {
        return upstream(config, token, LocalData::Nothing, (seen, reporter)).await;
    }
    check_database::replica(config, reporter).await;
    let mut token = Some(token);
    let result = ask::with_database(config, async |opened| {
        if is_usable(config, opened, reporter).await? {
            let mut connection = opened.pool.acquire().await?;
            seen.stored(named_list::named_lists(&mut connection).await?);
            drop(connection);
            let known = LocalData::Database(&opened.pool);
            upstream(config, token.take().flatten(), known, (seen, reporter)).await;
        }
        Ok(())
    })
    .await;
    if let Err(error) = result {
        let text = format!("{error:#}");
        let text = text.strip_prefix("the database ").unwrap_or(&text);
        reporter.report(CheckResult::bad("database", text));
    }
    if let Some(token) = token {
        upstream(config, token, LocalData::Nothing, (seen, reporter)).await;
    }
}

/// Whether the private server has no data yet; then what its first start would do.
fn first_start(config: &Config, reporter: &mut Reporter) -> bool {
    let search = ClusterOptions::new(Role::Client).search;
    let finding = match Preview::of(&config.state.dir, &search) {
        Ok(None) => return false,
        Ok(Some(Preview { directory, major })) => {
            let text = format!(
                "none yet; the first start creates a private PostgreSQL {major} in {}",
                directory.display()
            );
            CheckResult::good("database", text)
        }
        Err(error) => CheckResult::bad("database", chain(&error)),
    };
    reporter.report(finding);
    true
}

/// Asks upstream what can be asked.
async fn upstream(
    config: &Config,
    token: Option<ApiToken>,
    known: LocalData<'_>,
    (seen, reporter): (&mut Seen, &mut Reporter),
) {
    if config.upstream.offline {
        let text = "not requested: [upstream] offline = true";
        return reporter.report(CheckResult::skipped("upstream", text));
    }
    let Some(token) = token else {
        let text = "skipped, because there is no token; see the line `token`";
        return reporter.report(CheckResult::skipped("upstream", text));
    };
    let (clock, stop) = (Clock::system(), CancellationToken::new());
    let context = match known {
        LocalData::Database(pool) => {
            startup::context(config.clone(), token, pool.clone(), clock, stop).await
        }
        LocalData::Nothing => startup::context_without_database(config, token, clock, stop).await,
    };
    let checked = match context {
        Ok(context) => {
            let checked = check_upstream::check(&context, known, seen, reporter).await;
            context.budget.give_back().await;
            checked
        }
        Err(error) => Err(error),
    };
    if let Err(error) = checked {
        reporter.report(CheckResult::bad("upstream", chain(&*error)));
    }
}

/// Whether the server is one that can be used: it accepts writes, is not behind a pooler
/// that shares sessions, and grants what is needed. Only what is wrong is reported.
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
            reporter.report(CheckResult::bad("database", pooler.to_string()));
            return Ok(false);
        }
        Err(error) => {
            let error: sqlx::Error = error;
            let text = cannot_be_used(opened, &error).await;
            reporter.report(CheckResult::bad("database", text));
            return Ok(false);
        }
    };
    let is_usable = missing.iter().all(Requirement::is_optional);
    for one in missing {
        reporter.report(if one.is_optional() {
            CheckResult::good("database", one.to_string())
        } else {
            CheckResult::bad("database", one.to_string())
        });
    }
    Ok(is_usable)
}

async fn cannot_be_used(opened: &Opened, error: &sqlx::Error) -> String {
    match database::lock_table_full(&opened.pool, error).await {
        Some(full) => format!("cannot be used: {full}"),
        None => format!("cannot be used: {error}; check [database] url and the server"),
    }
}

/// Whether the database can be used by this version as it is.
async fn is_usable(
    config: &Config,
    opened: &Opened,
    reporter: &mut Reporter,
) -> anyhow::Result<bool> {
    if !has_usable_server(opened, reporter).await? {
        return Ok(false);
    }
    if opened.cluster.is_none() && !opened.may_only_read {
        check_database::room(config, opened, reporter).await?;
    }
    let (finding, is_usable) = match database::schema_state(&opened.pool).await {
        Ok(SchemaState::UpToDate) => (
            CheckResult::good("database", "reachable and up to date"),
            true,
        ),
        Ok(SchemaState::Empty) => {
            let text = "reachable and empty; the first start creates the schema";
            (CheckResult::good("database", text), false)
        }
        Ok(SchemaState::Development(found)) => {
            (CheckResult::bad("database", found.to_string()), false)
        }
        Ok(SchemaState::Foreign(found)) => (CheckResult::bad("database", found.to_string()), false),
        Ok(SchemaState::Behind(missing)) => {
            let text = format!(
                "reachable, {} pending: run `advisoryd migrate` or start the daemon",
                counted(missing, "migration")
            );
            (CheckResult::bad("database", text), false)
        }
        Err(error) => {
            let text = cannot_be_used(opened, &error).await;
            (CheckResult::bad("database", text), false)
        }
    };
    reporter.report(finding);
    Ok(is_usable)
}
