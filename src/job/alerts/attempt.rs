//! One attempt: sends a claimed message once and settles what came of it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::Ending;
use crate::sink::{Receipt, Refused, Sink};
use crate::store::alerts::delivery::{self, Attempt, Claim};
use crate::store::alerts::sink_state;

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
pub(crate) const LEASE: Duration = Duration::from_mins(3);
/// Pause between two attempts to write down what came of a delivery.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// What came of an attempt.
pub(crate) struct Attempted {
    pub(crate) ending: Ending,
    /// How long the receiver asked to be left alone.
    pub(crate) asked: Option<Duration>,
}

/// Sends one message once, without a transaction or connection, and settles it.
pub(crate) async fn attempt(
    context: &Context,
    sink: &Sink,
    claim: Claim,
) -> Result<Attempted, Failure> {
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
    use crate::model::Ending;
    use crate::sink::Refused;

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
