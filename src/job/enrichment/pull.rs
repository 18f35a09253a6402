//! Reading the configured files on schedule.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tracing::{debug, info, warn};

use super::applied::Applied;
use super::apply::{Terms, apply};
use super::failure::NotEnriched;
use super::file::{MAX_FILE_BYTES, ReadFile, open_file, read, read_file};
use crate::config::{Config, FileLocation};
use crate::http::{FetchedFile, ResponseBody, Seal, fetch_file, saved};
use crate::job::context::{Context, OUTCOME};
use crate::job::failure::Failure;
use crate::model::{Catalogue, chain, outgoing};
use crate::store::database;
use crate::store::enrichment::state::{self, EnrichmentState};

/// A download takes no longer, whatever `[upstream] total_timeout` says.
const TIMEOUT: Duration = Duration::from_mins(10);
/// A file is not read again if another process began to read it within this time.
const APART: TimeDelta = TimeDelta::minutes(1);

/// The result of an attempt.
#[derive(Debug)]
pub enum PullOutcome {
    /// It was read.
    Applied(Applied),
    /// The server says that it has not changed.
    Unchanged,
    /// It was not accepted: the reason, which is recorded and logged.
    Failed(String),
    /// It is not configured, or another process reads it.
    Skipped,
}

/// Reads a file if it is configured. Fails only on database errors and if advisoryd stops;
/// all other failures are recorded.
pub async fn pull(context: &Context, catalogue: Catalogue) -> Result<PullOutcome, Failure> {
    let Some(location) = context.config.enrichment.location(catalogue) else {
        return Ok(PullOutcome::Skipped);
    };
    let now = context.clock.now();
    let mut connection = context.pool.acquire().await?;
    let mut transaction = database::begin_on(&mut connection).await?;
    let is_ours = state::attempt(&mut transaction, catalogue, now, now - APART).await?;
    transaction.commit().await?;
    if !is_ours {
        debug!("another process reads the {}", catalogue.label());
        return Ok(PullOutcome::Skipped);
    }
    let state = of(&mut connection, catalogue).await?;
    drop(connection);
    let reading = tokio::time::timeout(TIMEOUT, read_location(context, &state, location));
    let result = match context.or_stopped(reading).await? {
        Ok(Ok(Some(read))) => {
            let terms = terms(&context.config);
            apply(&context.pool, &read, terms, now).await.map(Some)
        }
        Ok(Ok(None)) => Ok(None),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(NotEnriched::TooSlow {
            minutes: TIMEOUT.as_secs() / 60,
        }),
    };
    settle(context, catalogue, result, now).await
}

async fn of(
    connection: &mut sqlx::PgConnection,
    catalogue: Catalogue,
) -> Result<EnrichmentState, sqlx::Error> {
    let states = state::states(connection).await?;
    let found = states.into_iter().find(|one| one.catalogue == catalogue);
    found.ok_or(sqlx::Error::RowNotFound)
}

/// On which terms files are accepted.
fn terms(config: &Config) -> Terms {
    Terms {
        threshold: config.enrichment.epss_threshold,
        accept_removals: false,
        read_at: None,
    }
}

async fn settle(
    context: &Context,
    catalogue: Catalogue,
    result: Result<Option<Applied>, NotEnriched>,
    now: DateTime<Utc>,
) -> Result<PullOutcome, Failure> {
    match result {
        Ok(Some(applied)) => {
            info!(enrichment = catalogue.name(), "{}", applied.sentence());
            Ok(PullOutcome::Applied(applied))
        }
        Ok(None) => {
            let mut transaction = database::begin(&context.pool).await?;
            state::unchanged(&mut transaction, catalogue, now).await?;
            transaction.commit().await?;
            debug!("{}: not changed", catalogue.label());
            Ok(PullOutcome::Unchanged)
        }
        Err(NotEnriched::Store(error)) => Err(error.into()),
        Err(error) => {
            let error = outgoing(&chain(&error));
            let mut transaction = database::begin(&context.pool).await?;
            state::failed(&mut transaction, catalogue, &error, now).await?;
            transaction.commit().await?;
            let label = catalogue.label();
            warn!(target: OUTCOME, enrichment = catalogue.name(), %error, "{label}: {error}");
            Ok(PullOutcome::Failed(error))
        }
    }
}

