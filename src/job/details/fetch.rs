//! Works off the fetch queue: whole advisories from the JSON API, one request each, at
//! background priority of the rate limiter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{JoinError, JoinSet};

use super::identifier::is_plain;
use super::refusals::Refusals;
use crate::http::{ClientError, Kind, Request};
use crate::job::caught::caught;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Report, Run, Work};
use crate::job::transaction::Guard;
use crate::model::{Detail, Fingerprint, Holder, Mode, SourceKey, plain_fingerprint};
use crate::source::page::Unreadable;
use crate::source::{detail as detail_source, large, xml};
use crate::store;
use crate::store::advisories::detail::{self, DetailOutcome, Record};
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::quarantine;
use crate::store::ledger::source;
use crate::store::origin::Origin;
use crate::store::wanted::backlog;
use crate::store::wanted::queue;

/// Path of the advisories.
pub(crate) const PATH: &str = "/api/advisories/";
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
    Ended(Report),
    /// Another process is fetching.
    Busy(Holder),
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
        && pauses.holds(&SourceKey::Details, paused_until, REFUSED_PAUSE, now)
    {
        return Ok(Fetched::Paused(until));
    }
    let limit = context.config.feeds.details_per_day;
    let left = match backlog::left(&mut connection, limit, now).await? {
        Ok(left) => left,
        Err(until) => return Ok(Fetched::Paused(until)),
    };
    queue::forget_settled(&mut connection).await?;
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
    let fetching = Fetching {
        context: Context {
            client: run.context.client.in_the_background(),
            ..run.context.clone()
        },
        guard: run.guard.clone(),
        origin: run.origin,
    };
    let mut due = due.into_iter();
    let mut in_progress = InProgress::new();
    let mut refusals = Refusals::default();
    loop {
        let most = refusals.most_at_once(MAX_CONCURRENT);
        while in_progress.len() < most
            && let Some(said) = due.next()
        {
            in_progress.spawn(fetching.clone().fetch_one(said));
        }
        let Some(ended) = in_progress.join_next().await else {
            return refusals.judge_rest(&fetching).await;
        };
        run.context.progress.add(0, 1);
        let counted = match work.count(ended) {
            Ok(refused) => refusals.take(refused, &fetching, &mut due).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = counted {
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

type InProgress = JoinSet<Result<Step, Failure>>;

/// The result of one request.
enum Step {
    Stored(DetailOutcome, Fingerprint),
    Unreadable,
    Unavailable,
    /// Upstream refuses these details to the account, or all of them.
    Refused(ClientError),
}

impl Work {
    /// Counts a result; returns the refusal if it is one.
    fn count(
        &mut self,
        ended: Result<Result<Step, Failure>, JoinError>,
    ) -> Result<Option<ClientError>, Failure> {
        match ended.map_err(|error| Failure::Broken(error.to_string()))?? {
            Step::Stored(outcome, hash) => {
                self.received.add(&hash);
                self.tally.seen += 1;
                let count = match outcome {
                    DetailOutcome::Added => &mut self.tally.added,
                    DetailOutcome::Changed => &mut self.tally.changed,
                    DetailOutcome::Unchanged | DetailOutcome::Elsewhere | DetailOutcome::Older => {
                        &mut self.tally.unchanged
                    }
                };
                *count += 1;
            }
            Step::Unreadable => self.tally.quarantined += 1,
            Step::Unavailable => {}
            Step::Refused(error) => return Ok(Some(error)),
        }
        Ok(None)
    }
}

#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) context: Context,
    guard: Guard,
    origin: Origin,
}

impl Fetching {
    /// Fetches one detail. `Err` ends the run: the next request would probably fail too.
    async fn fetch_one(self, said: String) -> Result<Step, Failure> {
        if !is_plain(&said) {
            let why = "its identifier cannot be part of a URL";
            return self.unavailable(&said, why).await;
        }
        self.count_request().await?;
        match self.request(&said).await {
            Ok(body) => self.store_response(&said, &body).await,
            Err(Failure::Upstream(error @ ClientError::NotFound { .. })) => {
                self.unavailable(&said, &error.to_string()).await
            }
            Err(Failure::Upstream(
                ref error @ (ClientError::TooLarge { ref head, .. }
                | ClientError::TooManyValues { ref head, .. }),
            )) => {
                let reason = large::too_large(&error.to_string(), head.len());
                let raw = xml::printable(head);
                self.quarantine(&said, head, reason, raw).await
            }
            Err(Failure::Upstream(error @ ClientError::Forbidden { .. })) => {
                self.failed(&said, &error.to_string(), true).await?;
                Ok(Step::Refused(error))
            }
            Err(failure) => {
                if let Failure::Upstream(error) = &failure {
                    // It may be this one that is throttled: others come first.
                    let is_throttled = matches!(error, ClientError::Throttled { .. });
                    let is_own = is_specific(error);
                    if is_own || is_throttled {
                        self.failed(&said, &failure.chain(), is_own).await?;
                    }
                }
                Err(failure)
            }
        }
    }

    /// Whether the account may read these details; `false` if upstream refuses them.
    pub(super) async fn is_allowed(&self, said: &str) -> Result<bool, Failure> {
        self.count_request().await?;
        match self.request(said).await {
            Err(Failure::Upstream(ClientError::Forbidden { .. })) => Ok(false),
            Err(Failure::Upstream(error))
                if error.is_too_large() || matches!(error, ClientError::NotFound { .. }) =>
            {
                Ok(true)
            }
            response => response.map(|_| true),
        }
    }

    /// Records that a request failed, for this advisory or (`!is_own`) perhaps for all.
    async fn failed(&self, said: &str, why: &str, is_own: bool) -> Result<(), Failure> {
        let now = self.context.clock.now();
        let mut transaction = self.guard.begin().await?;
        if is_own {
            queue::failed(&mut transaction, said, why, now).await?;
        } else {
            queue::postponed(&mut transaction, said, why, now).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Counts the request against the daily quota, before it is sent.
    async fn count_request(&self) -> Result<(), Failure> {
        let config = &self.context.config;
        if config.feeds.details_per_day == 0 || config.upstream.offline {
            return Ok(());
        }
        let mut transaction = self.guard.begin().await?;
        backlog::spend(&mut transaction, self.context.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn request(&self, said: &str) -> Result<bytes::Bytes, Failure> {
        let request = Request::new(format!("{PATH}{said}/"), Kind::JsonObject);
        let response = async {
            let mut response = self.context.client.get_whole(&request).await?;
            response.bytes().await
        };
        Ok(self.context.or_stopped(response).await??)
    }

    async fn store_response(&self, said: &str, body: &[u8]) -> Result<Step, Failure> {
        let read = detail_source::read(&self.context.rules, body).and_then(|detail| {
            let found = &detail.advisory.said;
            if found == said {
                return Ok(detail);
            }
            Err(Unreadable {
                key: Some(said.to_owned()),
                reason: format!("requested {said}, got {found}"),
                raw: xml::printable(body),
            })
        });
        match read {
            Ok(detail) => match self.store(&detail).await {
                Err(Failure::Store(error)) => match store::refused_value(&error) {
                    Some(reason) => {
                        self.quarantine(said, body, reason, xml::printable(body))
                            .await
                    }
                    None => Err(error.into()),
                },
                outcome => Ok(Step::Stored(outcome?, detail.byte_hash)),
            },
            Err(Unreadable { reason, raw, .. }) => self.quarantine(said, body, reason, raw).await,
        }
    }

    async fn store(&self, detail: &Detail) -> Result<DetailOutcome, Failure> {
        let mut transaction = self.guard.begin_with_lock(WriteLock::Exclusive).await?;
        let now = self.context.clock.now();
        let origin = Origin {
            at: now,
            ..self.origin
        };
        let said = &detail.advisory.said;
        let record = record(&mut transaction, &self.context.rules, said).await?;
        let keys = std::slice::from_ref(said);
        quarantine::release_keys(&mut transaction, origin.source_id, keys, now).await?;
        let outcome = detail::store(&mut transaction, origin, detail, record.as_ref()).await?;
        transaction.commit().await?;
        Ok(outcome)
    }

    async fn quarantine(
        &self,
        said: &str,
        body: &[u8],
        reason: String,
        raw: String,
    ) -> Result<Step, Failure> {
        let mut transaction = self.guard.begin().await?;
        let now = self.context.clock.now();
        queue::unavailable(&mut transaction, said, &reason, now).await?;
        let record = quarantine::Unreadable {
            key: Some(said.to_owned()),
            hints: Vec::new(),
            reason,
            byte_hash: plain_fingerprint(body),
            raw,
        };
        let origin = Origin {
            at: now,
            ..self.origin
        };
        let is_kept = quarantine::keep(&mut transaction, origin, &[record]).await?;
        transaction.commit().await?;
        if !is_kept {
            tracing::warn!(said, "{said}: {}", Failure::NoRoom);
        }
        Ok(Step::Unreadable)
    }

    async fn unavailable(&self, said: &str, why: &str) -> Result<Step, Failure> {
        let mut transaction = self.guard.begin().await?;
        queue::unavailable(&mut transaction, said, why, self.context.clock.now()).await?;
        transaction.commit().await?;
        Ok(Step::Unavailable)
    }
}

/// The feed's record of an advisory, parsed with the current rules.
pub(crate) async fn record(
    connection: &mut sqlx::PgConnection,
    rules: &xml::Rules,
    said: &str,
) -> Result<Option<Record>, sqlx::Error> {
    let raw = detail::record(connection, said).await?;
    Ok(raw.map(|raw| Record {
        advisory: xml::read_record(rules, raw.as_bytes()).ok(),
        raw,
    }))
}

/// Whether the error concerns only this advisory, so that others may still succeed.
fn is_specific(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Forbidden { .. }
            | ClientError::TokenRejected { .. }
            | ClientError::Throttled { .. }
            | ClientError::DailyBudget { .. }
    )
}
