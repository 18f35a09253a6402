//! Fetches details that are wanted: whole advisories from the JSON API, one
//! request each, whenever nothing else waits for upstream.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{JoinError, JoinSet};

use crate::config::Config;
use crate::http::{ClientError, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Report, Run, Work};
use crate::job::transaction;
use crate::model::{Detail, Fingerprint, Forecast, Mode, SourceKey, forecast, plain_fingerprint};
use crate::source::page::Unreadable;
use crate::source::{detail as detail_source, xml};
use crate::store::advisories::detail::{self, DetailOutcome, Record};
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::quarantine;
use crate::store::ledger::source;
use crate::store::origin::Origin;
use crate::store::wanted::backlog::{self, Backlog};
use crate::store::wanted::queue;

/// Where upstream serves advisories (contract §7).
pub(crate) const PATH: &str = "/api/advisories/";
/// Details of one run: a row in the ledger about every twenty seconds.
const BATCH: i64 = 100;
/// Requests under way at once, so that a slow upstream does not set the pace.
const AT_ONCE: usize = 4;
/// How long what was sent already may take once fetching has to stop.
const DRAINS_FOR: Duration = Duration::from_secs(5);
/// How long nothing is asked for that this account may not have.
const RESTS: TimeDelta = TimeDelta::hours(6);
/// Fewer say nothing about the pace.
const TELLING: i64 = 20;

/// What came of asking for wanted details.
#[derive(Debug)]
pub enum Fetched {
    /// A run that ended, good or bad.
    Ended(Report),
    /// Another process fetches them.
    Busy,
    /// None is due before this time; `None`: none is wanted.
    Nothing(Option<DateTime<Utc>>),
    /// None may be asked for before this time: upstream refuses them, or those of
    /// the day are used up.
    Rests(DateTime<Utc>),
}

/// Fetches the details that are due, at most a batch of them.
pub async fn fetch(context: &Context) -> Result<Fetched, Failure> {
    let now = context.clock.now();
    let mut connection = context.pool.acquire().await?;
    let rests = source::find(&mut connection, &SourceKey::Details)
        .await?
        .and_then(|found| found.rests_until);
    if let Some(until) = rests.filter(|until| *until > now) {
        return Ok(Fetched::Rests(until));
    }
    let limit = context.config.feeds.details_per_day;
    let left = match backlog::left(&mut connection, limit, now).await? {
        Ok(left) => left,
        Err(until) => return Ok(Fetched::Rests(until)),
    };
    queue::forget_settled(&mut connection).await?;
    let most = left.map_or(BATCH, |left| left.min(BATCH));
    let details = context.config.feeds.details;
    let due = queue::due(&mut connection, details, now, most).await?;
    if due.is_empty() {
        return Ok(Fetched::Nothing(queue::next_at(&mut connection).await?));
    }
    drop(connection);
    let Some(run) = run::begin(context, &SourceKey::Details, Mode::Details).await? else {
        return Ok(Fetched::Busy);
    };
    let mut work = Work::default();
    let result = fetch_all(&run, due, &mut work).await;
    let is_refused = matches!(
        result,
        Err(Failure::Upstream(ClientError::Forbidden { .. }))
    );
    let mut connection = context.pool.acquire().await?;
    let until = is_refused.then(|| context.clock.now() + RESTS);
    source::pause_until(&mut connection, run.source.id, until).await?;
    drop(connection);
    Ok(Fetched::Ended(run.end(work, result).await?))
}

async fn fetch_all(run: &Run, due: Vec<String>, work: &mut Work) -> Result<(), Failure> {
    let fetching = Fetching {
        context: Context {
            client: run.context.client.in_the_background(),
            ..run.context.clone()
        },
        origin: run.origin,
    };
    let mut due = due.into_iter();
    let mut under_way = UnderWay::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(said) = due.next()
        {
            under_way.spawn(fetching.clone().one(said));
        }
        let Some(ended) = under_way.join_next().await else {
            return Ok(());
        };
        if let Err(failure) = work.count(ended) {
            drain(&mut under_way, work).await;
            return Err(failure);
        }
    }
}

/// Takes in what was sent already. What does not come in time is dropped with the
/// set, and stays wanted.
async fn drain(under_way: &mut UnderWay, work: &mut Work) {
    let rest = async {
        while let Some(ended) = under_way.join_next().await {
            // The first failure is the one that is told.
            let _ = work.count(ended);
        }
    };
    let _ = tokio::time::timeout(DRAINS_FOR, rest).await;
}

type UnderWay = JoinSet<Result<Step, Failure>>;

/// What one request came to.
enum Step {
    Stored(DetailOutcome, Fingerprint),
    Unreadable,
    Unavailable,
}