/// `None` if the server says that it has not changed.
async fn read_location(
    context: &Context,
    state: &EnrichmentState,
    location: &FileLocation,
) -> Result<Option<ReadFile>, NotEnriched> {
    let expected = Some(state.catalogue);
    let url = match location {
        FileLocation::Path(path) => return read_file(path, expected).await.map(Some),
        FileLocation::Url(url) => url,
    };
    let url = url.expose().parse().map_err(|_| NotEnriched::Unknown)?;
    let seal = Seal {
        entity_tag: state.entity_tag.clone(),
        last_modified: state.last_modified.clone(),
    };
    let settings = &context.config.upstream;
    let now = context.clock.now();
    match fetch_file(&url, settings, &seal, MAX_FILE_BYTES, now).await? {
        FetchedFile::Unchanged => Ok(None),
        FetchedFile::File(body, seal) => read(*body, expected, seal).await.map(Some),
    }
}

/// The body of a configured file, decompressed.
pub(crate) async fn body(
    context: &Context,
    location: &FileLocation,
) -> Result<ResponseBody, NotEnriched> {
    let url = match location {
        FileLocation::Path(path) => {
            let file = open_file(path)?;
            return Ok(saved(&path.display().to_string(), file, MAX_FILE_BYTES).await?);
        }
        FileLocation::Url(url) => url.expose().parse().map_err(|_| NotEnriched::Unknown)?,
    };
    let (settings, now) = (&context.config.upstream, context.clock.now());
    match fetch_file(&url, settings, &Seal::default(), MAX_FILE_BYTES, now).await? {
        FetchedFile::File(body, _) => Ok(*body),
        FetchedFile::Unchanged => Err(NotEnriched::Unknown),
    }
}

/// Whether a file can be read.
pub(crate) async fn check_file(path: &Path, expected: Catalogue) -> Result<(), NotEnriched> {
    read_file(path, Some(expected)).await.map(|_| ())
}

/// Reads a saved file, plain or compressed, and stores what it says. The file says what it
/// is.
///
/// # Errors
/// [`NotEnriched`]
pub(crate) async fn enrich_file(
    pool: &PgPool,
    path: &Path,
    terms: Terms,
    now: DateTime<Utc>,
) -> Result<Applied, NotEnriched> {
    let read = read_file(path, None).await?;
    apply(pool, &read, terms, now).await
}

/// Whether a scheduled time has passed since the last attempt, or there was none that
/// ended.
pub async fn is_due(context: &Context, catalogue: Catalogue) -> Result<bool, Failure> {
    let enrichment = &context.config.enrichment;
    if enrichment.location(catalogue).is_none() {
        return Ok(false);
    }
    let mut connection = context.pool.acquire().await?;
    let state = of(&mut connection, catalogue).await?;
    let zone = context.config.schedule.timezone;
    let schedule = enrichment.schedule(catalogue);
    // Another place has not been read yet.
    let is_new = state.followed_since > state.attempted_at;
    let next = state
        .attempted_at
        .and_then(|at| schedule.next_after(at, zone));
    let now = context.clock.now();
    let is_abandoned = state.is_unfinished() && state.attempted_at < Some(now - APART);
    Ok(is_new || is_abandoned || next.is_none_or(|next| next <= now))
}

/// Reads what is due, as `sync` does.
pub async fn pull_due(context: &Context) -> Result<Vec<(Catalogue, PullOutcome)>, Failure> {
    let mut pulled = Vec::new();
    for catalogue in Catalogue::ALL {
        if is_due(context, catalogue).await? {
            pulled.push((catalogue, pull(context, catalogue).await?));
        }
    }
    Ok(pulled)
}
