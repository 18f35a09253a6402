//! Alert delivery: claims due deliveries of a sink (outbox with leases), sends the messages,
//! records the outcome.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{error, warn};

use super::attempt::{Attempted, attempt};
use super::circuit_breaker::{CircuitBreaker, MAX_CONCURRENT};
use super::lease::LEASE;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::outage;
use crate::model::Ending;
use crate::sink::Sink;
use crate::store::alerts::delivery::{self, ClaimedDelivery};
use crate::store::alerts::sink_state;
use crate::store::database;

/// While a queue waits, claim only when at least this many messages can be sent.
const WORTH_A_CLAIM: usize = MAX_CONCURRENT / 2;
/// Poll interval, in case a notification is lost.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// Minimum pause before the next poll.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// The outcomes of one pass over the due deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that were delivered.
    pub delivered: u64,
    /// Messages that will be retried.
    pub postponed: u64,
    /// Messages that became dead letters.
    pub abandoned: u64,
    /// Each sink that failed, with the reason of its last failure.
    pub failures: Vec<(String, String)>,
}

impl Delivered {
    /// Adds the outcomes of another sink.
    pub(crate) fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.postponed += other.postponed;
        self.abandoned += other.abandoned;
        self.failures.extend(other.failures);
    }

    fn count(&mut self, ending: &Ending) {
        match ending {
            Ending::Delivered => self.delivered += 1,
            Ending::Postponed { .. } => self.postponed += 1,
            Ending::Abandoned { .. } => self.abandoned += 1,
        }
    }
}

