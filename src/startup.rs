//! Startup shared by the daemon and the commands: open the database, record the
//! configuration, create the HTTP client.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock::Clock;
use crate::config::{ApiToken, Config, SinkSettings, Upstream};
use crate::http::{Client, SavedResponses, account};
use crate::job::alerts::held;
use crate::job::budget::{self, SharedBudget, Sharing};
use crate::job::context::{Context, Progress};
use crate::job::coverage;
use crate::job::lists::discover;
use crate::job::pauses::SourcePauses;
use crate::model::{BudgetKind, Catalogue, Matcher, Rule};
use crate::sink::Sink;
use crate::source::xml::ParserRules;
use crate::store::{self, database};

mod opened;

pub(crate) use opened::{Opened, private_server};

/// The rules for parsing records, from the configuration.
pub fn rules(config: &Config) -> anyhow::Result<Arc<ParserRules>> {
    let rules = ParserRules::new(config.feeds.id_pattern.as_str(), &config.feeds.aliases)
        .context("[feeds] id_pattern or aliases")?;
    Ok(Arc::new(rules))
}

/// Cuts back coverage that ends in the future, and records the configuration.
pub async fn configure(
    config: &Config,
    pool: &PgPool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    coverage::cut_back(pool, now).await?;
    let mut transaction = database::begin(pool).await?;
    record(&mut transaction, config, now).await?;
    transaction.commit().await
}

/// Records the sources, rules and sinks of the configuration in the database, in the caller's
/// transaction: either all or nothing is replaced.
pub(crate) async fn record(
    transaction: &mut PgConnection,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // First, because it takes the lock of the evaluation, which all others take before rows.
    configure_alerts(transaction, config, now).await?;
    discover::configure(transaction, config).await?;
    store::health::condition::follow(transaction, now).await?;
    // Where the KEV catalogue and EPSS scores come from.
    for catalogue in Catalogue::ALL {
        let location = config.enrichment.location(catalogue);
        let location = location.map(ToString::to_string);
        let location = location.as_deref();
        store::enrichment::state::configure(transaction, catalogue, location, now).await?;
    }
    Ok(())
}

async fn configure_alerts(
    transaction: &mut PgConnection,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let rules: Vec<&Rule> = config.alerts.rules.iter().map(Matcher::rule).collect();
    let sinks: Vec<(String, String)> = config
        .alerts
        .sinks
        .iter()
        .map(|sink| (sink.name.clone(), sink.kind.name().to_owned()))
        .collect();
    store::alerts::rule::configure(transaction, &rules, now).await?;
    held::apply_timing(transaction, config, now).await?;
    store::alerts::sink_state::configure(transaction, &sinks).await
}

/// Opens every configured sink: reads secrets, certificates and templates.
pub fn open_sinks(config: &Config) -> anyhow::Result<Vec<Sink>> {
    config.alerts.sinks.iter().map(open_sink).collect()
}

/// The same for one.
pub(crate) fn open_sink(settings: &SinkSettings) -> anyhow::Result<Sink> {
    Sink::open(settings).with_context(|| format!("sink `{}` cannot be used", settings.name))
}

/// What a context is made of.
struct Parts {
    config: Config,
    token: ApiToken,
    pool: PgPool,
    clock: Clock,
    stop: CancellationToken,
}

/// The context for the jobs of a command, with a configuration that includes the discovered
/// lists. Its requests come from the budget that all processes of the account share.
pub async fn context(
    config: Config,
    token: ApiToken,
    pool: PgPool,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    let parts = Parts {
        config,
        token,
        pool,
        clock,
        stop,
    };
    parts.shared(BudgetKind::Command).await
}

/// The same for the daemon.
pub(crate) async fn daemon_context(
    config: Config,
    token: ApiToken,
    pool: PgPool,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    let parts = Parts {
        config,
        token,
        pool,
        clock,
        stop,
    };
    parts.shared(BudgetKind::Daemon).await
}

impl Parts {
    async fn shared(self, kind: BudgetKind) -> anyhow::Result<Context> {
        let Self {
            config,
            token,
            pool,
            clock,
            stop,
        } = self;
        let mut connection = pool.acquire().await?;
        let config = discover::followed(&mut connection, &config).await?;
        drop(connection);
        let sharing = sharing(&config, &token, kind);
        let client = Client::new(&config.upstream, token, Vec::new(), clock.clone())?;
        if config.upstream.offline {
            return assemble(config, client, pool, clock, stop);
        }
        let budget = share(&client, sharing, &pool, &clock).await?;
        let context = assemble(config, client, pool, clock, stop)?;
        Ok(Context { budget, ..context })
    }
}

/// The account of a configuration, and its limits.
pub fn sharing(config: &Config, token: &ApiToken, kind: BudgetKind) -> Sharing {
    let upstream = &config.upstream;
    Sharing {
        account: account(&upstream.base_url, token),
        kind,
        per_minute: upstream.requests_per_minute,
        per_day: upstream.requests_per_day,
    }
}

/// From now on, the requests of this client come from the budget that is shared by all
/// processes of its account on this database. Requests of the run log count where the
/// account has no budget yet.
pub async fn share(
    client: &Client,
    sharing: Sharing,
    pool: &PgPool,
    clock: &Clock,
) -> Result<SharedBudget, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let used = store::ledger::run::requests_of_last_day(&mut connection, clock.now()).await?;
    drop(connection);
    Ok(budget::share(pool, sharing, client.share(), used))
}

/// The context for asking upstream only, where there is no database, or none that can
/// be used yet. Its pool is closed: a query fails at once.
pub(crate) async fn context_without_database(
    config: &Config,
    token: ApiToken,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    let pool = database::pool(PgConnectOptions::new_without_pgpass(), 1);
    pool.close().await;
    let client = Client::new(&config.upstream, token, Vec::new(), clock.clone())?;
    assemble(config.with_discovered(&[]), client, pool, clock, stop)
}

/// The context of `mirror`, whose client saves all responses. There is no database.
pub(crate) async fn mirror_context(
    config: &Config,
    token: ApiToken,
    saved: Arc<SavedResponses>,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    let client = Client::with_saved(&config.upstream, token, saved, clock.clone())?;
    let context = context_without_database(config, ApiToken::unused(), clock, stop).await?;
    Ok(Context { client, ..context })
}

/// The context of an import: its client answers from a bundle that was made from `base_url`.
pub(crate) async fn bundle_context(
    config: &Config,
    (saved, base_url): (Arc<SavedResponses>, Url),
    pool: PgPool,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    let config = discover::followed(&mut *pool.acquire().await?, config).await?;
    let upstream = Upstream {
        base_url,
        ..config.upstream.clone()
    };
    let client = Client::with_saved(&upstream, ApiToken::unused(), saved, clock.clone())?;
    assemble(config, client, pool, clock, stop)
}

fn assemble(
    config: Config,
    client: Client,
    pool: PgPool,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    Ok(Context {
        problems: watch::Sender::default(),
        rules: rules(&config)?,
        config: Arc::new(config),
        pool,
        client,
        clock,
        stop,
        progress: Arc::new(Progress::default()),
        budget: SharedBudget::none(),
        pauses: SourcePauses::default(),
        bundled: None,
    })
}
