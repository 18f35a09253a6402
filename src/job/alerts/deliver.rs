//! Delivers: claims what is due for a sink, sends it, settles what came of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{error, warn};

use super::attempt::{Attempted, LEASE, attempt};
use super::circuit_breaker::{AT_ONCE, CircuitBreaker};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::Ending;
use crate::sink::Sink;
use crate::store::alerts::delivery::{self, Claim};
use crate::store::alerts::sink_state;

/// Room for so many messages is worth a claim of its own while a queue waits.
const WORTH_A_CLAIM: usize = AT_ONCE / 2;
/// A lost notification is made up for by looking now and then.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Pause before what has come due just now, so that no two looks follow at once.
const SHORTLY: Duration = Duration::from_millis(20);
/// What one pass over what was due did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that were taken.
    pub delivered: u64,
    /// Messages that are tried again.
    pub postponed: u64,
    /// Messages that were given up.
    pub abandoned: u64,
}

impl Delivered {
    /// Adds another sink's.
    pub(crate) fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.postponed += other.postponed;
        self.abandoned += other.abandoned;
    }

    fn count(&mut self, ending: &Ending) {
        match ending {
            Ending::Delivered => self.delivered += 1,
            Ending::Postponed { .. } => self.postponed += 1,
            Ending::Abandoned { .. } => self.abandoned += 1,
        }
    }
}

/// Delivers to one sink until the program stops; `wake` says that something may
/// be due. What is under way then is awaited.
pub async fn keep_delivering(context: Context, sink: Arc<Sink>, wake: Arc<Notify>) {
    // Tasks of their own: they go on while the database is asked, and one that
    // panics takes no other with it.
    let mut under_way = JoinSet::new();
    let mut breaker = breaker(&context, &sink).await;
    let mut is_drained = true;
    while !context.stop.is_cancelled() {
        while let Some(ended) = under_way.try_join_next() {
            note(&mut breaker, &sink, ended);
        }
        let free = breaker.room(under_way.len(), Instant::now());
        if !is_drained && !under_way.is_empty() && free < WORTH_A_CLAIM {
            // More waits than there is room for: a claim of one at a time would cost
            // a commit for each message.
            if let Some(ended) = under_way.join_next().await {
                note(&mut breaker, &sink, ended);
            }
            continue;
        }
        is_drained = true;
        match claim(&context, &sink, free).await {
            Ok(claims) => {
                is_drained = claims.len() < free;
                begin(&mut under_way, &context, &sink, claims);
            }
            Err(failure) => warn!(
                sink = sink.name(), error = %failure.chain(),
                "sink `{}`: what is due could not be claimed and is looked for again: {}", sink.name(), failure.chain()
            ),
        }
        let pause = match breaker.holds_for(Instant::now()) {
            Some(pause) => pause,
            None if is_drained => pause(&context, &sink).await,
            // There is more than there is room for.
            None => LOOK_AGAIN,
        };
        tokio::select! {
            biased;
            () = context.stop.cancelled() => break,
            Some(ended) = under_way.join_next() => note(&mut breaker, &sink, ended),
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// What other processes, and this one before, met with the sink counts too.
async fn breaker(context: &Context, sink: &Sink) -> CircuitBreaker {
    let failures = async {
        let mut connection = context.pool.acquire().await?;
        sink_state::failures(&mut connection, sink.name()).await
    };
    // A database that is away has nothing to deliver either.
    let failures = failures.await.unwrap_or_default();
    CircuitBreaker::after(u32::try_from(failures).unwrap_or_default())
}

type UnderWay = JoinSet<Result<Attempted, Failure>>;

fn begin(under_way: &mut UnderWay, context: &Context, sink: &Arc<Sink>, claims: Vec<Claim>) {
    for claim in claims {
        let (context, sink) = (context.clone(), Arc::clone(sink));
        under_way.spawn(async move { attempt(&context, &sink, claim).await });
    }
}

fn note(
    breaker: &mut CircuitBreaker,
    sink: &Sink,
    ended: Result<Result<Attempted, Failure>, JoinError>,
) {
    match ended {
        Ok(Ok(attempted)) => breaker.note(&attempted.ending, attempted.asked, Instant::now()),
        // It was told where it happened.
        Ok(Err(_)) => {}
        Err(panic) => error!(
            sink = sink.name(), error = %panic,
            "sink `{}`: an attempt broke off and is repeated under the same id: {panic}", sink.name()
        ),
    }
}

/// Delivers what is due for a sink now, and ends. Of one that is down, or asks to
/// be left alone, the rest is left to the next time.
pub async fn deliver_due(context: &Context, sink: &Sink) -> Result<Delivered, Failure> {
    let mut all = Delivered::default();
    let mut breaker = breaker(context, sink).await;
    while !context.stop.is_cancelled() {
        let claims = claim(context, sink, breaker.room(0, Instant::now())).await?;
        if claims.is_empty() {
            break;
        }
        let attempts = claims
            .into_iter()
            .map(|claim| attempt(context, sink, claim));
        let mut attempts: FuturesUnordered<_> = attempts.collect();
        while let Some(attempted) = attempts.next().await {
            let Attempted { ending, asked } = attempted?;
            all.count(&ending);
            breaker.note(&ending, asked, Instant::now());
        }
    }
    Ok(all)
}

/// Claims at most `most` of what is due for a sink.
pub async fn claim(context: &Context, sink: &Sink, most: usize) -> Result<Vec<Claim>, Failure> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let now = context.clock.now();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut transaction = context.pool.begin().await?;
    delivery::seal(&mut transaction, now).await?;
    let lease = TimeDelta::from_std(LEASE).unwrap_or(TimeDelta::MAX);
    let claims = delivery::claim(
        &mut transaction,
        (sink.name(), sink.keeps()),
        most,
        (now, lease),
    )
    .await?;
    transaction.commit().await?;
    Ok(claims)
}

/// How long nothing can be due, as far as is known.
async fn pause(context: &Context, sink: &Sink) -> Duration {
    let Ok(mut connection) = context.pool.acquire().await else {
        return LOOK_AGAIN;
    };
    let now = context.clock.now();
    let until = now + TimeDelta::from_std(LOOK_AGAIN).unwrap_or_default();
    // What came due since the claim was left out of it.
    let since = now - TimeDelta::seconds(1);
    match delivery::next_due(&mut connection, sink.name(), (since, until)).await {
        Ok(Some(at)) => (at - now).to_std().unwrap_or_default().max(SHORTLY),
        Ok(None) | Err(_) => LOOK_AGAIN,
    }
}
