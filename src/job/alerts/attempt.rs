//! One delivery attempt: sends a claimed message once and records the outcome. Retries with
//! backoff and jitter; after the last failure the message is a dead letter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::lease::within_lease;
use super::parts::{self, Learned};
use crate::job::context::{Context, OUTCOME};
use crate::job::failure::Failure;
use crate::model::Ending;
#[cfg(feature = "otlp")]
use crate::model::FailureReason;
use crate::sink::{DeliveryReceipt, Refused, Sink};
use crate::store::alerts::delivery::{self, ClaimedDelivery, DeliveryAttempt};
use crate::store::alerts::{parts as store_parts, remote_object, sink_state};
use crate::store::database;

/// Pause after each failure; one more failure makes a dead letter. The schedule of
/// Svix, more than a day in all.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// Random variation of the pauses, so that retries do not come all at once.
const JITTER: f64 = 0.2;
/// The outcome of an attempt.
pub(crate) struct Attempted {
    pub(crate) ending: Ending,
    /// How long the receiver asked to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// Sends a message once, without holding a transaction or connection, and records the
/// outcome.
pub(crate) async fn attempt(
    context: &Context,
    sink: &Sink,
    claim: ClaimedDelivery,
) -> Result<Attempted, Failure> {
    let at = context.clock.now();
    let began = Instant::now();
    let (sent, learned) = parts::send(context, sink, &claim, at).await?;
    let attempt = DeliveryAttempt {
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
    let failure = sent.as_ref().err().map(|refused| refused.kind);
    crate::measures::attempted(sink.name(), &attempt.ending, failure, began.elapsed());
    #[cfg(feature = "otlp")]
    trace(&claim, &attempt, failure);
    log_outcome(&claim, &attempt.ending);
    let outcome = (&attempt, learned.as_ref());
    settle_with_retries(context, &claim, outcome).await?;
    Ok(Attempted {
        ending: attempt.ending,
        retry_after: sent.err().and_then(|refused| refused.wait),
    })
}

/// The next state of a delivery.
fn ending(sent: &Result<DeliveryReceipt, Refused>, failures: i32, now: DateTime<Utc>) -> Ending {
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

/// Makes the span of an attempt.
#[cfg(feature = "otlp")]
fn trace(claim: &ClaimedDelivery, attempt: &DeliveryAttempt, failure: Option<FailureReason>) {
    crate::traces::attempted(&crate::traces::EndedAttempt {
        sink: &claim.sink,
        message_id: &claim.message.id,
        rule: &claim.message.rule,
        alerts: claim.message.alerts.len(),
        status: attempt.status,
        ending: &attempt.ending,
        failure,
        time: (attempt.at, attempt.latency),
    });
}

fn log_outcome(claim: &ClaimedDelivery, ending: &Ending) {
    let (sink, id) = (&claim.sink, &claim.message.id);
    let title = &claim.message.title;
    match ending {
        Ending::Delivered => info!(
            sink = %sink, message.id = %id, alerts = claim.message.alerts.len(),
            "delivered to sink `{sink}`: {title}"
        ),
        Ending::Postponed { until, error } => warn!(
            target: OUTCOME, sink = %sink, message.id = %id, %error,
            "sink `{sink}`: delivery of message {id} failed, next attempt at {} UTC: {error}", until.format("%Y-%m-%d %H:%M:%S")
        ),
        Ending::Abandoned { error } => error!(
            target: OUTCOME, sink = %sink, message.id = %id, %error,
            "sink `{sink}`: delivery of message {id} failed and is a dead letter: {error}; correct the sink, then use `advisoryd alerts resend --state dead_letter` or `advisoryd alerts dismiss --state dead_letter`"
        ),
    }
}

/// Records the outcome while the lease is valid.
async fn settle_with_retries(
    context: &Context,
    claim: &ClaimedDelivery,
    (attempt, learned): (&DeliveryAttempt, Option<&Learned>),
) -> Result<(), Failure> {
    let settled = within_lease(|| settle(context, claim, (attempt, learned))).await;
    if let Err(failure) = &settled {
        error!(
            sink = %claim.sink, message.id = %claim.message.id, error = %failure.chain(),
            "the outcome of message {} could not be recorded; it will be sent again with the same id: {}",
            claim.message.id, failure.chain()
        );
    }
    settled
}

/// Records the outcome of an attempt, and the object that it created, in one transaction.
pub async fn settle(
    context: &Context,
    claim: &ClaimedDelivery,
    (attempt, learned): (&DeliveryAttempt, Option<&Learned>),
) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut transaction = database::begin(&context.pool).await?;
    let ours = delivery::settle(&mut transaction, claim, attempt, now).await?;
    if let Some(((rule, key), object)) = learned {
        let (key, object) = ((rule.as_str(), key.as_str()), (object, ours));
        remote_object::remember(&mut transaction, &claim.sink, key, object, now).await?;
    }
    match &attempt.ending {
        Ending::Delivered => {
            if ours && !claim.passed_over.is_empty() {
                store_parts::forget(&mut transaction, claim.id, &claim.passed_over).await?;
            }
            sink_state::record_success(&mut transaction, &claim.sink, now).await?;
        }
        Ending::Postponed { error, .. } | Ending::Abandoned { error } => {
            sink_state::record_failure(&mut transaction, &claim.sink, error, now).await?;
        }
    }
    transaction.commit().await?;
    if !ours {
        warn!(
            sink = %claim.sink, message.id = %claim.message.id,
            "message {} was claimed by another process meanwhile and may have been sent twice with the same id", claim.message.id
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};

    use super::{PAUSES, ending};
    use crate::model::{Ending, FailureReason};
    use crate::sink::Refused;

    fn refused(can_repeat: bool, wait: Option<Duration>) -> Refused {
        Refused {
            reason: "no".to_owned(),
            status: None,
            answer: String::new(),
            kind: FailureReason::Refused,
            can_repeat,
            wait,
            is_created: false,
            is_reopened: false,
            is_too_large: false,
        }
    }

    #[test]
    fn eight_failures_make_a_dead_letter_and_pauses_grow() {
        let now = DateTime::UNIX_EPOCH;
        for (failures, pause) in (0..).zip(PAUSES) {
            let Ending::Postponed { until, .. } = ending(&Err(refused(true, None)), failures, now)
            else {
                panic!("failure {failures} is retried");
            };
            let ratio = (until - now).as_seconds_f64() / pause.as_secs_f64();
            assert!((0.8..=1.2).contains(&ratio), "{failures}: {ratio}");
        }
        let last = ending(&Err(refused(true, None)), 7, now);
        assert!(matches!(last, Ending::Abandoned { .. }));
    }

    #[test]
    fn retry_after_is_honoured_and_a_permanent_failure_is_not_retried() {
        let now = DateTime::UNIX_EPOCH;
        let wait = Duration::from_hours(1);
        let Ending::Postponed { until, .. } = ending(&Err(refused(true, Some(wait))), 0, now)
        else {
            panic!("it is retried");
        };
        assert_eq!(until - now, TimeDelta::hours(1));
        let last = ending(&Err(refused(false, Some(wait))), 0, now);
        assert!(matches!(last, Ending::Abandoned { .. }));
    }
}
