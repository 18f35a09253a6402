//! Works off the fetch queue: whole advisories from the JSON API, one request each, at
//! background priority of the rate limiter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{JoinError, JoinSet};

use super::failures::Failures;
use super::one::{DetailResult, Fetching};
pub(crate) use super::one::{PATH, record};
use super::refusals::Refusals;
use crate::http::ClientError;
use crate::job::caught::caught;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, RunReport, Work};
use crate::model::{LeaseHolder, Mode, SourceKey};
use crate::store::advisories::detail::DetailOutcome;
use crate::store::database;
use crate::store::ledger::source;
use crate::store::wanted::backlog;
use crate::store::wanted::{queue, throttled};

/// Details per run: one row in the run log about every twenty seconds.
const BATCH: i64 = 100;
/// The same for saved details, which are read at once.
const SAVED_BATCH: usize = 10_000;
/// Concurrent requests, so that the latency of upstream does not limit the rate.
const MAX_CONCURRENT: usize = 4;
/// How long requests in progress may take after fetching has to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after upstream refused details to this account.
const REFUSED_PAUSE: TimeDelta = TimeDelta::hours(6);

/// The result of fetching pending details.
#[derive(Debug)]
pub enum Fetched {
    /// A run that ended, complete or not.
    Ended(RunReport),
    /// Another process is fetching.
    Busy(LeaseHolder),
    /// None is due before this time; `None`: the queue is empty.
    Nothing(Option<DateTime<Utc>>),
    /// Fetching is paused until this time: upstream refuses details, or the daily quota
    /// is used up.
    Paused(DateTime<Utc>),
}

/// Fetches due details, at most one batch.
pub async fn fetch(context: &Context) -> Result<Fetched, Failure> {
    let now = context.clock.now();
    let mut connection = context.pool.acquire().await?;
    let paused_until = source::find(&mut connection, &SourceKey::Details)
        .await?
        .and_then(|found| found.paused_until);
    let pauses = &context.pauses;
    if let Some(until) = paused_until
        && pauses.is_in_force(&SourceKey::Details, paused_until, REFUSED_PAUSE, now)
    {
        return Ok(Fetched::Paused(until));
    }
    let mut transaction = database::begin_on(&mut connection).await?;
    backlog::correct(&mut transaction, now).await?;
    queue::forget_settled(&mut transaction).await?;
    transaction.commit().await?;
    let limit = context.config.feeds.details_per_day;
    let left = match backlog::left(&mut connection, limit, now).await? {
        Ok(left) => left,
        Err(until) => return Ok(Fetched::Paused(until)),
    };
    let count = left.map_or(BATCH, |left| left.min(BATCH));
    let details = context.config.feeds.details;
    let due = queue::due(&mut connection, details, now, count).await?;
    if due.is_empty() {
        return Ok(Fetched::Nothing(queue::next_at(&mut connection).await?));
    }
    drop(connection);
    let run = match run::begin(context, &SourceKey::Details, Mode::Details).await? {
        Ok(run) => run,
        Err(holder) => return Ok(Fetched::Busy(holder)),
    };
    let mut work = Work::default();
    let result = caught(fetch_all(&run, due, &mut work)).await;
    let is_refused = matches!(
        result,
        Err(Failure::Upstream(ClientError::Forbidden { .. }))
    );
    let until = is_refused.then(|| context.clock.now() + REFUSED_PAUSE);
    run.pause_source_until(until).await?;
    Ok(Fetched::Ended(run.end(work, result).await?))
}

/// Stores details that are saved, in place of those that are due; a run for each batch.
/// Those that are not saved stay pending.
pub(crate) async fn fetch_these(
    context: &Context,
    saved: Vec<String>,
) -> Result<Vec<Ran>, Failure> {
    let mut ran = Vec::new();
    for batch in saved.chunks(SAVED_BATCH) {
        let run = match run::begin(context, &SourceKey::Details, Mode::Details).await? {
            Ok(run) => run,
            Err(holder) => return Ok(vec![Ran::Busy(holder)]),
        };
        let mut work = Work::default();
        let result = caught(fetch_all(&run, batch.to_vec(), &mut work)).await;
        ran.push(Ran::Ended(run.end(work, result).await?));
    }
    Ok(ran)
}

async fn fetch_all(run: &Run, due: Vec<String>, work: &mut Work) -> Result<(), Failure> {
    let mut connection = run.context.pool.acquire().await?;
    let throttled_alone = throttled::alone(&mut connection, &due).await?;
    drop(connection);
    let fetching = Fetching {
        context: Context {
            client: run.context.client.in_the_background(),
            ..run.context.clone()
        },
        guard: run.guard.clone(),
        origin: run.origin,
        is_throttled_alone: false,
    };
    let mut due = due.into_iter();
    let mut in_progress = InProgress::new();
    let (mut refusals, mut failures) = (Refusals::default(), Failures::default());
    loop {
        let most = refusals.most_at_once(MAX_CONCURRENT);
        while in_progress.len() < most
            && let Some(said) = due.next()
        {
            let fetching = Fetching {
                is_throttled_alone: throttled_alone.contains(&said),
                ..fetching.clone()
            };
            in_progress.spawn(fetching.fetch_one(said));
        }
        let Some(ended) = in_progress.join_next().await else {
            failures.judge_rest()?;
            return refusals.judge_rest(&fetching).await;
        };
        run.context.progress.add(0, 1);
        let judged = match work.count(ended) {
            Ok(Counted::Failed(error)) => failures.take(error),
            Ok(Counted::Throttled) => Ok(()),
            Ok(Counted::Answered(refused)) => {
                failures.answered();
                refusals.take(refused, &fetching, &mut due).await
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = judged {
            drain(&mut in_progress, work).await;
            return Err(failure);
        }
    }
}

/// Waits for requests in progress and stores their results. What does not finish in time
/// is dropped and stays in the queue.
async fn drain(in_progress: &mut InProgress, work: &mut Work) {
    let finished = async {
        while let Some(ended) = in_progress.join_next().await {
            // The first failure is the one that is reported.
            let _ = work.count(ended);
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, finished).await;
}

type InProgress = JoinSet<Result<DetailResult, Failure>>;

/// A result that was counted.
enum Counted {
    /// Upstream answered, perhaps with a refusal.
    Answered(Option<ClientError>),
    /// These details were not received.
    Failed(ClientError),
    /// These details are always throttled.
    Throttled,
}

impl Work {
    /// Counts a result.
    fn count(
        &mut self,
        ended: Result<Result<DetailResult, Failure>, JoinError>,
    ) -> Result<Counted, Failure> {
        match ended.map_err(|error| Failure::Broken(error.to_string()))?? {
            DetailResult::Stored(outcome, hash) => {
                self.received.add(&hash);
                self.tally.seen += 1;
                let count = match outcome {
                    DetailOutcome::Added => &mut self.tally.added,
                    DetailOutcome::Changed => &mut self.tally.changed,
                    DetailOutcome::Unchanged
                    | DetailOutcome::Elsewhere
                    | DetailOutcome::Older
                    | DetailOutcome::Alternating => &mut self.tally.unchanged,
                };
                *count += 1;
            }
            DetailResult::Unreadable => self.tally.quarantined += 1,
            DetailResult::Unavailable => {}
            DetailResult::Refused(error) => return Ok(Counted::Answered(Some(error))),
            DetailResult::Failed(error) => return Ok(Counted::Failed(error)),
            DetailResult::Throttled => return Ok(Counted::Throttled),
        }
        Ok(Counted::Answered(None))
    }
}