/// Delivers to one sink until advisoryd stops; `wake` notifies that something may be
/// due. Deliveries are claimed with a connection of `quick`, see [`database::beside`].
/// Attempts in progress are awaited before it returns.
pub async fn keep_delivering(context: Context, quick: PgPool, sink: Arc<Sink>, wake: Arc<Notify>) {
    let claiming = Context {
        pool: quick,
        ..context.clone()
    };
    // Separate tasks: they continue during database queries, and a panic in one does
    // not affect the others.
    let mut in_progress = JoinSet::new();
    let mut breaker = breaker(&context, &sink).await;
    let mut is_drained = true;
    let (who, mut has_failed) = (format!("sink `{}`", sink.name()), false);
    while !context.stop.is_cancelled() {
        while let Some(ended) = in_progress.try_join_next() {
            record(&mut breaker, &sink, ended);
        }
        let free = capacity(&breaker, &sink, in_progress.len());
        let worth = sink
            .concurrency()
            .unwrap_or(WORTH_A_CLAIM)
            .min(WORTH_A_CLAIM);
        if !is_drained && !in_progress.is_empty() && free < worth {
            // More is due than can be sent now. Claiming one at a time would cost a
            // commit for each message.
            if let Some(ended) = in_progress.join_next().await {
                record(&mut breaker, &sink, ended);
            }
            continue;
        }
        is_drained = true;
        database::follow(&claiming.pool, &context.pool);
        match claim(&claiming, &sink, free).await {
            Ok(claims) => {
                if std::mem::take(&mut has_failed) {
                    outage::end(&context, &who);
                }
                is_drained = claims.len() < free;
                start_attempts(&mut in_progress, &context, &sink, claims);
            }
            Err(failure) if failure.is_database_away() => {
                has_failed = true;
                // Boxed: it is rarely needed.
                Box::pin(outage::begin(&context, &who, &failure)).await;
            }
            Err(failure) => warn!(
                sink = sink.name(), error = %failure.chain(),
                "sink `{}`: could not claim due deliveries, will retry: {}", sink.name(), failure.chain()
            ),
        }
        let pause = match breaker.open_for(Instant::now()) {
            Some(pause) => pause,
            None if is_drained => pause(&claiming, &sink).await,
            // More is due than can be sent now.
            None => POLL_EVERY,
        };
        tokio::select! {
            biased;
            () = context.stop.cancelled() => break,
            Some(ended) = in_progress.join_next() => record(&mut breaker, &sink, ended),
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    outage::leave(&context, &who);
    while in_progress.join_next().await.is_some() {}
}

/// How many messages may be sent in addition to those in progress.
fn capacity(breaker: &CircuitBreaker, sink: &Sink, in_progress: usize) -> usize {
    let of_sink = sink.concurrency().unwrap_or(usize::MAX);
    let of_sink = of_sink.saturating_sub(in_progress);
    breaker.capacity(in_progress, Instant::now()).min(of_sink)
}

/// A circuit breaker that starts with the failures recorded in the database.
async fn breaker(context: &Context, sink: &Sink) -> CircuitBreaker {
    let failures = async {
        let mut connection = context.pool.acquire().await?;
        sink_state::failures(&mut connection, sink.name()).await
    };
    // While the database is unreachable there is nothing to deliver either.
    let failures = failures.await.unwrap_or_default();
    CircuitBreaker::after(u32::try_from(failures).unwrap_or_default())
}

type InProgress = JoinSet<Result<Attempted, Failure>>;

fn start_attempts(
    in_progress: &mut InProgress,
    context: &Context,
    sink: &Arc<Sink>,
    claims: Vec<ClaimedDelivery>,
) {
    for claim in claims {
        let (context, sink) = (context.clone(), Arc::clone(sink));
        in_progress.spawn(async move { attempt(&context, &sink, claim).await });
    }
}

fn record(
    breaker: &mut CircuitBreaker,
    sink: &Sink,
    ended: Result<Result<Attempted, Failure>, JoinError>,
) {
    match ended {
        Ok(Ok(attempted)) => {
            breaker.record(&attempted.ending, attempted.retry_after, Instant::now());
        }
        // Logged where it happened.
        Ok(Err(_)) => {}
        Err(panic) => error!(
            sink = sink.name(), error = %panic,
            "sink `{}`: a delivery attempt panicked, will retry with the same id: {panic}", sink.name()
        ),
    }
}

/// Delivers what is due for a sink now, then returns. If the sink is down or asks to
/// wait, the rest is left for the next time.
pub async fn deliver_due(context: &Context, sink: &Sink) -> Result<Delivered, Failure> {
    let mut all = Delivered::default();
    let mut breaker = breaker(context, sink).await;
    while !context.stop.is_cancelled() {
        let claims = claim(context, sink, capacity(&breaker, sink, 0)).await?;
        if claims.is_empty() {
            break;
        }
        let attempts = claims
            .into_iter()
            .map(|claim| attempt(context, sink, claim));
        let mut attempts: FuturesUnordered<_> = attempts.collect();
        while let Some(attempted) = attempts.next().await {
            let Attempted {
                ending,
                retry_after,
            } = attempted?;
            all.count(&ending);
            if let Ending::Postponed { error, .. } | Ending::Abandoned { error } = &ending {
                all.failures = vec![(sink.name().to_owned(), error.clone())];
            }
            breaker.record(&ending, retry_after, Instant::now());
        }
    }
    Ok(all)
}

/// Claims at most `limit` due deliveries of a sink.
pub async fn claim(
    context: &Context,
    sink: &Sink,
    limit: usize,
) -> Result<Vec<ClaimedDelivery>, Failure> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let now = context.clock.now();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut transaction = database::begin(&context.pool).await?;
    delivery::seal(&mut transaction, now).await?;
    let claims = delivery::claim(
        &mut transaction,
        (sink.name(), sink.order()),
        limit,
        (now, LEASE),
    )
    .await?;
    transaction.commit().await?;
    Ok(claims)
}

/// How long to wait until the next delivery may be due.
async fn pause(context: &Context, sink: &Sink) -> Duration {
    let Ok(mut connection) = context.pool.acquire().await else {
        return POLL_EVERY;
    };
    let now = context.clock.now();
    let until = now + TimeDelta::from_std(POLL_EVERY).unwrap_or_default();
    // Deliveries that became due since the claim were not part of it.
    let since = now - TimeDelta::seconds(1);
    match delivery::next_due(&mut connection, sink.name(), (since, until)).await {
        Ok(Some(at)) => (at - now).to_std().unwrap_or_default().max(MIN_PAUSE),
        Ok(None) | Err(_) => POLL_EVERY,
    }
}