impl Work {
    fn count(&mut self, ended: Result<Result<Step, Failure>, JoinError>) -> Result<(), Failure> {
        match ended.map_err(|error| Failure::Broken(error.to_string()))?? {
            Step::Stored(came, hash) => {
                self.received.add(&hash);
                self.tally.seen += 1;
                let count = match came {
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
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Fetching {
    context: Context,
    origin: Origin,
}

impl Fetching {
    /// Fetches one detail. `Err`: not only this one cannot be had now.
    async fn one(self, said: String) -> Result<Step, Failure> {
        if !is_plain(&said) {
            let why = "its identifier cannot be part of an address";
            return self.unavailable(&said, why).await;
        }
        self.spend().await?;
        match self.ask(&said).await {
            Ok(body) => self.take_in(&said, &body).await,
            Err(Failure::Upstream(error @ ClientError::NotFound { .. })) => {
                self.unavailable(&said, &error.to_string()).await
            }
            Err(failure) => {
                if let Failure::Upstream(error) = &failure
                    && is_about_this_one(error)
                {
                    let mut connection = self.context.pool.acquire().await?;
                    let now = self.context.clock.now();
                    queue::failed(&mut connection, &said, &failure.chain(), now).await?;
                }
                Err(failure)
            }
        }
    }

    /// Counts the request before it is sent.
    async fn spend(&self) -> Result<(), Failure> {
        if self.context.config.feeds.details_per_day == 0 {
            return Ok(());
        }
        let mut connection = self.context.pool.acquire().await?;
        backlog::spend(&mut connection, self.context.clock.now()).await?;
        Ok(())
    }

    async fn ask(&self, said: &str) -> Result<bytes::Bytes, Failure> {
        let request = Request::new(format!("{PATH}{said}/"), Kind::Json);
        let answer = async {
            let mut answer = self.context.client.get_whole(&request).await?;
            answer.bytes().await
        };
        Ok(self.context.or_stopped(answer).await??)
    }

    async fn take_in(&self, said: &str, body: &[u8]) -> Result<Step, Failure> {
        let read = detail_source::read(&self.context.rules, body).and_then(|detail| {
            let found = &detail.advisory.said;
            if found == said {
                return Ok(detail);
            }
            Err(Unreadable {
                key: Some(said.to_owned()),
                reason: format!("{said} was asked for, and {found} came"),
                raw: xml::printable(body),
            })
        });
        match read {
            Ok(detail) => {
                let came = self.store(&detail).await?;
                Ok(Step::Stored(came, detail.byte_hash))
            }
            Err(Unreadable { reason, raw, .. }) => self.quarantine(said, body, reason, raw).await,
        }
    }

    async fn store(&self, detail: &Detail) -> Result<DetailOutcome, Failure> {
        let (pool, run_id) = (&self.context.pool, self.origin.run_id);
        let mut transaction = transaction::begin_at(WriteLock::Exclusive, pool, run_id).await?;
        let now = self.context.clock.now();
        let origin = Origin {
            at: now,
            ..self.origin
        };
        let said = &detail.advisory.said;
        let record = record(&mut transaction, &self.context.rules, said).await?;
        quarantine::release_key(&mut transaction, origin.source_id, said).await?;
        let came = detail::store(&mut transaction, origin, detail, record.as_ref()).await?;
        transaction.commit().await?;
        Ok(came)
    }

    async fn quarantine(
        &self,
        said: &str,
        body: &[u8],
        reason: String,
        raw: String,
    ) -> Result<Step, Failure> {
        let mut transaction = transaction::begin(&self.context.pool, self.origin.run_id).await?;
        let now = self.context.clock.now();
        queue::unavailable(&mut transaction, said, &reason, now).await?;
        let record = quarantine::Unreadable {
            key: Some(said.to_owned()),
            reason,
            byte_hash: plain_fingerprint(body),
            raw,
        };
        let origin = Origin {
            at: now,
            ..self.origin
        };
        quarantine::keep(&mut transaction, origin, &[record]).await?;
        transaction.commit().await?;
        Ok(Step::Unreadable)
    }

    async fn unavailable(&self, said: &str, why: &str) -> Result<Step, Failure> {
        let mut connection = self.context.pool.acquire().await?;
        queue::unavailable(&mut connection, said, why, self.context.clock.now()).await?;
        Ok(Step::Unavailable)
    }
}

/// The feed's record of an advisory, read with today's rules.
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

/// Identifiers follow the operator's pattern, and come from outside.
fn is_plain(said: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    said.chars().all(is_plain) && said.chars().any(|letter| letter.is_ascii_alphanumeric())
}

/// Whether the next advisory may well be answered all the same.
fn is_about_this_one(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Forbidden { .. }
            | ClientError::TokenRejected { .. }
            | ClientError::Throttled { .. }
            | ClientError::DailyBudget { .. }
    )
}

/// When all that is wanted now will be there.
pub fn outlook(config: &Config, backlog: &Backlog, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let wanted = u64::try_from(backlog.wanted).ok()?;
    let measured = backlog
        .lately_since
        .filter(|_| backlog.lately >= TELLING)
        .map(|since| {
            let minutes = (now - since).as_seconds_f64() / 60.0;
            // Below a few seconds the quotient would be nonsense.
            f64::from(i32::try_from(backlog.lately).unwrap_or(i32::MAX)) / minutes.max(0.1)
        });
    let allowed = f64::from(config.upstream.requests_per_minute);
    let given = Forecast {
        wanted,
        per_minute: measured.unwrap_or(allowed).min(allowed),
        per_day: config.feeds.details_per_day,
        used: u32::try_from(backlog.requests_of_day).unwrap_or(u32::MAX),
    };
    (wanted > 0).then(|| forecast(given, now)).flatten()
}
