//! Delivers: claims what is due for a sink, sends it, settles what came of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::brake::{AT_ONCE, Brake};
use super::context::Context;
use super::failure::Failure;
use crate::sink::{Receipt, Refused, Sink};
use crate::store::delivery::{self, Attempt, Claim, Ending};
use crate::store::sink_state;

/// Pauses after each failure; the one after the last makes a dead letter. Those
/// of Svix: a receiver that is down over a weekend still hears of it.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// Pauses vary by this part, so that not all come back at once.
const JITTER: f64 = 0.2;
/// A claim is ours for longer than any sink may take (a minute), so that two
/// daemons do not send the same.
const LEASE: Duration = Duration::from_mins(3);
/// Room for so many messages is worth a claim of its own while a queue waits.
const WORTH_A_CLAIM: usize = AT_ONCE / 2;
/// A lost notification is made up for by looking now and then.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Pause before what has come due just now, so that no two looks follow at once.
const SHORTLY: Duration = Duration::from_millis(20);
/// Pause between two attempts to write down what came of a delivery.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

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
    pub(super) fn add(&mut self, other: Self) {
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
    let mut brake = brake(&context, &sink).await;
    let mut is_drained = true;
    loop {
        while let Some(ended) = under_way.try_join_next() {
            note(&mut brake, &sink, ended);
        }
        let free = brake.room(under_way.len(), Instant::now());
        if !is_drained && !under_way.is_empty() && free < WORTH_A_CLAIM {
            // More waits than there is room for: a claim of one at a time would cost
            // a commit for each message.
            if let Some(ended) = under_way.join_next().await {
                note(&mut brake, &sink, ended);
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
        let pause = match brake.holds_for(Instant::now()) {
            Some(pause) => pause,
            None if is_drained => pause(&context, &sink).await,
            // There is more than there is room for.
            None => LOOK_AGAIN,
        };
        tokio::select! {
            biased;
            () = context.stop.cancelled() => break,
            Some(ended) = under_way.join_next() => note(&mut brake, &sink, ended),
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// What other processes, and this one before, met with the sink counts too.
async fn brake(context: &Context, sink: &Sink) -> Brake {
    let failures = async {
        let mut connection = context.pool.acquire().await?;
        sink_state::failures(&mut connection, sink.name()).await
    };
    // A database that is away has nothing to deliver either.
    let failures = failures.await.unwrap_or_default();
    Brake::after(u32::try_from(failures).unwrap_or_default())
}

type UnderWay = JoinSet<Result<Attempted, Failure>>;

fn begin(under_way: &mut UnderWay, context: &Context, sink: &Arc<Sink>, claims: Vec<Claim>) {
    for claim in claims {
        let (context, sink) = (context.clone(), Arc::clone(sink));
        under_way.spawn(async move { attempt(&context, &sink, claim).await });
    }
}

fn note(brake: &mut Brake, sink: &Sink, ended: Result<Result<Attempted, Failure>, JoinError>) {
    match ended {
        Ok(Ok(attempted)) => brake.note(&attempted.ending, attempted.asked, Instant::now()),
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
    let mut brake = brake(context, sink).await;
    while !context.stop.is_cancelled() {
        let claims = claim(context, sink, brake.room(0, Instant::now())).await?;
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
            brake.note(&ending, asked, Instant::now());
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

/// What came of an attempt.
struct Attempted {
    ending: Ending,
    /// How long the receiver asked to be left alone.
    asked: Option<Duration>,
}

/// Sends one message once, without a transaction or connection, and settles it.
async fn attempt(context: &Context, sink: &Sink, claim: Claim) -> Result<Attempted, Failure> {
    let at = context.clock.now();
    let began = Instant::now();
    let sent = sink.send(&claim.message, at).await;
    let attempt = Attempt {
        at,
        latency: TimeDelta::from_std(began.elapsed()).unwrap_or(TimeDelta::MAX),
        status: match &sent {
            Ok(receipt) => receipt.status,
            Err(refused) => refused.status,
        },
        answer: match &sent {
            Ok(receipt) => receipt.answer.clone(),
            Err(refused) => refused.answer.clone(),
        },
        ending: ending(&sent, claim.failures, context.clock.now()),
    };
    crate::measures::attempted(sink.name(), &attempt.ending, began.elapsed());
    tell(&claim, &attempt.ending);
    settle_patiently(context, &claim, &attempt, began + LEASE).await?;
    Ok(Attempted {
        ending: attempt.ending,
        asked: sent.err().and_then(|refused| refused.wait),
    })
}

/// How a delivery goes on.
fn ending(sent: &Result<Receipt, Refused>, failures: i32, now: DateTime<Utc>) -> Ending {
    let Err(refused) = sent else {
        return Ending::Delivered;
    };
    let error = refused.reason.clone();
    let pause = usize::try_from(failures)
        .ok()
        .and_then(|failures| PAUSES.get(failures));
    match pause {
        Some(pause) if refused.can_repeat => {
            let varied = pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
            let wait = varied.max(refused.wait.unwrap_or_default());
            let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
            Ending::Postponed {
                until: now + wait,
                error,
            }
        }
        _ => Ending::Abandoned { error },
    }
}

fn tell(claim: &Claim, ending: &Ending) {
    let (sink, id) = (&claim.sink, &claim.message.id);
    let title = &claim.message.title;
    match ending {
        Ending::Delivered => info!(
            sink = %sink, message.id = %id, alerts = claim.message.alerts.len(),
            "sink `{sink}` was told: {title}"
        ),
        Ending::Postponed { until, error } => warn!(
            sink = %sink, message.id = %id, %error,
            "sink `{sink}` did not take message {id}, which is tried again at {}: {error}", until.format("%Y-%m-%d %H:%M:%S")
        ),
        Ending::Abandoned { error } => error!(
            sink = %sink, message.id = %id, %error,
            "sink `{sink}` did not take message {id}, which is given up (see `advisoryd alerts list --state dead_letter`, and `advisoryd alerts resend`): {error}"
        ),
    }
}

/// Writes down what came of an attempt, however long the database is away, but
/// not for longer than the claim is ours: after that it is sent again.
async fn settle_patiently(
    context: &Context,
    claim: &Claim,
    attempt: &Attempt,
    ours_until: Instant,
) -> Result<(), Failure> {
    loop {
        match settle(context, claim, attempt).await {
            Err(failure) if failure.is_database_away() && Instant::now() < ours_until => {
                tokio::time::sleep(SETTLE_AGAIN).await;
            }
            Err(failure) => {
                error!(
                    sink = %claim.sink, message.id = %claim.message.id, error = %failure.chain(),
                    "what came of message {} could not be written down; it is sent once more, under the same id: {}",
                    claim.message.id, failure.chain()
                );
                return Err(failure);
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Writes down what came of an attempt, in one transaction.
pub async fn settle(context: &Context, claim: &Claim, attempt: &Attempt) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut transaction = context.pool.begin().await?;
    let ours = delivery::settle(&mut transaction, claim, attempt, now).await?;
    match &attempt.ending {
        Ending::Delivered => sink_state::took(&mut transaction, &claim.sink, now).await?,
        Ending::Postponed { error, .. } | Ending::Abandoned { error } => {
            sink_state::refused(&mut transaction, &claim.sink, error, now).await?;
        }
    }
    transaction.commit().await?;
    if !ours {
        warn!(
            sink = %claim.sink, message.id = %claim.message.id,
            "message {} was claimed by another process meanwhile, and may have been sent twice under the same id", claim.message.id
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};

    use super::{PAUSES, ending};
    use crate::sink::Refused;
    use crate::store::delivery::Ending;

    fn refused(can_repeat: bool, wait: Option<Duration>) -> Refused {
        Refused {
            reason: "no".to_owned(),
            status: None,
            answer: String::new(),
            can_repeat,
            wait,
        }
    }

    #[test]
    fn eight_failures_make_a_dead_letter_and_pauses_grow() {
        let now = DateTime::UNIX_EPOCH;
        for (failures, pause) in (0..).zip(PAUSES) {
            let Ending::Postponed { until, .. } = ending(&Err(refused(true, None)), failures, now)
            else {
                panic!("failure {failures} is tried again");
            };
            let ratio = (until - now).as_seconds_f64() / pause.as_secs_f64();
            assert!((0.8..=1.2).contains(&ratio), "{failures}: {ratio}");
        }
        let last = ending(&Err(refused(true, None)), 7, now);
        assert!(matches!(last, Ending::Abandoned { .. }));
    }

    #[test]
    fn a_receiver_that_asks_for_patience_gets_it_and_a_final_no_is_final() {
        let now = DateTime::UNIX_EPOCH;
        let wait = Duration::from_hours(1);
        let Ending::Postponed { until, .. } = ending(&Err(refused(true, Some(wait))), 0, now)
        else {
            panic!("it is tried again");
        };
        assert_eq!(until - now, TimeDelta::hours(1));
        let last = ending(&Err(refused(false, Some(wait))), 0, now);
        assert!(matches!(last, Ending::Abandoned { .. }));
    }
}
