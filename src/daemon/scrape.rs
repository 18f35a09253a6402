//! The values of `/metrics` that are read from the database at each scrape.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};

use super::working::Working;
use crate::config::Config;
use crate::job::details::outlook::outlook;
use crate::job::health::{catalogues, freshness};
use crate::measures::{self, DailyBudget, SharedUse};
use crate::model::{ConditionState, DateFilter, chain};
use crate::store::enrichment::state as enrichment;
use crate::store::health::condition;
use crate::store::lists::mirror;
use crate::store::reports::budget;
use crate::store::reports::monitoring::{self, EvaluationLag, Membership, SinkQueue};
use crate::store::reports::report::{self, SourceReport};
use crate::store::tickets::reading;
use crate::store::wanted::backlog::{self, Backlog};

/// A scrape waits no longer for the database: Prometheus gives up after ten seconds.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);
/// And no longer for the number of members by severity, which reads all advisories.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(3);

/// What the database says, and what is derived from it with the configuration in use.
pub(super) struct FromDatabase {
    sources: Vec<SourceReport>,
    filter: Option<DateFilter>,
    conditions: Vec<ConditionState>,
    mirrors: Vec<mirror::MirrorState>,
    files: Vec<enrichment::EnrichmentState>,
    sinks: Vec<SinkQueue>,
    evaluation: Option<EvaluationLag>,
    details: Option<(Backlog, Option<DateTime<Utc>>)>,
    budgets: Vec<DailyBudget>,
    shared: Option<SharedUse>,
    last_change: i64,
    members: Option<Vec<Membership>>,
}

/// What stays known between two scrapes.
#[derive(Default)]
pub(super) struct ScrapeCache {
    /// The sources when the database last answered.
    sources: Vec<SourceReport>,
    files: Vec<enrichment::EnrichmentState>,
    filter: Option<DateFilter>,
    members: Option<(State, Vec<Membership>)>,
}

/// While it is the same, so are the members of all lists: the last change, and the
/// number of members of each source.
type State = (i64, Vec<(String, i64)>);

fn state(last_change: i64, sources: &[SourceReport]) -> State {
    let followed = sources.iter().filter(|report| report.configured);
    let counts = followed.map(|report| (report.key.to_string(), report.records));
    (last_change, counts.collect())
}

impl ScrapeCache {
    /// The sources that are no longer followed.
    pub(super) fn unfollowed(&self) -> Vec<String> {
        let unfollowed = self.sources.iter().filter(|report| !report.configured);
        unfollowed.map(|report| report.key.to_string()).collect()
    }

    /// The members, if they were counted in this state.
    pub(super) fn members(&self, read: &FromDatabase) -> Option<Vec<Membership>> {
        let (counted_in, members) = self.members.as_ref()?;
        (*counted_in == state(read.last_change, &read.sources)).then(|| members.clone())
    }
}

/// Reads everything but the members.
pub(super) async fn read(
    pool: Option<&PgPool>,
    working: Option<&Working>,
    now: DateTime<Utc>,
) -> Result<FromDatabase, String> {
    let pool = pool.ok_or("not opened yet")?;
    match tokio::time::timeout(DATABASE_TIMEOUT, read_all(pool, working, now)).await {
        Ok(read) => read.map_err(|error| chain(&error)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

async fn read_all(
    pool: &PgPool,
    working: Option<&Working>,
    now: DateTime<Utc>,
) -> Result<FromDatabase, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let details = match working {
        None => None,
        Some(working) => {
            let wanted = working.config.feeds.details;
            let backlog = backlog::backlog(&mut connection, wanted, now).await?;
            let done_at = outlook(&working.config, &backlog, now);
            Some((backlog, done_at))
        }
    };
    let shared = match working {
        None => None,
        Some(working) => shared_use(&mut connection, working).await?,
    };
    let mut files = enrichment::states(&mut connection).await?;
    files.retain(|file| match working {
        Some(working) => catalogues::is_followed(&working.config, file),
        None => file.origin.is_some(),
    });
    Ok(FromDatabase {
        sources: report::sources(&mut connection).await?,
        filter: reading::get(&mut connection).await?.filter,
        conditions: condition::states(&mut connection).await?,
        mirrors: mirror::states(&mut connection).await?,
        files,
        sinks: monitoring::sinks(&mut connection).await?,
        evaluation: monitoring::evaluation_lag(&mut connection).await?,
        details,
        budgets: match working {
            None => Vec::new(),
            Some(working) => budgets(&mut connection, working, shared.as_ref(), now).await?,
        },
        shared,
        last_change: monitoring::last_change(&mut connection).await?,
        members: None,
    })
}

async fn budgets(
    connection: &mut PgConnection,
    working: &Working,
    shared: Option<&SharedUse>,
    now: DateTime<Utc>,
) -> Result<Vec<DailyBudget>, sqlx::Error> {
    let Config {
        upstream, feeds, ..
    } = &*working.config;
    let mut budgets = Vec::new();
    if upstream.requests_per_day > 0 {
        let used = shared.map_or(0, SharedUse::used_today);
        budgets.push(DailyBudget {
            name: "requests",
            limit: upstream.requests_per_day,
            left: (i64::from(upstream.requests_per_day) - used).max(0),
        });
    }
    let limit = feeds.details_per_day;
    let left = match backlog::left(connection, limit, now).await? {
        Ok(None) => return Ok(budgets),
        Ok(Some(left)) => left,
        Err(_) => 0,
    };
    budgets.push(DailyBudget {
        name: "details",
        limit,
        left,
    });
    Ok(budgets)
}

/// Who uses the account's budget of requests; `None` before the first request.
async fn shared_use(
    connection: &mut PgConnection,
    working: &Working,
) -> Result<Option<SharedUse>, sqlx::Error> {
    let is_ours = |account: &str| working.account.as_deref() == Some(account);
    let accounts = budget::budgets(connection).await?;
    let Some(account) = accounts.into_iter().find(|one| is_ours(&one.account)) else {
        return Ok(None);
    };
    let users = budget::users(connection).await?;
    let own = users
        .into_iter()
        .filter(|user| is_ours(&user.account) && user.is_own);
    let own = own.fold((0, 0), |sum, user| {
        (sum.0 + user.this_minute, sum.1 + user.today)
    });
    let pause = account.paused_until.map(|until| until - account.now);
    Ok(Some(SharedUse {
        per_minute: working.config.upstream.requests_per_minute,
        own,
        all: (account.this_minute, account.today),
        pause: pause.unwrap_or_default(),
    }))
}

/// Counts the members. Without an answer in time they are not exported: the database
/// answers, but has much to read.
pub(super) async fn count_members(pool: &PgPool) -> Option<Vec<Membership>> {
    let count = async {
        let mut connection = pool.acquire().await?;
        monitoring::members(&mut connection).await
    };
    match tokio::time::timeout(MEMBERS_TIMEOUT, count).await {
        Ok(Ok(members)) => Some(members),
        Ok(Err(error)) => {
            tracing::debug!(%error, "could not count advisories for the metrics");
            None
        }
        Err(_) => None,
    }
}

impl FromDatabase {
    /// Adds the members.
    pub(super) fn with_members(self, members: Option<Vec<Membership>>) -> Self {
        Self { members, ..self }
    }
}

/// Records the metrics in the current recorder. If the database did not answer, only the
/// ages are known, which follow from what it said last.
pub(super) fn record(
    read: Result<FromDatabase, String>,
    known: &mut ScrapeCache,
    working: Option<&Working>,
    now: DateTime<Utc>,
) {
    measures::describe();
    measures::database(read.is_ok());
    match read {
        Ok(read) => {
            record_database(&read, now);
            let state = state(read.last_change, &read.sources);
            *known = ScrapeCache {
                members: read.members.map(|members| (state, members)),
                sources: read.sources,
                files: read.files,
                filter: read.filter,
            };
        }
        Err(error) => tracing::debug!(error, "could not read metrics from the database"),
    }
    let offset = working.map(|working| working.client.clock_offset());
    measures::ages(&known.sources, now + offset.unwrap_or_default());
    measures::file_ages(&known.files, now);
    if let Some(working) = working {
        measures::freshness_limits(&limits(&working.config, known));
    }
}

fn record_database(read: &FromDatabase, now: DateTime<Utc>) {
    measures::sources(&read.sources);
    measures::files(&read.files);
    measures::conditions(&read.conditions, &read.sources);
    measures::mirrors(&read.mirrors, &read.sources);
    measures::sinks(&read.sinks, now);
    measures::budgets(&read.budgets);
    if let Some(shared) = &read.shared {
        measures::shared_budget(shared);
    }
    if let Some(lag) = &read.evaluation {
        measures::evaluation(lag, now);
    }
    if let Some((backlog, done_at)) = &read.details {
        measures::details(backlog, *done_at, now);
    }
    if let Some(members) = &read.members {
        measures::advisories(members);
    }
}

/// The age at which each followed source is stale.
fn limits(config: &Config, known: &ScrapeCache) -> Vec<(String, TimeDelta)> {
    let followed = known.sources.iter().filter(|report| report.configured);
    let limits = followed.filter_map(|report| {
        let limit = freshness::limit(config, report, known.filter)?;
        Some((report.key.to_string(), limit))
    });
    let of_files = known.files.iter().filter_map(|file| {
        let from = file.data_from()?;
        let until = catalogues::fresh_until(config, file.catalogue, from)?;
        Some((file.catalogue.name().to_owned(), until - from))
    });
    limits.chain(of_files).collect()
}
